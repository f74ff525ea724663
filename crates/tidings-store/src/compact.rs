//! Log files that are written anew without their dead records: which, and when.
//!
//! How that is done so that a crash loses nothing is in `segment/rewrite.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_core::{Kind, Sequence};
use tidings_topic::Topic;

use crate::keeper::checkpoint;
use crate::segment::{self, Entry, Sealed, SegmentError};
use crate::shared::Shared;

/// A segment is written anew once its dead records are this part of it.
const DEAD_PART: u64 = 2;

/// Entries looked at together.
const ENTRIES_AT_ONCE: u32 = 4096;

/// What no reader is given any more, as of a moment. The checkpoint on disk knows of all of it.
#[derive(Debug)]
pub(crate) struct Dead {
    floor: Sequence,
    dropped: HashMap<Topic, Sequence>,
    /// What dropped records counted for in each segment.
    bytes: HashMap<Sequence, u64>,
}

impl Dead {
    /// What is dead now. Writes a checkpoint: once a record is gone, nothing else can tell that it was dropped and what it
    /// counted for.
    pub(crate) fn now(shared: &Shared) -> Result<Self, SegmentError> {
        let dead = {
            let state = shared.state();
            Self {
                floor: state.retained_after,
                dropped: state.dropped.iter().map(|(topic, place, ())| (topic.clone(), place)).collect(),
                bytes: state.segments.dead().map(|dead| (dead.segment, dead.bytes)).collect(),
            }
        };
        checkpoint(shared)?; // it may know of more, never of less
        Ok(dead)
    }

    /// Is there anything in the segment that a rewrite would free? Cost: reads all of its entries.
    pub(crate) fn is_any_in(&self, segment: &Sealed) -> Result<bool, SegmentError> {
        let summary = segment.summary();
        if self.dropped.is_empty() && summary.first > self.floor {
            return Ok(false);
        }
        let topics = segment.directory()?;
        for from in (0..summary.records).step_by(ENTRIES_AT_ONCE as usize) {
            let entries = segment.entries(from..from.saturating_add(ENTRIES_AT_ONCE))?;
            let has_dead =
                |entry: &Entry| topics.get(entry.topic as usize).is_some_and(|topic| self.has(entry, &topic.topic));
            if entries.iter().any(has_dead) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn has(&self, entry: &Entry, topic: &Topic) -> bool {
        // Ends and deletions tell what became of a topic, if the checkpoint is ever lost.
        entry.kind == Kind::Event
            && (entry.sequence <= self.floor
                || self.dropped.get(topic).is_some_and(|through| entry.sequence <= *through))
    }
}

/// Writes the segment with the most dead records anew, if that frees enough of it. One at a time.
pub(crate) fn compact_worst(shared: &Shared) -> Result<(), SegmentError> {
    let worst = {
        let state = shared.state();
        let sealed = |first| state.segments.sealed().iter().find(|sealed| sealed.summary().begins_at == first);
        let segments = state.segments.dead().filter_map(|dead| Some((sealed(dead.segment)?, dead.bytes)));
        let over = segments.filter(|(sealed, dead)| dead.saturating_mul(DEAD_PART) >= sealed.summary().cost_bytes);
        over.max_by_key(|(_, dead)| *dead).map(|(sealed, dead)| (Arc::clone(sealed), dead))
    };
    let Some((segment, dead_bytes)) = worst else { return Ok(()) };
    match rewrite_segment(shared, &segment, &Dead::now(shared)?) {
        Err(error @ SegmentError::Damaged { .. }) => {
            // It stays as it is: whoever reads the damage finds it. It is not tried again until more of it is dead.
            tracing::error!(%error, "a log file cannot be written anew");
            shared.state_mut().segments.forget_dead(segment.summary().begins_at, dead_bytes);
        }
        done => done?,
    }
    shared.keeper.wake(); // there may be another one
    Ok(())
}

/// Writes a segment anew without what is dead. Readers who have it open are not disturbed.
///
/// # Errors
/// As [`segment::rewrite`]; the segment is then as it was.
pub(crate) fn rewrite_segment(shared: &Shared, segment: &Arc<Sealed>, dead: &Dead) -> Result<(), SegmentError> {
    let before = segment.summary();
    let fresh = segment::rewrite(segment, |entry, topic| !dead.has(entry, topic))?;
    let after = fresh.as_ref().map_or(0, |fresh| fresh.summary().log_bytes);
    tracing::debug!(log = %segment.log().display(), before = before.log_bytes, after, "a log file was written anew");
    let gone = dead.bytes.get(&before.begins_at).copied().unwrap_or_default();
    shared.state_mut().segments.replace(before.begins_at, fresh.map(Arc::new).as_ref(), gone);
    Ok(())
}
