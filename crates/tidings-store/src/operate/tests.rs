//! Tests of what an operator asks, on directories that are written here.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tidings_core::{Epoch, HistoryLimits, Kind, Sequence, Timestamp};
use tidings_topic::Topic;

use super::{Amount, Damage, Verification, inspect, verify};
use crate::checkpoint::Checkpoint;
use crate::frame::{Frame, stamp};
use crate::header::SegmentHeader;
use crate::layout::Layout;
use crate::lock::DirectoryLock;
use crate::options::{OpenError, RECORD_OVERHEAD_BYTES};
use crate::segment::{Sealed, index_path};
use crate::state::State;

fn epoch() -> Epoch {
    Epoch::from_unix_micros(1_795_464_000_000_000)
}

fn history() -> HistoryLimits {
    HistoryLimits { record_overhead_bytes: RECORD_OVERHEAD_BYTES, ..HistoryLimits::default() }
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).expect("a topic")
}

fn at(sequence: u64) -> Timestamp {
    Timestamp::from_millis(1_795_464_000_000 + sequence)
}

fn event(sequence: u64, name: &str, data: &str) -> Frame {
    Frame { data: data.to_owned(), ..of_topic(Kind::Event, sequence, name) }
}

fn of_topic(kind: Kind, sequence: u64, name: &str) -> Frame {
    Frame::of_topic(kind, Sequence(sequence), at(sequence), topic(name), None)
}

/// A data directory.
struct World {
    dir: TempDir,
    layout: Layout,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let layout = Layout::new(dir.path());
        fs::create_dir(layout.segments()).expect("a temporary directory");
        Self { dir, layout }
    }

    /// Two full logs and one that is written to, with a checkpoint by which all up to 2 was trimmed.
    fn with_history() -> Self {
        let world = Self::new();
        let full = [event(1, "a", "one"), event(2, "b", "two"), event(3, "a", "three"), event(4, "c", "four")];
        world.seal(&full);
        world.seal(&[event(5, "a", "five"), of_topic(Kind::Deleted, 6, "c"), event(7, "c", "seven")]);
        world.write(&[event(9, "a", "nine"), of_topic(Kind::End, 10, "b"), event(11, "c", "eleven")], 500);
        let mut state = State::new(&history(), Sequence(8));
        state.retained_after = Sequence(2);
        Checkpoint::of(&state, epoch()).write(&world.layout.checkpoint()).expect("there is room");
        world
    }

    fn write(&self, frames: &[Frame], room: usize) -> PathBuf {
        let first = frames.first().expect("a frame").sequence;
        let head = SegmentHeader { epoch: epoch(), first, ends_at: None, salt: 1 };
        let mut bytes = head.encode().to_vec();
        for frame in frames {
            frame.encode(&mut bytes);
        }
        stamp(&mut bytes[SegmentHeader::BYTES..], head.salt);
        bytes.resize(bytes.len() + room, 0);
        let log = self.layout.log(first);
        fs::write(&log, bytes).expect("a file in a temporary directory");
        log
    }

    fn seal(&self, frames: &[Frame]) -> PathBuf {
        let log = self.write(frames, 0);
        drop(Sealed::seal(&log, epoch(), &history()).expect("the log is good"));
        log
    }

    fn verify(&self) -> Verification {
        verify(self.dir.path(), |_, _| {}).expect("it can be read")
    }

    /// What is told about the only damage.
    fn damage(&self) -> String {
        let damage = self.verify().damage;
        let [Damage { what, .. }] = &*damage else { panic!("{damage:?}") };
        what.clone()
    }
}

