//! A walk through a log, and its judgement of what it finds.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidings_core::{Sequence, Timestamp};

use super::{event, head, write_log};
use crate::frame::{Frame, stamp};
use crate::segment::scan::{LogScan, NextGood, READ_BYTES, ScanEnd, Step};

/// A log of three frames, the places where they begin, and where the last ends.
fn log(dir: &TempDir, room: usize) -> (PathBuf, Vec<u8>, [u64; 4]) {
    let frames = [event(1000, "a", "one"), event(1001, "a", "two"), event(1005, "b", "three")];
    let (path, offsets) = write_log(dir.path(), &frames, room);
    let bytes = fs::read(&path).expect("it was written");
    let places = [offsets[0], offsets[1], offsets[2], bytes.len() - room].map(|offset| offset as u64);
    (path, bytes, places)
}

fn walk(path: &Path, bytes: &[u8]) -> (Vec<u64>, ScanEnd) {
    fs::write(path, bytes).expect("a file in a temporary directory");
    let mut scan = LogScan::open(path).expect("its head is good");
    let mut sequences = Vec::new();
    loop {
        match scan.step().expect("the file can be read") {
            Step::Frame(scanned) => sequences.push(scanned.frame.sequence.0),
            Step::End(end) => return (sequences, end),
        }
    }
}

#[test]
fn a_whole_log_is_walked_to_its_end() {
    let dir = TempDir::new().expect("a temporary directory");
    for room in [0, 1, 7, 8, 9, 3 * READ_BYTES] {
        let (path, bytes, places) = log(&dir, room);
        assert_eq!(walk(&path, &bytes), (vec![1000, 1001, 1005], ScanEnd::Clean { offset: places[3] }), "{room}");
    }
}

#[test]
fn frames_that_are_longer_than_what_is_read_at_once_are_walked_over() {
    let dir = TempDir::new().expect("a temporary directory");
    let long = "x".repeat(2 * READ_BYTES);
    let frames: Vec<Frame> = (1000..1400)
        .map(|at| event(at, "a", if at % 100 == 0 { &long } else { &long[..(at % 997) as usize] }))
        .collect();
    let (path, offsets) = write_log(dir.path(), &frames, 100);
    let mut scan = LogScan::open(&path).expect("its head is good");
    for (frame, offset) in frames.iter().zip(offsets) {
        let Step::Frame(scanned) = scan.step().expect("the file can be read") else { panic!("{offset}") };
        assert_eq!((&scanned.frame, scanned.offset), (frame, offset as u64));
    }
    assert!(matches!(scan.step(), Ok(Step::End(ScanEnd::Clean { .. }))));
}

#[test]
fn a_last_write_that_was_not_finished_is_torn_wherever_it_stopped() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, bytes, places) = log(&dir, 0);
    for len in usize::try_from(places[2]).expect("small") + 1..bytes.len() {
        for room in [0, 1, 50, 5000] {
            let mut torn = bytes[..len].to_vec();
            torn.resize(len + room, 0);
            let written = torn.iter().rposition(|byte| *byte != 0).expect("a head") as u64 + 1 - places[2];
            let want = ScanEnd::Torn { offset: places[2], bytes: written };
            assert_eq!(walk(&path, &torn), (vec![1000, 1001], want), "{len} bytes and {room} zeros");
        }
    }
}

#[test]
fn garbage_after_the_zeros_is_a_torn_end() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, mut bytes, places) = log(&dir, 10_000);
    bytes[9000] = 7;
    let want = ScanEnd::Torn { offset: places[3], bytes: 9001 - places[3] };
    assert_eq!(walk(&path, &bytes), (vec![1000, 1001, 1005], want));
}

