//! Bare requests to the admin listener: who may end what, and what everybody else is told.

use serde_json::Value;
use tidings_e2e::{Hub, RawStream, Response, request};

use crate::world::{OPERATOR, TOKEN, World, ended, escaped, eventually, hub, sessions};

fn ask(hub: &Hub, method: &str, target: &str, headers: &[&str]) -> Response {
    request(hub.admin_address(), method, target, headers, b"")
}

/// The kind of a problem, and what it is about.
#[track_caller]
fn expect_problem(response: &Response, status: u16, kind: &str) {
    assert_eq!(response.status, status, "{}\n{}", response.head, response.text());
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{}", response.head);
    let problem: Value = serde_json::from_slice(&response.body).expect("a problem is JSON");
    assert_eq!(problem["type"], format!("urn:tidings:problem:{kind}"), "{problem}");
    assert!(problem["expected"].is_string(), "{problem}");
}

/// The first picture that says something of this kind.
#[track_caller]
fn picture(hub: &Hub, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let mut stream = RawStream::get(hub.admin_address(), "/top/events", &[]);
    stream.wait_for("a picture", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (whole, _) = text.rsplit_once("\n\n")?;
        let pictures = whole.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        pictures.into_iter().find(|picture| is_wanted(picture))
    })
}

#[test]
fn a_picture_tells_who_is_there_and_how_they_do() {
    let world = World::start();
    world.publish_some();
    let shown = picture(&world.hub, |picture| {
        picture["rates"].is_object() && picture["sessions"].as_array().is_some_and(|all| all.len() == 6)
    });
    assert_eq!((&shown["state"], &shown["connections"]["direct"]), (&"ready".into(), &6.into()), "{shown:#}");
    let session = |topic: &str| {
        let all = shown["sessions"].as_array().expect("a list").iter();
        all.filter(|session| session["selectors"][0] == topic).collect::<Vec<_>>()
    };
    let [blocked] = session("video")[..] else { panic!("one session of video: {shown:#}") };
    assert_eq!((&blocked["state"], &blocked["address"]), (&"blocked".into(), &"127.0.0.1".into()), "{shown:#}");
    assert!(blocked["stalled"].as_f64() > Some(0.0) && blocked["behind_events"].as_u64() > Some(0), "{shown:#}");
    assert_eq!(session("archive")[0]["state"], "blocked", "{shown:#}");
    assert!(
        session("prices/eur").iter().all(|live| live["state"] == "live" && live["behind_events"] == 0),
        "{shown:#}"
    );
    let topics = shown["topics"].as_array().expect("a list");
    let readers = |name: &str| topics.iter().find(|row| row["topic"] == name).map(|row| row["readers"].clone());
    assert_eq!([readers("prices/eur"), readers("chat/42")], [Some(3.into()), Some(1.into())], "{shown:#}");
}

