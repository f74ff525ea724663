//! The hub within another program's router, and the admin listener.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tidings_auth::{Algorithm, Authority, AuthorityOptions, Claims, KeySource, mint};
use tower::ServiceExt as _;

use crate::world::{World, request};

#[tokio::test]
async fn a_nested_hub_reads_topics_below_its_own_path() {
    let world = World::new();
    let program = Router::new().nest("/live", tidings_http::router(Arc::clone(&world.state)));
    for (method, target, status, text) in [
        ("POST", "/live/events/chat%2F42", StatusCode::OK, "\"topic\":\"chat/42\""),
        ("POST", "/live/events", StatusCode::OK, "\"topic\":\"default\""),
        ("POST", "/live/events/%FF", StatusCode::BAD_REQUEST, "\"field\":\"topic\""),
        ("POST", "/live/events/", StatusCode::BAD_REQUEST, "\"field\":\"topic\""),
        ("GET", "/live/page.js", StatusCode::OK, "EventSource"),
        ("GET", "/live/nowhere", StatusCode::NOT_FOUND, "no-such-path"),
        ("GET", "/live/healthz", StatusCode::OK, "ok"),
    ] {
        let Ok(response) = program.clone().oneshot(request(method, target, &[], "x")).await;
        assert_eq!(response.status(), status, "{method} {target}");
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(text), "{method} {target}: {body:?}");
    }
}

#[tokio::test]
async fn a_nested_hub_answers_addresses_below_its_own_path() {
    let world = World::configured(|config| config.access.is_open = false);
    let key = KeySource::new("a secret", Algorithm::Hs256);
    let options = AuthorityOptions { subscriber: Some(key.clone()), ..AuthorityOptions::default() };
    world.state.auth.replace(Arc::new(Authority::new(options).expect("a good key")));
    let expires_at = Some(world.state.now().saturating_add(Duration::from_secs(20)));
    let token = mint(&Claims { expires_at, ..Claims::default() }, &key).expect("good claims");
    let bearer = format!("Bearer {token}");

    let program = Router::new().nest("/live", tidings_http::router(Arc::clone(&world.state)));
    let ask = async |method: &str, target: &str, headers: &[(&str, &str)], body: &'static str| {
        let Ok(response) = program.clone().oneshot(request(method, target, headers, body)).await;
        assert_eq!(response.status(), StatusCode::OK, "{method} {target}");
        response.into_body()
    };
    let answer = ask("POST", "/live/tickets", &[("authorization", &bearer)], r#"{"topics":["news"]}"#).await;
    let answer = answer.collect().await.expect("a whole body").to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    let url = answer["url"].as_str().expect("an address");
    assert!(url.starts_with("/live/events?ticket="), "{url}");

    // Its token ends soon, so it is told at once where to renew.
    let mut stream = ask("GET", url, &[], "").await;
    let mut text = String::new();
    while !text.contains("tidings.expiring") || !text.ends_with("\n\n") {
        let frame = stream.frame().await.expect("the stream goes on").expect("a whole body");
        text.push_str(&String::from_utf8_lossy(&frame.into_data().expect("no trailers")));
    }
    let renew_url = text.split("\"renew_url\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an address");
    assert!(renew_url.starts_with("/live/renew/"), "{renew_url}");
    drop(ask("POST", renew_url, &[("authorization", &bearer)], "").await);
}

#[tokio::test]
async fn the_admin_listener_has_metrics_and_health() {
    let world = World::new();
    world.publish("/events", "hello").await;
    let _stream = world.listen("/events?lastEventID=never-seen", &[]).await.opened().await;
    let ask = async |method: &str, target: &str| {
        let router = tidings_http::admin_router(Arc::clone(&world.state));
        let Ok(response) = router.oneshot(request(method, target, &[("host", "10.0.0.7")], Body::empty())).await;
        let (parts, body) = response.into_parts();
        let text = body.collect().await.expect("a whole body").to_bytes();
        (parts.status, String::from_utf8_lossy(&text).into_owned())
    };
    let (status, metrics) = ask("GET", "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "tidings_sessions{way=\"body\"} 1",
        "tidings_sessions_joined_total{way=\"body\"} 1",
        "tidings_resets_total{reason=\"unknown\"} 1",
        "tidings_events_published_total 1",
        "tidings_published_bytes_total 5",
        "tidings_history_events 1",
        "tidings_ready 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "no {line:?} in\n{metrics}");
    }
    assert_eq!(ask("GET", "/healthz").await.0, StatusCode::OK);
    assert_eq!(ask("GET", "/readyz").await.0, StatusCode::OK);
    assert_eq!(ask("POST", "/metrics").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(ask("GET", "/events").await.0, StatusCode::NOT_FOUND);
}
