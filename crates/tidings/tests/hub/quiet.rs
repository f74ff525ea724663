//! The place of a quiet topic stays good, however much is trimmed beside it.

use tidings::{EventId, HistoryLimits, Publication};
use tidings_core::ResetReason;

use crate::support::hub::{Setup, TestHub, parse_topic};
use crate::support::reader::{Cut, Reader};
use crate::support::{MIB, over_both_ways_near_and_far};

over_both_ways_near_and_far!(a_million_events_elsewhere_cost_a_quiet_reader_nothing, what_is_trimmed_gives_a_verdict,);

const MANY: u32 = 1_000_000;

fn small_history(setup: Setup) -> TestHub {
    let history = HistoryLimits { bytes_max: 4 * MIB, trimmed_bytes_max: MIB, ..HistoryLimits::default() };
    TestHub::start_keeping(setup, history, |builder| builder.heartbeat(None))
}

fn a_million_events_elsewhere_cost_a_quiet_reader_nothing(setup: Setup) {
    let hub = small_history(setup);
    hub.publish("quiet", "first");
    hub.publish("busy", "first");
    let mut quiet = read_first(&hub, "quiet");
    let mut busy = read_first(&hub, "busy");
    let mut never_read = Reader::new(hub.address, "/events/silent?prime=1");
    never_read.connect();
    never_read.next();
    for reader in [&mut quiet, &mut busy, &mut never_read] {
        reader.cut(Cut::Rst);
    }
    let mut stays = Reader::open(hub.address, "/events/quiet");

    let topics: Vec<_> = (0..10).map(|number| parse_topic(&format!("noise/{number}"))).collect();
    let busy_topic = parse_topic("busy");
    hub.block_on(async {
        for number in 0..MANY {
            let topic = if number % 1000 == 0 { &busy_topic } else { &topics[number as usize % topics.len()] };
            hub.hub.publish(Publication::new(topic.clone(), "noise")).await.expect("memory takes all");
            if number % 1000 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });

    // Its last event is trimmed long ago; but nothing came after it that it could have missed.
    quiet.connect();
    quiet.head();
    hub.publish("quiet", "second");
    assert_eq!(quiet.next_data(), "second");
    assert_eq!(stays.next_data(), "second");
    never_read.connect();
    assert_eq!(never_read.next().event_type, "tidings.open");
    hub.publish("silent", "at last");
    assert_eq!(never_read.next_data(), "at last");

    busy.connect();
    expect_verdict(&mut busy, "expired");
    assert_eq!(busy.next_data(), "noise");
    assert_eq!(hub.counters().reset(ResetReason::Expired).get(), 1);
    hub.expect_fetches_if_far();
}

fn what_is_trimmed_gives_a_verdict(setup: Setup) {
    let hub = small_history(setup);
    let id = EventId::parse("my own").expect("a good id");
    hub.publish_all_of(Publication { id: Some(id), ..Publication::new(parse_topic("t"), "first") });
    let mut by_own_id = read_first(&hub, "t");
    assert_eq!(by_own_id.last_event_id(), "my own");
    let second = hub.publish("t", "second");
    // While it is kept, it is found.
    by_own_id.cut(Cut::Fin);
    by_own_id.connect();
    assert_eq!(by_own_id.next_data(), "second");
    by_own_id.cut(Cut::Fin);
    let mut by_own_id = Reader::new(hub.address, "/events/t?lastEventID=my+own");
    let mut by_position = Reader::new(hub.address, format!("/events/t?last_event_id={}", second.id.as_str()));
    let mut by_foreign = Reader::new(hub.address, "/events/t?lastEventID=never+seen");
    let mut from_now = Reader::new(hub.address, "/events/t?lastEventID=my+own&on_reset=live");
    for number in 0..100 {
        hub.publish("t", format!("{number} {}", "x".repeat(MIB / 10)));
    }
    for (reader, reason) in [(&mut by_own_id, "unknown"), (&mut by_foreign, "unknown"), (&mut by_position, "expired")] {
        reader.connect();
        let verdict = expect_verdict(reader, reason);
        let first = reader.next();
        let oldest = verdict["oldest"].as_str().expect("something is retained");
        assert_eq!(first.last_event_id, oldest, "{verdict}");
        let mut last = first;
        while !last.data.starts_with("99 ") {
            last = reader.next();
        }
        assert_eq!(verdict["latest"], last.last_event_id);
        // And the way it came to now is a good one.
        reader.cut(Cut::Rst);
    }
    from_now.connect();
    expect_verdict(&mut from_now, "unknown");
    hub.publish("t", "now");
    assert_eq!(from_now.next_data(), "now");
    assert_eq!(hub.counters().reset(ResetReason::Unknown).get(), 3);
    hub.expect_fetches_if_far();
}

/// A reader that has seen the first event of `topic`, and no other.
fn read_first(hub: &TestHub, topic: &str) -> Reader {
    let mut reader = Reader::new(hub.address, format!("/events/{topic}?since=earliest"));
    reader.connect();
    assert_eq!(reader.next_data(), "first");
    reader
}

/// The next event is a verdict with this reason, and the id to go on with.
#[track_caller]
fn expect_verdict(reader: &mut Reader, reason: &str) -> serde_json::Value {
    let event = reader.next();
    assert_eq!(event.event_type, "tidings.reset", "{event:?}");
    let verdict: serde_json::Value = serde_json::from_str(&event.data).expect("a verdict is JSON");
    assert_eq!(verdict["reason"], reason, "{verdict}");
    assert!(!event.last_event_id.is_empty() && verdict["requested"] != event.last_event_id, "{verdict}");
    verdict
}
