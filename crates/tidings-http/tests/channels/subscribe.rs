//! `GET /events`: headers, first frames, where a stream goes on from, and its verdicts.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, Version};
use tidings_core::{Dialect, HistoryLimits, Limits, MemoryOptions};
use tidings_fanout::Subscription;
use tidings_http::{Delivery, HttpConfig, Prepared, TakeOver, Takeover, Welcome, prepare};

use crate::world::{World, position, request};

const BROWSER: (&str, &str) = ("user-agent", "Mozilla/5.0");

#[tokio::test]
async fn a_stream_has_its_headers() {
    let world = World::new();
    let stream = world.listen("/events", &[]).await;
    assert_eq!(stream.status, StatusCode::OK);
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert!(stream.header("cache-control").is_some_and(|value| value.starts_with("no-cache")));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    assert_eq!(stream.header("connection"), Some("keep-alive"));
    for (version, want) in [(Version::HTTP_10, Some("close")), (Version::HTTP_2, None)] {
        let request = Request::get("http://localhost/events").version(version).header("host", "localhost");
        let response = world.send(request.body(Body::empty()).expect("a good request")).await;
        let connection = response.headers().get("connection").map(|value| value.to_str().expect("ASCII"));
        assert_eq!((response.status(), connection), (StatusCode::OK, want), "{version:?}");
    }
}

