//! Who is answered, and which pages may read the answers. The tables of all cases stand beside the code.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, Version};
use tidings_core::Phase;
use tidings_http::{Access, Cors, HttpConfig};

use crate::world::{Answer, World, request};

const EVIL: (&str, &str) = ("origin", "https://evil.example");
const APP: (&str, &str) = ("origin", "https://app.example");
const DEV: (&str, &str) = ("origin", "http://localhost:5173");

#[tokio::test]
async fn the_guard_stands_before_every_room_but_health() {
    let world = World::new();
    for target in ["/events", "/events/a", "/", "/page.css", "/nowhere"] {
        world.refuses("GET", target, &[("host", "rebound.example")], 421, "host").await;
        world.refuses("GET", target, &[("x-forwarded-for", "10.0.0.1")], 403, "x-forwarded-for").await;
        world.refuses("POST", target, &[EVIL], 403, "origin").await;
    }
    for target in ["/healthz", "/readyz"] {
        let probe = [("host", "10.0.0.7:3000"), ("via", "1.1 probe")];
        assert_eq!(world.ask("GET", target, &probe, "").await.status, StatusCode::OK, "{target}");
    }
    assert_eq!(world.state.counters.refused_requests.get(), 15);
}

#[tokio::test]
async fn a_request_names_its_host() {
    let world = World::new();
    let without = Request::get("/events").body(Body::empty()).expect("a good request");
    assert_eq!(world.send(without).await.status(), StatusCode::BAD_REQUEST);
    let old = Request::head("/events").version(Version::HTTP_10).body(Body::empty()).expect("a good request");
    assert_eq!(world.send(old).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_listed_page_may_publish_into_an_open_hub() {
    let world = World::configured(|config| config.publish_origins = vec!["https://app.example".into()]);
    assert_eq!(world.ask("POST", "/events", &[APP], "x").await.status, StatusCode::OK);
    assert_eq!(world.ask("POST", "/events", &[DEV], "x").await.status, StatusCode::OK);
    assert_eq!(world.ask("POST", "/events", &[EVIL], "x").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn open_lifts_the_guard() {
    let open = |config: &mut HttpConfig| config.access = Access { lifts_protection: true, ..Access::default() };
    let world = World::configured(open);
    let headers = [("host", "hub.example"), ("x-forwarded-for", "10.0.0.1"), EVIL];
    assert_eq!(world.ask("POST", "/events", &headers, "x").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_closed_hub_without_a_key_lets_nobody_in() {
    let closed = |config: &mut HttpConfig| config.access = Access { is_open: false, ..Access::default() };
    let world = World::configured(closed);
    for method in ["GET", "POST", "DELETE"] {
        world.refuses(method, "/events", &[], 401, "authorization").await;
    }
}

fn cors_of(headers: &HeaderMap) -> [Option<&str>; 3] {
    ["access-control-allow-origin", "access-control-allow-credentials", "vary"]
        .map(|name| headers.get(name).map(|value| value.to_str().expect("ASCII")))
}

#[tokio::test]
async fn cors_headers_are_on_every_answer() {
    let world = World::configured(|config| config.cors = Cors { origins: vec![APP.1.into()], ..Cors::default() });
    let want = [Some(APP.1), Some("true"), Some("Origin")];
    for (method, target, status) in [
        ("POST", "/events", 403), // it may read, and yet not write
        ("HEAD", "/events", 200),
        ("GET", "/events?since=never", 400),
        ("GET", "/nowhere", 404),
        ("PUT", "/events", 403),
        ("GET", "/", 200),
        ("GET", "/readyz", 200),
        ("OPTIONS", "/events", 204),
    ] {
        let answer = world.ask(method, target, &[APP], "x").await;
        assert_eq!((answer.status.as_u16(), cors_of(&answer.headers)), (status, want), "{method} {target}");
    }
    let stream = world.listen("/events", &[APP]).await;
    assert_eq!(cors_of(&stream.headers), want);
    let stranger = world.ask("HEAD", "/events", &[EVIL], "").await;
    assert_eq!(cors_of(&stranger.headers), [None, None, Some("Origin")]);
    world.state.phase.advance(Phase::Draining);
    let refused = world.ask("GET", "/events", &[APP], "").await;
    assert_eq!((refused.status.as_u16(), cors_of(&refused.headers)), (503, want));
    assert_eq!(refused.header("access-control-expose-headers"), Some("retry-after"));
}

#[tokio::test]
async fn the_demo_is_open_to_every_page() {
    let world = World::configured(|config| config.cors = Cors { any_origin: true, ..Cors::default() });
    for headers in [&[][..], &[EVIL]] {
        let stream = world.listen("/events", headers).await;
        assert_eq!(cors_of(&stream.headers), [Some("*"), None, None]);
    }
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let preflight = async |world: &World, origin| -> Answer {
        let asks =
            [("access-control-request-method", "POST"), ("access-control-request-headers", "last-event-id"), origin];
        world.ask("OPTIONS", "/events/a", &asks, "").await
    };
    let world = World::new();
    let welcome = preflight(&world, DEV).await;
    assert_eq!(welcome.status, StatusCode::NO_CONTENT);
    assert_eq!(welcome.header("access-control-allow-origin"), Some(DEV.1));
    assert_eq!(welcome.header("access-control-allow-methods"), Some("GET, POST"));
    let headers = Some("last-event-id, content-type, authorization, idempotency-key");
    assert_eq!(welcome.header("access-control-allow-headers"), headers);
    assert!(welcome.header("access-control-max-age").is_some());
    let stranger = preflight(&world, EVIL).await;
    assert_eq!(stranger.status, StatusCode::NO_CONTENT);
    assert_eq!(
        (stranger.header("access-control-allow-origin"), stranger.header("access-control-allow-methods")),
        (None, None)
    );
}

#[tokio::test]
async fn the_page_has_a_strict_policy() {
    let world = World::new();
    for (target, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = world.ask("GET", target, &[], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some(content_type)), "{target}");
        assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let etag = answer.header("etag").expect("every file has one").to_owned();
        let again = world.ask("GET", target, &[("if-none-match", &etag)], "").await;
        assert_eq!((again.status, &*again.text), (StatusCode::NOT_MODIFIED, ""), "{target}");
    }
    let head = world.send(request("HEAD", "/", &[], "")).await;
    assert_eq!(head.status(), StatusCode::OK);
}
