//! Limits of those who read: lag, time, memory, replays.

use std::thread;
use std::time::{Duration, Instant};

use tidings_e2e::{Hub, NeverReads, RawStream};

use crate::support::{eventually, expect_reached, hub};

const WAYS: [&str; 2] = ["direct", "body"];
const MIB: usize = 1024 * 1024;

fn wait_for_readers(hub: &Hub, count: u32) {
    eventually("the readers", || {
        hub.metric("tidings_sessions{way=\"direct\"}") + hub.metric("tidings_sessions{way=\"body\"}")
            >= f64::from(count)
    });
}

/// A reader that goes on reading, and sees that all of these come to it.
fn follow(hub: &Hub) -> RawStream {
    let mut reader = RawStream::get(hub.address(), "/events/t", &[]);
    reader.wait_for_text("retry:");
    reader
}

#[test]
fn a_reader_that_takes_no_byte_is_ended_after_a_while() {
    for way in WAYS {
        let hub = hub(&["--slow-client-timeout", "300ms", "--delivery", way]);
        let _slow = NeverReads::start(hub.address(), "/events/t");
        wait_for_readers(&hub, 1);
        let data = "x".repeat(MIB / 2);
        for _ in 0..8 {
            hub.publish("/events/t", &data);
        }
        let closed = "tidings_sessions_closed_total{reason=\"slow\"}";
        eventually("the end of the slow one", || hub.metric(closed) >= 1.0);
        expect_reached(&hub, "slow_client_timeout", 1.0, None);
        let mut reader = follow(&hub);
        hub.publish("/events/t", "others are served");
        reader.wait_for_text("others are served");
    }
}

#[test]
fn a_reader_too_many_bytes_behind_is_ended() {
    for way in WAYS {
        let hub = hub(&["--max-lag-bytes", "1MiB", "--slow-client-timeout", "0", "--delivery", way]);
        let _slow = NeverReads::start(hub.address(), "/events/t");
        let mut reader = follow(&hub);
        wait_for_readers(&hub, 2);
        let data = "x".repeat(MIB / 4);
        let closed = "tidings_sessions_closed_total{reason=\"lagged\"}";
        let mut published = 0;
        while hub.metric(closed) < 1.0 {
            assert!(published < 64, "16 MiB went by and nobody was ended");
            published += 1;
            hub.publish(&format!("/events/t?id=event-{published}"), &data);
            reader.wait_for_text(&format!("id: event-{published}\n"));
        }
        assert!(published >= 5, "it was ended after {published} quarters of a MiB");
        expect_reached(&hub, "lag_bytes", 1.0, None);
    }
}

#[test]
fn what_slow_readers_hold_is_limited() {
    let hub = hub(&["--max-buffered-bytes", "4MiB", "--slow-client-timeout", "0", "--max-event-bytes", "2MiB"]);
    let _slow: Vec<_> = (0..16).map(|_| NeverReads::start(hub.address(), "/events/t")).collect();
    wait_for_readers(&hub, 16);
    let data = "x".repeat(2 * MIB);
    for _ in 0..4 {
        hub.publish("/events/t", &data);
    }
    expect_reached(&hub, "buffered_bytes", 1.0, None);
    let held = hub.metric("tidings_pinned_bytes");
    assert!(held <= 4.0 * 1024.0 * 1024.0, "{held}");
    let mut reader = follow(&hub);
    hub.publish("/events/t", "others are served");
    reader.wait_for_text("others are served");
}

#[test]
fn history_is_replayed_to_so_many_at_a_time_and_to_all_in_the_end() {
    const EVENTS: usize = 200;
    const READERS: usize = 24;
    for way in WAYS {
        // Each shard has one turn at least.
        let hub = hub(&["--max-replays", "1", "--delivery", way, "--catch-up-bytes", "64KiB"]);
        let data = "x".repeat(16 * 1024);
        for number in 1..=EVENTS {
            hub.publish(&format!("/events/t?id=event-{number}"), &data);
        }
        let mut live = follow(&hub);
        let mut readers: Vec<_> =
            (0..READERS).map(|_| RawStream::get(hub.address(), "/events/t?since=earliest", &[])).collect();
        for reader in &mut readers {
            reader.wait_for_text("retry:"); // at once, whoever's turn it is
        }
        hub.publish("/events/t?id=the-live-one", "now");
        live.wait_for_text("id: the-live-one\n");
        for reader in &mut readers {
            let ids: Vec<String> = reader.wait_for("all of history and the live event", |bytes| {
                let text = String::from_utf8_lossy(bytes);
                let ids: Vec<_> =
                    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
                (ids.last().is_some_and(|id| id == "the-live-one")).then_some(ids)
            });
            let want: Vec<_> = (1..=EVENTS).map(|number| format!("event-{number}")).collect();
            assert_eq!(ids[..EVENTS], want);
            assert_eq!(ids.len(), EVENTS + 1);
        }
        expect_reached(&hub, "replays", 1.0, None);
        eventually("all turns given back", || hub.metric("tidings_replays{state=\"replaying\"}") < 0.5);
        eventually("an empty line", || hub.metric("tidings_replays{state=\"waiting\"}") < 0.5);
    }
}

#[test]
fn a_stream_lives_as_long_as_it_may_and_not_all_end_together() {
    const READERS: usize = 20;
    const LIFETIME: Duration = Duration::from_secs(2);
    for way in WAYS {
        let hub = hub(&["--connection-lifetime", "2s", "--delivery", way]);
        let lives: Vec<_> = thread::scope(|scope| {
            let reader = || {
                let began = Instant::now();
                let mut reader = RawStream::get(hub.address(), "/events/t", &[]);
                reader.take_response();
                began.elapsed()
            };
            let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
            readers.into_iter().map(|reader| reader.join().expect("it was ended")).collect()
        });
        let (shortest, longest) = (*lives.iter().min().expect("some"), *lives.iter().max().expect("some"));
        assert!(shortest >= LIFETIME.mul_f64(0.9), "{shortest:?}: up to a tenth less");
        assert!(longest >= shortest + LIFETIME / 40, "{way}: all ended between {shortest:?} and {longest:?}");
        let closed = format!("tidings_sessions_closed_total{{reason=\"lifetime\"}} {READERS}\n");
        assert!(hub.metrics().text().contains(&closed), "{}", hub.metrics().text());
    }
}
