//! A segment is rewritten without its dead records.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use tidings_core::Sequence;

use super::naive::Naive;
use super::{epoch, event, frames, history, seal, write_log};
use crate::frame::Frame;
use crate::header::SegmentHeader;
use crate::segment::{Sealed, SegmentError, index_path, remove_leftovers, rewrite};

/// What stands in `dir` is a segment of these frames, which ended at `ends_at`, and nothing else.
fn check_segment(dir: &Path, frames: &[Frame], ends_at: Sequence) {
    let elsewhere = TempDir::new().expect("a temporary directory");
    let (log, offsets) = write_log(elsewhere.path(), frames, 0);
    let rewritten = dir.join(log.file_name().expect("a file"));
    let sealed = match Sealed::open(&rewritten) {
        Err(SegmentError::BadIndex { .. }) => Sealed::seal(&rewritten, epoch(), &history()).expect("the log is good"),
        sealed => sealed.expect("a good segment"),
    };
    let mut naive = Naive::new(frames, &offsets);
    naive.ends_at = ends_at;
    let judge = naive.judge(&sealed);
    assert!(judge.errors.is_empty(), "{:?}", judge.errors);
    let frames_in = |log| fs::read(log).expect("it was written").split_off(SegmentHeader::BYTES);
    assert_eq!(frames_in(&log), frames_in(&rewritten));
    assert_eq!(fs::read_dir(dir).expect("a directory").count(), 2, "a log and an index");
}

/// What is there: log, index, log.tmp, index.tmp.
type Files = [Option<Vec<u8>>; 4];

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_reads_back_and_the_rest_is_gone(frames in frames(1..200), dead in 1..4u64, of in 1..4u64) {
        let dir = TempDir::new().expect("a temporary directory");
        let sealed = seal(dir.path(), &frames);
        let keep = |frame: &Frame| frame.sequence.0 % of >= dead || frame.topic.as_str() == "a";
        let kept: Vec<Frame> = frames.iter().filter(|frame| keep(frame)).cloned().collect();
        let rewritten = rewrite(&sealed, |entry, topic| entry.sequence.0 % of >= dead || topic.as_str() == "a");
        let rewritten = rewritten.expect("nothing is damaged");
        prop_assert_eq!(rewritten.is_some(), !kept.is_empty());
        if kept.is_empty() {
            prop_assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
        } else {
            check_segment(dir.path(), &kept, frames[frames.len() - 1].sequence);
        }
        // Whoever had it open goes on reading what there was.
        let entries = sealed.entries(0..u32::MAX).expect("a good index");
        prop_assert_eq!(sealed.read(&entries).expect("a good log").len(), frames.len());
    }
}

#[test]
fn a_dead_record_may_be_damaged_and_a_kept_one_may_not() {
    let dir = TempDir::new().expect("a temporary directory");
    let frames = [event(1000, "a", "one"), event(1001, "b", "two"), event(1002, "a", "three")];
    let (log, offsets) = write_log(dir.path(), &frames, 0);
    drop(Sealed::seal(&log, epoch(), &history()).expect("the log is good"));
    let mut bytes = fs::read(&log).expect("it was written");
    bytes[offsets[1] + 20] ^= 1;
    fs::write(&log, bytes).expect("a file in a temporary directory");
    let sealed = Sealed::open(&log).expect("the index is good");

    let error = rewrite(&sealed, |entry, _| entry.sequence.0 != 1000).expect_err("it is damaged");
    assert!(matches!(&error, SegmentError::Damaged { offset, .. } if *offset == offsets[1] as u64), "{error}");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 2, "nothing is left over");

    assert!(rewrite(&sealed, |_, topic| topic.as_str() == "a").expect("what is kept is good").is_some());
    check_segment(dir.path(), &[frames[0].clone(), frames[2].clone()], Sequence(1002));
}

#[test]
fn a_crash_at_any_step_leaves_the_old_records_or_the_new() {
    let old = [event(1000, "a", "one"), event(1001, "b", "two"), event(1002, "a", "three")];
    let new = [old[0].clone(), old[2].clone()];
    let (before, after) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let (log, index) = {
        seal(after.path(), &new);
        let log = seal(before.path(), &old).log().to_owned();
        (log.clone(), index_path(&log))
    };
    let file =
        |dir: &TempDir, path: &Path| fs::read(dir.path().join(path.file_name().expect("a file"))).expect("there");
    let [old_log, old_index, new_log, new_index] =
        [(&before, &log), (&before, &index), (&after, &log), (&after, &index)].map(|(dir, path)| file(dir, path));
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let states: [(&[Frame], Files); 7] = [
        (&old, [Some(old_log.clone()), Some(old_index.clone()), Some(half(&new_log)), None]),
        (&old, [Some(old_log.clone()), Some(old_index.clone()), Some(new_log.clone()), Some(half(&new_index))]),
        (&old, [Some(old_log.clone()), None, Some(new_log.clone()), Some(new_index.clone())]),
        (&new, [Some(new_log.clone()), None, None, Some(new_index.clone())]),
        (&new, [Some(new_log.clone()), Some(new_index.clone()), None, None]),
        // Those cannot be, and would be noticed.
        (&new, [Some(new_log), Some(old_index), None, None]),
        (&old, [Some(old_log), Some(new_index), None, None]),
    ];
    for (frames, files) in states {
        let dir = TempDir::new().expect("a temporary directory");
        let log = dir.path().join(log.file_name().expect("a file"));
        let index = index_path(&log);
        let paths = [log.clone(), index.clone(), log.with_extension("log.tmp"), index.with_extension("idx.tmp")];
        for (path, bytes) in paths.iter().zip(files) {
            if let Some(bytes) = bytes {
                fs::write(path, bytes).expect("a file in a temporary directory");
            }
        }
        remove_leftovers(dir.path()).expect("a directory");
        check_segment(dir.path(), frames, Sequence(1002));
    }
}

#[test]
fn an_index_without_a_log_and_nothing_of_others_is_a_leftover() {
    let dir = TempDir::new().expect("a temporary directory");
    let log = seal(dir.path(), &[event(1000, "a", "one")]).log().to_owned();
    fs::remove_file(&log).expect("it is there");
    fs::write(dir.path().join("notes.tmp"), "somebody's own").expect("a file in a temporary directory");
    remove_leftovers(dir.path()).expect("a directory");
    let left: Vec<_> =
        fs::read_dir(dir.path()).expect("a directory").map(|entry| entry.expect("a file").file_name()).collect();
    assert_eq!(left, ["notes.tmp"]);
}
