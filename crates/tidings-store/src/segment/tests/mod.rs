//! Tests of whole segments, with logs that are written here.
//!
//! | file | what is tested |
//! |---|---|
//! | `naive.rs` | the reference: all questions answered from a `Vec` |
//! | `scanning.rs` | a log is walked through, good or not |
//! | `queries.rs` | a segment answers what the reference does |
//! | `damage.rs` | a damaged one answers that or an error |
//! | `rewriting.rs` | a rewritten one, and what a crash leaves of it |

mod damage;
mod naive;
mod queries;
mod rewriting;
mod scanning;

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use tidings_core::{Epoch, HistoryLimits, IdempotencyKey, Kind, Sequence, Timestamp};
use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};

use super::{Sealed, log_path};
use crate::frame::{Frame, StoredKey, stamp};
use crate::header::SegmentHeader;

const FIRST: Sequence = Sequence(1000);

/// The head of all logs that are written here.
fn head() -> SegmentHeader {
    SegmentHeader { epoch: epoch(), first: FIRST, ends_at: None, salt: 0x5a17_5a17 }
}

fn epoch() -> Epoch {
    Epoch::from_unix_micros(1_795_464_000_000_000)
}

fn history() -> HistoryLimits {
    HistoryLimits { record_overhead_bytes: 64, ..HistoryLimits::default() }
}

/// A frame of a small event.
fn event(sequence: u64, topic: &str, data: &str) -> Frame {
    Frame {
        sequence: Sequence(sequence),
        committed_at: Timestamp::from_millis(1_795_464_000_000 + sequence / 3),
        unsynced_bytes: 0,
        kind: Kind::Event,
        private: false,
        ttl: None,
        topic: Topic::parse(topic).expect("a topic"),
        alternates: Box::default(),
        id: None,
        takes_any_id: false,
        event_type: None,
        retry_ms: None,
        data: data.to_owned(),
        key: None,
    }
}

/// A log file of these frames, with zeros after them; and where each frame begins. All before a frame was synced when it
/// was written, if the frame does not say otherwise.
fn write_log(dir: &Path, frames: &[Frame], room: usize) -> (PathBuf, Vec<usize>) {
    let mut bytes = head().encode().to_vec();
    let mut offsets = Vec::new();
    for frame in frames {
        offsets.push(bytes.len());
        frame.encode(&mut bytes);
    }
    stamp(&mut bytes[SegmentHeader::BYTES..], head().salt);
    bytes.resize(bytes.len() + room, 0);
    let path = log_path(dir, FIRST);
    std::fs::write(&path, bytes).expect("a file in a temporary directory");
    (path, offsets)
}

fn seal(dir: &Path, frames: &[Frame]) -> Sealed {
    let (log, _) = write_log(dir, frames, 100);
    Sealed::seal(&log, epoch(), &history()).expect("the log is good")
}

/// Any frames of one log, in their order.
fn frames(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Frame>> {
    // Mostly no hole and many events in a millisecond, sometimes not.
    let steps = (prop_oneof![4 => Just(1u64), 1 => 1..50u64], prop_oneof![3 => Just(0u64), 1 => 0..5000u64]);
    prop::collection::vec((steps, any_frame()), count).prop_map(|frames| {
        let (mut sequence, mut at) = (FIRST.0, 1_795_464_000_000);
        frames
            .into_iter()
            .map(|((leap, wait), frame)| {
                (sequence, at) = (sequence + leap, at + wait);
                Frame { sequence: Sequence(sequence), committed_at: Timestamp::from_millis(at), ..frame }
            })
            .collect()
    })
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![8 => Just(Kind::Event), 1 => Just(Kind::End), 1 => Just(Kind::Deleted)];
    let topic = prop_oneof![3 => "[ab]", 2 => "t/[0-9]{1,3}", 1 => "[a-zé/]{1,300}"];
    let alternates = prop_oneof![6 => Just(vec![]), 1 => prop::collection::vec("[cd]|t/[0-9]{1,2}x|ü{1,200}", 1..6)];
    let topic = (topic, alternates);
    let id = prop::option::of("id-[0-9]{1,2}|[a-z]{1,40}|0000000000a[0-9]-[1-9]");
    let ttl = prop::option::weighted(0.2, prop_oneof![0..100_000u64, any::<u64>()]);
    let key = prop::option::weighted(0.1, ("[a-z]{0,5}", "[a-z]{1,5}", any::<u64>()));
    let data = prop_oneof![8 => ".{0,80}", 1 => ".{0,9}".prop_map(|text| text.repeat(1000))];
    (kind, topic, id, ttl, key, data, any::<bool>()).prop_map(|(kind, topics, id, ttl, key, data, private)| {
        let (topic, mut alternates) = topics;
        let parse = |raw: &String| Topic::parse(raw).expect("a topic");
        let topic = parse(&topic);
        alternates.sort_unstable();
        alternates.dedup();
        let takes_any_id = id.as_ref().is_some_and(|id| id.len().is_multiple_of(2));
        let key = key.map(|(subject, key, fingerprint)| {
            let key = IdempotencyKey { subject: subject.into(), key: key.into() };
            StoredKey { key, fingerprint }
        });
        let (at, sequence) = (Timestamp::default(), Sequence::ZERO);
        if kind != Kind::Event {
            return Frame::of_topic(kind, sequence, at, topic, key);
        }
        Frame {
            sequence,
            committed_at: at,
            unsynced_bytes: 0,
            kind,
            private,
            ttl: ttl.map(Duration::from_millis),
            topic,
            alternates: alternates.iter().map(parse).collect(),
            takes_any_id,
            id: id.map(|id| EventId::parse(&id).expect("an id")),
            event_type: private.then(|| EventType::parse("order").expect("a type")),
            retry_ms: None,
            data,
            key,
        }
    })
}
