//! What a start finds missing: ids that may have been given out are never used again, and what is gone no longer counts.

use std::fs;
use std::sync::Arc;

use tidings_core::{Epoch, Kind, Sequence};

use crate::layout::Layout;
use crate::log::ActiveLog;
use crate::options::{OpenError, StoreOptions};
use crate::recent::Recent;
use crate::reserve::Reserve;
use crate::segment::{Entry, Sealed};
use crate::shared::Shared;

/// Where the end of what was safe is lost, so many ids are passed over: nobody knows how many were given out. More than a
/// log file holds; they are not scarce.
const PASSED_OVER: u64 = 1 << 24;

/// Entries looked at together.
const ENTRIES_AT_ONCE: u32 = 4096;

/// What is missing after the end of the log.
pub(crate) struct Lost {
    /// The log ends here, or a hole after it that is known of.
    known: Sequence,
    /// What comes next is after this place.
    through: Sequence,
    /// Something is missing that was safe once.
    is_damage: bool,
}

impl Lost {
    /// Looks at what the start has found so far. `safe_through`: all up to there was safe once. `has_lost_end`: more than
    /// that was, and nobody knows how much.
    pub(crate) fn find(shared: &Shared, safe_through: Sequence, has_lost_end: bool) -> Self {
        let tail = shared.tail();
        let reserved = Reserve::left_behind(&shared.layout.reserve(), shared.options.boot_id.as_deref());
        let state = shared.state();
        // Then a crash came after a hole was known, and before a log was begun behind it.
        let is_in_hole = safe_through > tail && state.holes.has(tail.next()) && state.holes.has(safe_through);
        let known = if is_in_hole { safe_through } else { tail };
        let is_damage = has_lost_end || safe_through > known;
        let given_out = if is_damage { safe_through.max(tail).0.saturating_add(PASSED_OVER) } else { 0 };
        let through = known.max(reserved.unwrap_or_default()).max(Sequence(given_out));
        Self { known, through, is_damage }
    }

    /// No sequence that may have been given out and is not in the log is ever used again, and whoever comes back with one is
    /// told. Where something is missing that was safe once, so is everybody who was before it.
    pub(crate) fn pass_over(
        self,
        shared: &Shared,
        log: ActiveLog,
        sealed: &[Arc<Sealed>],
    ) -> Result<ActiveLog, OpenError> {
        let Self { known, through, is_damage } = self;
        let tail = shared.tail();
        if through <= tail {
            return Ok(log);
        }
        if is_damage {
            tracing::error!(log_ends = %tail, %through, "events that were acknowledged are missing from the end of the log: the history begins anew after them");
        } else if through > known {
            tracing::warn!(log_ends = %tail, %through, "the machine lost power in relaxed durability: the last events before that may be lost; readers that had them are told");
        }
        {
            let mut state = shared.state_mut();
            state.holes.add(known.next(), through);
            if is_damage {
                state.begin_after_damage(through);
            } else if state.retained_after == tail {
                state.retained_after = through; // nothing is retained, and the hole is nothing
            }
        }
        if is_damage {
            recount(shared, sealed)?;
        }
        begin_anew(shared, &log, through)
    }
}

/// Seals the log file that was written last, and begins one for what comes after `tail`.
pub(crate) fn begin_anew(shared: &Shared, full: &ActiveLog, tail: Sequence) -> Result<ActiveLog, OpenError> {
    full.finish().map_err(OpenError::io("cannot write to", full.path()))?;
    let path = full.path().to_owned();
    if full.is_empty() {
        fs::remove_file(&path).map_err(OpenError::io("cannot remove", &path))?;
        shared.state_mut().segments.forget_open();
    } else {
        let sealed = Sealed::seal(&path, shared.epoch, &shared.options.history)?;
        shared.state_mut().segments.on_sealed(Arc::new(sealed));
    }
    shared.state_mut().recent = Recent::after(tail);
    shared.set_tail(tail);
    write_checkpoint(shared)?; // once the new file is there, nothing else tells that there is a hole before it
    let log = create_log(&shared.layout, shared.epoch, tail.next(), &shared.options)?;
    shared.state_mut().segments.begin(log.path().to_owned(), tail.next());
    shared.set_active_file(Arc::clone(log.file()));
    Ok(log)
}

/// Tells on disk what is known now.
pub(crate) fn write_checkpoint(shared: &Shared) -> Result<(), OpenError> {
    shared.write_checkpoint().map_err(OpenError::io("cannot write", shared.layout.checkpoint()))?;
    Ok(())
}

/// A log file without frames.
pub(crate) fn create_log(
    layout: &Layout,
    epoch: Epoch,
    first: Sequence,
    options: &StoreOptions,
) -> Result<ActiveLog, OpenError> {
    ActiveLog::create(layout, epoch, first, options.segment_bytes)
        .map_err(OpenError::io("cannot begin a log file", layout.log(first)))
}

/// Counts what is retained anew: what is lost has counted until now, and would for ever. Cost: reads all indices.
pub(crate) fn recount(shared: &Shared, sealed: &[Arc<Sealed>]) -> Result<(), OpenError> {
    let (mut events, mut bytes) = (0, 0);
    for segment in sealed {
        let topics = segment.directory()?;
        for from in (0..segment.summary().records).step_by(ENTRIES_AT_ONCE as usize) {
            let entries = segment.entries(from..from.saturating_add(ENTRIES_AT_ONCE))?;
            let state = shared.state();
            let counts = |entry: &&Entry| {
                let topic = topics.get(entry.topic as usize);
                topic.is_some_and(|topic| state.counts(&topic.topic, entry.sequence, entry.kind))
            };
            for entry in entries.iter().filter(counts) {
                events += u64::from(entry.kind == Kind::Event);
                bytes += u64::from(entry.cost_bytes);
            }
        }
    }
    let mut state = shared.state_mut();
    let sealed_through = state.segments.sealed_through();
    for record in state.recent.iter().filter(|record| record.sequence > sealed_through) {
        if state.counts(&record.topic, record.sequence, record.kind) {
            events += u64::from(record.kind == Kind::Event);
            bytes += state.history.cost_bytes(record) as u64;
        }
    }
    (state.events, state.bytes) = (events, bytes);
    Ok(())
}
