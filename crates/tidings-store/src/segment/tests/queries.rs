//! A segment answers what the reference does.

use std::thread;
use std::time::Instant;

use proptest::prelude::*;
use tempfile::TempDir;
use tidings_core::Sequence;
use tidings_topic::Topic;
use tidings_wire::EventId;

use super::naive::{Naive, all_with_id};
use super::{epoch, event, frames, head, history, seal, write_log};
use crate::frame::Frame;
use crate::segment::{Sealed, SegmentError, index_path};

fn check(frames: &[Frame]) {
    let dir = TempDir::new().expect("a temporary directory");
    let (log, offsets) = write_log(dir.path(), frames, 100);
    let naive = Naive::new(frames, &offsets);
    let sealed = Sealed::seal(&log, epoch(), &history()).expect("the log is good");
    assert!(naive.judge(&sealed).errors.is_empty(), "as it was sealed: {:?}", naive.judge(&sealed).errors);
    let opened = Sealed::open(&log).expect("it was sealed");
    assert!(naive.judge(&opened).errors.is_empty(), "as it was opened: {:?}", naive.judge(&opened).errors);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_records_read_back_by_every_question(frames in frames(0..400)) {
        check(&frames);
    }
}

#[test]
fn several_threads_ask_at_once() {
    let dir = TempDir::new().expect("a temporary directory");
    let frames: Vec<Frame> = (1000..1300).map(|at| event(at, &format!("t/{}", at % 7), "data")).collect();
    let (log, offsets) = write_log(dir.path(), &frames, 0);
    let naive = Naive::new(&frames, &offsets);
    let sealed = Sealed::seal(&log, epoch(), &history()).expect("the log is good");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(naive.judge(&sealed).errors.is_empty()));
        }
    });
}

#[test]
fn a_segment_without_records_answers_that_there_are_none() {
    check(&[]);
}

#[test]
fn an_event_that_is_longer_than_what_is_read_at_once_reads_back() {
    let long = "x".repeat(3 << 20);
    check(&[event(1000, "a", "short"), event(1001, "b", &long), event(1002, "a", "short"), event(1003, "b", &long)]);
}

#[test]
fn records_with_names_as_long_as_they_get_read_back() {
    let topics = (0..50).map(|at| format!("{at}{}", "/".repeat(4090)));
    let frames: Vec<Frame> = (1000..).zip(topics).map(|(sequence, topic)| event(sequence, &topic, "")).collect();
    check(&frames);
}

#[test]
fn a_log_of_another_history_or_without_a_head_is_not_sealed() {
    let dir = TempDir::new().expect("a temporary directory");
    let (log, _) = write_log(dir.path(), &[event(1000, "a", "")], 0);
    let other = tidings_core::Epoch::from_unix_micros(1);
    assert!(matches!(Sealed::seal(&log, other, &history()), Err(SegmentError::Foreign { .. })));
    std::fs::write(&log, [0; 1000]).expect("a file in a temporary directory");
    assert!(matches!(Sealed::seal(&log, epoch(), &history()), Err(SegmentError::Blank { .. })));
    let mut later = head().encode();
    later[8] = 9;
    std::fs::write(&log, later).expect("a file in a temporary directory");
    assert!(matches!(Sealed::seal(&log, epoch(), &history()), Err(SegmentError::Version { found: 9, .. })));
}

#[test]
fn an_index_that_is_missing_or_of_another_log_asks_to_be_sealed_again() {
    let dir = TempDir::new().expect("a temporary directory");
    let frames = [event(1000, "a", "one"), event(1001, "a", "two")];
    let log = seal(dir.path(), &frames).log().to_owned();
    let check = || assert!(matches!(Sealed::open(&log), Err(SegmentError::BadIndex { .. })));
    write_log(dir.path(), &frames[..1], 0);
    check();
    write_log(dir.path(), &frames, 1);
    check();
    write_log(dir.path(), &frames, 0);
    assert!(Sealed::open(&log).is_ok());
    std::fs::remove_file(index_path(&log)).expect("it is there");
    check();
    assert!(Sealed::seal(&log, epoch(), &history()).is_ok());
}

#[test]
fn a_million_records_are_sealed_and_found() {
    let dir = TempDir::new().expect("a temporary directory");
    let topics: Vec<Topic> = (0..1000).map(|number| Topic::parse(&format!("t/{number}")).expect("a topic")).collect();
    let frames: Vec<Frame> = (0..1_000_000u64)
        .map(|at| Frame {
            topic: topics[usize::try_from(at * 7919 % 1000).expect("small")].clone(),
            id: at.is_multiple_of(10).then(|| EventId::parse(&format!("order/{at}")).expect("an id")),
            ..event(1000 + at, "x", "")
        })
        .collect();
    let (log, _) = write_log(dir.path(), &frames, 0);
    let begun = Instant::now();
    let sealed = Sealed::seal(&log, epoch(), &history()).expect("the log is good");
    println!("sealed in {:?}", begun.elapsed());
    assert_eq!(sealed.summary().records, 1_000_000);
    for at in (0..1_000_000).step_by(99_990) {
        let index = u32::try_from(at).expect("a million");
        assert_eq!(all_with_id(&sealed, &format!("order/{at}")).expect("a good index"), [index]);
        assert_eq!(sealed.position_after(Sequence(999 + at)).expect("a good index"), index);
        let frame = &frames[index as usize];
        let topic = sealed.topic(&frame.topic).expect("a good index").expect("it was published on");
        let posting = sealed.posting_from(&topic, index).expect("a good index");
        assert_eq!(sealed.postings(&topic, posting..posting + 1).expect("a good index"), [index]);
        let entries = sealed.entries_at(&[index]).expect("a good index");
        assert_eq!(sealed.read(&entries).expect("a good log")[0].sequence, frame.sequence);
    }
}
