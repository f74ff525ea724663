//! A slow reader costs the others nothing, and the hub no more than its limits say.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{CloseReason, Delivery, Limits};

use crate::support::child::{ChildHub, Settings};
use crate::support::client::Client;
use crate::support::hub::{Setup, TestHub, wide_limits};
use crate::support::reader::{Cut, End, Pumped, Reader};
use crate::support::seed::Seed;
use crate::support::{DEADLINE, MIB, eventually, eventually_equal, over_both_ways_near_and_far};

over_both_ways_near_and_far!(
    one_that_never_reads_holds_up_nobody,
    one_that_takes_nothing_is_ended_in_time,
    one_that_was_ended_gives_its_place_back,
    nothing_goes_into_a_half_written_frame,
    what_the_slow_ones_pin_is_limited,
);

/// 100 MB.
const EVENTS: usize = 5000;
const EVENT_BYTES: usize = 20 * 1024;
const HISTORY_BYTES: usize = 16 * MIB;
/// What a hub may use beside its history: `trimmed_bytes_max` (4 MiB), batches and buffers of a few connections, and
/// what its allocator keeps.
const MEMORY_ALLOWANCE: usize = 16 * MIB;
/// The publisher is so far ahead of the slowest of the others at most: well within history.
const EVENTS_AHEAD_MAX: usize = 200;
const OTHERS: usize = 3;

fn one_that_never_reads_holds_up_nobody(setup: Setup) {
    let settings = Settings {
        delivery: setup.delivery,
        is_far: setup.is_far,
        history_bytes: HISTORY_BYTES,
        slow_client_timeout: None,
    };
    let without = {
        let mut hub = ChildHub::start(settings);
        carry_100_mb(&mut hub)
    };
    let mut hub = ChildHub::start(settings);
    let mut slow = Reader::open_narrow(hub.address, "/events/t?since=earliest");
    let with = carry_100_mb(&mut hub);
    // Only a loose guard: other tests run beside this one.
    assert!(with < 2 * without + Duration::from_secs(3), "{with:?} with a slow reader, {without:?} without");

    assert_eq!(hub.sessions(), 1, "the slow one is still there: {:?}", hub.counters());
    // It reads on and gets what was under way, whole; then the hub has nothing more for it.
    let mut next = 0;
    let end = loop {
        match slow.next_or_end() {
            Ok(event) => check_numbered(&event.data, &mut next),
            Err(end) => break end,
        }
    };
    assert_eq!(end, End::Whole, "after {next} events");
    assert!((1..EVENTS / 10).contains(&next), "{next} events were under way");
    eventually_equal("readers that lagged", &1, || hub.counters()["lagged"]);
    slow.cut(Cut::Close);
    slow.connect();
    let verdict = slow.next();
    assert!(verdict.event_type == "tidings.reset" && verdict.data.contains(r#""reason":"expired""#), "{verdict:?}");
}

/// Publishes 100 MB to three readers that take all of it; answers how long that took.
fn carry_100_mb(hub: &mut ChildHub) -> Duration {
    let mut others: Vec<_> = (0..OTHERS).map(|_| Reader::open(hub.address, "/events/t")).collect();
    let progress = Progress::default();
    let address = hub.address;
    let memory_before = hub.memory();
    let began = Instant::now();
    thread::scope(|scope| {
        for (number, reader) in others.iter_mut().enumerate() {
            let progress = &progress;
            scope.spawn(move || {
                let mut next = 0;
                while next < EVENTS {
                    check_numbered(&reader.next().data, &mut next);
                    progress.set(number, next);
                }
            });
        }
        let mut client = Client::connect(address);
        let filling = "x".repeat(EVENT_BYTES);
        for number in 0..EVENTS {
            progress.wait_until_near(number);
            client.publish("/events/t", &format!("{number} {filling}"));
            if number % 500 == 499 {
                let grown = hub.memory().saturating_sub(memory_before);
                assert!(
                    grown <= HISTORY_BYTES + MEMORY_ALLOWANCE,
                    "the hub has grown by {grown} bytes at event {number}"
                );
                let pinned = hub.counters()["pinned_bytes"];
                assert!(pinned <= 128 * 1024, "{pinned} bytes are pinned, for one slow reader and a batch of 64 KiB");
            }
        }
    });
    let took = began.elapsed();
    for reader in &mut others {
        reader.cut(Cut::Close);
    }
    eventually("the others have left", || hub.sessions() <= 1);
    took
}

/// `data` begins with the number of the event, which must be the next.
#[track_caller]
fn check_numbered(data: &str, next: &mut usize) {
    let number = data.split(' ').next().and_then(|number| number.parse().ok());
    assert_eq!(number, Some(*next), "the wrong event: {:?}", &data[..data.len().min(80)]);
    *next += 1;
}

/// How far each of the others is.
#[derive(Default)]
struct Progress {
    read: Mutex<[usize; OTHERS]>,
    changed: Condvar,
}

impl Progress {
    fn set(&self, reader: usize, read: usize) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)[reader] = read;
        self.changed.notify_one();
    }

    #[track_caller]
    fn wait_until_near(&self, number: usize) {
        let is_far = |read: &mut [usize; OTHERS]| read.iter().any(|read| read + EVENTS_AHEAD_MAX < number);
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, waited) =
            self.changed.wait_timeout_while(read, DEADLINE, is_far).unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "a reader stands still: {read:?} of {number}");
    }
}

