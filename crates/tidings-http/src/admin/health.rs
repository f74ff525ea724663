//! `/healthz` says that the process answers, `/readyz` whether it is to be sent readers and publishers.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tidings_core::{EngineError, Phase};

use crate::state::HttpState;

/// Alive: it answers at all.
pub(crate) fn health() -> Response {
    text(StatusCode::OK, "ok\n")
}

/// Ready, unless it is starting or draining, or cannot store events. The first line is a word for programs, the second
/// one, if there is one, the reason for people.
pub(crate) fn readiness(state: &HttpState) -> Response {
    match (state.phase.get(), state.engine.health()) {
        (Phase::Ready, Ok(())) => text(StatusCode::OK, "ready\n"),
        (Phase::Ready, Err(error)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n{error}\n", word_for(&error))),
        _ => text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", word(state))),
    }
}

/// Readiness in a word: [`READY`], or why not; one of [`WORDS`].
pub(super) fn word(state: &HttpState) -> &'static str {
    match (state.phase.get(), state.engine.health()) {
        (Phase::Starting, _) => "starting",
        (Phase::Draining, _) => "draining",
        (Phase::Ready, Err(error)) => word_for(&error),
        (Phase::Ready, Ok(())) => READY,
    }
}

/// The hub is to be sent readers and publishers.
pub(super) const READY: &str = "ready";

/// All that [`word`] says.
pub(super) const WORDS: [&str; 7] = [READY, "starting", "draining", "closed", "no-room", "stalled", "store-failed"];

/// [`health`], as probes of Mercure's hubs expect it.
pub(super) fn mercure_health() -> Response {
    json(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// [`readiness`], as probes of Mercure's hubs expect it.
pub(super) fn mercure_readiness(state: &HttpState) -> Response {
    match (state.phase.get(), state.engine.health()) {
        (Phase::Ready, Ok(())) => mercure_health(),
        _ => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"error","error":"transport health check failed"}"#),
    }
}

fn json(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// As the problem is called with which a publication is refused then.
fn word_for(error: &EngineError) -> &'static str {
    match error {
        EngineError::Closed => "closed",
        EngineError::NoRoom { .. } => "no-room",
        EngineError::Stalled { .. } => "stalled",
        EngineError::Failed { .. } => "store-failed",
    }
}

fn text(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
