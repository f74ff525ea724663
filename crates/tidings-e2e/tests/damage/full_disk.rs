//! A disk without room: publications are refused until there is some, and none that was taken is lost.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tidings_e2e::{Hub, Response, SmallDisk, request};
use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Entry, History, Interest, Outcome, StartFrom, check, sentences};

use crate::world::{DEADLINE, text, verify};

/// A publish as a client does it, with the whole answer.
fn post(hub: &Hub, data: &str) -> Response {
    request(hub.address(), "POST", "/events/a", &[], data.as_bytes())
}

fn is_ready(hub: &Hub) -> bool {
    request(hub.address(), "GET", "/readyz", &[], b"").status == 200
}

#[test]
fn a_full_disk_refuses_publications_until_there_is_room_and_loses_none_that_it_took() {
    let disk = match SmallDisk::mount(16) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("skipped: a small disk cannot be mounted: {reason}");
            return;
        }
    };
    let filler_file = disk.path().join("filler");
    fs::write(&filler_file, vec![1; 6 * 1024 * 1024]).expect("the disk has room");
    let data = disk.path().join("data");
    let mut hub = Hub::start_to_return(&["serve", "--data", text(&data), "--history-bytes", "64MiB"]);
    let base = Base::parse(&hub.url("")).expect("a hub's own URL");
    let recorder = Recorder::new();
    let read = |start| Reader::start(&recorder, &base, Listener::new(Interest::in_topics(["a"]), start));
    let reader = read(StartFrom::Earliest);
    let mut publisher = Publisher::new(&recorder, &base);
    let large = "z".repeat(30_000);
    let mut publish = || publisher.publish(&Wish::new("a", &large)).expect("nobody stops the recorder");

    let mut taken = 0;
    let refused = loop {
        let answer = publish();
        match answer.outcome {
            Outcome::Accepted(_) => taken += 1,
            other => break other,
        }
        assert!(taken < 1000, "a disk of 16 MiB cannot hold {taken} events of 30 kB");
    };
    assert_eq!(refused, Outcome::Refused(503));
    assert!(taken > 50, "only {taken} were taken");
    let answer = post(&hub, &large);
    assert_eq!((answer.status, answer.header("content-type")), (503, Some("application/problem+json")), "{answer:?}");
    let retry_after: Option<u64> = answer.header("retry-after").and_then(|value| value.parse().ok());
    assert!(retry_after.is_some_and(|seconds| (1..=600).contains(&seconds)), "{}", answer.head);
    let problem: Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
    assert!(
        problem["status"] == 503 && problem["detail"].as_str().is_some_and(|detail| detail.contains("room")),
        "{problem}"
    );
    assert!(!is_ready(&hub), "a hub without room is not ready");
    hub.wait_for_log(&["ERROR", "until there is room"]);

    // Reading goes on meanwhile.
    let late = read(StartFrom::Earliest);
    let last_taken = last_accepted(&recorder.history()).parse().expect("a name");
    for reader in [&reader, &late] {
        assert!(reader.wait_for(&[last_taken], Instant::now() + DEADLINE), "{:?}", recorder.tally());
    }

    fs::remove_file(&filler_file).expect("it is there");
    let deadline = Instant::now() + DEADLINE;
    while !is_ready(&hub) {
        assert!(Instant::now() < deadline, "there is room, but the hub does not get ready");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    for _ in 0..20 {
        let answer = publish();
        assert!(matches!(answer.outcome, Outcome::Accepted(_)), "there is room again: {answer:?}");
    }
    hub.kill();
    hub.start_again();
    let last = Publisher::new(&recorder, &base).publish(&Wish::new("a", "the last one"));
    let last = last.expect("nobody stops the recorder");
    let deadline = Instant::now() + DEADLINE;
    for reader in [reader, late, read(StartFrom::Earliest)] {
        reader.wait_for(&[last.name], deadline);
        reader.finish();
    }
    let summary = check(&recorder.history()).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
    assert_eq!((summary.acknowledged, summary.refused), (taken + 21, 1), "{summary}");
    assert!(summary.verdicts.is_empty() && summary.epochs.len() == 1, "{summary}");
    hub.stop().expect_code(0);
    verify(&data).expect_code(0);
}

/// The name of the publication that was acknowledged last.
fn last_accepted(history: &History) -> String {
    let accepted = history.entries().iter().rev().find_map(|entry| match entry {
        Entry::Answered { publication, outcome: Outcome::Accepted(_) } => Some(publication.to_string()),
        _ => None,
    });
    accepted.expect("some were acknowledged")
}
