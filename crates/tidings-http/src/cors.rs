//! Which web pages may read an answer: the headers of Cross-Origin Resource Sharing, on every answer, errors included.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, ORIGIN, RETRY_AFTER,
    VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::config::Cors;
use crate::header_text::is_loopback_origin;
use crate::publishers::RATE_LIMIT;

/// Adds to `headers`, those of an answer, what the page behind `request` may do with it.
pub(crate) fn apply(cors: &Cors, request: &HeaderMap, headers: &mut HeaderMap) {
    match verdict(cors, request.get(ORIGIN)) {
        Verdict::Nobody => {}
        Verdict::Anybody => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Verdict::This(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        Verdict::Trusted(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    // A page cannot see these headers of another origin's answer unless they are named.
    let exposed = match (headers.contains_key(RETRY_AFTER), headers.contains_key(RATE_LIMIT)) {
        (_, true) => "retry-after, ratelimit, ratelimit-policy",
        (true, false) => "retry-after",
        (false, false) => "",
    };
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && !exposed.is_empty() {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
    if depends_on_origin(cors) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// The answer to OPTIONS: for a browser that asks before it sends, and for anybody else. `allow` is what the path has.
/// The caller applies [`apply`] to it, as to every answer.
pub(crate) fn preflight(cors: &Cors, request: &HeaderMap, allow: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    if !matches!(verdict(cors, request.get(ORIGIN)), Verdict::Nobody) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        let allowed = HeaderValue::from_static("last-event-id, content-type, authorization, idempotency-key");
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200")); // Chromium keeps it no longer
    }
    response
}

enum Verdict<'a> {
    Nobody,
    Anybody,
    /// This page, without credentials.
    This(&'a HeaderValue),
    /// This page, with credentials.
    Trusted(&'a HeaderValue),
}

fn verdict<'a>(cors: &Cors, origin: Option<&'a HeaderValue>) -> Verdict<'a> {
    let text = origin.and_then(|origin| origin.to_str().ok()).unwrap_or("");
    match origin {
        Some(origin) if cors.origins.iter().any(|listed| listed.eq_ignore_ascii_case(text)) => Verdict::Trusted(origin),
        _ if cors.any_origin => Verdict::Anybody,
        Some(origin) if cors.loopback_origins && is_loopback_origin(text) => Verdict::This(origin),
        _ => Verdict::Nobody,
    }
}

/// Would another `Origin` have been answered otherwise? Then a cache must not give one page's answer to another.
fn depends_on_origin(cors: &Cors) -> bool {
    !cors.origins.is_empty() || cors.loopback_origins && !cors.any_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cors: &Cors, origin: Option<&'static str>, want: [Option<&str>; 3]) {
        let request: HeaderMap = origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))).into_iter().collect();
        let mut headers = HeaderMap::new();
        apply(cors, &request, &mut headers);
        let got = [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, VARY]
            .map(|name| headers.get(name).map(|value| value.to_str().expect("ASCII")));
        assert_eq!(got, want, "{cors:?}, {origin:?}");
    }

    const APP: &str = "https://app.example";
    const DEV: &str = "http://localhost:5173";
    const VARIES: Option<&str> = Some("Origin");

    #[test]
    fn the_demo_answers_every_page_and_whoever_is_none() {
        let demo = Cors { any_origin: true, ..Cors::default() };
        check(&demo, None, [Some("*"), None, None]);
        check(&demo, Some(APP), [Some("*"), None, None]);
        check(&demo, Some("null"), [Some("*"), None, None]);
        check(&Cors { loopback_origins: true, ..demo }, Some(DEV), [Some("*"), None, None]);
    }

    #[test]
    fn an_open_hub_answers_loopback_pages_without_credentials() {
        let open = Cors { loopback_origins: true, ..Cors::default() };
        check(&open, Some(DEV), [Some(DEV), None, VARIES]);
        check(&open, Some(APP), [None, None, VARIES]);
        check(&open, Some("null"), [None, None, VARIES]);
        check(&open, None, [None, None, VARIES]);
    }

    #[test]
    fn credentials_are_for_listed_origins_only() {
        let listed = Cors { origins: vec![APP.into()], ..Cors::default() };
        check(&listed, Some(APP), [Some(APP), Some("true"), VARIES]);
        check(&listed, Some("https://app.example.evil"), [None, None, VARIES]);
        check(&listed, Some(DEV), [None, None, VARIES]);
        check(&listed, None, [None, None, VARIES]);
        let and_any = Cors { any_origin: true, ..listed };
        check(&and_any, Some(APP), [Some(APP), Some("true"), VARIES]);
        check(&and_any, Some("https://b.example"), [Some("*"), None, VARIES]);
    }

    #[test]
    fn without_cors_there_is_not_a_word_of_it() {
        check(&Cors::default(), Some(APP), [None, None, None]);
    }

    #[test]
    fn a_preflight_tells_methods_and_headers_to_welcome_pages_only() {
        let listed = Cors { origins: vec![APP.into()], ..Cors::default() };
        for (origin, want) in [(APP, Some("GET, POST")), ("https://evil.example", None)] {
            let request = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            let response = preflight(&listed, &request, "GET");
            let methods =
                response.headers().get(ACCESS_CONTROL_ALLOW_METHODS).map(|value| value.to_str().expect("ASCII"));
            assert_eq!((response.status(), methods), (StatusCode::NO_CONTENT, want), "{origin}");
        }
    }
}