#[test]
fn an_inspection_counts_what_is_replayed_and_what_only_takes_room() {
    let world = World::with_history();
    let inspection = inspect(world.dir.path(), 2).expect("it can be read");
    assert_eq!((inspection.epoch, inspection.segments, inspection.sealed), (Some(epoch()), 3, 2));
    // Kept: 3, 5, 7, 9, 11 and the end 10. Dead: 1 and 2, which were trimmed, 4 and its deletion.
    assert_eq!((inspection.kept.events, inspection.dead.events), (5, 3));
    let stamp = |stamp: Option<super::Stamp>| stamp.map(|stamp| (stamp.position.sequence, stamp.at));
    assert_eq!(stamp(inspection.oldest), Some((Sequence(3), at(3))));
    assert_eq!(stamp(inspection.newest), Some((Sequence(11), at(11))));
    assert_eq!((inspection.topics, inspection.ended_topics), (3, 1));
    let cost = |frames: &[Frame]| -> u64 {
        frames.iter().map(|frame| history().cost_bytes(&frame.clone().into_record(epoch())) as u64).sum()
    };
    let of_a = cost(&[event(3, "a", "three"), event(5, "a", "five"), event(9, "a", "nine")]);
    let of_c = cost(&[event(7, "c", "seven"), event(11, "c", "eleven")]);
    let largest: Vec<_> = inspection.largest.iter().map(|size| (size.topic.as_str(), size.kept)).collect();
    assert_eq!(largest, [("a", Amount { events: 3, bytes: of_a }), ("c", Amount { events: 2, bytes: of_c })]);
    assert!(inspection.damage.is_empty(), "{:?}", inspection.damage);
    let on_disk = walk(&world).iter().map(|path| fs::metadata(path).expect("a file").len()).sum::<u64>();
    assert_eq!(inspection.file_bytes, on_disk);
}

#[test]
fn a_damaged_directory_is_inspected_as_far_as_it_can_be_read() {
    let world = World::with_history();
    let log = world.layout.log(Sequence(1));
    fs::remove_file(index_path(&log)).expect("it is there");
    flip(&log, 60);
    flip(&world.layout.checkpoint(), 30);
    let inspection = inspect(world.dir.path(), 10).expect("it can be read");
    let files: Vec<_> = inspection.damage.iter().map(|damage| &damage.file).collect();
    assert_eq!(files, [&world.layout.checkpoint(), &log]);
    assert_eq!(inspection.newest.map(|stamp| stamp.position.sequence), Some(Sequence(11)));
}

#[test]
fn what_is_good_is_found_good() {
    let world = World::with_history();
    let mut told = Vec::new();
    let verification = verify(world.dir.path(), |done, total| told.push((done, total))).expect("it can be read");
    assert!(verification.damage.is_empty() && verification.torn_tail.is_none(), "{verification:?}");
    assert_eq!((verification.events, verification.records), (8, 10));
    assert!(told.is_sorted() && told.last().is_some_and(|(done, total)| done == total && *done > 0), "{told:?}");
}

#[test]
fn a_flipped_byte_in_any_file_is_found_and_told_with_its_place() {
    let world = World::with_history();
    let newest = world.layout.log(Sequence(9));
    for path in walk(&world) {
        let bytes = fs::read(&path).expect("a file");
        // Of an index of zeros at its end, not each byte needs its own try.
        for at in (0..bytes.len()).step_by(if bytes.len() > 2000 { 13 } else { 1 }) {
            let in_room = path == newest && bytes[at..].iter().all(|byte| *byte == 0);
            flip(&path, at);
            match verify(world.dir.path(), |_, _| {}) {
                Ok(Verification { damage, torn_tail: Some(torn), .. }) => {
                    assert!(damage.is_empty() && torn.file == newest && torn.offset <= at as u64, "{torn:?}");
                }
                Ok(Verification { damage, .. }) => {
                    let is_told = |told: &Damage| told.file == path && told.offset <= at as u64;
                    assert!(damage.iter().any(is_told) && !in_room, "byte {at} of {}: {damage:?}", path.display());
                }
                // A version that is not known is not looked at any further.
                Err(error) => assert!(matches!(error, OpenError::Version { .. }) && (8..12).contains(&at), "{error}"),
            }
            fs::write(&path, &bytes).expect("a file in a temporary directory");
        }
    }
}

