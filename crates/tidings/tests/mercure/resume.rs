//! Reconnection and history: facts 1.8, and the weak points of section 3 that are better here.

use tidings::{Delivery, HistoryLimits, Publication, Topic};

use crate::support::client::{Client, Head};
use crate::support::hub::{TestHub, wide_limits};
use crate::support::over_both_ways;
use crate::world::{HUB, open, publish, start, start_as};

over_both_ways!(
    each_cursor_has_its_header_and_its_replay,
    a_header_counts_before_a_query,
    an_id_given_twice_is_its_first_event,
    a_cursor_that_is_lost_gets_all_that_is_kept,
    a_long_history_is_found_and_replayed_whole,
);

/// The data of all events up to the one that is `end`.
fn data_until(client: &mut Client, end: &str) -> Vec<String> {
    let mut text = String::new();
    while !text.contains(&format!("data: {end}\n")) {
        text.push_str(&String::from_utf8_lossy(&client.read_some()));
    }
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(ToOwned::to_owned).collect()
}

fn cursor_headers(head: &Head) -> [Option<&str>; 2] {
    [head.header("last-event-id"), head.header("mercure-last-event-id")]
}

fn fill(hub: &TestHub) {
    for number in 1..=3 {
        publish(hub, &format!("topic=a&data={number}&id=i{number}"));
    }
}

fn each_cursor_has_its_header_and_its_replay(delivery: Delivery) {
    let hub = start(delivery);
    fill(&hub);
    // What the request says, the header of the answer, and what is replayed, by the names of 0.x and of 1.0.
    for (number, (query, header, zero, one, replayed)) in [
        ("", "", None, None, &[] as &[&str]),
        ("", "last-event-id: i1\r\n", Some("i1"), Some("i1"), &["2", "3"]),
        ("", "last-event-id: i3\r\n", Some("i3"), Some("i3"), &[]),
        ("", "last-event-id: earliest\r\n", Some("earliest"), Some("earliest"), &["1", "2", "3"]),
        ("", "last-event-id: \r\n", None, Some("earliest"), &[]),
        ("&lastEventID=", "", None, Some("earliest"), &[]),
        ("&lastEventID=i2", "", Some("i2"), Some("i2"), &["3"]),
        ("&last_event_id=i2", "", Some("i2"), Some("i2"), &["3"]),
        ("&Last-Event-ID=i2", "", Some("i2"), Some("i2"), &["3"]),
        ("", "last-event-id: unknown\r\n", Some("earliest"), Some("earliest"), &["1", "2", "3"]),
    ]
    .into_iter()
    .enumerate()
    {
        for (parameter, want) in [("topic", zero), ("match", one)] {
            let (mut client, head) = open(&hub, &format!("{HUB}?{parameter}=a&{parameter}=end{query}"), header);
            let case = format!("{parameter} {query} {header:?}");
            assert_eq!(cursor_headers(&head), [want, want], "{case}");
            let end = format!("end-{parameter}-{number}");
            publish(&hub, &format!("topic=end&private=&data=hidden-{end}"));
            publish(&hub, &format!("topic=last{end}&topic=end&data={end}"));
            let mut got = data_until(&mut client, &end);
            got.retain(|data| !data.starts_with("end-"));
            assert_eq!(got, replayed, "{case}");
        }
    }
}

fn a_header_counts_before_a_query(delivery: Delivery) {
    let hub = start(delivery);
    fill(&hub);
    let target = format!("{HUB}?topic=a&lastEventID=i1&last_event_id=i3&Last-Event-ID=i3");
    let (mut client, head) = open(&hub, &target, "last-event-id: i2\r\n");
    assert_eq!(cursor_headers(&head)[0], Some("i2"));
    assert_eq!(data_until(&mut client, "3"), ["3"]);
    let (mut client, head) = open(&hub, &target, "");
    assert_eq!(cursor_headers(&head)[0], Some("i1"));
    assert_eq!(data_until(&mut client, "3"), ["2", "3"]);
}

fn an_id_given_twice_is_its_first_event(delivery: Delivery) {
    let hub = start(delivery);
    for data in ["first", "second", "third"] {
        publish(&hub, &format!("topic=a&id=same&data={data}"));
    }
    let (mut client, _) = open(&hub, &format!("{HUB}?topic=a"), "last-event-id: same\r\n");
    assert_eq!(data_until(&mut client, "third"), ["second", "third"]);
}

/// Mercure's hubs find nothing then, say nothing, and go on from now.
fn a_cursor_that_is_lost_gets_all_that_is_kept(delivery: Delivery) {
    let history = HistoryLimits { events_max: Some(2), ..HistoryLimits::default() };
    let hub = start_as(delivery, true, |builder| builder.history(history));
    fill(&hub);
    publish(&hub, "topic=a&data=4&id=i4");
    let (mut client, head) = open(&hub, &format!("{HUB}?topic=a"), "last-event-id: i1\r\n");
    assert_eq!(cursor_headers(&head), [Some("earliest"); 2]);
    let got = data_until(&mut client, "4");
    assert_eq!(got, ["3", "4"]);
    // Who would rather have nothing twice says so.
    let (mut client, head) = open(&hub, &format!("{HUB}?topic=a&on_reset=live"), "last-event-id: i1\r\n");
    assert_eq!(cursor_headers(&head), [Some("earliest"); 2]);
    publish(&hub, "topic=a&data=5&id=i5");
    assert_eq!(data_until(&mut client, "5"), ["5"]);
    // One that is private and cannot be read is a cursor all the same.
    publish(&hub, "topic=a&private&data=secret&id=hidden");
    publish(&hub, "topic=a&data=6&id=i6");
    let (mut client, head) = open(&hub, &format!("{HUB}?topic=a"), "last-event-id: hidden\r\n");
    assert_eq!(cursor_headers(&head), [Some("hidden"); 2]);
    assert_eq!(data_until(&mut client, "6"), ["6"]);
}

/// Mercure's hubs find no id in more than 10,000 events, and replay no more than 1,000.
fn a_long_history_is_found_and_replayed_whole(delivery: Delivery) {
    const EVENTS: usize = 12_000;
    let hub = start_as(delivery, true, |builder| builder.limits(wide_limits()));
    let topic = Topic::parse("a").expect("a topic");
    for number in 0..EVENTS {
        let id = tidings::EventId::parse(&format!("i{number}")).expect("an id");
        let publication = Publication { id: Some(id), ..Publication::new(topic.clone(), number.to_string()) };
        hub.publish_all_of(publication);
    }
    let (mut client, head) = open(&hub, &format!("{HUB}?topic=a"), "last-event-id: i99\r\n");
    assert_eq!(cursor_headers(&head), [Some("i99"); 2]);
    let got = data_until(&mut client, &(EVENTS - 1).to_string());
    assert_eq!(got.len(), EVENTS - 100);
    assert!(got.iter().enumerate().all(|(at, data)| *data == (at + 100).to_string()));
}
