//! A stream goes on with a fresh token, and never with more than it had.

use std::time::{Duration, Instant};

use tidings::{Claims, Delivery};

use crate::support::{
    DEADLINE, Has, SUBSCRIBER_KEY, Stream, TestHub, now, over_both_ways, publisher, reader_for, reading, sign,
};

over_both_ways!(
    a_fresh_token_prolongs_a_stream_without_a_gap,
    a_renewal_may_narrow_and_never_widen,
    a_renewal_is_for_its_own_subject_and_stream,
);

/// A stream of `chat/*` that ends in a short while, and where it can be renewed.
fn open(hub: &TestHub, topics: &[&str], seconds: u64) -> (Stream, String) {
    let mut stream = hub.listen_as(&reader_for("ann", topics, seconds), "/events?topic=chat/*");
    let told = stream.next_of("tidings.expiring");
    (stream, told["renew_url"].as_str().expect("a text").to_owned())
}

fn a_fresh_token_prolongs_a_stream_without_a_gap(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let (mut stream, renew_url) = open(&hub, &["chat/*"], 3);
    let fresh = reader_for("ann", &["chat/*"], 6);
    let answer = hub.ask_as(&fresh, "POST", &renew_url, "").expect(200);
    assert!(answer.json()["expires"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer:?}");
    let first_end = now().saturating_add(Duration::from_secs(3));
    // It is told of its new end, which is near too, and goes on past the old one.
    let told = stream.next_of("tidings.expiring");
    assert_eq!(told["renew_url"], renew_url.as_str());
    hub.publish("chat/1", "secret", true);
    assert_eq!(stream.next_data(), "secret");
    stream.end();
    assert!(now() > first_end, "it ended with the old token");
    expect_gone(&hub, &renew_url);
}

/// Waits until a stream cannot be renewed any more: its entry goes with the session, which the hub hears of soon.
#[track_caller]
fn expect_gone(hub: &TestHub, renew_url: &str) {
    let token = reader_for("ann", &["chat/*"], 20);
    let deadline = Instant::now() + DEADLINE;
    while hub.ask_as(&token, "POST", renew_url, "").status != 404 {
        assert!(Instant::now() < deadline, "the stream has ended and can be renewed");
    }
}

fn a_renewal_may_narrow_and_never_widen(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let (mut stream, renew_url) = open(&hub, &["chat/1", "chat/2"], 20);
    let renew = |topics: &[&str]| hub.ask_as(&reader_for("ann", topics, 20), "POST", &renew_url, "");
    renew(&["chat/*"]).expect_problem(403, &["grants more"]);
    renew(&["chat/1", "chat/2", "news"]).expect_problem(403, &["grants more"]);
    renew(&["chat/2"]).expect(200);
    stream.next_of("tidings.expiring");
    renew(&["chat/1", "chat/2"]).expect_problem(403, &["grants more"]);
    for topic in ["chat/1", "chat/2"] {
        hub.publish(topic, topic, true);
    }
    assert_eq!(stream.next_data(), "chat/2");
}

fn a_renewal_is_for_its_own_subject_and_stream(delivery: Delivery) {
    let hub = TestHub::with_keys(delivery, Has { anonymous: true, ..Has::BOTH }, |builder| builder);
    let (stream, renew_url) = open(&hub, &["chat/*"], 20);
    let renew = |token: &str, url: &str| hub.ask_as(token, "POST", url, "");
    renew(&reader_for("bob", &["chat/*"], 20), &renew_url).expect_problem(403, &["another subject"]);
    let nobodys = sign(&reading(&["chat/*"], Some(20)), SUBSCRIBER_KEY);
    renew(&nobodys, &renew_url).expect_problem(403, &["another subject"]);
    renew(&publisher(&["**"]), &renew_url).expect_problem(401, &["signature"]);
    hub.ask("POST", &renew_url, &[], "").expect_problem(401, &["no token"]);
    hub.ask("GET", &renew_url, &[], "").expect_problem(405, &["POST"]);
    let good = reader_for("ann", &["chat/*"], 20);
    for wrong in ["/renew/", "/renew/x", "/renew/AAAAAAAAAAAAAAAAAAAAAA"] {
        renew(&good, wrong).expect_problem(404, &[]);
    }
    drop(stream);
    expect_gone(&hub, &renew_url);
}

#[test]
fn a_token_without_an_end_is_told_of_none() {
    let hub = TestHub::closed(Delivery::Auto);
    let token = sign(&Claims { subject: Some("ann".to_owned()), ..reading(&["chat/*"], None) }, SUBSCRIBER_KEY);
    let mut stream = hub.listen_as(&token, "/events?topic=chat/*");
    hub.publish("chat/1", "x", true);
    assert_eq!(stream.next_data(), "x");
}
