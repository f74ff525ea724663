//! What the scenarios share: publishers that go on until they are told to stop, and the verdict.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tidings_e2e::DEADLINE;
use tidings_history::recorders::{Base, Publisher, Recorder, Wish};
use tidings_history::{Summary, check, sentences};

/// One test at a time: each wants the machine, and one of them judges times.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work`. Answers what it did, and for how much of that time the machine had none for a thread that wanted to run:
/// a time that is judged may be longer by as much.
pub(crate) fn with_stalls<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    const TICK: Duration = Duration::from_millis(10);
    thread::scope(|scope| {
        let (over, is_over) = mpsc::channel::<()>();
        let watch = scope.spawn(move || {
            let mut stalled = Duration::ZERO;
            let mut before = Instant::now();
            while is_over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                stalled += (now - before).saturating_sub(2 * TICK);
                before = now;
            }
            stalled
        });
        let done = work();
        drop(over);
        (done, watch.join().expect("it only looks at the clock"))
    })
}

/// Publishes on these topics by turns, about so often, until `is_quiet`. Each publication has an idempotency key.
pub(crate) fn publish_until_quiet<'scope>(
    scope: &'scope Scope<'scope, '_>,
    recorder: &Recorder,
    base: &Base,
    topics: &'static [&'static str],
    every: Duration,
    is_quiet: &'scope AtomicBool,
) -> ScopedJoinHandle<'scope, ()> {
    let mut publisher = Publisher::new(recorder, base);
    scope.spawn(move || {
        for topic in topics.iter().cycle() {
            if is_quiet.load(Ordering::Relaxed) {
                return;
            }
            let wish = Wish { has_key: true, ..Wish::new(topic, "while it restarts") };
            if publisher.publish(&wish).is_none() {
                return;
            }
            thread::sleep(every); // the pace of the load, not a wait for something
        }
    })
}

/// Waits until readers have opened so many streams since the beginning.
#[track_caller]
pub(crate) fn wait_for_streams(recorder: &Recorder, count: usize) {
    let waited = recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.streams >= count as u64);
    waited.unwrap_or_else(|tally| panic!("waited for {count} streams, came to {tally:?}"));
}

/// What was proved, if nothing is wrong.
#[track_caller]
pub(crate) fn expect_nothing_lost(recorder: &Recorder) -> Summary {
    check(&recorder.history()).unwrap_or_else(|faults| panic!("{}", sentences(&faults)))
}
