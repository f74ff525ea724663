//! Temporary refusals: a browser must come back, everybody else must know when.

use axum::body::Body;
use http::{Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use tidings_core::Phase;
use tidings_http::{Refusal, refuse};

use crate::world::{World, request};

const BROWSER: (&str, &str) = ("user-agent", "Mozilla/5.0");

fn draining() -> World {
    let world = World::new();
    world.state.phase.advance(Phase::Draining);
    world
}

#[tokio::test]
async fn a_browser_gets_a_stream_that_ends() {
    let world = draining();
    for headers in [&[BROWSER][..], &[("sec-fetch-mode", "cors")]] {
        let answer = world.ask("GET", "/events", headers, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("text/event-stream")));
        assert_eq!(answer.header("connection"), Some("close"));
        let (retry, comment) = answer.text.split_once('\n').expect("two lines");
        let retry: u64 = retry.strip_prefix("retry: ").and_then(|ms| ms.parse().ok()).expect("a retry line");
        assert!((3_000..=7_500).contains(&retry), "{retry}");
        assert_eq!(comment, ": the hub is shutting down\n");
    }
    assert_eq!((world.state.counters.refused_limits.get(), world.state.counters.refused_requests.get()), (2, 0));
}

#[tokio::test]
async fn others_are_told_when_to_come_back() {
    let world = draining();
    for method in ["GET", "POST", "DELETE"] {
        let answer = world.ask(method, "/events", &[], "x").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{method}");
        let retry_after: u64 = answer.header("retry-after").and_then(|secs| secs.parse().ok()).expect("a number");
        assert!((4..=6).contains(&retry_after), "{retry_after}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let page = world.ask("POST", "/events", &[BROWSER], "x").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "200 would say that it is published");
    assert_eq!(world.state.counters.refused_limits.get(), 4);
}

#[tokio::test]
async fn what_is_wrong_is_wrong_for_browsers_too() {
    let world = draining();
    let html = [BROWSER, ("accept", "application/json")];
    assert_eq!(world.ask("GET", "/events", &html, "").await.status, StatusCode::NOT_ACCEPTABLE);
    let world = World::new();
    world.refuses("GET", "/events?last=x", &[BROWSER], 400, "last").await;
}

#[tokio::test]
async fn limits_refuse_in_the_same_way() {
    let world = World::new();
    let parts = |headers: &[(&str, &str)]| request("GET", "/events", headers, Body::empty()).into_parts().0;
    let full = refuse(&world.state, &parts(&[]), Refusal::Full);
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    let too_many = refuse(&world.state, &parts(&[]), Refusal::TooMany);
    assert_eq!(too_many.status(), StatusCode::TOO_MANY_REQUESTS);
    for response in [full, too_many] {
        assert!(response.headers().contains_key("retry-after") && response.headers().contains_key("vary"));
    }
    let browser = refuse(&world.state, &parts(&[BROWSER]), Refusal::Full);
    assert_eq!(browser.status(), StatusCode::OK);
    let body = browser.into_body().collect().await.expect("a whole body").to_bytes();
    assert!(body.ends_with(b"\n: the hub has no place left\n"), "{body:?}");
    assert_eq!(world.state.counters.refused_limits.get(), 3);
}

#[tokio::test]
async fn http2_has_no_connection_header() {
    let world = draining();
    let request = Request::get("http://localhost/events").version(Version::HTTP_2).header(BROWSER.0, BROWSER.1);
    let response = world.send(request.body(Body::empty()).expect("a good request")).await;
    assert_eq!((response.status(), response.headers().get("connection")), (StatusCode::OK, None));
}

#[tokio::test]
async fn readiness_follows_the_phase() {
    let world = World::new();
    assert_eq!(world.ask("GET", "/readyz", &[], "").await.status, StatusCode::OK);
    world.state.phase.advance(Phase::Draining);
    assert_eq!(world.ask("GET", "/readyz", &[], "").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.ask("GET", "/healthz", &[], "").await.status, StatusCode::OK);
}
