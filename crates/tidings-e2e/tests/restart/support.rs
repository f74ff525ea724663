//! What the scenarios share: publishers that go on until they are told to stop, and the verdict.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tidings_e2e::DEADLINE;
use tidings_history::recorders::{Base, Publisher, Recorder, Wish};
use tidings_history::{Summary, check, sentences};

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
