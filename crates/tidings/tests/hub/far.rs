//! Readers of history that is not at hand: they share what is fetched, hold nothing while they wait, and lose nothing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tidings::{
    AppendError, CloseReason, Delivery, EngineError, Hub, Limits, Publication, ResumeFrom, SubscribeOptions,
};
use tidings_core::MemoryOptions;

use crate::cuts::survive_failures;
use crate::support::child::{ChildHub, Settings};
use crate::support::client::Client;
use crate::support::far::{FarEngine, failed};
use crate::support::hub::{Setup, TestHub, parse_topic, wide_limits};
use crate::support::reader::{Cut, End, Pumped, Reader};
use crate::support::{DEADLINE, MIB, eventually, eventually_equal, over_both_ways, raise_open_files};

over_both_ways!(
    a_crowd_at_one_place_shares_what_is_fetched,
    no_more_is_fetched_than_a_reader_takes,
    a_long_replay_takes_the_memory_of_a_few_pages,
    so_many_pages_are_fetched_at_a_time,
    one_that_waits_is_neither_slow_nor_silent,
    one_that_waits_may_leave_or_be_ended,
    a_page_is_not_for_the_group_that_came_after,
    readers_of_what_cannot_be_read_come_back_and_get_it,
    a_failing_store_is_survived,
    nobody_waits_for_an_answer_that_was_lost,
    a_hub_dropped_while_it_fetches_frees_the_engine,
);

fn start(delivery: Delivery, limits: Limits) -> TestHub {
    TestHub::start(Setup { delivery, is_far: true }, |builder| builder.limits(limits).shards(1))
}

/// Publishes so many numbered events on `topic`.
fn publish_numbered(hub: &TestHub, topic: &str, events: usize, bytes: usize) {
    let filling = "x".repeat(bytes);
    for number in 0..events {
        hub.publish(topic, format!("{number} {filling}"));
    }
}

/// Reads all of them that are left.
#[track_caller]
fn read_numbered(reader: &mut Reader, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let data = reader.next_data();
        assert_eq!(data.split(' ').next(), Some(&*number.to_string()), "the wrong event");
    }
}

fn a_crowd_at_one_place_shares_what_is_fetched(delivery: Delivery) {
    const READERS: usize = 2000;
    const EVENTS: usize = 64;
    const EVENTS_PER_PAGE: usize = 4;
    raise_open_files();
    let limits = Limits { batch_bytes_max: EVENTS_PER_PAGE * 1024, ..wide_limits() };
    let hub = start(delivery, limits);
    publish_numbered(&hub, "t", EVENTS, 1024);
    hub.far().hold();
    let mut readers: Vec<_> = (0..READERS).map(|_| Reader::open(hub.address, "/events/t?since=earliest")).collect();
    eventually_equal("sessions", &(READERS as u64), || hub.sessions());
    hub.far().expect_asked(1);
    hub.far().release();
    for reader in &mut readers {
        read_numbered(reader, 0..EVENTS);
    }
    // As a body each asks for a page when it has taken the one before it: how many come together then is the system's.
    assert_eq!(hub.far().fetched_twice(), 0, "who asks for what is being fetched waits with the others");
    if delivery == Delivery::Direct {
        // The kernel takes all of it at once, so they stay together all the way.
        let (fetches, pages) = (hub.far().fetches(), EVENTS / EVENTS_PER_PAGE);
        assert!(fetches <= pages + 1, "{fetches} fetches of {pages} pages");
    }
    // And now they are as live as anybody.
    hub.publish("t", "now");
    for reader in &mut readers {
        assert_eq!(reader.next_data(), "now");
    }
}

fn no_more_is_fetched_than_a_reader_takes(delivery: Delivery) {
    const EVENTS: usize = 1000;
    const EVENT_BYTES: usize = 16 * 1024;
    const PAGE_BYTES: usize = 64 * 1024 + EVENT_BYTES;
    /// What two kernels' sockets and an HTTP library may take that the reader does not.
    const BUFFERED_MAX: usize = 2 * MIB;
    let limits = Limits { socket_send_buffer_bytes: 16 * 1024, slow_client_timeout: None, ..wide_limits() };
    let hub = start(delivery, limits);
    for topic in ["slow", "quick"] {
        publish_numbered(&hub, topic, EVENTS, EVENT_BYTES);
    }
    let mut slow = Reader::open_narrow(hub.address, "/events/slow?since=earliest");
    let mut quick = Reader::open(hub.address, "/events/quick?since=earliest");
    read_numbered(&mut quick, 0..EVENTS);
    eventually("it has all that is taken of it", || hub.far().fetches_of("slow") > 0);
    // While the other got all of its own, this one had every opportunity.
    let bytes = hub.far().fetches_of("slow") * PAGE_BYTES;
    assert!(bytes <= BUFFERED_MAX + PAGE_BYTES, "{bytes} bytes were fetched for one that does not read");
    let pinned = hub.counters().pinned_bytes.get();
    assert!(pinned <= PAGE_BYTES as u64, "{pinned} bytes are pinned for it");
    read_numbered(&mut slow, 0..100);
    // A page is fetched again only when its reader turns out to take none of it.
    let (fetches, pages) = (hub.far().fetches_of("quick"), EVENTS * EVENT_BYTES / (64 * 1024));
    assert!(fetches <= pages + pages / 10, "{fetches} fetches of {pages} pages");
}