#[test]
fn a_flipped_byte_before_the_last_frame_is_damage_in_the_middle() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, bytes, places) = log(&dir, 100);
    for at in places[0]..places[3] {
        let mut damaged = bytes.clone();
        damaged[usize::try_from(at).expect("small")] ^= 0x40;
        let (sequences, end) = walk(&path, &damaged);
        let hit = places.partition_point(|place| *place <= at) - 1;
        assert_eq!(sequences, [1000, 1001, 1005][..hit]);
        let offset = places[hit];
        match (hit, end) {
            (0, ScanEnd::Damaged { next_good, .. }) => {
                assert_eq!(next_good, Some(NextGood { offset: places[1], sequence: Sequence(1001) }), "byte {at}");
            }
            (1, ScanEnd::Damaged { next_good, .. }) => {
                assert_eq!(next_good, Some(NextGood { offset: places[2], sequence: Sequence(1005) }), "byte {at}");
            }
            (2, ScanEnd::Torn { offset: torn, .. }) => assert_eq!(torn, offset, "byte {at}"),
            (_, end) => panic!("byte {at}: {end:?}"),
        }
    }
}

#[test]
fn a_page_that_was_lost_is_damage_if_anything_good_comes_after_it() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, mut bytes, places) = log(&dir, 100);
    let page = usize::try_from(places[1]).expect("small")..usize::try_from(places[2]).expect("small");
    bytes[page].fill(0);
    let next_good = Some(NextGood { offset: places[2], sequence: Sequence(1005) });
    assert_eq!(walk(&path, &bytes), (vec![1000], ScanEnd::Damaged { offset: places[1], next_good }));
}

/// A log of three groups of two frames each, the second and third not synced when the third was written; the places where
/// the frames begin, and where the last ends.
fn groups(dir: &TempDir) -> (PathBuf, Vec<u8>, Vec<usize>) {
    let mut frames: Vec<Frame> = (1000..1006).map(|at| event(at, "a", &"x".repeat(300))).collect();
    let mut offsets = Vec::new();
    // How long a number is depends on how large it is, and it on where the frame begins: two rounds settle that.
    for _ in 0..3 {
        offsets = write_log(dir.path(), &frames, 0).1;
        for (nth, frame) in frames.iter_mut().enumerate() {
            let safe = if nth < 2 { offsets[0] } else { offsets[2] };
            frame.unsynced_bytes = (offsets[nth] - safe) as u64;
        }
    }
    let (path, last) = write_log(dir.path(), &frames, 5000);
    assert_eq!(last, offsets);
    let bytes = fs::read(&path).expect("it was written");
    (path, bytes, offsets)
}

#[test]
fn a_page_that_was_not_synced_is_a_torn_end_also_if_good_ones_come_after_it() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, bytes, offsets) = groups(&dir);
    for lost in 0..6 {
        let end = offsets.get(lost + 1).copied().unwrap_or(bytes.len() - 5000);
        for hole in [offsets[lost]..end, offsets[lost]..offsets[lost] + 8, offsets[lost] + 100..end] {
            let mut torn = bytes.clone();
            torn[hole.clone()].fill(0);
            let (sequences, end) = walk(&path, &torn);
            assert_eq!(sequences.len(), lost, "{hole:?}");
            let offset = offsets[lost] as u64;
            if lost < 2 {
                // The third group was written when the first was safe.
                let next = NextGood { offset: offsets[lost + 1] as u64, sequence: Sequence(1001 + lost as u64) };
                assert_eq!(end, ScanEnd::Damaged { offset, next_good: Some(next) }, "{hole:?}");
            } else if lost == 5 && hole.start == offsets[lost] && hole.len() > 8 {
                assert_eq!(end, ScanEnd::Clean { offset }, "nothing is left of the last one");
            } else {
                assert!(matches!(end, ScanEnd::Torn { offset: at, .. } if at == offset), "{hole:?}: {end:?}");
            }
        }
    }
}

#[test]
fn a_whole_frame_that_goes_back_is_damage() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, offsets) = write_log(dir.path(), &[event(1003, "a", "one"), event(1003, "a", "two")], 0);
    let bytes = fs::read(&path).expect("it was written");
    let want = ScanEnd::Damaged { offset: offsets[1] as u64, next_good: None };
    assert_eq!(walk(&path, &bytes), (vec![1003], want));
}

