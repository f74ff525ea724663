//! What a web page may do with an answer of this endpoint, and the headers that protect a page from it: on every answer.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_SECURITY_POLICY, HeaderName, ORIGIN, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::config::Cors;
use crate::cors;

/// Adds the headers that every answer of the endpoint has.
pub(super) fn finish(cors: &Cors, request: &HeaderMap, headers: &mut HeaderMap) {
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"));
    cors::apply(cors, request, headers);
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && !headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
        // Without this a page cannot see whether something was lost.
        let exposed = if headers.contains_key(RETRY_AFTER) {
            "last-event-id, mercure-last-event-id, link, retry-after"
        } else {
            "last-event-id, mercure-last-event-id, link"
        };
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
}

/// Does a browser ask whether its page may send a request?
pub(super) fn is_preflight(cors: &Cors, parts: &Parts) -> bool {
    let has_cors = cors.any_origin || cors.loopback_origins || !cors.origins.is_empty();
    has_cors
        && parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that: what is asked for is said back, if all of it is allowed. Needs [`finish`] no more.
pub(super) fn preflight(cors: &Cors, parts: &Parts) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let method = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|method| is_allowed_method(method));
    let asked = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let allows_headers = asked.is_none_or(are_allowed_headers);
    if let (Some(method), true) = (method, allows_headers) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(asked) = asked {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200")); // Chromium keeps it no longer
    }
    let is_allowed = headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS);
    finish(cors, &parts.headers, headers);
    if !is_allowed || !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        for name in NOT_ALLOWED {
            headers.remove(name);
        }
    }
    response
}

/// What a page that is not welcome is not told.
const NOT_ALLOWED: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

fn is_allowed_method(method: &HeaderValue) -> bool {
    matches!(method.as_bytes(), b"GET" | b"HEAD" | b"POST" | b"QUERY")
}

fn are_allowed_headers(asked: &HeaderValue) -> bool {
    const ALLOWED: [&str; 4] = ["authorization", "cache-control", "last-event-id", "content-type"];
    let asked = asked.to_str().unwrap_or("?");
    let mut names = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.all(|name| ALLOWED.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)))
}