fn a_long_replay_takes_the_memory_of_a_few_pages(delivery: Delivery) {
    const EVENTS: usize = 150_000;
    const EVENTS_PER_BATCH: usize = 10_000;
    const READERS: usize = 5;
    /// So much more than before: pages and what is pending for each reader, and HTTP's own.
    const ALLOCATED_GROWTH_MAX: u64 = 6 * MIB as u64;
    let settings = Settings { delivery, is_far: true, history_bytes: 128 * MIB, slow_client_timeout: None };
    let mut hub = ChildHub::start(settings);
    let mut client = Client::connect(hub.address);
    for batch in 0..EVENTS / EVENTS_PER_BATCH {
        let mut lines = String::new();
        for number in batch * EVENTS_PER_BATCH..(batch + 1) * EVENTS_PER_BATCH {
            writeln!(lines, r#"{{"topic":"t","data":"{number} of a great many events"}}"#).expect("it is a string");
        }
        let headers = "content-type: application/x-ndjson\r\n";
        let answer = client.request("POST", "/events?summary", headers, lines.as_bytes());
        assert_eq!(answer.head.status, 200, "{}", answer.text());
    }
    let before = hub.counters()["allocated"];
    let mut readers: Vec<_> =
        (0..READERS).map(|_| (Reader::open(hub.address, "/events/t?since=earliest"), 0)).collect();
    let mut most = 0;
    while readers.iter().any(|(_, next)| *next < EVENTS) {
        for (place, (reader, next)) in readers.iter_mut().enumerate().filter(|(_, (_, next))| *next < EVENTS) {
            // Some read much at a time, and some little.
            for _ in 0..1 << place {
                let pumped = reader.pump(usize::MAX, Duration::from_millis(1));
                assert!(!matches!(pumped, Pumped::End(_)), "{pumped:?} at event {next}");
            }
            for event in reader.take_events() {
                assert_eq!(event.data.split(' ').next(), Some(&*next.to_string()), "the wrong event");
                *next += 1;
            }
        }
        most = most.max(hub.counters()["allocated"]);
    }
    let grown = most.saturating_sub(before);
    assert!(grown <= ALLOCATED_GROWTH_MAX, "{grown} bytes more were allocated while {READERS} readers replayed");
}

fn so_many_pages_are_fetched_at_a_time(delivery: Delivery) {
    const READERS: usize = 50;
    // 32 MiB of them: those of one event each that is as large as may be, and a batch.
    for (event_bytes_max, at_a_time) in [(MIB, 30), (4 * MIB, 7), (100 * MIB, 1), (1000, 32)] {
        let hub = start(delivery, Limits { event_bytes_max, ..wide_limits() });
        for number in 0..READERS {
            publish_numbered(&hub, &format!("t/{number}"), 10, 10);
        }
        hub.far().hold();
        let target = |number: usize| format!("/events/t/{number}?since=earliest");
        let mut readers: Vec<_> = (0..READERS).map(|number| Reader::open(hub.address, target(number))).collect();
        eventually_equal("sessions", &(READERS as u64), || hub.sessions());
        hub.far().expect_asked(at_a_time);
        // Some leave before it is their turn, and some when it is.
        for reader in readers.iter_mut().step_by(2) {
            reader.cut(Cut::Rst);
        }
        eventually_equal("sessions", &(READERS as u64 / 2), || hub.sessions());
        hub.far().release();
        for reader in readers.iter_mut().skip(1).step_by(2) {
            read_numbered(reader, 0..10);
        }
        assert_eq!(hub.far().fetches_at_a_time(), at_a_time);
        assert!(hub.far().fetches() < READERS + at_a_time, "pages were fetched for those who had left");
    }
}

fn one_that_waits_is_neither_slow_nor_silent(delivery: Delivery) {
    let limits = Limits { slow_client_timeout: Some(Duration::from_millis(50)), ..wide_limits() };
    let setup = Setup { delivery, is_far: true };
    let hub =
        TestHub::start(setup, |builder| builder.limits(limits).shards(1).heartbeat(Some(Duration::from_millis(5))));
    publish_numbered(&hub, "t", 20, 1000);
    hub.far().hold();
    let mut waits = Reader::open(hub.address, "/events/t?since=earliest");
    let mut live = Reader::open(hub.address, "/events/other");
    while waits.comments < 40 {
        assert!(matches!(waits.pump(usize::MAX, DEADLINE), Pumped::Bytes(_)), "a heartbeat was expected");
    }
    hub.publish("other", "live events go on");
    assert_eq!(live.next_data(), "live events go on");
    hub.publish("t", "20 while it waited");
    hub.far().release();
    read_numbered(&mut waits, 0..21);
    assert_eq!((hub.counters().closed(CloseReason::Slow).get(), hub.sessions()), (0, 2));
}

fn one_that_waits_may_leave_or_be_ended(delivery: Delivery) {
    let hub = start(delivery, wide_limits());
    publish_numbered(&hub, "t", 20, 10);
    hub.far().hold();
    let mut leaves = Reader::open(hub.address, "/events/t?since=earliest");
    hub.far().expect_asked(1);
    leaves.cut(Cut::Close);
    eventually_equal("sessions", &0, || hub.sessions());
    let mut comes = Reader::open(hub.address, "/events/t?since=earliest");
    hub.far().expect_asked(2);
    hub.far().release();
    read_numbered(&mut comes, 0..20);
    hub.far().expect_asked(0);

    hub.far().hold();
    let mut ended = Reader::open(hub.address, "/events/t?since=earliest");
    hub.far().expect_asked(1);
    hub.block_on(hub.hub.drain(Duration::ZERO));
    assert_eq!((ended.end(), comes.end()), (End::Whole, End::Whole));
    assert_eq!(hub.counters().closed(CloseReason::Drain).get(), 2);

    // What was drained is closed, and takes no more.
    assert!(hub.far().is_closed());
    let refused = hub.block_on(hub.hub.publish(Publication::new(parse_topic("t"), "too late")));
    assert_eq!(refused, Err(AppendError::Engine(EngineError::Closed)));
}

fn a_page_is_not_for_the_group_that_came_after(delivery: Delivery) {
    let hub = start(delivery, wide_limits());
    let start = hub.publish("start", "").id;
    for number in 0..20 {
        hub.publish("a", format!("{number} of a"));
        hub.publish("b", format!("{number} of b"));
    }
    for round in 0..20 {
        hub.far().hold();
        // Both stand at the same place, and the second has the number of the first one's group.
        let mut first = Reader::open(hub.address, format!("/events/a?lastEventID={start}"));
        hub.far().expect_asked(1);
        first.cut(Cut::Rst);
        eventually_equal("sessions", &0, || hub.sessions());
        let mut second = Reader::open(hub.address, format!("/events/b?lastEventID={start}"));
        hub.far().expect_asked(2);
        hub.far().release();
        for number in 0..20 {
            assert_eq!(second.next_data(), format!("{number} of b"), "round {round}");
        }
        second.cut(Cut::Rst);
        eventually_equal("sessions", &0, || hub.sessions());
        hub.far().expect_asked(0);
    }
}

fn readers_of_what_cannot_be_read_come_back_and_get_it(delivery: Delivery) {
    const EVENTS: usize = 200;
    const READERS: usize = 10;
    let hub = start(delivery, Limits { batch_bytes_max: 4096, ..wide_limits() });
    publish_numbered(&hub, "t", EVENTS, 1000);
    hub.far().hold();
    let mut readers: Vec<_> = (0..READERS).map(|_| Reader::open(hub.address, "/events/t?since=earliest")).collect();
    eventually_equal("sessions", &(READERS as u64), || hub.sessions());
    hub.far().expect_asked(1);
    hub.far().fail_next(1);
    hub.far().release();
    for reader in &mut readers {
        assert_eq!(reader.end(), End::Whole);
    }
    let ended = || hub.counters().closed(CloseReason::StoreFailed).get();
    eventually_equal("readers ended because their history cannot be read", &(READERS as u64), ended);

    // In the middle of it too: each time they come back they go on from there.
    hub.far().fail_one_in(3);
    for reader in &mut readers {
        reader.connect();
        let mut next = 0;
        while next < EVENTS {
            match reader.next_or_end() {
                Ok(event) => {
                    assert_eq!(event.data.split(' ').next(), Some(&*next.to_string()), "the wrong event");
                    next += 1;
                }
                Err(end) => {
                    assert_eq!(end, End::Whole, "after {next} events");
                    reader.cut(Cut::Close);
                    reader.connect();
                }
            }
        }
        reader.cut(Cut::Close);
    }
    assert!(ended() > READERS as u64, "none failed on its way");
}

fn a_failing_store_is_survived(delivery: Delivery) {
    survive_failures(delivery);
}

fn nobody_waits_for_an_answer_that_was_lost(delivery: Delivery) {
    let hub = start(delivery, wide_limits());
    publish_numbered(&hub, "t", 20, 10);
    hub.far().lose_next(1);
    let mut reader = Reader::open(hub.address, "/events/t?since=earliest");
    assert_eq!(reader.end(), End::Whole);
    eventually_equal("readers ended", &1, || hub.counters().closed(CloseReason::StoreFailed).get());
    reader.connect();
    read_numbered(&mut reader, 0..20);
}

fn a_hub_dropped_while_it_fetches_frees_the_engine(delivery: Delivery) {
    let hub = start(delivery, wide_limits());
    publish_numbered(&hub, "t", 20, 10);
    publish_numbered(&hub, "u", 20, 10);
    let far = Arc::clone(hub.far());
    far.hold();
    let readers = ["/events/t?since=earliest", "/events/u?since=earliest", "/events?topic=*&since=earliest"];
    let mut readers = readers.map(|target| Reader::open(hub.address, target));
    far.expect_asked(3);
    drop(hub);
    eventually_equal("those who have the engine", &1, || Arc::strong_count(&far));
    for reader in &mut readers {
        assert!(reader.next_or_end().is_err(), "nothing was read for it");
    }
    // Nobody hears the answers.
    far.release();
    far.expect_asked(0);
}

#[test]
fn a_hub_in_process_runs_on_any_engine() {
    let far = FarEngine::new(MemoryOptions::default());
    let runtime = crate::support::hub::runtime();
    let hub = Hub::builder().engine(far.clone()).build().expect("a hub needs only threads");
    let topic = parse_topic("t");
    let publish =
        |data: String| runtime.block_on(hub.publish(Publication::new(topic.clone(), data))).expect("it is open");
    for number in 0..100 {
        publish(number.to_string());
    }
    let options = SubscribeOptions::topic(topic.clone()).from(ResumeFrom::Earliest);
    let mut events = runtime.block_on(hub.subscribe(options.clone())).expect("the engine answers");
    for number in 0..100 {
        let event = runtime.block_on(futures_util::StreamExt::next(&mut events)).expect("the hub lives");
        assert_eq!(event.data, number.to_string());
    }
    assert!(far.fetches() > 0);

    far.hold();
    let waiting = runtime.block_on(hub.subscribe(options)).expect("the engine answers");
    far.expect_asked(1);
    drop((events, waiting, hub));
    eventually_equal("those who have the engine", &1, || Arc::strong_count(&far));
}

#[test]
fn readiness_tells_of_the_store() {
    let hub = start(Delivery::Direct, wide_limits());
    let admin = crate::library::serve(&hub, hub.hub.admin_router());
    let check = |health: Result<(), EngineError>, status: u16, text: &str| {
        hub.far().set_health(health);
        for address in [hub.address, admin] {
            let answer = Client::connect(address).request("GET", "/readyz", "", b"");
            assert_eq!((answer.head.status, answer.text()), (status, text));
            assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"));
        }
    };
    check(Ok(()), 200, "ready\n");
    let no_room = EngineError::NoRoom { cause: "No space left on device (os error 28)".into() };
    let text = "no-room\nthere is no room to store events: No space left on device (os error 28)\n";
    check(Err(no_room), 503, text);
    let text = "store-failed\nthe store has failed and takes no more events: \
                reading segment 7: Input/output error (os error 5)\n";
    check(Err(failed()), 503, text);
    check(Err(EngineError::Closed), 503, "closed\nthe hub is shutting down\n");
    check(Ok(()), 200, "ready\n");
    hub.far().set_health(Err(failed()));
    hub.block_on(hub.hub.drain(Duration::ZERO));
    assert_eq!(hub.client().request("GET", "/readyz", "", b"").text(), "draining\n", "that says it all");
}