#[test]
fn a_walk_goes_on_behind_damage_when_it_is_told_to() {
    let dir = TempDir::new().expect("a temporary directory");
    let (path, mut bytes, places) = log(&dir, 100);
    bytes[usize::try_from(places[1]).expect("small") + 10] ^= 1;
    fs::write(&path, bytes).expect("a file in a temporary directory");
    let mut scan = LogScan::open(&path).expect("its head is good");
    assert!(matches!(scan.step(), Ok(Step::Frame(_))));
    let Ok(Step::End(ScanEnd::Damaged { next_good: Some(good), .. })) = scan.step() else { panic!("damage") };
    scan.go_on_at(good);
    assert!(matches!(scan.step(), Ok(Step::Frame(scanned)) if scanned.frame.sequence.0 == 1005));
    assert!(matches!(scan.step(), Ok(Step::End(ScanEnd::Clean { offset })) if offset == places[3]));
}

#[test]
fn a_frame_within_the_data_of_a_damaged_one_is_passed_over() {
    let dir = TempDir::new().expect("a temporary directory");
    // The data is UTF-8, which a sequence, a time and a checksum seldom are; somebody may try until they are.
    let data = (0..10_000u64).find_map(|salt| {
        let mut within = Vec::new();
        let committed_at = Timestamp::from_millis(0x7f7f_7f7f_7f7f);
        Frame { committed_at, ..event(0x0501, "a", &format!("never published {salt}")) }.encode(&mut within);
        stamp(&mut within, head().salt); // which nobody knows
        String::from_utf8(within).ok()
    });
    let data = data.expect("a frame that is UTF-8");
    let (path, offsets) = write_log(dir.path(), &[event(1000, "a", &data), event(0x0502, "a", "published")], 0);
    let mut bytes = fs::read(&path).expect("it was written");
    bytes[offsets[0] + 30] ^= 1;
    let next_good = Some(NextGood { offset: offsets[1] as u64, sequence: Sequence(0x0502) });
    assert_eq!(walk(&path, &bytes), (vec![], ScanEnd::Damaged { offset: offsets[0] as u64, next_good }));
}

#[test]
fn a_whole_frame_within_the_data_of_an_event_is_none_without_the_salt_of_the_file() {
    let dir = TempDir::new().expect("a temporary directory");
    let within = |salt| {
        let mut within = Vec::new();
        event(0x0501, "a", "never published").encode(&mut within);
        stamp(&mut within, salt);
        within
    };
    for (salt, is_taken) in [(head().salt, true), (0, false), (!head().salt, false)] {
        // Nothing tells where the damaged frame ends.
        let (path, offsets) = write_log(dir.path(), &[event(1000, "a", &"x".repeat(500))], 0);
        let mut bytes = fs::read(&path).expect("it was written");
        bytes[offsets[0]..offsets[0] + 8].fill(0);
        bytes[offsets[0] + 100..][..within(salt).len()].copy_from_slice(&within(salt));
        let (_, end) = walk(&path, &bytes);
        assert_eq!(matches!(end, ScanEnd::Damaged { next_good: Some(_), .. }), is_taken, "{end:?}");
    }
}

#[test]
fn data_that_looks_like_many_long_frames_costs_a_bounded_search() {
    let dir = TempDir::new().expect("a temporary directory");
    // The head of a frame of 4 KiB and a sequence that could be the next, again and again.
    let mut fake = vec![0, 16, 0, 0, 1, 1, 1, 1, 0];
    fake.extend_from_slice(&0x0501_u64.to_le_bytes());
    let fake = String::from_utf8(fake.repeat(1000)).expect("all ASCII");
    let (path, offsets) = write_log(dir.path(), &[event(1000, "a", &fake)], 0);
    let mut bytes = fs::read(&path).expect("it was written");
    bytes[offsets[0] + 30] ^= 1;
    let written = bytes.iter().rposition(|byte| *byte != 0).expect("a head") + 1 - offsets[0];
    let torn = ScanEnd::Torn { offset: offsets[0] as u64, bytes: written as u64 };
    assert_eq!(walk(&path, &bytes), (vec![], torn));
    let mut scan = LogScan::open(&path).expect("its head is good");
    let unknown = ScanEnd::Damaged { offset: offsets[0] as u64, next_good: None };
    assert_eq!(scan.judge(1 << 20).expect("the file can be read"), unknown);
}
