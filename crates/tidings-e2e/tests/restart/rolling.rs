//! Two hubs behind `HAProxy`, restarted one after the other while people publish and read through it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_e2e::{DEADLINE, Hub, Proxy, QuietAtEnd, join_publishers, request};
use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Entry, Interest, Outcome, StartFrom};

use crate::support::{expect_nothing_lost, publish_until_quiet, turn, wait_for_streams};

const READERS_EACH: usize = 50;
/// The shipped configuration gives these to hub A and to hub B, which the test asserts.
const TOPICS: [&[&str]; 2] = [&["a", "c"], &["b", "d"]];

#[test]
fn a_rolling_restart_behind_a_proxy_loses_nothing_and_ends_no_reader_for_good() {
    let _turn = turn();
    let directories = [TempDir::new(), TempDir::new()].map(|made| made.expect("the system has room for a directory"));
    let mut hubs = directories.each_ref().map(|directory| {
        let data = directory.path().to_str().expect("the name of a temporary directory is text");
        Hub::start_to_return(&["serve", "--data", data, "--drain", "2s", "--trusted-proxy", "127.0.0.1"])
    });
    let proxy = Proxy::start(&hubs[0], &hubs[1]);
    let base = Base::parse(&proxy.url("")).expect("the proxy's own URL");
    // Each hub has an order of its own, so each is judged by itself.
    let recorders = [Recorder::new(), Recorder::new()];
    let is_quiet = AtomicBool::new(false);

    thread::scope(|scope| {
        let mut loads = Vec::new();
        let readers = [0, 1].map(|at| gather(&recorders[at], &base, TOPICS[at]));
        let _quiet = QuietAtEnd { is_quiet: &is_quiet, recorders: recorders.to_vec() };
        for (recorder, topics) in recorders.iter().zip(TOPICS) {
            wait_for_streams(recorder, READERS_EACH);
            for _ in 0..2 {
                let every = Duration::from_millis(20);
                loads.push(publish_until_quiet(scope, recorder, &base, topics, every, &is_quiet));
            }
        }
        for ((hub, recorder), topics) in hubs.iter_mut().zip(&recorders).zip(TOPICS) {
            wait_for_more(recorder);
            hub.stop().expect_code(0);
            check_answers_of_the_proxy(proxy.address(), topics[0]);
            hub.start_again();
            wait_for_streams(recorder, 2 * READERS_EACH);
            wait_for_more(recorder);
        }
        // And one dies, which the proxy learns from the next who wants it.
        hubs[0].kill();
        check_answers_of_the_proxy(proxy.address(), TOPICS[0][0]);
        hubs[0].start_again();
        wait_for_streams(&recorders[0], 3 * READERS_EACH);
        wait_for_more(&recorders[0]);
        is_quiet.store(true, Ordering::Relaxed);
        join_publishers(loads);
        for ((recorder, topics), readers) in recorders.iter().zip(TOPICS).zip(readers) {
            read_to_the_end(recorder, &base, topics, readers);
        }
    });
    for (recorder, hub) in recorders.iter().zip(&mut hubs) {
        hub.stop().expect_code(0);
        let summary = expect_nothing_lost(recorder);
        assert_eq!(summary.readers_done, READERS_EACH, "{summary}");
        assert_eq!(summary.epochs.len(), 1, "its topics were always at the same hub: {summary}");
        assert!(summary.resumed >= READERS_EACH && summary.verdicts.is_empty(), "{summary}");
        let history = recorder.history();
        let refused =
            history.entries().iter().find(|entry| matches!(entry, Entry::Opened { status, .. } if *status != 200));
        assert_eq!(refused, None, "an EventSource would have ended for good");
    }
}

/// By turns on the topics, each from now on.
fn gather(recorder: &Recorder, base: &Base, topics: &[&'static str]) -> Vec<Reader> {
    let start = |topic: &&'static str| {
        let listener = Listener::new(Interest::in_topics([*topic]), StartFrom::Live);
        Reader::start(recorder, base, listener.with_opening().with_retry_kept())
    };
    topics.iter().cycle().take(READERS_EACH).map(start).collect()
}

/// One event more on each topic; whoever has seen it has seen all.
#[track_caller]
fn read_to_the_end(recorder: &Recorder, base: &Base, topics: &[&str], readers: Vec<Reader>) {
    let mut publisher = Publisher::new(recorder, base);
    let markers: Vec<_> = topics
        .iter()
        .map(|topic| publisher.publish(&Wish::new(topic, "the last")).expect("nobody stopped the recorder"))
        .collect();
    assert!(markers.iter().all(|marker| matches!(marker.outcome, Outcome::Accepted(_))), "{markers:?}");
    let deadline = Instant::now() + DEADLINE;
    for (reader, marker) in readers.into_iter().zip(markers.iter().cycle()) {
        reader.wait_for(&[marker.name], deadline);
        reader.finish();
    }
}

/// Publications go on being taken.
#[track_caller]
fn wait_for_more(recorder: &Recorder) {
    let goal = recorder.tally().acknowledged + 50;
    let waited = recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.acknowledged >= goal);
    waited.unwrap_or_else(|tally| panic!("waited for {goal} acknowledged, came to {tally:?}"));
}

/// Without its hub: an `EventSource` is told to come back, a publisher gets an honest error.
#[track_caller]
fn check_answers_of_the_proxy(address: SocketAddr, topic: &str) {
    let target = format!("/events/{topic}");
    let reader = request(address, "GET", &target, &["Accept: text/event-stream"], b"");
    assert_eq!((reader.status, reader.header("Content-Type")), (200, Some("text/event-stream")), "{}", reader.head);
    assert!(reader.text().starts_with("retry: ") && reader.text().ends_with("\n\n"), "{:?}", reader.text());
    let refused = request(address, "POST", &target, &[], b"nobody takes it");
    assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("2")), "{}", refused.head);
}
