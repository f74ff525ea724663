//! A data directory without what is dead in it.

use std::path::Path;
use std::sync::Arc;

use tidings_core::{HistoryLimits, Kind, Sequence};

use super::{Damage, Directory, unlimited};
use crate::commit::Committer;
use crate::compact::{Dead, rewrite_segment};
use crate::keeper;
use crate::lost::begin_anew;
use crate::options::{OpenError, StoreOptions};
use crate::recover::recover;
use crate::segment::{Sealed, SegmentError};
use crate::shared::Shared;

/// What compacting a data directory came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Log files before.
    pub files_before: usize,
    /// Log files after.
    pub files_after: usize,
    /// What all files of the history took. Unit: bytes.
    pub bytes_before: u64,
    /// What they take now.
    pub bytes_after: u64,
    /// Log files that were written anew, or removed, for there was something dead in them.
    pub rewritten: usize,
    /// What could not be read; the files with it stay as they are, and keep what is dead in them.
    pub damage: Vec<Damage>,
}

/// Frees what the records take that are no longer replayed: those that were trimmed, or deleted with their topic. What
/// is replayed, and every id and verdict, is after it as it was before. `progress` is called with what was looked at so
/// far and with the whole. Unit: bytes.
///
/// A hub does the same for files that are half dead or more. It also does what a start does: a write that was not
/// finished is cut off, and a file that is too damaged to be used is put aside.
///
/// Cost: reads all indices, and writes each file that has something dead anew: the largest of them needs as much free
/// room again while that lasts.
///
/// # Errors
/// [`OpenError`] when it is no data directory, a hub has it, it is of another version, or it cannot be read or written;
/// it is then whole, and compacted in part. Damage within a file is no error.
pub fn compact(directory: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Compaction, OpenError> {
    let before = Directory::open(directory)?;
    let mut compaction =
        Compaction { files_before: before.logs.len(), bytes_before: before.file_bytes(), ..Compaction::default() };
    if before.logs.is_empty() {
        let bytes_after = compaction.bytes_before;
        return Ok(Compaction { bytes_after, ..compaction }); // not even begun
    }
    drop(before); // it is locked again at once
    let (shared, committer) = recover(options(directory))?;
    let mut committer = seal_newest(&shared, committer)?;
    keeper::remove_trimmed(&shared)?;
    let dead = Dead::now(&shared)?;
    let segments = shared.state().sealed();
    let total = segments.iter().map(|segment| segment.summary().log_bytes).sum();
    let mut done = 0;
    for segment in segments.iter() {
        progress(done, total);
        match compact_segment(&shared, segment, &dead) {
            Ok(is_rewritten) => compaction.rewritten += usize::from(is_rewritten),
            Err(SegmentError::Damaged { path, offset, what }) => {
                compaction.damage.push(Damage { file: path, offset, what: what.to_owned() });
            }
            Err(error) => return Err(error.into()),
        }
        done += segment.summary().log_bytes;
    }
    progress(total, total);
    keeper::remove_trimmed(&shared)?; // what is left of a file may be no more than what was trimmed
    keeper::checkpoint(&shared)?;
    shared.queue.close();
    committer.finish();
    drop((committer, shared)); // and with them the lock of the directory
    let after = Directory::open(directory)?;
    Ok(Compaction { files_after: after.logs.len(), bytes_after: after.file_bytes(), ..compaction })
}

/// As a hub opens it, but without a limit: what is kept is for a hub to say.
fn options(directory: &Path) -> StoreOptions {
    let history = HistoryLimits { bytes_max: usize::MAX, events_max: None, age_max: None, ..unlimited() };
    // No event is to come, so no room is taken ahead.
    StoreOptions { segment_bytes: 0, ..StoreOptions::with_history(directory, history) }
}

/// Seals the file that was written last if there is something dead in it, for only then can it be written anew.
fn seal_newest(shared: &Shared, committer: Committer) -> Result<Committer, OpenError> {
    let has_dead = {
        let state = shared.state();
        let mut places = (state.recent.start().0 + 1..=state.tail().0).map(Sequence);
        places.any(|place| match state.recent.get(place) {
            Some(record) => record.kind == Kind::Event && !state.is_retained(&record.topic, place),
            None => state.recent.is_buried(place),
        })
    };
    if !has_dead {
        return Ok(committer);
    }
    let Committer { shared, log, reserve } = committer;
    let log = begin_anew(&shared, &log, shared.tail())?;
    Ok(Committer { shared, log, reserve })
}

/// Answers whether the segment is another one now.
fn compact_segment(shared: &Shared, segment: &Arc<Sealed>, dead: &Dead) -> Result<bool, SegmentError> {
    let has_dead = dead.is_any_in(segment)?;
    if has_dead {
        rewrite_segment(shared, segment, dead)?;
    }
    Ok(has_dead)
}
