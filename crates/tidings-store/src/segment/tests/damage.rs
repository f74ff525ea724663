//! A damaged segment answers what was written, or an error; never anything else.

use std::fs;

use tempfile::TempDir;
use tidings_wire::EventId;

use super::naive::Naive;
use super::{epoch, event, history, write_log};
use crate::frame::Frame;
use crate::segment::{Sealed, SegmentError, index_path};

/// So many records make an index of two blocks.
const TWO_BLOCKS: u64 = 110;

fn frames(count: u64) -> Vec<Frame> {
    (0..count)
        .map(|at| Frame {
            id: at.is_multiple_of(3).then(|| EventId::parse(&format!("id-{at}")).expect("an id")),
            ..event(1000 + at + at / 30, &format!("topic/{}", at % 5), "data")
        })
        .collect()
}

#[test]
fn a_flipped_byte_anywhere_in_an_index_gives_no_wrong_answer() {
    let dir = TempDir::new().expect("a temporary directory");
    let frames = frames(TWO_BLOCKS);
    let (log, offsets) = write_log(dir.path(), &frames, 0);
    let naive = Naive::new(&frames, &offsets);
    drop(Sealed::seal(&log, epoch(), &history()).expect("the log is good"));
    let index = index_path(&log);
    let bytes = fs::read(&index).expect("it was written");
    // That each byte of a block counts is tested with the blocks.
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&index, damaged).expect("a file in a temporary directory");
        match Sealed::open(&log) {
            Err(error) => assert!(at < 4096 && matches!(error, SegmentError::BadIndex { .. }), "byte {at}: {error}"),
            Ok(sealed) => assert!(!naive.judge(&sealed).errors.is_empty(), "byte {at} was not noticed"),
        }
    }
}

#[test]
fn an_index_that_is_cut_short_is_of_no_use() {
    let dir = TempDir::new().expect("a temporary directory");
    let (log, _) = write_log(dir.path(), &frames(TWO_BLOCKS), 0);
    drop(Sealed::seal(&log, epoch(), &history()).expect("the log is good"));
    let index = index_path(&log);
    let bytes = fs::read(&index).expect("it was written");
    for len in [0, 1, 255, 4095, 4096, bytes.len() - 4096, bytes.len() - 1] {
        fs::write(&index, &bytes[..len]).expect("a file in a temporary directory");
        assert!(matches!(Sealed::open(&log), Err(SegmentError::BadIndex { .. })), "{len} bytes");
    }
}

#[test]
fn a_flipped_byte_anywhere_in_a_log_is_noticed_by_whoever_reads_its_frame() {
    let dir = TempDir::new().expect("a temporary directory");
    let frames = frames(15);
    let (log, offsets) = write_log(dir.path(), &frames, 0);
    let naive = Naive::new(&frames, &offsets);
    let sealed = Sealed::seal(&log, epoch(), &history()).expect("the log is good");
    let entries = sealed.entries(0..u32::MAX).expect("a good index");
    let bytes = fs::read(&log).expect("it was written");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&log, damaged).expect("a file in a temporary directory");
        let sealed = Sealed::open(&log).expect("its length is what it was");
        let errors = naive.judge(&sealed).errors;
        for (index, entry) in entries.iter().enumerate() {
            let end = offsets.get(index + 1).copied().unwrap_or(bytes.len());
            let is_hit = (offsets[index]..end).contains(&at);
            assert_eq!(sealed.read(&[*entry]).is_err(), is_hit, "byte {at}, record {index}");
        }
        assert_eq!(errors.is_empty(), at < offsets[0], "byte {at}: {errors:?}");
        for error in errors {
            let SegmentError::Damaged { path, offset, .. } = &error else { panic!("{error}") };
            assert!(*path == log && offsets.contains(&usize::try_from(*offset).expect("small")), "{error}");
        }
    }
}

#[test]
fn a_log_with_damage_or_a_torn_end_is_not_sealed() {
    let dir = TempDir::new().expect("a temporary directory");
    let (log, offsets) = write_log(dir.path(), &frames(TWO_BLOCKS), 0);
    let bytes = fs::read(&log).expect("it was written");
    let mut damaged = bytes.clone();
    damaged[offsets[7] + 12] ^= 4;
    for (bytes, at) in [(&damaged[..], offsets[7]), (&bytes[..bytes.len() - 1], offsets[offsets.len() - 1])] {
        fs::write(&log, bytes).expect("a file in a temporary directory");
        let error = Sealed::seal(&log, epoch(), &history()).expect_err("it is damaged");
        assert!(matches!(&error, SegmentError::Damaged { offset, .. } if *offset == at as u64), "{error}");
        assert!(!index_path(&log).exists());
    }
}
