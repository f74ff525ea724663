//! An engine whose older history is far away: it has what memory has, and answers late, in any order, and sometimes not.
//!
//! It tells of its commits as a store on disk does: of several at once, on a thread of its own.

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tidings_core::{
    AppendError, Appended, Behind, CommitListener, Engine, EngineError, EngineFuture, EngineUsage, Epoch, Fetched,
    MemoryEngine, MemoryOptions, Publication, Read, ReadRequest, Record, Resolution, ResumeRequest, Sequence,
    Timestamp,
};
use tidings_topic::{Selector, SelectorSet, Topic};

use super::eventually_equal;
use super::seed::Seed;

/// So many of the last records are at hand for those who replay.
const NEAR: u64 = 2;
/// And so many for live readers: more than a shard leaves unseen, or so few that it falls behind.
const WINDOWS: [u64; 2] = [2048, 64];
/// The longest rest before an answer; most are much shorter.
const REST_MAX: Duration = Duration::from_millis(1);

/// Memory, from afar. It answers on a thread that ends with it.
pub(crate) struct FarEngine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    _seed: Seed,
}

struct Shared {
    memory: MemoryEngine,
    window: u64,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// What is to be done, and what was.
struct Desk {
    chance: fastrand::Rng,
    asked: Vec<(ReadRequest, Fetched)>,
    committed: BTreeSet<Topic>,
    listeners: Vec<Arc<dyn CommitListener>>,
    is_held: bool,
    is_over: bool,
    is_closed: bool,
    failures_left: usize,
    losses_left: usize,
    /// One in so many fetches fails.
    fails_one_in: Option<u32>,
    health: Result<(), EngineError>,
    /// How many fetches so far had this first selector.
    fetched: HashMap<Selector, usize>,
    /// Most fetches at a time.
    fetches_at_a_time: usize,
    /// How many fetches asked for what was being fetched.
    fetched_twice: usize,
}

impl FarEngine {
    pub(crate) fn new(options: MemoryOptions) -> Arc<Self> {
        let seed = Seed::take();
        let mut chance = seed.part(900);
        let window = chance.choice(WINDOWS).expect("there are two");
        let desk = Desk {
            chance,
            asked: Vec::new(),
            committed: BTreeSet::new(),
            listeners: Vec::new(),
            is_held: false,
            is_over: false,
            is_closed: false,
            failures_left: 0,
            losses_left: 0,
            fails_one_in: None,
            health: Ok(()),
            fetched: HashMap::new(),
            fetches_at_a_time: 0,
            fetched_twice: 0,
        };
        let memory = MemoryEngine::new(Epoch::from_unix_micros(1_795_464_000_000_000), options);
        let shared = Arc::new(Shared { memory, window, desk: Mutex::new(desk), changed: Condvar::new() });
        let start = |name: &str, work: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared));
            thread.expect("the system has a thread more")
        };
        let threads = vec![start("far-reads", Shared::answer_reads), start("far-commits", Shared::tell_commits)];
        Arc::new(Self { shared, threads, _seed: seed })
    }

    /// Answers no fetch until it is released.
    pub(crate) fn hold(&self) {
        self.shared.desk().is_held = true;
    }

    pub(crate) fn release(&self) {
        self.shared.desk().is_held = false;
        self.shared.changed.notify_all();
    }

    /// The next so many fetches cannot be read.
    pub(crate) fn fail_next(&self, fetches: usize) {
        self.shared.desk().failures_left = fetches;
    }

    /// Says from now on that it is like this.
    pub(crate) fn set_health(&self, health: Result<(), EngineError>) {
        self.shared.desk().health = health;
    }

    /// The next so many fetches are forgotten, against all promises.
    pub(crate) fn lose_next(&self, fetches: usize) {
        self.shared.desk().losses_left = fetches;
    }

    /// One in so many fetches cannot be read from now on.
    pub(crate) fn fail_one_in(&self, fetches: u32) {
        self.shared.desk().fails_one_in = Some(fetches);
    }

    /// Fetches so far.
    pub(crate) fn fetches(&self) -> usize {
        self.shared.desk().fetched.values().sum()
    }

    /// Fetches so far of readers of `topic`.
    pub(crate) fn fetches_of(&self, topic: &str) -> usize {
        let selector = Selector::parse(topic).expect("the test has a good topic");
        self.shared.desk().fetched.get(&selector).copied().unwrap_or(0)
    }

    /// Most fetches so far that waited for their answers at a time.
    pub(crate) fn fetches_at_a_time(&self) -> usize {
        self.shared.desk().fetches_at_a_time
    }

    /// Fetches so far that asked for what was being fetched already.
    pub(crate) fn fetched_twice(&self) -> usize {
        self.shared.desk().fetched_twice
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shared.desk().is_closed
    }

    /// Waits until so many fetches wait for their answers.
    #[track_caller]
    pub(crate) fn expect_asked(&self, fetches: usize) {
        eventually_equal("fetches that wait", &fetches, || self.shared.desk().asked.len());
    }
}

