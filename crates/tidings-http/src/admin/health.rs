//! `/healthz` says that the process answers, `/readyz` whether it is to be sent readers.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tidings_core::Phase;

/// Alive: it answers at all.
pub(crate) fn health() -> Response {
    text(StatusCode::OK, "ok\n")
}

/// Ready, unless it is starting or draining.
pub(crate) fn readiness(phase: Phase) -> Response {
    match phase {
        Phase::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Ready => text(StatusCode::OK, "ready\n"),
        Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
