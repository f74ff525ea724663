//! Readers that lose their connections under load, again and again and anywhere in a frame, miss nothing: over both ways
//! out, with the history in memory and on disk. Where so little is kept that they come too late, they are told so and miss
//! nothing else.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_e2e::Hub;
use tidings_history::recorders::{Base, Cuts, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, StartFrom, check, sentences};

const TOPICS: [&str; 3] = ["room/1/chat", "room/2/chat", "room/2/typing"];
const CUTS: usize = 200;
const EVENTS: usize = 2000;
/// Longer than it takes to publish an event, and shorter than a heartbeat.
const IDLE: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn in_memory_by_the_direct_way() {
    survive(&["--memory", "--delivery", "direct"]);
}

#[test]
fn in_memory_by_the_body_way() {
    survive(&["--memory", "--delivery", "body"]);
}

#[test]
fn on_disk_by_the_direct_way() {
    survive_on_disk("direct");
}

#[test]
fn on_disk_by_the_body_way() {
    survive_on_disk("body");
}

#[test]
fn of_a_little_history_by_the_direct_way() {
    survive(&["--memory", "--delivery", "direct", "--history-bytes", "64KiB"]);
}

#[test]
fn of_a_little_history_by_the_body_way() {
    survive(&["--memory", "--delivery", "body", "--history-bytes", "64KiB"]);
}

fn survive_on_disk(delivery: &str) {
    let directory = TempDir::with_prefix("tidings-cuts-").expect("the system has room for a directory");
    let data = directory.path().to_str().expect("the name of a temporary directory is text");
    survive(&["--data", data, "--delivery", delivery]);
}

fn survive(arguments: &[&str]) {
    let hub = Hub::start(&[&["serve", "--heartbeat", "20ms"], arguments].concat());
    let base = Base::parse(&hub.url("")).expect("a hub's own URL");
    let recorder = Recorder::new();
    let seed = fastrand::u64(..);
    let is_trimmed = arguments.contains(&"--history-bytes");
    let read = |number: u64, selectors: &[&str], start| {
        let interest = Interest::in_topics(selectors.iter().copied());
        let cuts = Cuts { seed: seed.wrapping_add(number), bytes_between: 3000, idle: Some(IDLE), count: CUTS };
        // Who asks for no opening frame has no place before its first event: it asks for all there is. Where that
        // begins is only known from the frame, if something is trimmed.
        let wants_opening = start == StartFrom::Live || is_trimmed;
        let listener = Listener { wants_opening, ..Listener::new(interest.clone(), start) };
        let listener = Listener { delay: Duration::from_millis(1), ..listener };
        let listener = if number == 0 { listener } else { listener.with_cuts(cuts) };
        (Reader::start(&recorder, &base, listener), interest)
    };
    let readers = [
        read(0, &["**"], StartFrom::Earliest),
        read(1, &["**"], StartFrom::Earliest),
        read(2, &["**"], StartFrom::Live),
        read(3, &["room/1/chat"], StartFrom::Live),
        read(4, &["room/*/chat"], StartFrom::Earliest),
        read(5, &["room/2/chat", "room/2/typing"], StartFrom::Live),
    ];

    let mut publishers: Vec<_> = (0..3).map(|_| Publisher::new(&recorder, &base)).collect();
    let deadline = Instant::now() + DEADLINE;
    let mut chance = fastrand::Rng::with_seed(seed);
    for event in 0..EVENTS {
        // Publishing keeps step with the cuts, so that they fall all along.
        let cuts_needed = event * (readers.len() - 1) * CUTS / EVENTS;
        let waited = recorder.wait_until(deadline, |tally| tally.cuts >= cuts_needed as u64);
        waited.unwrap_or_else(|tally| panic!("seed {seed}: waited for {cuts_needed} cuts, came to {tally:?}"));
        let number = chance.usize(..publishers.len());
        let topic = *chance.choice(&TOPICS).expect("there are some");
        let filler = "x\ny ".repeat(chance.usize(..300));
        let wish = Wish { has_own_id: number == 1, has_key: number == 2, ..Wish::new(topic, &filler) };
        publishers[number].publish(&wish).expect("nobody stops the recorder");
    }
    let mut last = |topic| publishers[0].publish(&Wish::new(topic, "last")).expect("nobody stops the recorder").name;
    let markers = TOPICS.map(|topic| (topic, last(topic)));
    for (reader, interest) in readers {
        let wanted: Vec<_> =
            markers.iter().filter(|(topic, _)| interest.matches_topic(topic)).map(|(_, name)| *name).collect();
        reader.wait_for(&wanted, deadline);
        reader.finish();
    }

    let summary = check(&recorder.history()).unwrap_or_else(|faults| panic!("seed {seed}: {}", sentences(&faults)));
    assert_eq!(!summary.verdicts.is_empty(), is_trimmed, "seed {seed}: {summary}");
    assert!(
        !summary.verdicts.contains_key("lost") && summary.unknown == 0 && summary.refused == 0,
        "seed {seed}: {summary}"
    );
    assert!(summary.resumed > CUTS && summary.readers_done == 6, "seed {seed}: too little was proved: {summary}");
}
