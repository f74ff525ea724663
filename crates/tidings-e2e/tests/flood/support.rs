//! What the floods share: a hub, what its process holds, and others who must not notice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) use tidings_e2e::eventually;
use tidings_e2e::{Attack, DEADLINE, Flood, Hub, Kind, Memory};
use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, StartFrom, check, sentences};

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;

/// A hub with an admin listener and these flags.
#[track_caller]
pub(crate) fn hub(flags: &[&str]) -> Hub {
    Hub::start(&[&["serve", "--admin-listen", "127.0.0.1:0"], flags].concat())
}

/// An attack on `hub` for at most a minute, under way.
#[track_caller]
pub(crate) fn flood(hub: &Hub, kind: Kind, path: &str, count: usize, bytes: u64) -> Flood {
    start(hub, kind, path, count, bytes, Duration::from_mins(1))
}

/// So many newcomers a second for a while: each publishes on a connection of its own.
#[track_caller]
pub(crate) fn newcomers(hub: &Hub, per_second: usize, time: Duration) -> Flood {
    start(hub, Kind::Newcomers, "/events/newcomers", per_second, 0, time)
}

#[track_caller]
fn start(hub: &Hub, kind: Kind, path: &str, count: usize, bytes: u64, time: Duration) -> Flood {
    let SocketAddr::V4(address) = hub.address() else { panic!("the hub of a test listens on IPv4") };
    let bytes = usize::try_from(bytes).expect("attacks are small");
    Flood::start(
        env!("CARGO_BIN_EXE_tidings-flood"),
        &Attack { kind, address, path: path.to_owned(), count, bytes, time },
    )
}

/// What the hub's process has taken of memory, without the pages of its program. Unit: bytes.
#[track_caller]
pub(crate) fn memory(hub: &Hub) -> u64 {
    Memory::of(hub.pid()).anonymous
}

/// How many descriptors the hub has open.
#[track_caller]
pub(crate) fn descriptors(hub: &Hub) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", hub.pid())).expect("it runs").count()
}

/// As many connections as `wanted`, or as a hub may have here, with room for others.
pub(crate) fn most_connections(wanted: usize) -> usize {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let most = hard.and_then(|hard| usize::try_from(hard).ok()).unwrap_or(usize::MAX);
    wanted.min(most.saturating_sub(RESERVED))
}

/// What the hub keeps free, the others, and those who measure.
const RESERVED: usize = 500 + 200;

/// Readers and a publisher who have nothing to do with the flood.
pub(crate) struct Others {
    recorder: Recorder,
    base: Base,
    readers: Vec<Reader>,
    is_quiet: Arc<AtomicBool>,
    publisher: JoinHandle<()>,
}

const TOPICS: [&str; 3] = ["others/a", "others/b", "others/c"];
const READERS: usize = 50;
const PUBLISH_INTERVAL: Duration = Duration::from_millis(50);

impl Others {
    /// All readers have their streams, and events flow.
    #[track_caller]
    pub(crate) fn start(hub: &Hub) -> Self {
        let (recorder, base) = (Recorder::new(), Base::parse(&hub.url("")).expect("a hub's own URL"));
        let listener = |at: usize| Listener::new(Interest::in_topics([TOPICS[at % TOPICS.len()]]), StartFrom::Live);
        let readers: Vec<_> = (0..READERS).map(|at| Reader::start(&recorder, &base, listener(at))).collect();
        let waited = recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.streams >= READERS as u64);
        waited.unwrap_or_else(|tally| panic!("waited for {READERS} streams, came to {tally:?}"));
        let is_quiet = Arc::new(AtomicBool::new(false));
        let (quiet, mut publisher) = (Arc::clone(&is_quiet), Publisher::new(&recorder, &base));
        let publisher = thread::spawn(move || {
            for topic in TOPICS.iter().cycle() {
                if quiet.load(Ordering::Relaxed) || publisher.publish(&Wish::new(topic, "meanwhile")).is_none() {
                    return;
                }
                thread::sleep(PUBLISH_INTERVAL); // the pace of the load, not a wait for something
            }
        });
        Self { recorder, base, readers, is_quiet, publisher }
    }

    /// Waits until so many more events were taken.
    #[track_caller]
    pub(crate) fn publish_more(&self, count: u64) {
        let goal = self.recorder.tally().acknowledged + count;
        let waited = self.recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.acknowledged >= goal);
        waited.unwrap_or_else(|tally| panic!("waited for {goal} publications, came to {tally:?}"));
    }

    /// All came to all, in order, on the streams with which they began; and every publication was taken.
    #[track_caller]
    pub(crate) fn expect_untouched(self) {
        self.is_quiet.store(true, Ordering::Relaxed);
        self.publisher.join().expect("the publisher is well");
        let mut publisher = Publisher::new(&self.recorder, &self.base);
        let last = TOPICS.map(|topic| publisher.publish(&Wish::new(topic, "the last")).expect("it goes on").name);
        let deadline = Instant::now() + DEADLINE;
        for (at, reader) in self.readers.into_iter().enumerate() {
            reader.wait_for(&[last[at % TOPICS.len()]], deadline);
            reader.finish();
        }
        let summary = check(&self.recorder.history()).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
        let tally = self.recorder.tally();
        assert_eq!((summary.readers_done, tally.streams), (READERS, READERS as u64), "{summary}");
        assert_eq!((tally.refused, tally.unknown), (0, 0), "{tally:?}");
    }
}