fn one_that_takes_nothing_is_ended_in_time(setup: Setup) {
    const EVENTS: usize = 200;
    let limits = Limits { slow_client_timeout: Some(Duration::from_millis(300)), ..wide_limits() };
    let hub = TestHub::start(setup, |builder| builder.limits(limits).heartbeat(Some(Duration::from_millis(50))));
    let mut slow = Reader::open_narrow(hub.address, "/events/t");
    let mut idle = Reader::open(hub.address, "/events/idle");
    let mut quick = Reader::open(hub.address, "/events/t");
    let filling = "x".repeat(64 * 1024);
    let began = Instant::now();
    let mut next = 0;
    for number in 0..EVENTS {
        hub.publish("t", format!("{number} {filling}"));
        check_numbered(&quick.next().data, &mut next);
    }
    eventually_equal("readers ended as slow", &1, || hub.counters().closed(CloseReason::Slow).get());
    assert!(began.elapsed() >= Duration::from_millis(300), "it was ended after {:?}", began.elapsed());
    // Who has nothing to take is not slow, for its heartbeats are taken.
    eventually_equal("sessions", &2, || hub.sessions());
    hub.publish("idle", "still there");
    assert_eq!(idle.next_data(), "still there");
    // When it reads on it finds the end, and all the rest when it comes back.
    let mut next = 0;
    while let Ok(event) = slow.next_or_end() {
        check_numbered(&event.data, &mut next);
    }
    assert!(next < EVENTS, "it had taken all");
    slow.cut(Cut::Close);
    slow.connect();
    while next < EVENTS {
        check_numbered(&slow.next().data, &mut next);
    }
}

fn one_that_was_ended_gives_its_place_back(setup: Setup) {
    let limits =
        Limits { slow_client_timeout: Some(Duration::from_millis(200)), connections_max: 1, ..Limits::default() };
    let hub = TestHub::start(setup, |builder| builder.limits(limits));
    let slow = Reader::open_narrow(hub.address, "/events/t");
    for _ in 0..50 {
        hub.publish("t", "x".repeat(100_000));
    }
    eventually_equal("readers ended as slow", &1, || hub.counters().closed(CloseReason::Slow).get());
    // It still has not read a byte, and it is still there.
    eventually("another one has its place", || {
        let mut client = hub.client();
        client.ask("GET", "/events/t", "", b"");
        client.head().status == 200
    });
    drop(slow);
}

/// Many slow readers that read in waves: whatever is due meanwhile (a heartbeat above all) waits for the end of a frame.
fn nothing_goes_into_a_half_written_frame(setup: Setup) {
    const READERS: usize = 12;
    const EVENTS: usize = 150;
    let seed = Seed::take();
    let mut chance = seed.part(0);
    // A turn replays one page, so that the others wait with what is pending; and heartbeats are always due.
    let limits = Limits { catch_up_bytes_per_turn: 1, socket_send_buffer_bytes: 16 * 1024, ..wide_limits() };
    let hub =
        TestHub::start(setup, |builder| builder.limits(limits).shards(1).heartbeat(Some(Duration::from_millis(1))));
    let mut readers: Vec<_> = (0..READERS).map(|_| (Reader::open_narrow(hub.address, "/events/t"), 0)).collect();
    let filling = "x".repeat(40 * 1024);
    for number in 0..EVENTS {
        hub.publish("t", format!("{number} {filling}"));
    }
    let deadline = Instant::now() + DEADLINE;
    while readers.iter().any(|(_, next)| *next < EVENTS) {
        assert!(Instant::now() < deadline, "not all was read in {DEADLINE:?}");
        chance.shuffle(&mut readers);
        for (reader, next) in readers.iter_mut().filter(|(_, next)| *next < EVENTS) {
            let bytes = chance.usize(1..100_000);
            if let Pumped::End(end) = reader.pump(bytes, Duration::from_millis(1)) {
                panic!("the hub ended a stream: {end:?}");
            }
            for event in reader.take_events() {
                check_numbered(&event.data, next);
                let number = *next - 1;
                assert_eq!(event.data.len(), filling.len() + format!("{number} ").len(), "the data of event {number}");
            }
        }
    }
    eventually("a heartbeat was due", || hub.counters().heartbeats.get() > 0);
}

fn what_the_slow_ones_pin_is_limited(setup: Setup) {
    const READERS: usize = 10;
    const PINNED_MAX: usize = 3 * MIB;
    let way = setup.delivery;
    let limits = Limits { buffered_bytes_max: PINNED_MAX, socket_send_buffer_bytes: 16 * 1024, ..wide_limits() };
    let hub = TestHub::start(setup, |builder| builder.limits(limits).shards(1));
    let slow: Vec<_> = (0..READERS).map(|_| Reader::open_narrow(hub.address, "/events/t")).collect();
    let live = || hub.counters().sessions_live.get();
    // The quick one last: of those who have stalled for the same time the first makes room.
    eventually_equal("live readers", &(READERS as u64), live);
    let mut quick = Reader::open(hub.address, "/events/t");
    eventually_equal("live readers", &(READERS as u64 + 1), live);
    let data = "x".repeat(MIB);
    for _ in 0..3 {
        hub.publish("t", &*data);
        assert_eq!(quick.next_data().len(), MIB);
        let pinned = hub.counters().pinned_bytes.get();
        assert!(pinned <= PINNED_MAX as u64, "{pinned} bytes are pinned");
    }
    let ended = hub.counters().closed(CloseReason::Lagged).get();
    match way {
        // Three or four of them can pin nearly a whole event each.
        Delivery::Direct => assert!((6..READERS as u64).contains(&ended), "{ended} were ended"),
        // A body holds whole frames, and shares them with history.
        _ => assert_eq!(ended, 0),
    }
    eventually_equal("sessions", &(READERS as u64 + 1 - ended), || hub.sessions());
    drop(slow);
}
