//! What the helper makes of streams that are written by hand: topics of events, tickets, refusals and ends.

use serde_json::json;
use tidings_e2e::Browser;

use crate::scripted::{Asked, Scripted};
use crate::tabs::{Home, begin, data, listen_too, value, wait_for_got, wait_for_got_too};

#[test]
fn each_callback_gets_the_events_of_its_own_topics() {
    let hub = Scripted::start();
    let browser = Browser::start();
    browser.open(&hub.url("/"));
    begin(&browser, Home::Worker, &["chat/1"]);
    let mut stream = hub.wait_for_request().stream(&opening(1));
    browser.wait_for("hub.state === 'open'");
    stream.send(&event(2, "chat/1", "message", "one"));
    wait_for_got(&browser, "one");

    // The set has grown: it goes on from where it was, and what comes again is not given again.
    listen_too(&browser, &["chat/**", "b&c"]);
    let asked = hub.wait_for_request();
    assert_eq!(asked.target, "/events?topic=b%26c&topic=chat%2F**&topic=chat%2F1&lastEventID=e-2&announce=1");
    let mut stream = asked.stream(&opening(2));
    for frame in [
        event(2, "chat/1", "message", "one"),
        event(3, "chat/2", "message", "two"),
        event(4, "chat/1", "edited", "three"),
        event(5, "elsewhere\ndata: chat/1", "message", "four"),
        event(6, "chat", "message", "five"),
    ] {
        stream.send(&frame);
    }
    assert_eq!(data(&wait_for_got_too(&browser, "five")), ["two", "four", "five"]);
    assert_eq!(data(&wait_for_got(&browser, "four")), ["one", "four"]);
    assert_eq!(value(&browser, "gotToo.map(({ topic }) => topic)"), json!(["chat/2", "elsewhere", "chat"]));

    stream.send(&event(7, "chat/1", "tidings.end", ""));
    stream.send("event: tidings.reset\nid: e-9\ndata: {\"reason\":\"expired\"}\n\n");
    let told = browser.wait_for("told.length >= 2 && told");
    assert_eq!(told[0]["type"], "tidings.end");
    assert_eq!(told[1], json!({ "type": "tidings.reset", "data": "{\"reason\":\"expired\"}" }));
}

#[test]
fn seven_tabs_of_seven_topics_share_one_connection() {
    let hub = Scripted::start();
    let browser = Browser::start();
    let mut tabs = Vec::new();
    let mut streams = Vec::new();
    for number in 0..7 {
        tabs.push(browser.new_tab());
        browser.open(&hub.url("/"));
        begin(&browser, Home::Worker, &[&format!("chat/{number}")]);
        let topics = |asked: &Asked| asked.target.matches("topic=chat").count();
        let mut asked = hub.wait_for_request();
        if topics(&asked) + 1 == tabs.len() {
            // Asked for once more before this tab came: a browser does that when a connection breaks.
            streams.push(asked.stream(&opening(1)));
            asked = hub.wait_for_request();
        }
        assert_eq!(topics(&asked), tabs.len(), "{}", asked.target);
        streams.push(asked.stream(&opening(1))); // the one before has ended
        browser.wait_for("hub.state === 'open'");
    }
    let stream = streams.last_mut().expect("there are seven");
    for number in 0..7 {
        stream.send(&event(2 + number, &format!("chat/{number}"), "message", &format!("for {number}")));
    }
    for (number, tab) in tabs.iter().enumerate() {
        browser.go_to_tab(tab);
        assert_eq!(data(&wait_for_got(&browser, &format!("for {number}"))), [format!("for {number}")]);
    }
}

#[test]
fn a_page_whose_policy_forbids_workers_has_the_connection_itself() {
    let hub = Scripted::start();
    let browser = Browser::start();
    browser.open(&hub.url("/without-workers"));
    begin(&browser, Home::Worker, &["news"]);
    let mut stream = hub.wait_for_request().stream(&opening(1));
    stream.send(&event(2, "news", "message", "good"));
    wait_for_got(&browser, "good");
}

#[test]
fn tokens_are_renewed_and_tickets_are_fetched_anew() {
    let hub = Scripted::start();
    let browser = Browser::start();
    browser.open(&hub.url("/"));
    browser.run(
        "let count = 0;
         window.options = { getToken: async () => 'fresh', ticket: async topics => `/t/${++count}/${topics}` };",
        &json!([]),
    );
    begin(&browser, Home::Worker, &["chat/1"]);
    let asked = hub.wait_for_request();
    assert_eq!(asked.target, "/t/1/chat/1?announce=1");
    let mut stream = asked.stream(&opening(1));
    stream.send("event: tidings.expiring\ndata: {\"expires_in_ms\":60000,\"renew_url\":\"/renew/secret\"}\n\n");
    let asked = hub.wait_for_request();
    assert_eq!((&*asked.method, &*asked.target), ("POST", "/renew/secret"));
    assert!(asked.head.to_lowercase().contains("\r\nauthorization: bearer fresh\r\n"), "{}", asked.head);
    asked.answer("204 No Content", "text/plain", "");
    browser.wait_for("told[0]?.type === 'tidings.expiring'");

    // EventSource comes back with the ticket it has; then that is over.
    drop(stream);
    let asked = hub.wait_for_request();
    assert_eq!((&*asked.method, &*asked.target), ("GET", "/t/1/chat/1?announce=1"));
    assert!(asked.head.to_lowercase().contains("\r\nlast-event-id: e-1\r\n"), "{}", asked.head);
    asked.answer("401 Unauthorized", "text/plain", "");
    let asked = hub.wait_for_request();
    assert_eq!(asked.method, "HEAD", "what was the status?");
    asked.answer("401 Unauthorized", "text/plain", "");
    browser.wait_for("hub.status === 401 && hub.state === 'connecting'");
    let asked = hub.wait_for_request();
    assert_eq!(asked.target, "/t/2/chat/1?lastEventID=e-1&announce=1");
    let _stream = asked.stream(&opening(1));
    browser.wait_for("hub.status === 0 && hub.state === 'open'");
}

#[test]
fn a_stream_that_is_over_is_not_asked_for_again() {
    let hub = Scripted::start();
    let browser = Browser::start();
    browser.open(&hub.url("/"));
    begin(&browser, Home::Worker, &["job"]);
    drop(hub.wait_for_request().stream(&(opening(1) + &event(2, "job", "tidings.end", ""))));
    for method in ["GET", "HEAD"] {
        let asked = hub.wait_for_request();
        assert_eq!(asked.method, method);
        asked.answer("204 No Content", "text/plain", "");
    }
    browser.wait_for("hub.state === 'closed' && hub.status === 204");
    assert_eq!(value(&browser, "told.length"), 1);
}

fn opening(position: u32) -> String {
    format!("retry: 10\n:\nevent: tidings.open\nid: e-{position}\ndata:\n\n")
}

fn event(position: u32, topics: &str, event_type: &str, data: &str) -> String {
    format!(
        "event: tidings.next\ndata: e-{position}\ndata: {topics}\n\nevent: {event_type}\nid: e-{position}\ndata: {data}\n\n"
    )
}
