//! Tickets: an address that lets one reader in.

use tidings::{CloseReason, Delivery};

use crate::support::{Has, TestHub, over_both_ways, publisher, reader, reader_for};

over_both_ways!(
    a_ticket_opens_a_stream_without_a_token,
    a_ticket_is_good_for_reconnects_and_a_newer_connection_replaces_the_older,
    a_ticket_ends_with_its_token_and_goes_on_with_a_fresh_one,
);

fn issue(hub: &TestHub, token: &str, topics: &str) -> String {
    let answer = hub.ask_as(token, "POST", "/tickets", &format!("{{\"topics\":{topics}}}")).expect(200);
    let json = answer.json();
    assert!(json["expires"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer:?}");
    let url = json["url"].as_str().expect("an address").to_owned();
    assert!(!url.contains(token) && url.len() < 100, "{url}");
    url
}

fn a_ticket_opens_a_stream_without_a_token(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let url = issue(&hub, &reader(&["chat/1"]), r#"["chat/1","chat/2"]"#);
    let mut stream = hub.listen(&url, &[]);
    for (topic, private) in [("chat/2", true), ("chat/1", true), ("news", false), ("chat/2", false)] {
        hub.publish(topic, &format!("{topic} {private}"), private);
    }
    assert_eq!(stream.next_data(), "chat/1 true");
    assert_eq!(stream.next_data(), "chat/2 false");
}

fn a_ticket_is_good_for_reconnects_and_a_newer_connection_replaces_the_older(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let url = issue(&hub, &reader(&["chat/*"]), r#"["chat/*"]"#);
    let mut first = hub.listen(&url, &[]);
    hub.publish("chat/1", "one", true);
    assert_eq!(first.next_data(), "one");
    let id = first.last_event_id();
    hub.publish("chat/1", "two", true);
    let mut second = hub.listen(&format!("{url}&types=message"), &[("last-event-id", &id)]);
    assert_eq!(second.next_data(), "two");
    assert_eq!(first.next_data(), "two");
    first.end();
    hub.expect_closed(CloseReason::Replaced, 1);
    // Neither a HEAD nor a bad request uses it: the second stream goes on.
    assert_eq!(hub.ask("HEAD", &url, &[], "").status, 200);
    assert_eq!(hub.ask("HEAD", &format!("{url}&topic=news"), &[], "").status, 400);
    hub.publish("chat/1", "three", true);
    assert_eq!(second.next_data(), "three");
}

fn a_ticket_ends_with_its_token_and_goes_on_with_a_fresh_one(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let url = issue(&hub, &reader_for("ann", &["chat/*"], 3), r#"["chat/*"]"#);
    let mut stream = hub.listen(&url, &[]);
    let told = stream.next_of("tidings.expiring");
    let renew_url = told["renew_url"].as_str().expect("a text");
    hub.ask_as(&reader_for("ann", &["chat/1"], 6), "POST", renew_url, "").expect(200);
    stream.next_of("tidings.expiring");
    // A reconnect has the rights of the fresh token, and its end.
    let mut again = hub.listen(&url, &[]);
    stream.end();
    again.next_of("tidings.expiring");
    for topic in ["chat/2", "chat/1"] {
        hub.publish(topic, topic, true);
    }
    assert_eq!(again.next_data(), "chat/1");
    again.end();
    let answer = hub.try_listen(&url, &[]).expect_err("its token has ended");
    answer.expect_problem(401, &["its token has ended"]);
}

#[test]
fn a_ticket_is_issued_to_the_holder_of_a_good_token() {
    let hub = TestHub::with_keys(Delivery::Auto, Has { anonymous: true, ..Has::BOTH }, |builder| builder);
    let body = r#"{"topics":["news"]}"#;
    hub.ask("POST", "/tickets", &[], body).expect_problem(401, &["no token"]);
    hub.ask_as(&publisher(&["**"]), "POST", "/tickets", body).expect_problem(401, &["signature"]);
    let reader = reader(&["news"]);
    for (body, word) in [
        ("", "topics"),
        ("{}", "topics"),
        (r#"{"topics":[]}"#, "no topics"),
        (r#"{"topics":["a*"]}"#, "'*' inside a segment"),
        (r#"{"topics":["a"],"more":1}"#, "more"),
    ] {
        hub.ask_as(&reader, "POST", "/tickets", body).expect_problem(400, &[word]);
    }
    hub.ask_as(&reader, "GET", "/tickets", "").expect_problem(405, &["POST"]);
}

#[test]
fn an_open_hub_answers_a_plain_address() {
    let hub = TestHub::start(Delivery::Auto, |builder| builder);
    let answer = hub.ask("POST", "/tickets", &[], r#"{"topics":["chat/*","a&b=c"]}"#).expect(200);
    let url = answer.json()["url"].as_str().expect("an address").to_owned();
    let mut stream = hub.listen(&url, &[]);
    for topic in ["chat/1", "a&b=c"] {
        hub.publish(topic, topic, false);
        assert_eq!(stream.next_data(), topic);
    }
    hub.ask("POST", "/renew/AAAAAAAAAAAAAAAAAAAAAA", &[], "").expect(404);
}

#[test]
fn an_unknown_ticket_lets_nobody_in() {
    // Not even where everybody may read: who comes with a ticket means it.
    let hub = TestHub::with_keys(Delivery::Auto, Has { anonymous: true, ..Has::BOTH }, |builder| builder);
    for ticket in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "%00"] {
        let answer = hub.try_listen(&format!("/events?ticket={ticket}"), &[]);
        answer.expect_err("no ticket").expect_problem(401, &["a new ticket"]);
    }
}
