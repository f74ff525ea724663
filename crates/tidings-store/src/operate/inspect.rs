//! What is in a data directory.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use tidings_core::{Epoch, Kind, Position, Record, Sequence, Timestamp};
use tidings_topic::Topic;

use super::{Damage, Directory, unlimited};
use crate::checkpoint::Checkpoint;
use crate::header::FORMAT_VERSION;
use crate::options::{OpenError, RECORD_OVERHEAD_BYTES};
use crate::segment::{LogScan, ScanEnd, Sealed, SegmentError, Step};
use crate::state::State;

/// What a data directory holds, as of the last checkpoint and what came after it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The version of the format.
    pub format_version: u32,
    /// The history; `None` when there is none yet.
    pub epoch: Option<Epoch>,
    /// Log files.
    pub segments: usize,
    /// Log files that are full and have their index.
    pub sealed: usize,
    /// What all its files take. Unit: bytes.
    pub file_bytes: u64,
    /// What is replayed. Bounds by age, and events with an age of their own, are looked at when a hub runs.
    pub kept: Amount,
    /// What is in the files and no longer replayed: trimmed, deleted, and marks of deletions.
    pub dead: Amount,
    /// The oldest event that is replayed.
    pub oldest: Option<Stamp>,
    /// The newest.
    pub newest: Option<Stamp>,
    /// Topics with something to be replayed.
    pub topics: usize,
    /// The largest of them, the largest first.
    pub largest: Vec<TopicSize>,
    /// Topics that have ended.
    pub ended_topics: usize,
    /// What could not be read. There may be more: see [`super::verify()`].
    pub damage: Vec<Damage>,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Events.
    pub events: u64,
    /// What they count for against [`tidings_core::HistoryLimits::bytes_max`], with the ends of topics. Unit: bytes.
    pub bytes: u64,
}

/// An event's place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its place; also its id, if its publisher gave none.
    pub position: Position,
    /// When it was committed.
    pub at: Timestamp,
}

/// How much there is of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSize {
    /// The topic.
    pub topic: Topic,
    /// What is replayed of it.
    pub kept: Amount,
}

/// Looks at what is in `directory`, and names its `largest_max` largest topics.
///
/// Cost: reads the indices and the files that have none: some 50 bytes for each event; in memory, the names of the
/// topics.
///
/// # Errors
/// [`OpenError`] when it is no data directory, a hub has it, or it is of another version. Damage is no error.
pub fn inspect(directory: &Path, largest_max: usize) -> Result<Inspection, OpenError> {
    let directory = Directory::open(directory)?;
    let mut tally = Tally::begin(&directory)?;
    for log in &directory.logs {
        tally.read_segment(log)?;
    }
    Ok(tally.finish(&directory, largest_max))
}

/// What is counted while the segments are walked through, in their order.
struct Tally {
    /// As the checkpoint has it.
    state: State,
    epoch: Option<Epoch>,
    sealed: usize,
    kept: HashMap<Topic, Kept>,
    dead: Amount,
    ended: HashMap<Topic, Sequence>,
    damage: Vec<Damage>,
}

/// What is replayed of a topic.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    amount: Amount,
    first: Option<(Sequence, Timestamp)>,
    last: Option<(Sequence, Timestamp)>,
}

/// What is counted of a record.
struct Seen<'a> {
    sequence: Sequence,
    at: Timestamp,
    kind: Kind,
    cost_bytes: u64,
    topic: &'a Topic,
}

/// Entries read together.
const ENTRIES_AT_ONCE: u32 = 4096;

impl Tally {
    fn begin(directory: &Directory) -> Result<Self, OpenError> {
        let path = directory.layout.checkpoint();
        let checkpoint = Checkpoint::read(&path)?;
        let head = checkpoint.as_ref().and_then(Checkpoint::head);
        let mut damage = Vec::new();
        let mut state = State::new(&unlimited(), Sequence::ZERO);
        let is_restored = match (&checkpoint, head) {
            (Some(checkpoint), Some((epoch, _))) => checkpoint.restore(&mut state, epoch).is_some(),
            _ => !path.exists(),
        };
        if !is_restored {
            state = State::new(&unlimited(), Sequence::ZERO);
            let what = "the checkpoint cannot be used: what was trimmed is counted as if it were replayed".to_owned();
            damage.push(Damage { file: path, offset: 0, what });
        }
        let ended = state.ended.iter().map(|end| (end.topic.clone(), end.sequence)).collect();
        let epoch = head.map(|(epoch, _)| epoch);
        Ok(Self { state, epoch, sealed: 0, kept: HashMap::new(), dead: Amount::default(), ended, damage })
    }

