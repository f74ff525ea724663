//! The Mercure endpoint: `/.well-known/mercure` in both dialects, chosen for each request. The same topics and the same
//! events as `/events`.
//!
//! Here: what a request means and what is answered. Not here: tokens (see `auth`), matching (see `tidings-topic`), delivery
//! (see `tidings-fanout`). What it does where Mercure contradicts itself stands in docs/mercure.md.

mod active;
mod caller;
mod dialect;
mod document;
mod form;
mod metadata;
mod name;
mod page;
mod parameters;
mod place;
mod presence;
mod publish;
mod rejection;
mod subscribe;
mod subscriptions;
mod update;

use axum::body::Body;
use axum::response::Response;
use http::Method;
use http::request::Parts;
use tidings_auth::Action;

pub use active::ActiveSubscriptions;
pub(crate) use place::{PATH, is_hub_path, is_mercure_path};

use crate::auth::{AuthProblem, Endpoint, authenticate};
use crate::channel::{Prepared, stream};
use crate::guard;
use crate::mercure::caller::{dialect_of, refused};
use crate::mercure::dialect::{Dialect, guess, is_query};
use crate::mercure::place::{Place, hub_url, metadata_url};
use crate::mercure::rejection::{Rejection, text_answer};
use crate::problem::Problem;
use crate::respond::Refused;
use crate::state::HttpState;

/// Answers one request to a path of [`is_mercure_path`].
pub(crate) async fn answer(state: &HttpState, parts: &Parts, body: &mut Body) -> Response {
    let is_stream = matches!(parts.method, Method::GET | Method::HEAD) && is_hub_path(parts.uri.path());
    if is_stream {
        let log = |problem: &AuthProblem| state.auth.complaints.write(problem);
        return stream(state, parts, prepare_and(state, parts, log).await).await;
    }
    if let Err(problem) = guard::check(parts, &state.config) {
        let mut response = guarded(&problem, parts);
        page::finish(&state.config.cors, &parts.headers, response.headers_mut());
        return response;
    }
    if page::is_preflight(&state.config.cors, parts) {
        return page::preflight(&state.config.cors, parts);
    }
    let mut response = match Place::of(parts.uri.path()) {
        Place::Hub if parts.method == Method::POST => publish(state, parts, body).await,
        Place::Hub if is_query(&parts.method) => return query(state, parts, body).await,
        Place::Subscriptions(rest) => subscriptions::answer(state, parts, rest).await,
        Place::Metadata if matches!(parts.method, Method::GET | Method::HEAD) => Ok(metadata::answer(state, parts)),
        Place::Hub | Place::Metadata => Err((Rejection::Method, Dialect::Zero)),
        Place::Nowhere => Err((Rejection::NotFound, Dialect::Zero)),
    }
    .unwrap_or_else(|rejected| rejected_answer(state, parts, &rejected));
    page::finish(&state.config.cors, &parts.headers, response.headers_mut());
    response
}

/// Decides about a GET or HEAD of [`is_hub_path`]: guard, token, topics, the place to go on from, all headers. Needs no body.
///
/// While active subscriptions are on, what is not sent leaves a trace: the subscriber came and went. Then it must be asked
/// within a Tokio runtime, on which that it has gone is published.
pub(crate) async fn prepare(state: &HttpState, parts: &Parts) -> Prepared {
    prepare_and(state, parts, |_| {}).await
}

/// The same; `log` is told of a token that is refused, for a door may ask for an answer and then not send it.
async fn prepare_and(state: &HttpState, parts: &Parts, log: impl FnOnce(&AuthProblem)) -> Prepared {
    let prepared = match guard::check(parts, &state.config) {
        Ok(()) => subscribe::decide(state, parts, b"", log).await,
        Err(problem) => Ok(Prepared::Answer(guarded(&problem, parts))),
    };
    finish(state, parts, prepared)
}

async fn publish(state: &HttpState, parts: &Parts, body: &mut Body) -> Result<Response, (Rejection, Dialect)> {
    let caller = authenticate(state, parts, Action::Publish, Endpoint::Mercure).await;
    let caller = caller.map_err(|problem| (refused(state.config.access, problem), guess(parts)))?;
    let rules = dialect_of(&caller).unwrap_or_default();
    publish::publish(state, parts, body, &caller).await.map_err(|rejection| (rejection, rules))
}

/// A subscribe whose parameters stand in its body too.
async fn query(state: &HttpState, parts: &Parts, body: &mut Body) -> Response {
    let prepared = match read_query(state, parts, body).await {
        Ok(form) => {
            let log = |problem: &AuthProblem| state.auth.complaints.write(problem);
            subscribe::decide(state, parts, &form, log).await
        }
        Err(rejection) => Err((rejection, Dialect::One)),
    };
    stream(state, parts, finish(state, parts, prepared)).await
}

async fn read_query(state: &HttpState, parts: &Parts, body: &mut Body) -> Result<Vec<u8>, Rejection> {
    let form = publish::read(state, parts, body).await?.0;
    // A body of another kind has no parameters.
    Ok(if form::is_form(&parts.headers) { form } else { Vec::new() })
}

fn finish(state: &HttpState, parts: &Parts, prepared: Result<Prepared, (Rejection, Dialect)>) -> Prepared {
    let mut prepared = prepared.unwrap_or_else(|rejected| Prepared::Answer(rejected_answer(state, parts, &rejected)));
    let headers = match &mut prepared {
        Prepared::Stream { headers, .. } => headers,
        Prepared::Answer(response) => response.headers_mut(),
    };
    page::finish(&state.config.cors, &parts.headers, headers);
    prepared
}

fn rejected_answer(state: &HttpState, parts: &Parts, (rejection, dialect): &(Rejection, Dialect)) -> Response {
    if let Some(detail) = rejection.detail() {
        tracing::debug!(detail, "a request to the Mercure endpoint is not allowed");
    }
    rejection.answer(*dialect, parts.version, &metadata_url(&hub_url(&state.config, parts)))
}

/// What the guard says, as this endpoint says things: one line of text.
fn guarded(problem: &Problem, parts: &Parts) -> Response {
    let status = problem.answer(parts.version).status();
    let fault = problem.to_fault();
    let mut response = text_answer(status, &format!("{}; expected {}", fault.detail, fault.expected));
    response.extensions_mut().insert(Refused::ForItsRequest);
    response
}