#[test]
fn a_torn_end_is_told_and_is_no_damage() {
    let world = World::with_history();
    let log = world.layout.log(Sequence(9));
    let len = fs::read(&log).expect("a file").iter().rposition(|byte| *byte != 0).expect("a frame");
    fs::File::options().write(true).open(&log).and_then(|file| file.set_len(len as u64)).expect("a file");
    let verification = world.verify();
    assert!(verification.damage.is_empty(), "{verification:?}");
    assert_eq!(verification.torn_tail.map(|torn| torn.file), Some(log));
    assert_eq!(verification.events, 7);
}

#[test]
fn a_group_that_was_not_synced_whole_is_a_torn_end_too() {
    let world = World::new();
    let mut frames = [event(1, "a", "one"), event(2, "a", "two"), event(3, "a", "three")];
    let mut second = Vec::new();
    frames[1].encode(&mut second);
    frames[2].unsynced_bytes = second.len() as u64;
    let log = world.write(&frames, 500);
    let mut bytes = fs::read(&log).expect("a file");
    let two = bytes.windows(3).position(|bytes| bytes == b"two").expect("it is there");
    bytes[two] ^= 1;
    fs::write(&log, bytes).expect("a file in a temporary directory");
    let Verification { damage, torn_tail, events, .. } = world.verify();
    assert_eq!((damage, events), (Vec::new(), 1));
    assert_eq!(torn_tail.map(|torn| torn.file), Some(log.clone()));
    let inspection = inspect(world.dir.path(), 1).expect("it can be read");
    assert_eq!((inspection.kept.events, inspection.damage), (1, Vec::new()));
}

#[test]
fn an_index_that_says_something_else_than_its_log_is_found() {
    let world = World::new();
    let log = world.seal(&[event(1, "a", "one"), event(2, "b", "two")]);
    let index = fs::read(index_path(&log)).expect("it was sealed");
    world.seal(&[event(1, "b", "one"), event(2, "a", "two")]);
    fs::write(index_path(&log), index).expect("a file in a temporary directory");
    assert_eq!(world.damage(), "the index says something else than its log");
}

#[test]
fn files_that_do_not_belong_together_are_found() {
    let world = World::with_history();
    let other = Epoch::from_unix_micros(1);
    let head = SegmentHeader::new(other, Sequence(50)).encode();
    fs::write(world.layout.log(Sequence(50)), head).expect("a file in a temporary directory");
    assert!(world.damage().contains("belongs to the epoch"), "{}", world.damage());

    let world = World::with_history();
    let log = world.layout.log(Sequence(9));
    fs::rename(&log, world.layout.log(Sequence(12))).expect("a file");
    assert!(world.damage().contains("not where its name says"), "{}", world.damage());

    let world = World::with_history();
    world.write(&[event(8, "a", ""), event(9, "a", "")], 0);
    assert!(world.damage().contains("the one before it ends at 9"), "{}", world.damage());

    let world = World::with_history();
    fs::remove_file(world.layout.log(Sequence(9))).expect("a file");
    assert!(world.damage().contains("events up to 8 were acknowledged"), "{}", world.damage());
}

#[test]
fn a_directory_that_a_hub_has_or_that_is_none_is_refused() {
    let world = World::with_history();
    let lock = DirectoryLock::take(world.dir.path()).expect("nobody has it");
    assert!(matches!(inspect(world.dir.path(), 1), Err(OpenError::InUse { .. })));
    assert!(matches!(verify(world.dir.path(), |_, _| {}), Err(OpenError::InUse { .. })));
    drop(lock);

    let dir = TempDir::new().expect("a temporary directory");
    assert!(matches!(inspect(dir.path(), 1), Err(OpenError::Io { .. })));
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0, "nothing was made in it");
}

/// All files of a history.
fn walk(world: &World) -> Vec<PathBuf> {
    let files = fs::read_dir(world.layout.segments()).expect("a directory");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.push(world.layout.checkpoint());
    files
}

fn flip(path: &PathBuf, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 1 << (at % 8);
    fs::write(path, bytes).expect("a file in a temporary directory");
}