    fn read_segment(&mut self, log: &Path) -> Result<(), OpenError> {
        let read = match Sealed::open(log) {
            Ok(sealed) => {
                self.sealed += 1;
                self.epoch.get_or_insert(sealed.epoch());
                self.read_index(&sealed)
            }
            Err(SegmentError::BadIndex { .. }) => self.read_log(log),
            Err(error) => Err(error),
        };
        match read {
            Ok(()) | Err(SegmentError::Blank { .. }) => Ok(()),
            Err(SegmentError::Damaged { path, offset, what }) => {
                self.damage.push(Damage { file: path, offset, what: what.to_owned() });
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read_index(&mut self, sealed: &Sealed) -> Result<(), SegmentError> {
        let topics = sealed.directory()?;
        for from in (0..sealed.summary().records).step_by(ENTRIES_AT_ONCE as usize) {
            for entry in sealed.entries(from..from.saturating_add(ENTRIES_AT_ONCE))? {
                let Some(topic) = topics.get(entry.topic as usize) else { continue };
                self.count(&Seen {
                    sequence: entry.sequence,
                    at: entry.committed_at,
                    kind: entry.kind,
                    cost_bytes: u64::from(entry.cost_bytes),
                    topic: &topic.topic,
                });
            }
        }
        Ok(())
    }

    fn read_log(&mut self, log: &Path) -> Result<(), SegmentError> {
        let mut scan = LogScan::open(log)?;
        let epoch = scan.header().epoch;
        self.epoch.get_or_insert(epoch);
        loop {
            match scan.step()? {
                Step::Frame(scanned) => {
                    let record = scanned.frame.into_record(epoch);
                    self.count(&Seen {
                        sequence: record.sequence,
                        at: record.committed_at,
                        kind: record.kind,
                        cost_bytes: cost_bytes(&record),
                        topic: &record.topic,
                    });
                }
                Step::End(ScanEnd::Clean { .. } | ScanEnd::Torn { .. }) => return Ok(()),
                Step::End(ScanEnd::Damaged { offset, .. }) => {
                    return Err(SegmentError::damaged(log, offset, "the frame is not as it was written"));
                }
            }
        }
    }

    fn count(&mut self, seen: &Seen<'_>) {
        let Seen { sequence, at, kind, cost_bytes, topic } = *seen;
        let amount = Amount { events: u64::from(kind == Kind::Event), bytes: cost_bytes };
        match kind {
            Kind::Event => {}
            Kind::End => drop(self.ended.insert(topic.clone(), sequence)),
            Kind::Deleted => {
                if self.ended.get(topic).is_some_and(|end| *end < sequence) {
                    self.ended.remove(topic);
                }
                self.dead.add(self.kept.remove(topic).unwrap_or_default().amount);
            }
        }
        if kind == Kind::Deleted || !self.state.is_retained(topic, sequence) {
            self.dead.add(amount);
            return;
        }
        if !self.kept.contains_key(topic) {
            self.kept.insert(topic.clone(), Kept::default());
        }
        let Some(kept) = self.kept.get_mut(topic) else { return };
        kept.amount.add(amount);
        if kind == Kind::Event {
            kept.first.get_or_insert((sequence, at));
            kept.last = Some((sequence, at));
        }
    }

    fn finish(self, directory: &Directory, largest_max: usize) -> Inspection {
        let epoch = self.epoch;
        let stamp = |(sequence, at)| Some(Stamp { position: Position { epoch: epoch?, sequence }, at });
        let mut sum = Amount::default();
        self.kept.values().for_each(|kept| sum.add(kept.amount));
        let oldest = self.kept.values().filter_map(|kept| kept.first).min().and_then(stamp);
        let newest = self.kept.values().filter_map(|kept| kept.last).max().and_then(stamp);
        let topics = self.kept.len();
        let mut largest: Vec<TopicSize> =
            self.kept.into_iter().map(|(topic, kept)| TopicSize { topic, kept: kept.amount }).collect();
        largest.sort_unstable_by(|one, other| {
            (Reverse(one.kept.bytes), &one.topic).cmp(&(Reverse(other.kept.bytes), &other.topic))
        });
        largest.truncate(largest_max);
        Inspection {
            format_version: FORMAT_VERSION,
            epoch,
            segments: directory.logs.len(),
            sealed: self.sealed,
            file_bytes: directory.file_bytes(),
            kept: sum,
            dead: self.dead,
            oldest,
            newest,
            topics,
            largest,
            ended_topics: self.ended.len(),
            damage: self.damage,
        }
    }
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
    }
}

fn cost_bytes(record: &Record) -> u64 {
    (record.chunk.wire().len() + RECORD_OVERHEAD_BYTES) as u64
}