#[test]
fn a_session_is_ended_by_its_name_and_by_nobody_without_the_token() {
    let mut world = World::start();
    let hub = &world.hub;
    let shown = picture(hub, |picture| picture["sessions"][0]["state"] == "blocked");
    let name = |at: usize| format!("/top/sessions/{}", shown["sessions"][at]["name"].as_str().expect("a name"));
    let first = name(0);
    expect_problem(&ask(hub, "DELETE", &first, &[]), 401, "not-an-operator");
    for wrong in
        ["Bearer wrong", "Bearer 0123456789abcde", "Basic MDEyMzQ1Njc4OWFiY2RlZg==", "0123456789abcdef", "Bearer"]
    {
        let answer = ask(hub, "DELETE", &first, &[&format!("Authorization: {wrong}")]);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{wrong}");
    }
    // Nowhere else: what a page of another origin can send along is no token.
    let elsewhere =
        ask(hub, "DELETE", &format!("{first}?access_token={TOKEN}"), &[&format!("Cookie: tidings_token={TOKEN}")]);
    expect_problem(&elsewhere, 401, "not-an-operator");
    assert_eq!((sessions(hub), ended(hub)), (6, 0));

    for (which, count) in [(&first, 1), (&name(1), 2)] {
        let answer = ask(hub, "DELETE", which, &[OPERATOR]);
        assert_eq!((answer.status, answer.text().trim()), (200, r#"{"ended":1}"#));
        eventually("the session is counted", || ended(hub) == count);
        expect_problem(&ask(hub, "DELETE", which, &[OPERATOR]), 404, "no-such-session");
    }
    world.blocked.expect_ended();
    world.replaying.expect_ended();
    world.hub.publish("/events/prices/eur", "the others stay");
    world.live[0].wait_for_text("the others stay");
    world.hub.wait_for_log(&["a session was ended by an operator", "session=\"", "INFO"]);
}

#[test]
fn the_sessions_of_a_topic_are_ended_and_nobody_elses() {
    let mut world = World::start();
    let end = |topic: &str| ask(&world.hub, "DELETE", topic, &[OPERATOR]);
    assert_eq!(end("/top/topics/prices/eur").text().trim(), r#"{"ended":3}"#);
    assert_eq!(end("/top/topics?topic=chat%2F7").text().trim(), r#"{"ended":1}"#, "a pattern is listened by too");
    assert_eq!(end("/top/topics/prices/eur").text().trim(), r#"{"ended":0}"#);
    eventually("they are counted", || ended(&world.hub) == 4);
    for reader in world.live.drain(..) {
        let all = reader.read_to_end();
        assert!(all.ends_with(b"\r\n0\r\n\r\n"), "it ends in good order: {}", String::from_utf8_lossy(&all));
    }
    assert_eq!(sessions(&world.hub), 2, "the two that take nothing");
}

/// No path carries these: a browser takes `a/../b` for `b`, and an empty segment is easily lost.
#[test]
fn every_topic_can_be_named() {
    let hub = hub(&["--admin-token", TOKEN]);
    for topic in ["..", ".", "a/../b", "/a", "a//b", "a b+c", "é", "<img src=x onerror=alert(1)>", "topic?x=y&z#"] {
        let escaped = escaped(topic);
        let mut reader = RawStream::get(hub.address(), &format!("/events?topic={escaped}"), &[]);
        reader.wait_for_text("retry:");
        eventually("the reader", || sessions(&hub) == 1);
        let answer = ask(&hub, "DELETE", &format!("/top/topics?topic={escaped}"), &[OPERATOR]);
        assert_eq!(answer.text().trim(), r#"{"ended":1}"#, "{topic}");
        reader.read_to_end();
    }
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let hub = hub(&["--admin-token", TOKEN]);
    for (target, status, kind) in [
        ("/top/sessions/0-99-1", 404, "no-such-session"),
        ("/top/sessions/nobody", 404, "no-such-session"),
        ("/top/sessions/99999999999-1-1", 404, "no-such-session"),
        ("/top/sessions/", 404, "no-such-path"),
        ("/top/topics", 400, "invalid"),
        ("/top/topics?topic=", 400, "invalid"),
        ("/top/topics/a%0Ab", 400, "invalid"),
        ("/top/topics/%FF", 400, "invalid"),
        ("/top/topics/%zz", 400, "invalid"),
        ("/top/topics/a?topic=b", 400, "invalid"),
    ] {
        expect_problem(&ask(&hub, "DELETE", target, &[OPERATOR]), status, kind);
    }
    for (method, target, allow) in [
        ("POST", "/top", "GET,HEAD"),
        ("DELETE", "/top/events", "GET,HEAD"),
        ("POST", "/top/events", "GET,HEAD"),
        ("GET", "/top/sessions/0-0-1", "DELETE"),
        ("POST", "/top/topics/a", "DELETE"),
    ] {
        let answer = ask(&hub, method, target, &[OPERATOR]);
        let allowed = answer.header("allow").map(|allow| allow.replace(' ', ""));
        assert_eq!((answer.status, allowed.as_deref()), (405, Some(allow)), "{method} {target}: {}", answer.head);
    }
    let head = ask(&hub, "HEAD", "/top/events", &[]);
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    expect_problem(&ask(&hub, "GET", "/top/nothing", &[]), 404, "no-such-path");
    // The readers' listener knows nothing of it.
    for (method, target) in [("GET", "/top"), ("GET", "/top/events"), ("DELETE", "/top/topics/a")] {
        assert_eq!(request(hub.address(), method, target, &[OPERATOR], b"").status, 404, "{method} {target}");
    }
}

#[test]
fn a_hub_without_a_token_for_operators_says_so() {
    let hub = hub(&[]);
    for target in ["/top/sessions/0-0-1", "/top/topics/a", "/top/topics?topic=a"] {
        for headers in [&[][..], &[OPERATOR], &["Authorization: Bearer "]] {
            let answer = ask(&hub, "DELETE", target, headers);
            expect_problem(&answer, 403, "no-admin-token");
            assert!(answer.text().contains("--admin-token"), "{}", answer.text());
        }
    }
}

/// A browser asks before it sends a DELETE, or a header such as `Authorization`, to another origin, and is answered nothing
/// that would let it. Nor may another page read what goes on, not even one of this machine.
#[test]
fn a_page_of_another_origin_ends_nothing_and_reads_nothing() {
    let hub = hub(&["--admin-token", TOKEN]);
    for origin in ["https://evil.example", "http://localhost:5173", "http://127.0.0.1", "null"] {
        let origin = format!("Origin: {origin}");
        let asks = ["Access-Control-Request-Method: DELETE", "Access-Control-Request-Headers: authorization"];
        for target in ["/top/sessions/0-0-1", "/top/topics/a", "/top/topics?topic=a", "/top/events", "/metrics"] {
            let preflight = ask(&hub, "OPTIONS", target, &[&[&*origin][..], &asks].concat());
            assert_eq!(preflight.status, 405, "{target}: {}", preflight.head);
            expect_no_cors(&preflight.head);
        }
        let ended = ask(&hub, "DELETE", "/top/topics/a", &[&origin, OPERATOR]);
        expect_no_cors(&ended.head);
        let events = RawStream::get(hub.admin_address(), "/top/events", &[&origin]).wait_for("a head", |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.contains("\r\n\r\n").then_some(text)
        });
        expect_no_cors(&events);
    }
}

#[track_caller]
fn expect_no_cors(head: &str) {
    assert!(!head.to_lowercase().contains("access-control-"), "{head}");
}
