//! `GET`, `HEAD` and `QUERY`: facts 1.3 and 1.4.

use tidings::Delivery;

use crate::support::reader::Reader;
use crate::support::{over_both_ways, percent_encode};
use crate::world::{
    BOTH, Dialect, FORM, HUB, bearer, expect_fixed_headers, open, publish, short, start, subscriber_token,
};

over_both_ways!(
    a_stream_begins_as_mercures_do,
    each_request_has_its_answer,
    topics_are_matched_by_the_rules_of_their_dialect,
    an_event_is_delivered_once,
    private_updates_are_for_those_who_may_read_any_of_their_topics,
    a_query_may_bring_its_parameters_in_a_body,
    what_is_published_there_is_seen_here,
);

fn a_stream_begins_as_mercures_do(delivery: Delivery) {
    let hub = start(delivery);
    for parameters in ["topic=a", "match=a"] {
        let (mut client, head) = open(&hub, &format!("{HUB}?{parameters}"), "user-agent: Mozilla/5.0\r\n");
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "private, no-cache, no-store, must-revalidate, max-age=0"),
            ("pragma", "no-cache"),
            ("expire", "0"),
            ("connection", "keep-alive"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(head.header(name), Some(value), "{name} in {head:?}");
        }
        assert_eq!((head.header("last-event-id"), head.header("mercure-last-event-id")), (None, None));
        expect_fixed_headers(&head);
        publish(&hub, "topic=a&data=x&id=i");
        let mut text = Vec::new();
        while !text.ends_with(b"\n\n\r\n") {
            text.extend(client.read_some());
        }
        let text = String::from_utf8_lossy(&text).replace("\r\nF\r\n", "\r\nf\r\n"); // the one way writes it so
        assert_eq!(text, "2\r\n:\n\r\nf\r\nid: i\ndata: x\n\n\r\n");
    }
    let joined = match delivery {
        Delivery::Body => hub.counters().joined_body.get(),
        _ => hub.counters().joined_direct.get(),
    };
    assert_eq!(joined, 2, "it took the way that it should");
}

fn each_request_has_its_answer(delivery: Delivery) {
    let hub = start(delivery);
    let many =
        |name: &str, count: usize| (0..count).map(|number| format!("{name}=t{number}&")).collect::<Vec<_>>().concat();
    let too_long = format!("match={}", "x".repeat(4097));
    let no_match = "missing \"match\" subscription parameter\n";
    // The query, then the status and how the text begins, without a token.
    for (query, status, text) in [
        (String::new(), 400, "Missing \"topic\" parameter.\n"),
        ("other=1".into(), 400, "Missing \"topic\" parameter.\n"),
        ("topic=%zz".into(), 400, "Bad Request\n"),
        ("topic=".into(), 400, "Invalid \"topic\" parameter: "),
        ("topic=a%00".into(), 400, "Invalid \"topic\" parameter: "),
        ("topic=%FF".into(), 400, "Invalid \"topic\" parameter: "),
        (many("topic", 1001), 400, "Too many \"topic\" parameters.\n"),
        (many("match", 101), 400, "too many matchers"),
        (too_long, 400, "Invalid \"match\" parameter: "),
        ("match=".into(), 400, "Invalid \"match\" parameter: "),
        ("match=a%C2%85".into(), 400, "Invalid \"match\" parameter: "),
        ("match=a%E2%80%8B".into(), 400, "Invalid \"match\" parameter: "),
        ("match=%FF".into(), 400, "Invalid \"match\" parameter: "),
        ("match_urlpattern=https%3A%2F%2Fa%2F(".into(), 400, "Invalid \"match_urlpattern\" parameter: "),
        ("match_regexp=a".into(), 400, "Invalid \"match_regexp\" parameter: "),
        ("MATCH=a".into(), 400, "Invalid \"MATCH\" parameter: "),
        ("match=a&topic=b".into(), 400, "Invalid \"topic\" parameter: "),
    ] {
        let answer = hub.client().request("GET", &format!("{HUB}?{query}"), "", b"");
        let got = short(&answer);
        assert!(got.0 == status && got.1.starts_with(text), "{query}: got {got:?}, want {status} {text:?}");
        assert!(got.1.ends_with('\n') && got.1.lines().count() == 1, "{query}: {got:?}");
        expect_fixed_headers(&answer.head);
    }
    let with_token = bearer(&subscriber_token(Dialect::One, &["*"]));
    let answer = hub.client().request("GET", HUB, &with_token, b"");
    assert_eq!(short(&answer), (400, no_match.to_owned()));
    for query in [many("topic", 1000), many("match", 100), "topic=a&topic=a&other=%C3%A9".into()] {
        open(&hub, &format!("{HUB}?{query}"), "");
    }
    // Who it is comes before what it wants.
    let answer = hub.client().request("GET", HUB, "authorization: Bearer x.y.z\r\n", b"");
    assert_eq!(short(&answer), (401, "Unauthorized\n".to_owned()));
}

