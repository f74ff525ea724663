//! The same events reach every client alike, by both ways out of the hub.

use tidings_e2e::{Browser, Follower, Hub, Seen};

/// An event to publish, and what every client must make of it.
struct Case {
    name: &'static str,
    /// The query of the publish.
    query: &'static str,
    data: String,
    want_type: &'static str,
    /// `None`: the id that the hub answered.
    want_id: Option<&'static str>,
    want_data: String,
    want_retry: Option<u64>,
}

/// A plain event whose data arrives as it is; the rows below change what they are about.
fn case(name: &'static str, data: impl Into<String>) -> Case {
    let data = data.into();
    Case { name, query: "", want_data: data.clone(), data, want_type: "message", want_id: None, want_retry: None }
}

/// A plain event whose line ends arrive as LF.
fn lines(name: &'static str, data: &str, want_data: &str) -> Case {
    Case { want_data: want_data.to_owned(), ..case(name, data) }
}

fn cases() -> Vec<Case> {
    vec![
        case("one line", "first"),
        case("several lines", "one\ntwo\n\nfour"),
        case("no data", ""),
        case("a line feed alone", "\n"),
        case("ends with a line feed", "end\n"),
        lines("CR", "one\rtwo", "one\ntwo"),
        lines("CRLF", "one\r\ntwo", "one\ntwo"),
        lines("every line end", "\r\n\n\ra\r\r\nb\r", "\n\n\na\n\nb\n"),
        case("spaces are kept", "  two before, two after  "),
        case("looks like fields", "data: x\nid: 9\nretry: 1\nevent: y\n: z"),
        case("emoji", "🦀 ≠ 👩‍👩‍👧‍👦"),
        case("no line ends to a stream", "NEL\u{85}LS\u{2028}VT\u{b}FF\u{c}end"),
        case("NUL", "before\0after"),
        case("a byte order mark", "\u{feff}first\n\u{feff}second"),
        Case { query: "?type=price", want_type: "price", ..case("a type", "12.50") },
        Case {
            query: "?type=%C3%A4nderung+2",
            want_type: "änderung 2",
            ..case("a type beyond ASCII, with a space", "neu")
        },
        Case { query: "?id=order-42", want_id: Some("order-42"), ..case("an id", "ordered") },
        Case {
            query: "?id=%F0%9F%A6%80%2F%C3%A9+7",
            want_id: Some("🦀/é 7"),
            ..case("an id beyond ASCII, with a space", "ordered again")
        },
        Case { query: "?retry=2500", want_retry: Some(2500), ..case("a reconnection time", "later") },
        Case {
            query: "?type=price&id=order-43&retry=3500",
            want_type: "price",
            want_id: Some("order-43"),
            want_retry: Some(3500),
            ..lines("all at once", "1\r\n2", "1\n2")
        },
        // Exactly the default of --max-event-bytes.
        case("1 MiB in one line", "0123456789abcdef".repeat(64 * 1024)),
        case("1 MiB in many lines", "0123456789abcde\n".repeat(64 * 1024)),
        case("the last one", "last"),
    ]
}

#[test]
fn every_client_sees_the_same_events_by_the_direct_way() {
    every_client_sees_the_same_events("direct");
}

#[test]
fn every_client_sees_the_same_events_by_the_body_way() {
    every_client_sees_the_same_events("body");
}

fn every_client_sees_the_same_events(delivery: &str) {
    let cases = cases();
    let mut types: Vec<&str> = cases.iter().map(|case| case.want_type).collect();
    types.sort_unstable();
    types.dedup();

    let hub = Hub::start(&["serve", "--memory", "--delivery", delivery]);
    let url = hub.url("/events/table");
    let followers = [
        Follower::npm("eventsource", &url, &types, cases.len()),
        Follower::npm("undici", &url, &types, cases.len()),
        Follower::httpx_sse(&url, cases.len()),
        Follower::curl(&url),
    ];
    let browser = Browser::start();
    browser.open(&hub.url("/healthz"));
    browser.follow("table", &url, &types);

    browser.wait_for_source("table", "source.opens >= 1");
    for follower in &followers {
        follower.wait_until_open();
    }
    let ids: Vec<String> =
        cases.iter().map(|case| hub.publish(&format!("/events/table{}", case.query), &case.data)).collect();

    for follower in &followers {
        let seen = follower.wait_for_events(cases.len());
        let tells_retry = ["httpx-sse", "curl"].contains(&follower.name());
        check(follower.name(), &seen, &cases, &ids, tells_retry);
    }
    let seen = browser.wait_for_events("table", cases.len());
    check("Chromium", &seen, &cases, &ids, false);
}

/// Compares what a client saw with the table, row by row.
fn check(client: &str, seen: &[Seen], cases: &[Case], ids: &[String], tells_retry: bool) {
    for ((case, id), seen) in cases.iter().zip(ids).zip(seen) {
        let name = case.name;
        if let Some(want_id) = case.want_id {
            assert_eq!(id, want_id, "{name}: the id answered to the publisher");
        }
        assert_eq!(&seen.id, id, "{client}: {name}: id");
        assert_eq!(seen.event_type, case.want_type, "{client}: {name}: type");
        assert!(
            seen.data == case.want_data,
            "{client}: {name}: data\n got {}\nwant {}",
            short(&seen.data),
            short(&case.want_data)
        );
        // Other events may carry the hub's own, which comes once at the beginning of a stream.
        if tells_retry && case.want_retry.is_some() {
            assert_eq!(seen.retry, case.want_retry, "{client}: {name}: retry");
        }
    }
    assert_eq!(seen.len(), cases.len(), "{client}: events");
}

/// The beginning of some data, its invisible characters made visible, and its length.
fn short(data: &str) -> String {
    let beginning: String = data.chars().take(80).collect();
    format!("{beginning:?} ({} bytes)", data.len())
}
