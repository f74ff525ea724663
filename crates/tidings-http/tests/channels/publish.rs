//! `POST` and `DELETE`: what is taken, what is answered, and what is refused for which field.

use http::StatusCode;
use tidings_core::Limits;
use tidings_http::HttpConfig;

use crate::bodies::{in_frames, stalled};
use crate::world::{World, position, request};

#[tokio::test]
async fn a_post_is_answered_with_its_id_and_topic() {
    let world = World::new();
    let answer = world.post("/events/chat/42", "hello").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
    assert_eq!(answer.text, format!(r#"{{"id":"{}","topic":"chat/42"}}"#, position(1)));
    assert_eq!(world.post("/events", "hello").await.json()["topic"], "default");
    assert_eq!(world.post("/events?topic=a+b", "hello").await.json()["topic"], "a b");
    assert_eq!(world.post("/events/a+b", "hello").await.json()["topic"], "a+b");
    assert_eq!(world.post("/events/a?topic=a", "hello").await.json()["topic"], "a");
    assert_eq!(world.post("/events/%22quoted%22?id=%22q%22", "x").await.text, r#"{"id":"\"q\"","topic":"\"quoted\""}"#);
    assert_eq!(world.state.counters.published.get(), 6);
}

#[tokio::test]
async fn what_is_published_is_what_is_read() {
    let world = World::new();
    let mut stream = world.listen("/events/t", &[]).await.opened().await;
    world.publish("/events/t", "one\ntwo\r\nthree").await;
    assert_eq!(stream.frame().await, format!("id: {}\ndata: one\ndata: two\ndata: three", position(1)));
    world.publish("/events/t?type=price&id=order-1&retry=250", "").await;
    assert_eq!(stream.frame().await, "event: price\nretry: 250\nid: order-1\ndata: ");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    world.ask("POST", "/events/t", &form, "a=b%20c").await;
    assert_eq!(stream.frame().await, format!("id: {}\ndata: a=b%20c", position(3)));
    let ndjson = [("content-type", "application/x-ndjson")];
    world.ask("POST", "/events/t", &ndjson, r#"{"data":"on a topic it is data"}"#).await;
    assert_eq!(stream.frame().await, format!("id: {}\ndata: {}", position(4), r#"{"data":"on a topic it is data"}"#));
}

#[tokio::test]
async fn a_private_event_is_not_for_everybody() {
    let world = World::new();
    let mut stream = world.listen("/events/t", &[]).await.opened().await;
    for target in ["/events/t?private", "/events/t?private=1", "/events/t?private=true"] {
        world.publish(target, "secret").await;
    }
    world.publish("/events/t?private=0&type=open", "public").await;
    assert_eq!(stream.frame().await, format!("event: open\nid: {}\ndata: public", position(4)));
}

#[tokio::test]
async fn a_bad_parameter_is_named() {
    let world = World::new();
    for (target, field) in [
        ("/events//.well-known/mercure/subscriptions/a/b", "topic"),
        ("/events?topic=https://hub.example/.well-known/mercure", "topic"),
        ("/events/", "topic"),
        ("/events/%FF", "topic"),
        ("/events/a%0Ab", "topic"),
        ("/events?topic=", "topic"),
        ("/events?topic=%zz", "topic"),
        ("/events?topic=a&topic=b", "topic"),
        ("/events/a?topic=b", "topic"),
        ("/events?type=tidings.open", "type"),
        ("/events?type=", "type"),
        ("/events?type=a&type=a", "type"),
        ("/events?id=a%00b", "id"),
        ("/events?id=", "id"),
        ("/events?id=+a", "id"),
        ("/events?retry=soon", "retry"),
        ("/events?retry=-1", "retry"),
        ("/events?ttl=10", "ttl"),
        ("/events?private=maybe", "private"),
        ("/events?end=2", "end"),
    ] {
        world.refuses("POST", target, &[], 400, field).await;
    }
    let own = format!("/events?id={}", position(7));
    world.refuses("POST", &own, &[], 400, "id").await;
    world.refuses("POST", &format!("/events/{}", "a".repeat(4097)), &[], 400, "topic").await;
    world.refuses("POST", "/events", &[("idempotency-key", "a b")], 400, "idempotency-key").await;
    world.refuses("POST", "/events", &[("idempotency-key", "")], 400, "idempotency-key").await;
    world.refuses("POST", "/events", &[("content-encoding", "gzip")], 415, "content-encoding").await;
    assert_eq!(world.ask("POST", "/events", &[("content-encoding", "identity")], "x").await.status, StatusCode::OK);
    assert_eq!(world.state.counters.published.get(), 1);
}

#[tokio::test]
async fn a_refusal_repeats_the_value_but_not_all_of_it() {
    let world = World::new();
    let problem = world.post(&format!("/events?retry={}", "9".repeat(500)), "x").await.json();
    assert_eq!(problem["value"].as_str().map(str::len), Some(100));
}

#[tokio::test]
async fn data_are_utf8_and_of_limited_length() {
    let world = World::limited(Limits { event_bytes_max: 10, ..Limits::default() });
    assert_eq!(world.post("/events", "0123456789").await.status, StatusCode::OK);
    let answer = world.post("/events", "0123456789x").await;
    assert_eq!((answer.status, answer.header("connection")), (StatusCode::PAYLOAD_TOO_LARGE, Some("close")));
    let chunked = in_frames(&["012345", "6789", "x"]);
    assert_eq!(world.ask("POST", "/events", &[], chunked).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let chunked = in_frames(&["012345", "6789"]);
    assert_eq!(world.ask("POST", "/events", &[], chunked).await.status, StatusCode::OK);
    let answer = world.ask("POST", "/events", &[], &b"a\xff"[..]).await;
    assert_eq!((answer.status, &answer.json()["field"]), (StatusCode::BAD_REQUEST, &"body".into()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let world = World::new();
    let answer = world.ask("POST", "/events", &[], stalled()).await;
    assert_eq!((answer.status, answer.header("connection")), (StatusCode::REQUEST_TIMEOUT, Some("close")));
}

#[tokio::test]
async fn an_id_is_used_once() {
    let world = World::new();
    world.publish("/events/a?id=order-1", "x").await;
    world.refuses("POST", "/events/b?id=order-1", &[], 409, "id").await;
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_id() {
    let world = World::new();
    let key = [("idempotency-key", "k-1")];
    let first = world.ask("POST", "/events/a", &key, "x").await;
    assert_eq!(world.ask("POST", "/events/a", &key, "x").await.text, first.text);
    assert_ne!(world.ask("POST", "/events/b", &key, "x").await.text, first.text);
    world.refuses("POST", "/events/a?type=other", &key, 422, "idempotency-key").await;
    assert_eq!((world.state.counters.published.get(), world.state.counters.published_repeats.get()), (2, 1));
}

#[tokio::test]
async fn at_the_limit_of_keys_a_publisher_is_told_when_to_come_back() {
    let mut options = tidings_core::MemoryOptions::default();
    options.history.idempotency_keys_max = 1;
    let world = World::with(HttpConfig::default(), options);
    world.ask("POST", "/events", &[("idempotency-key", "a")], "x").await;
    let answer = world.ask("POST", "/events", &[("idempotency-key", "b")], "x").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.header("retry-after").is_some_and(|secs| secs.parse().is_ok_and(|secs: u64| (1..=600).contains(&secs)))
    );
}

#[tokio::test]
async fn a_topic_ends_and_begins_anew() {
    let world = World::new();
    let stream = world.listen("/events/t", &[]).await.opened().await;
    world.publish("/events/t?end", "last words").await;
    let rest = stream.rest().await;
    assert!(rest.contains("data: last words\n\nevent: tidings.end\n"), "{rest:?}");
    world.refuses("POST", "/events/t", &[], 409, "topic").await;
    assert_eq!(world.ask("DELETE", "/events/t", &[], "").await.status, StatusCode::NO_CONTENT);
    world.publish("/events/t", "a new beginning").await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_deleted() {
    let world = World::new();
    world.refuses("DELETE", "/events/t", &[], 404, "topic").await;
    world.refuses("DELETE", "/events/", &[], 400, "topic").await;
    world.publish("/events/t", "x").await;
    assert_eq!(world.ask("DELETE", "/events/t", &[], "").await.status, StatusCode::NO_CONTENT);
    world.refuses("DELETE", "/events/t", &[], 404, "topic").await;
}

#[tokio::test]
async fn a_path_has_its_methods() {
    let world = World::new();
    for (target, allow) in [
        ("/events", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/events/a", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
    ] {
        world.refuses("PUT", target, &[], 405, "method").await;
        let response = world.send(request("PATCH", target, &[], "x")).await;
        assert_eq!(
            response.headers().get("allow").map(|allow| allow.to_str().expect("ASCII")),
            Some(allow),
            "{target}"
        );
    }
    for target in ["/event", "/eventsx", "/nowhere", "/page.js/x"] {
        world.refuses("GET", target, &[], 404, "path").await;
        world.refuses("POST", target, &[], 404, "path").await;
    }
}