fn topics_are_matched_by_the_rules_of_their_dialect(delivery: Delivery) {
    let hub = start(delivery);
    let hub_of = |address| format!("http://{address}");
    let base = hub_of(hub.address);
    for (parameter, selector, topic, matches) in [
        ("topic", "*", "anything", true),
        ("topic", "a", "a", true),
        ("topic", "a", "b", false),
        ("topic", "a/*", "a/b", false),
        ("topic", "https://example.com/books/{id}", "https://example.com/books/1", true),
        ("topic", "https://example.com/books/{id}", "https://example.com/books/1/2", false),
        ("topic", "https://example.com/books/{id}", "https://example.com/books/{id}", true),
        ("topic", "/users/{+path}", "/users/1/2", true),
        ("topic", "{broken", "{broken", true),
        ("match", "*", "anything", true),
        ("match_exact", "a", "a", true),
        ("match", "/books/:id", "/books/1", false),
        ("match_urlpattern", "*", "anything", true),
        ("match_urlpattern", "https://example.com/books/:id", "https://example.com/books/1", true),
        ("match_urlpattern", "https://example.com/books/:id", "https://example.com/books/1/2", false),
        ("match_urlpattern", "/books/:id", "/books/1", true),
        ("match_exact", "https://example.com/a", "https://EXAMPLE.com/a", false),
    ] {
        let mut reader =
            Reader::open(hub.address, format!("{HUB}?{parameter}={}&{parameter}=end", percent_encode(selector)));
        publish(&hub, &format!("topic={}&data=hit", percent_encode(topic)));
        publish(&hub, "topic=end&data=end");
        let got = reader.next_data();
        // A selector for everything gets the last one as well.
        let want = if matches { "hit" } else { "end" };
        assert_eq!(got, want, "{parameter}={selector} and {topic} at {base}");
    }
}

fn an_event_is_delivered_once(delivery: Delivery) {
    let hub = start(delivery);
    let target = format!("{HUB}?topic=a&topic=b&topic=*&topic={}", percent_encode("{x}"));
    let mut reader = Reader::open(hub.address, target);
    publish(&hub, "topic=a&topic=b&topic=c&data=1");
    publish(&hub, "topic=c&topic=a&data=2");
    assert_eq!([reader.next_data(), reader.next_data()], ["1", "2"]);
}

fn private_updates_are_for_those_who_may_read_any_of_their_topics(delivery: Delivery) {
    let hub = start(delivery);
    for dialect in BOTH {
        let parameter = if dialect == Dialect::Zero { "topic" } else { "match" };
        let target = format!("{HUB}?{parameter}=a");
        let read = |token: Option<String>, target: &str| {
            let headers = token.map(|token| bearer(&token)).unwrap_or_default();
            open(&hub, target, &headers).0
        };
        let mut anonymous = read(None, &target);
        let mut granted = read(Some(subscriber_token(dialect, &["a"])), &target);
        let mut by_other = read(Some(subscriber_token(dialect, &["b"])), &target);
        let mut nothing = read(Some(subscriber_token(dialect, &["c"])), &target);
        publish(&hub, "topic=a&topic=b&private=&data=secret");
        publish(&hub, "topic=a&data=public");
        for (who, client, sees) in [
            ("anonymous", &mut anonymous, false),
            ("granted", &mut granted, true),
            ("granted another topic of it", &mut by_other, true),
            ("granted something else", &mut nothing, false),
        ] {
            let mut text = String::new();
            while !text.contains("data: public\n") {
                text.push_str(&String::from_utf8_lossy(&client.read_some()));
            }
            assert_eq!(text.contains("data: secret\n"), sees, "{who} in {dialect:?}: {text}");
        }
        // Nor is it seen later.
        let mut late = read(None, &format!("{target}&lastEventID=earliest"));
        let mut text = String::new();
        while !text.contains("data: public\n") {
            text.push_str(&String::from_utf8_lossy(&late.read_some()));
        }
        assert!(!text.contains("secret"), "{text}");
    }
}

fn a_query_may_bring_its_parameters_in_a_body(delivery: Delivery) {
    let hub = start(delivery);
    publish(&hub, "topic=b&data=before&id=0");
    publish(&hub, "topic=b&data=1&id=1");
    publish(&hub, "topic=a&data=2&id=2");
    let mut client = hub.client();
    client.ask("QUERY", &format!("{HUB}?match=a"), FORM, b"match_urlpattern=/:x&match=b&last_event_id=0");
    let head = client.head();
    assert_eq!((head.status, head.header("mercure-last-event-id")), (200, Some("0")), "{head:?}");
    let mut text = String::new();
    while !text.contains("data: 2\n") {
        text.push_str(&String::from_utf8_lossy(&client.read_some()));
    }
    assert!(text.contains("data: 1\n") && !text.contains("before"), "{text}");
    let answer = hub.client().request("QUERY", HUB, FORM, b"");
    assert_eq!(short(&answer), (400, "missing \"match\" subscription parameter\n".to_owned()));
}

fn what_is_published_there_is_seen_here(delivery: Delivery) {
    let hub = start(delivery);
    let mut reader = Reader::open(hub.address, format!("{HUB}?topic=chat%2F42"));
    hub.publish("chat/42", "from the library");
    let event = reader.next();
    assert_eq!(&*event.data, "from the library");
    // And an id of the hub's own is a cursor here too.
    hub.publish("chat/42", "next");
    let mut later = Reader::open(hub.address, format!("{HUB}?topic=chat%2F42&lastEventID={}", reader.last_event_id()));
    assert_eq!(later.next_data(), "next");
}