#[tokio::test]
async fn head_is_the_headers_alone() {
    let world = World::new();
    let answer = world.ask("HEAD", "/events/a", &[BROWSER, ("last-event-id", "x")], "").await;
    assert_eq!((answer.status, &*answer.text), (StatusCode::OK, ""));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(world.state.counters.joined_body.get(), 0);
    assert_eq!(world.ask("HEAD", "/events/%", &[], "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_stream_is_refused_to_who_excludes_it() {
    let world = World::new();
    world.refuses("GET", "/events", &[("accept", "application/json")], 406, "accept").await;
    world.refuses("GET", "/events", &[("accept", "text/event-stream;q=0, */*")], 406, "accept").await;
    assert_eq!(world.listen("/events", &[("accept", "text/html, */*;q=0.1")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_bad_question_is_named() {
    let world = World::limited(Limits { topics_per_connection_max: 2, ..Limits::default() });
    for (target, field) in [
        ("/events/", "topic"),
        ("/events?topic=a*", "topic"),
        ("/events?topic=a&topic=b&topic=c", "topic"),
        ("/events?since=yesterday", "since"),
        ("/events?last=ten", "last"),
        ("/events?types=", "types"),
        ("/events?prime=maybe", "prime"),
        ("/events?on_reset=never", "on_reset"),
    ] {
        world.refuses("GET", target, &[], 400, field).await;
    }
}

#[tokio::test]
async fn a_browser_is_told_its_place_first() {
    let world = World::new();
    world.publish("/events", "before").await;
    let opening = format!("event: tidings.open\nid: {}\ndata: ", position(1));
    for (target, headers) in [
        ("/events", &[BROWSER][..]),
        ("/events", &[("sec-fetch-mode", "cors")]),
        ("/events?prime=1", &[]),
        ("/events?prime", &[]),
    ] {
        let mut stream = world.listen(target, headers).await.opened().await;
        assert_eq!(stream.frame().await, opening, "{target} {headers:?}");
    }
    for (target, headers) in [("/events", &[][..]), ("/events?prime=0", &[BROWSER])] {
        let mut stream = world.listen(target, headers).await.opened().await;
        let id = world.publish("/events", "live").await;
        assert_eq!(stream.frame().await, format!("id: {id}\ndata: live"), "{target} {headers:?}");
    }
}

#[tokio::test]
async fn the_opening_frame_of_a_replay_has_the_cursor_and_not_the_tail() {
    let world = World::new();
    for data in ["a", "b", "c"] {
        world.publish("/events", data).await;
    }
    let mut stream = world.listen("/events", &[BROWSER, ("last-event-id", &position(1))]).await.opened().await;
    assert_eq!(stream.frame().await, format!("event: tidings.open\nid: {}\ndata: ", position(1)));
    assert_eq!(stream.frame().await, format!("id: {}\ndata: b", position(2)));
    assert_eq!(stream.frame().await, format!("id: {}\ndata: c", position(3)));
}

#[tokio::test]
async fn a_stream_goes_on_from_where_it_is_asked_to() {
    let world = World::new();
    for data in ["a", "b", "c"] {
        world.publish(&format!("/events?id=own-{data}"), data).await;
    }
    for (target, headers, first) in [
        ("/events?last=2", &[][..], "b"),
        ("/events?last=99", &[], "a"),
        ("/events?since=earliest", &[], "a"),
        ("/events?since=1h", &[], "a"),
        ("/events?since=2020-01-01T00:00:00+00:00", &[], "a"),
        ("/events?since=earliest&last=1", &[], "a"),
        ("/events?lastEventID=own-b&since=earliest", &[], "c"),
        ("/events?last_event_id=own-a", &[], "b"),
        ("/events?lastEventID=own-a", &[("last-event-id", "own-b")], "c"),
        ("/events?lastEventID=own-a", &[("last-event-id", "")], "b"),
    ] {
        let mut stream = world.listen(target, headers).await.opened().await;
        assert_eq!(stream.frame().await, format!("id: own-{first}\ndata: {first}"), "{target} {headers:?}");
    }
    assert!([0, 1, 2].iter().all(|at| world.state.counters.reset(tidings_core::ResetReason::ALL[*at]).get() == 0));
}

#[tokio::test]
async fn a_resume_that_cannot_be_kept_gets_its_verdict_first() {
    let world = World::new();
    world.publish("/events/a", "one").await;
    let verdict = |requested: &str, position: &str| {
        let data =
            format!(r#"{{"requested":"{requested}","reason":"unknown","oldest":"{position}","latest":"{position}"}}"#);
        format!("data: {data}")
    };
    let mut stream =
        world.listen("/events/a?prime=0", &[BROWSER, ("last-event-id", "never-seen")]).await.opened().await;
    let frame = stream.frame().await;
    assert_eq!(frame, format!("event: tidings.reset\nid: {}\n{}", position(0), verdict("never-seen", &position(1))));
    assert_eq!(stream.frame().await, format!("id: {}\ndata: one", position(1)));

    let mut stream = world.listen("/events/a?on_reset=live&lastEventID=never-seen", &[]).await.opened().await;
    let frame = stream.frame().await;
    assert_eq!(frame, format!("event: tidings.reset\nid: {}\n{}", position(1), verdict("never-seen", &position(1))));
    let id = world.publish("/events/a", "two").await;
    assert_eq!(stream.frame().await, format!("id: {id}\ndata: two"));
    assert_eq!(world.state.counters.reset(tidings_core::ResetReason::Unknown).get(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_an_unknown_id() {
    let world = World::new();
    let mut request = request("GET", "/events", &[], Body::empty());
    request
        .headers_mut()
        .insert("last-event-id", http::HeaderValue::from_bytes(b"a\xffb").expect("a header may have it"));
    let (parts, _) = request.into_parts();
    let Prepared::Stream { subscription, .. } = prepare(&world.state, &parts).await else { panic!("a stream") };
    let opening = String::from_utf8_lossy(&subscription.opening);
    assert!(opening.contains(r#"{"requested":"a�b","reason":"unknown","oldest":null,"latest":null}"#), "{opening}");
}

#[tokio::test]
async fn what_was_trimmed_is_expired() {
    let history = HistoryLimits { events_max: Some(2), ..HistoryLimits::default() };
    let world = World::with(HttpConfig::default(), MemoryOptions { history, ..MemoryOptions::default() });
    for data in ["1", "2", "3", "4"] {
        world.publish("/events", data).await;
    }
    let mut stream = world.listen("/events", &[("last-event-id", &position(1))]).await.opened().await;
    let frame = stream.frame().await;
    let want = format!(
        r#"{{"requested":"{}","reason":"expired","oldest":"{}","latest":"{}"}}"#,
        position(1),
        position(3),
        position(4)
    );
    assert!(frame.starts_with("event: tidings.reset\nid: ") && frame.ends_with(&format!("\ndata: {want}")), "{frame}");
    assert_eq!(stream.frame().await, format!("id: {}\ndata: 3", position(3)));
}

#[tokio::test]
async fn topics_patterns_and_types_choose() {
    let world = World::new();
    let mut stream =
        world.listen("/events/news?topic=chat/*&topic=chat/1&types=message,price", &[]).await.opened().await;
    for (target, data) in [
        ("/events/other", "no"),
        ("/events/chat/1/typing", "no"),
        ("/events/chat/1?type=typing", "no"),
        ("/events/chat/1", "one"),
        ("/events/news?type=price", "two"),
        ("/events/chat/2?type=message", "three"),
    ] {
        world.publish(target, data).await;
    }
    for (sequence, want) in [(4, "data: one"), (5, "data: two"), (6, "data: three")] {
        let frame = stream.frame().await;
        assert!(frame.ends_with(&format!("id: {}\n{want}", position(sequence))), "{frame}");
    }
}

#[tokio::test]
async fn an_ended_topic_is_told_once_and_then_stops_an_event_source() {
    let world = World::new();
    world.publish("/events/t?end", "last words").await;
    let rest = world.listen("/events/t?since=earliest", &[]).await.opened().await.rest().await;
    let id =
        rest.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("the end has an id").to_owned();
    assert!(rest.starts_with("id: ") && rest.contains("data: last words\n\nevent: tidings.end\n"), "{rest:?}");
    let again = world.ask("GET", "/events/t", &[BROWSER, ("last-event-id", &id)], "").await;
    assert_eq!((again.status, &*again.text), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn the_demo_greets() {
    let demo = Some(Welcome { data: "Hello, World!".into() });
    let config = HttpConfig { demo, ..HttpConfig::default() };
    let world = World::with(config, MemoryOptions { ids_resolve_by_time: true, ..MemoryOptions::default() });
    world.publish("/events", "before").await;

    let mut fresh = world.listen("/events", &[BROWSER]).await.opened().await;
    assert_eq!(fresh.frame().await, format!("event: tidings.open\nid: {}\ndata: ", position(1)));
    let greeting = fresh.frame().await;
    let id = greeting
        .strip_prefix("id: ")
        .and_then(|rest| rest.strip_suffix("\ndata: Hello, World!"))
        .expect("a greeting")
        .to_owned();
    assert!(id.len() == 13 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");

    world.publish("/events", "missed").await;
    let mut resumed = world.listen("/events", &[("last-event-id", &id)]).await.opened().await;
    assert_eq!(resumed.frame().await, "data: Hello, World!");
    assert_eq!(resumed.frame().await, format!("id: {}\ndata: missed", position(2)));

    let mut lost = world.listen("/events", &[("last-event-id", "never-seen")]).await.opened().await;
    assert!(lost.frame().await.starts_with("event: tidings.reset\n"));
    assert_eq!(lost.frame().await, "data: Hello, World!");

    for target in ["/events/other", "/events?topic=default&topic=other", "/events?types=tick"] {
        let mut other = world.listen(target, &[]).await.opened().await;
        world.publish("/events/other?type=tick", "tick").await;
        world.publish("/events?type=tick", "tick").await;
        assert!(other.frame().await.starts_with("event: tick\n"), "{target}");
    }
}

#[derive(Default)]
struct Owner {
    takes: bool,
    taken: Mutex<Vec<(HeaderMap, Subscription)>>,
}

impl TakeOver for Owner {
    fn take(&self, headers: HeaderMap, subscription: Subscription) -> Option<(HeaderMap, Subscription)> {
        if !self.takes {
            return Some((headers, subscription));
        }
        self.taken.lock().expect("no test panics with it").push((headers, subscription));
        None
    }
}

async fn offered(
    version: Version,
    delivery: Delivery,
    takes: bool,
) -> (Option<StatusCode>, Vec<(HeaderMap, Subscription)>) {
    let world = World::configured(|config| config.delivery = delivery);
    let owner = Arc::new(Owner { takes, ..Owner::default() });
    let mut request = request("GET", "/events/a", &[], Body::empty());
    *request.version_mut() = version;
    request.extensions_mut().insert(Takeover(owner.clone()));
    let answered = tokio::select! {
        biased;
        response = world.send(request) => Some(response.status()),
        () = tokio::task::yield_now() => None,
    };
    (answered, std::mem::take(&mut *owner.taken.lock().expect("no test panics with it")))
}

#[tokio::test]
async fn the_owner_of_a_connection_may_take_the_stream() {
    let (answered, taken) = offered(Version::HTTP_11, Delivery::Auto, true).await;
    let [(headers, subscription)] = &taken[..] else { panic!("one stream is taken") };
    assert_eq!(
        (answered, headers.get("content-type").map(http::HeaderValue::as_bytes)),
        (None, Some(&b"text/event-stream"[..]))
    );
    assert_eq!(subscription.group.selectors.single_exact().map(ToString::to_string).as_deref(), Some("a"));
    assert_eq!(subscription.group.dialect, Dialect::Plain);

    for (version, delivery, takes) in [
        (Version::HTTP_11, Delivery::Auto, false),
        (Version::HTTP_11, Delivery::Body, true),
        (Version::HTTP_10, Delivery::Direct, true),
    ] {
        let (answered, taken) = offered(version, delivery, takes).await;
        assert_eq!((answered, taken.len()), (Some(StatusCode::OK), 0), "{version:?} {delivery:?} {takes}");
    }
}
