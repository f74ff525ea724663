//! `POST /tickets`: an address that lets one reader in, without a token in it. An `EventSource` takes an address and nothing
//! else, and addresses stand in logs.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tidings_auth::{Action, StandingId, Ticket};
use tidings_core::{Limit, Phase, Timestamp};
use tidings_topic::SelectorSet;

use crate::auth::{AuthProblem, Caller, Endpoint, authenticate};
use crate::channel::fields::parse_selector;
use crate::channel::publish::{draining, read_text};
use crate::problem::{Fault, Problem};
use crate::query::parameters;
use crate::state::HttpState;
use crate::takeover::prefix_of;
use crate::time_text::rfc_3339;

/// Answers an address for the topics that the body names.
pub(crate) async fn issue_ticket(state: &Arc<HttpState>, parts: &Parts, body: &mut Body) -> Result<Response, Problem> {
    let caller = authenticate(state, parts, Action::Subscribe, Endpoint::Plain).await?;
    let is_open = state.config.access.is_open;
    if caller.identity().is_none() && !is_open {
        return Err(AuthProblem::NoToken { action: Action::Subscribe, has_key: true }.into());
    }
    if state.phase.get() == Phase::Draining {
        return Err(draining());
    }
    let (text, _held) = read_text(state, parts, body).await?;
    let topics = topics_of(&text, state.limits().topics_per_connection_max)?;
    let Some(identity) = caller.identity() else {
        // Open to all: the same page works here, and its address is a plain one.
        return Ok(answer(&plain_url(prefix_of(parts), &topics), None));
    };
    let ticket = Ticket { topics, identity: identity.as_ref().clone() };
    let issued = state.auth.tickets().issue(ticket, state.now());
    let (id, use_by) = issued.map_err(|full| Problem::TicketsFull { retry_after: full.retry_after })?;
    Ok(answer(&format!("{}/events?ticket={id}", prefix_of(parts)), Some(use_by)))
}

/// The ticket that a reader comes with, if it does.
pub(super) struct Shown {
    pub(super) id: StandingId,
    pub(super) topics: SelectorSet,
    pub(super) caller: Caller,
}

impl Shown {
    /// Looks at the ticket of a request. It is used only when the stream begins.
    ///
    /// # Errors
    /// [`Problem::NoSuchTicket`] when it lets nobody in.
    pub(super) fn of(state: &HttpState, parts: &Parts) -> Result<Option<Self>, Problem> {
        let mut named = parameters(parts.uri.query()).filter_map(Result::ok);
        let Some((_, text)) = named.find(|(name, _)| name == "ticket") else { return Ok(None) };
        let id: StandingId = text.parse().map_err(|()| Problem::NoSuchTicket)?;
        let found = state.auth.tickets().look(&id, state.now()).cloned();
        let Ticket { topics, identity } = found.ok_or(Problem::NoSuchTicket)?;
        Ok(Some(Self { id, topics, caller: Caller::holder(Arc::new(identity)) }))
    }
}

fn plain_url(prefix: &str, topics: &SelectorSet) -> String {
    let topics: Vec<_> = topics.iter().map(ToString::to_string).collect();
    let encoded: Vec<_> = topics.iter().map(|topic| utf8_percent_encode(topic, NON_ALPHANUMERIC).to_string()).collect();
    format!("{prefix}/events?topic={}", encoded.join("&topic="))
}

/// `{"url", "expires"}`.
fn answer(url: &str, expires: Option<Timestamp>) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        url: &'a str,
        expires: Option<String>,
    }
    json(StatusCode::OK, &Answer { url, expires: expires.map(rfc_3339) })
}

/// An answer that is for its reader alone.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response {
    let body = serde_json::to_vec(document).expect("texts are always JSON");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const FORM: &str = "a JSON object such as {\"topics\": [\"chat/42\", \"news/*\"]}";

fn topics_of(text: &str, topics_max: usize) -> Result<SelectorSet, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        topics: Vec<String>,
    }
    let wish: Wish = serde_json::from_str(text).map_err(|error| Fault::new("body", error.to_string(), FORM))?;
    if wish.topics.len() > topics_max {
        return Err(Fault::new("topics", "there are too many topics", format!("at most {topics_max}"))
            .over(Limit::TopicsPerConnection));
    }
    let selectors = wish.topics.iter().map(|raw| parse_selector(raw));
    let selectors =
        selectors.collect::<Result<Vec<_>, _>>().map_err(|fault| Fault { field: "topics".into(), ..fault })?;
    SelectorSet::new(selectors).ok_or_else(|| Fault::new("topics", "there are no topics", FORM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_names_its_topics() {
        let check = |text: &str, want: Result<usize, &str>| {
            let got = topics_of(text, 2);
            let got = got.as_ref().map(SelectorSet::len).map_err(|fault| &*fault.field);
            assert_eq!(got, want, "{text}");
        };
        check(r#"{"topics":["chat/42"]}"#, Ok(1));
        check(r#"{"topics":["chat/*","news"]}"#, Ok(2));
        check(r#"{"topics":[]}"#, Err("topics"));
        check(r#"{"topics":["a","b","c"]}"#, Err("topics"));
        check(r#"{"topics":["a*"]}"#, Err("topics"));
        check(r#"{"topics":[""]}"#, Err("topics"));
        check(r#"{"topics":"a"}"#, Err("body"));
        check(r#"{"topic":["a"]}"#, Err("body"));
        check("", Err("body"));
    }
}
