//! From a request to who sends it: whether it needs a token, where that is, and what it says.

use std::borrow::Cow;

use http::Method;
use http::header::ORIGIN;
use http::request::Parts;
use tidings_auth::{Action, Place, TokenError, TokenPlaces, allows_cookie_publish, find_token};

use super::caller::Caller;
use super::problem::AuthProblem;
use crate::config::HttpConfig;
use crate::problem::cut;
use crate::state::HttpState;

/// By whose rules a token is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/events` and what belongs to it.
    Plain,
    /// `/.well-known/mercure`.
    Mercure,
}

/// Who sends this request, to do `action`. What exactly it may do stands in the answer: ask it for each topic.
///
/// Ready at the first poll unless keys must be fetched.
///
/// # Errors
/// An [`AuthProblem`] when it must not do that at all, or brings a token that is not good: such a token is never taken for
/// none.
pub(crate) async fn authenticate(
    state: &HttpState,
    parts: &Parts,
    action: Action,
    endpoint: Endpoint,
) -> Result<Caller, AuthProblem> {
    let access = &state.config.access;
    if access.is_open {
        return Ok(Caller::anybody());
    }
    let authority = state.auth.authority();
    let Some(token) = find(state, parts, action, endpoint)? else {
        if action == Action::Subscribe && access.allows_anonymous {
            return Ok(Caller::anonymous());
        }
        let has_key = authority.is_some_and(|authority| authority.can(action));
        return Err(AuthProblem::NoToken { action, has_key });
    };
    let authority = authority.ok_or(AuthProblem::BadToken(TokenError::NoKey { action }))?;
    let identity = authority.verify(&token, action, state.now()).await.map_err(AuthProblem::BadToken)?;
    Ok(Caller::holder(identity))
}

/// The token of a request, if there is one.
fn find<'a>(
    state: &HttpState,
    parts: &'a Parts,
    action: Action,
    endpoint: Endpoint,
) -> Result<Option<Cow<'a, str>>, AuthProblem> {
    let tokens = &state.config.tokens;
    let plain_cookies = [&*tokens.cookie_name];
    let places = match endpoint {
        Endpoint::Plain => {
            TokenPlaces { query_parameter: tokens.in_query.then_some("access_token"), cookies: &plain_cookies }
        }
        Endpoint::Mercure => TokenPlaces { query_parameter: Some("authorization"), cookies: &MERCURE_COOKIES },
    };
    let found = find_token(&parts.headers, parts.uri.query(), &places).map_err(AuthProblem::Misplaced)?;
    let Some(found) = found else { return Ok(None) };
    // A page of another site can have a browser send its cookie here; only where it comes from gives it away.
    if found.place == Place::Cookie && changes_something(&parts.method) {
        check_page(parts, action, &state.config)?;
    }
    Ok(Some(found.token))
}

/// Of 0.x and of 1.0.
const MERCURE_COOKIES: [&str; 2] = ["mercureAuthorization", "__Secure-mercure_access_token"];

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && method.as_str() != "QUERY"
}

/// May the page that sends this request do so with a cookie? For a ticket or a renewal it is enough that it may read the
/// answer.
fn check_page(parts: &Parts, action: Action, config: &HttpConfig) -> Result<(), AuthProblem> {
    let may_read = || action == Action::Subscribe && allows_cookie_publish(&parts.headers, &config.cors.origins);
    if allows_cookie_publish(&parts.headers, &config.publish_origins) || may_read() {
        return Ok(());
    }
    let origin = parts.headers.get(ORIGIN).map(|origin| cut(&String::from_utf8_lossy(origin.as_bytes())));
    Err(AuthProblem::ForeignCookie { origin })
}
