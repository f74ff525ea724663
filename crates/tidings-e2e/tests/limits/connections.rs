//! Limits of connections: in all, for an address, for a subject, for topics and heads.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tidings_auth::{Algorithm, Claims, KeySource, mint};
use tidings_e2e::{DEADLINE, Hub, RawStream, request};

use crate::support::{eventually, expect_reached, hub};

const BROWSER: &str = "User-Agent: Mozilla/5.0";

/// A reader of `/events/t` that has its head.
fn reader(hub: &Hub, headers: &[&str]) -> RawStream {
    let mut stream = RawStream::get(hub.address(), "/events/t", headers);
    assert_eq!(stream.status(), 200);
    stream.wait_for_text("retry:");
    stream
}

/// What one more reader is told: a program by its status, a browser by a stream that ends.
fn expect_sent_away(hub: &Hub, headers: &[&str], status: u16, reason: &str) {
    let response = request(hub.address(), "GET", "/events/t", headers, b"");
    assert_eq!(response.status, status, "{}", response.text());
    assert!(response.header("retry-after").is_some_and(|after| after.parse::<u64>().is_ok()), "{}", response.head);
    assert!(response.text().contains(reason), "{}", response.text());

    let as_browser = [headers, &[BROWSER]].concat();
    let response = request(hub.address(), "GET", "/events/t", &as_browser, b"");
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert!(response.text().starts_with("retry: ") && response.text().contains(reason), "{}", response.text());
}

/// A hub of one limit: with so many readers another one is sent away, and comes in when one of them has left.
fn check(flags: &[&str], headers: &[&str], held: usize, status: u16, reason: &str, label: &str, who: Option<&str>) {
    for delivery in ["direct", "body"] {
        let hub = hub(&[flags, &["--delivery", delivery]].concat());
        let mut readers: Vec<_> = (0..held).map(|_| reader(&hub, headers)).collect();
        expect_sent_away(&hub, headers, status, reason);
        expect_reached(&hub, label, 2.0, who);
        // Nobody was evicted, and a place that comes free is the next one's.
        readers.pop();
        eventually("the place of a reader that left", || {
            RawStream::get(hub.address(), "/events/t", headers).status() == 200
        });
        for reader in &mut readers {
            reader.wait_for_text("retry:");
        }
    }
}

#[test]
fn connections_in_all_are_limited() {
    check(&["--max-connections", "2"], &[], 2, 503, "no place left", "connections", Some("127.0.0.1"));
}

#[test]
fn connections_of_an_address_are_limited() {
    let flags = ["--max-connections-per-ip", "2"];
    check(&flags, &[], 2, 429, "too many connections", "connections_per_ip", Some("127.0.0.1"));
}

#[test]
fn those_behind_a_trusted_proxy_are_limited_by_their_own_addresses() {
    let flags = ["--max-connections-per-ip", "2", "--trusted-proxy", "127.0.0.0/8"];
    let from = |address: &str| format!("X-Forwarded-For: {address}");
    let (one, other) = (from("198.51.100.9"), from("2001:db8::7"));
    check(&flags, &[&one], 2, 429, "too many connections", "connections_per_ip", Some("198.51.100.9"));

    let hub = hub(&flags);
    let _held = [reader(&hub, &[&one]), reader(&hub, &[&one])];
    expect_sent_away(&hub, &[&one], 429, "too many connections");
    let _of_another = [reader(&hub, &[&other]), reader(&hub, &[&from("2001:db8::8")])];
    expect_sent_away(&hub, &[&from("2001:db8::9")], 429, "too many connections");
    expect_reached(&hub, "connections_per_ip", 4.0, Some("198.51.100.9"));
}

#[test]
fn streams_of_a_subject_are_limited() {
    const KEY: &str = "a secret of readers that is long enough";
    let token = |subject: &str| {
        let claims =
            Claims { subject: Some(subject.to_owned()), subscribe: vec!["**".to_owned()], ..Claims::default() };
        let token = mint(&claims, &KeySource::new(KEY.to_owned(), Algorithm::Hs256)).expect("a good key");
        format!("Authorization: Bearer {token}")
    };
    let flags = ["--subscriber-jwt-key", KEY, "--max-connections-per-subject", "2"];
    let ann = token("ann");
    check(&flags, &[&ann], 2, 429, "too many streams", "connections_per_subject", Some("ann"));

    let hub = hub(&flags);
    let _held = [reader(&hub, &[&ann]), reader(&hub, &[&ann])];
    let _others = [reader(&hub, &[&token("bob")]), reader(&hub, &[&token("bob")])];
    expect_sent_away(&hub, &[&ann], 429, "too many streams");
}

#[test]
fn topics_that_are_listened_to_are_limited_in_all() {
    let hub = hub(&["--max-subscribed-topics", "3"]);
    let mut held = RawStream::get(hub.address(), "/events?topic=a&topic=b&topic=c/*", &[]);
    held.wait_for_text("retry:");
    eventually("the topics are counted", || hub.metric("tidings_subscribed_topics") >= 3.0);
    expect_sent_away(&hub, &[], 503, "too many topics");
    expect_reached(&hub, "subscribed_topics", 2.0, None);
    drop(held);
    eventually("the room of topics that nobody listens to any more", || {
        RawStream::get(hub.address(), "/events/t", &[]).status() == 200
    });
}

#[test]
fn topics_of_a_connection_are_limited_at_both_endpoints() {
    let hub = hub(&["--max-topics-per-connection", "2"]);
    let plain = request(hub.address(), "GET", "/events?topic=a&topic=b&topic=c", &[], b"");
    assert_eq!(plain.status, 400, "{}", plain.text());
    assert!(plain.text().contains("at most 2"), "{}", plain.text());
    let mercure = request(hub.address(), "GET", "/.well-known/mercure?topic=a&topic=b&topic=c", &[], b"");
    assert_eq!(mercure.status, 400, "{}", mercure.text());
    expect_reached(&hub, "topics_per_connection", 2.0, None);
}

#[test]
fn a_head_is_limited_in_length() {
    let hub = hub(&["--max-head-bytes", "8KiB"]);
    let cookie = format!("Cookie: a={}", "x".repeat(9000));
    for target in ["/events/t", "/"] {
        let response = request(hub.address(), "GET", target, &[&cookie], b"");
        assert_eq!(response.status, 431, "{target}: {}", response.head);
    }
    expect_reached(&hub, "head_bytes", 2.0, Some("127.0.0.1"));
}

#[test]
fn a_head_is_limited_in_time() {
    let hub = hub(&["--head-timeout", "200ms"]);
    for begin in ["", "GET /events HTTP/1.1\r\nHost: loc", "POST /events HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(hub.address()).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
        stream.write_all(begin.as_bytes()).expect("it reads");
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        assert!(end.is_ok(), "{begin:?}: {end:?}");
    }
    hub.publish("/events/t", "others are served");
    expect_reached(&hub, "head_timeout", 3.0, Some("127.0.0.1"));
}