impl Drop for FarEngine {
    fn drop(&mut self) {
        self.shared.desk().is_over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // One that has panicked has failed its test already, by what it did not do.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, mut is_so: impl FnMut(&Desk) -> bool) -> MutexGuard<'_, Desk> {
        let waited = self.changed.wait_while(self.desk(), |desk| !desk.is_over && !is_so(desk));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Any of the fetches is the next.
    fn answer_reads(&self) {
        loop {
            let mut desk = self.wait_until(|desk| !desk.is_held && !desk.asked.is_empty());
            if desk.is_over {
                for (_, done) in std::mem::take(&mut desk.asked) {
                    done(Err(EngineError::Closed));
                }
                return;
            }
            let len = desk.asked.len();
            let which = desk.chance.usize(..len);
            let (request, done) = desk.asked.swap_remove(which);
            let is_failure = desk.failures_left > 0;
            desk.failures_left -= usize::from(is_failure);
            let by_chance = desk.fails_one_in.map(|fetches| desk.chance.u32(..fetches));
            let is_failure = is_failure || by_chance == Some(0);
            let is_lost = desk.losses_left > 0;
            desk.losses_left -= usize::from(is_lost);
            let rest = desk.chance.u32(..32);
            drop(desk);
            rest_a_little(rest);
            if is_lost {
                continue;
            }
            done(if is_failure { Err(failed()) } else { Ok(self.memory.read(&request)) });
        }
    }

    fn tell_commits(&self) {
        loop {
            let mut desk = self.wait_until(|desk| !desk.committed.is_empty());
            if desk.is_over {
                return;
            }
            let topics: Vec<_> = std::mem::take(&mut desk.committed).into_iter().collect();
            let listeners = desk.listeners.clone();
            let rest = desk.chance.u32(..32);
            drop(desk);
            rest_a_little(rest);
            for listener in listeners {
                listener.on_group_commit(&topics, self.memory.tail());
            }
        }
    }
}

/// As a disk does: mostly at once, sometimes later than others.
fn rest_a_little(rest: u32) {
    match rest {
        0 => thread::park_timeout(REST_MAX),
        rest => (0..rest % 8).for_each(|_| thread::yield_now()),
    }
}

/// What the system says of a disk that cannot be read.
pub(crate) fn failed() -> EngineError {
    EngineError::Failed { cause: "reading segment 7: Input/output error (os error 5)".into() }
}

/// Hears of every commit, to tell of it later with others. The memory that keeps it is a part of what it knows.
struct Collector(Weak<Shared>);

impl CommitListener for Collector {
    fn on_commit(&self, topic: &Topic, tail: Sequence) {
        self.on_group_commit(std::slice::from_ref(topic), tail);
    }

    fn on_group_commit(&self, topics: &[Topic], _: Sequence) {
        let Some(shared) = self.0.upgrade() else { return };
        shared.desk().committed.extend(topics.iter().cloned());
        shared.changed.notify_all();
    }
}

impl Engine for FarEngine {
    fn epoch(&self) -> Epoch {
        self.shared.memory.epoch()
    }

    fn tail(&self) -> Sequence {
        self.shared.memory.tail()
    }

    fn append(&self, publication: Publication, now: Timestamp) -> EngineFuture<'_, Result<Appended, AppendError>> {
        if self.shared.desk().is_closed {
            return Box::pin(std::future::ready(Err(EngineError::Closed.into())));
        }
        self.shared.memory.append(publication, now)
    }

    fn committed(&self, after: Sequence, bytes_max: usize, out: &mut Vec<Arc<Record>>) -> Result<Sequence, Behind> {
        let window_start = Sequence(self.tail().0.saturating_sub(self.shared.window));
        if after < window_start {
            return Err(Behind { window_start });
        }
        self.shared.memory.committed(after, bytes_max, out)
    }

    fn read(&self, request: &ReadRequest) -> Read {
        if request.after.0 + NEAR < self.tail().0 { Read::Elsewhere } else { self.shared.memory.read(request) }
    }

    fn fetch(&self, request: ReadRequest, done: Fetched) {
        let mut desk = self.shared.desk();
        let first = request.selectors.iter().next().expect("a set is not empty").clone();
        *desk.fetched.entry(first).or_default() += 1;
        let is_twice = |(asked, _): &(ReadRequest, Fetched)| {
            asked.after == request.after && asked.selectors.iter().eq(request.selectors.iter())
        };
        desk.fetched_twice += usize::from(desk.asked.iter().any(is_twice));
        desk.asked.push((request, done));
        desk.fetches_at_a_time = desk.fetches_at_a_time.max(desk.asked.len());
        drop(desk);
        self.shared.changed.notify_all();
    }

    fn resolve(&self, request: ResumeRequest, now: Timestamp) -> EngineFuture<'_, Result<Resolution, EngineError>> {
        // Sometimes not at once: then the door cannot have it.
        let mut is_late = self.shared.desk().chance.bool();
        Box::pin(async move {
            poll_fn(|context| {
                if std::mem::take(&mut is_late) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
            self.shared.memory.resolve(request, now).await
        })
    }

    fn delete(&self, topic: Topic, now: Timestamp) -> EngineFuture<'_, Result<bool, EngineError>> {
        self.shared.memory.delete(topic, now)
    }

    fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        self.shared.memory.ended_through(selectors)
    }

    fn time_mark(&self, now: Timestamp) -> (Timestamp, Sequence) {
        self.shared.memory.time_mark(now)
    }

    fn listen(&self, listener: Arc<dyn CommitListener>) {
        let mut desk = self.shared.desk();
        desk.listeners.push(listener);
        let is_first = desk.listeners.len() == 1;
        drop(desk);
        if is_first {
            self.shared.memory.listen(Arc::new(Collector(Arc::downgrade(&self.shared))));
        }
    }

    fn usage(&self, now: Timestamp) -> EngineUsage {
        self.shared.memory.usage(now)
    }

    fn health(&self) -> Result<(), EngineError> {
        self.shared.desk().health.clone()
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        self.shared.desk().is_closed = true;
        Box::pin(std::future::ready(()))
    }
}
