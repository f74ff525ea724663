//! A hub with thousands of streams ends: in slices, each stream whole and with its own time to come back.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_e2e::{DEADLINE, Hub, QuietAtEnd, join_publishers};
use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, StartFrom};

use crate::support::{expect_nothing_lost, publish_until_quiet, turn, wait_for_streams, with_stalls};

const STREAMS: usize = 5000;
const WINDOW: Duration = Duration::from_secs(5);
/// The window is looked at in so many slices.
const SLICES: u32 = 5;
const TOPICS: &[&str] = &["drain"];

#[test]
fn five_thousand_streams_are_drained_in_slices_and_lose_nothing() {
    let _turn = turn();
    let directory = TempDir::new().expect("the system has room for a directory");
    let data = directory.path().to_str().expect("the name of a temporary directory is text");
    let mut hub = Hub::start_to_return(&["serve", "--data", data, "--drain", "5s"]);
    let (recorder, base) = (Recorder::new(), Base::parse(&hub.url("")).expect("a hub's own URL"));
    let is_quiet = AtomicBool::new(false);

    thread::scope(|scope| {
        let listener = || {
            Listener::new(Interest::in_topics(TOPICS.iter().copied()), StartFrom::Live).with_opening().with_retry_kept()
        };
        let readers: Vec<_> = (0..STREAMS).map(|_| Reader::start(&recorder, &base, listener())).collect();
        let _quiet = QuietAtEnd { is_quiet: &is_quiet, recorders: vec![recorder.clone()] };
        wait_for_streams(&recorder, STREAMS);
        let load = publish_until_quiet(scope, &recorder, &base, TOPICS, Duration::from_millis(200), &is_quiet);
        recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.acknowledged >= 5).expect("it takes events");

        let ((curve, took), stalled) = with_stalls(|| drain(&mut hub, &recorder));
        let most = WINDOW + Duration::from_secs(2) + stalled;
        assert!(took < most, "the drain of {WINDOW:?} took {took:?}, with stalls of {stalled:?}");
        check_slices(&curve, stalled);
        let retries: HashSet<_> = readers.iter().filter_map(Reader::retry).collect();
        assert!(retries.len() > STREAMS / 20, "each stream has a time of its own, but there are {}", retries.len());
        let bounds = Duration::from_millis(1500)..=Duration::from_millis(2500);
        assert!(retries.iter().all(|retry| bounds.contains(retry)), "{retries:?}");

        hub.start_again();
        wait_for_streams(&recorder, 2 * STREAMS);
        is_quiet.store(true, Ordering::Relaxed);
        join_publishers(vec![load]);
        let marker = Publisher::new(&recorder, &base).publish(&Wish::new("drain", "the last"));
        let marker = marker.expect("nobody stopped the recorder").name;
        let deadline = Instant::now() + DEADLINE;
        for reader in readers {
            reader.wait_for(&[marker], deadline);
            reader.finish();
        }
    });
    hub.stop();

    let summary = expect_nothing_lost(&recorder);
    assert_eq!((summary.readers_done, summary.resumed), (STREAMS, STREAMS), "{summary}");
    assert!(summary.verdicts.is_empty(), "{summary}");
}

/// Stops the hub. Answers how many streams had ended after each slice of the window, and how long it took.
#[track_caller]
fn drain(hub: &mut Hub, recorder: &Recorder) -> (Vec<u64>, Duration) {
    let began = Instant::now();
    let curve = thread::scope(|scope| {
        let ending = scope.spawn(|| hub.stop());
        let curve = (1..=SLICES).map(|slice| {
            let due = began + WINDOW * slice / SLICES;
            thread::sleep(due.saturating_duration_since(Instant::now())); // the window is measured in time
            recorder.tally().ended
        });
        let curve = curve.collect();
        ending.join().expect("it is waited for").expect_code(0);
        curve
    });
    (curve, began.elapsed())
}

/// In no slice of the window do more than twice as many streams end as they would if spread evenly; and all did. What
/// the machine held up comes later, in one slice.
#[track_caller]
fn check_slices(curve: &[u64], stalled: Duration) {
    let each = STREAMS as u64 / u64::from(SLICES);
    let held_up = 1 + STREAMS as u128 * stalled.as_millis() / WINDOW.as_millis();
    let held_up = u64::try_from(held_up).expect("a test takes less than ages");
    let mut before = 0;
    for &ended in curve {
        let most = 2 * each + held_up;
        assert!(ended - before <= most, "the ends are not spread: {curve:?} after each slice, at most {most} in one");
        before = ended;
    }
    let fewest = (STREAMS as u64 - each).saturating_sub(held_up);
    assert!(before >= fewest, "all end within the window: {curve:?}, at least {fewest}");
}
