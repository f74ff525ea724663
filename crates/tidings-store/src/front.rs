//! The records that are to be trimmed next, as their segment's index tells of them.

use std::collections::VecDeque;
use std::sync::Arc;

use tidings_core::{HistoryLimits, Kind, Record, Sequence, Timestamp};
use tidings_topic::Topic;

use crate::segment::{Sealed, SegmentError, TopicNames};

/// What trimming needs to know of a record.
#[derive(Clone, Debug)]
pub(crate) struct FrontEntry {
    pub sequence: Sequence,
    pub committed_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub kind: Kind,
    pub cost_bytes: u64,
    pub topic: Topic,
    /// Its other topics; `None`: its frame, which knows them, is damaged.
    pub alternates: Option<Box<[Topic]>>,
}

impl FrontEntry {
    pub(crate) fn of(record: &Record, history: &HistoryLimits) -> Self {
        Self {
            sequence: record.sequence,
            committed_at: record.committed_at,
            expires_at: record.expires_at,
            kind: record.kind,
            cost_bytes: history.cost_bytes(record) as u64,
            topic: record.topic.clone(),
            alternates: Some(record.alternates.clone()),
        }
    }
}

/// Some entries read ahead, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Front(VecDeque<FrontEntry>);

impl Front {
    /// The first entry after `place`, if it was read.
    pub(crate) fn peek_after(&self, place: Sequence) -> Option<&FrontEntry> {
        self.0.iter().find(|entry| entry.sequence > place)
    }

    /// They are trimmed.
    pub(crate) fn forget_through(&mut self, place: Sequence) {
        while self.0.pop_front_if(|entry| entry.sequence <= place).is_some() {}
    }

    pub(crate) fn fill(&mut self, entries: Vec<FrontEntry>) {
        self.0 = entries.into();
    }
}

/// So many entries are read at once. Cost: some 100 bytes each.
const READ_AHEAD: u32 = 1024;
/// Fewer where what they count for comes to more than this and they have alternate topics: those are read and kept too.
const ALTERNATES_BYTES_MAX: u64 = 1 << 20;

/// Reads the first entries after `place` from the first segment that has any.
pub(crate) fn read_front(segments: &[Arc<Sealed>], place: Sequence) -> Result<Vec<FrontEntry>, SegmentError> {
    let Some(segment) = segments.iter().find(|segment| segment.summary().last > place) else { return Ok(Vec::new()) };
    let from = segment.position_after(place)?;
    let to = from.saturating_add(READ_AHEAD).min(segment.summary().records);
    let mut topics = TopicNames::of(segment);
    let mut front = Vec::new();
    let mut bytes = 0;
    for entry in segment.entries(from..to)? {
        if entry.has_alternates {
            bytes += u64::from(entry.cost_bytes);
        }
        if bytes > ALTERNATES_BYTES_MAX && !front.is_empty() {
            break;
        }
        let alternates = match segment.alternates_of(&entry) {
            Ok(alternates) => Some(alternates),
            Err(SegmentError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        front.push(FrontEntry {
            sequence: entry.sequence,
            committed_at: entry.committed_at,
            expires_at: entry.expires_at,
            kind: entry.kind,
            cost_bytes: u64::from(entry.cost_bytes),
            topic: topics.name(entry.topic)?.clone(),
            alternates,
        });
    }
    Ok(front)
}
