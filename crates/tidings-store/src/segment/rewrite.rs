//! A segment without its dead records.
//!
//! What a crash leaves, step by step:
//!
//! | after | there is | what an open makes of it |
//! |---|---|---|
//! | a new file is begun | the old log and index, a file `.tmp` | [`names::remove_leftovers`] removes it; all is as before |
//! | the old index is removed | the old log without an index, two files `.tmp` | these are removed, the old log is sealed again |
//! | the new log is at its place | the new log without an index, a file `.tmp` | likewise, with the new log |
//! | the new index is at its place | the new log and index | nothing to do |
//!
//! The directory is synced after each step, so they reach the disk in this order. An index never stands beside the log
//! of another: it would be the worst of all, for what it says of a record would be said of another one. (It would even
//! then be noticed: an index knows how long its log is, and an entry the sequence of its frame.)

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use tidings_topic::Topic;

use super::frames::NOT_HERE;
use super::index::{Facts, IndexBuilder, Misfit};
use super::sealed::{Entry, Sealed};
use super::{SegmentError, names};
use crate::header::SegmentHeader;

/// So many records are looked at together. Cost: 50 bytes for each.
const ENTRIES_AT_ONCE: u32 = 4096;

/// Writes a segment anew with the records that are to be kept, in the place of the old one; `None` when none is, and then
/// its files are gone. Whoever has the old one open can go on reading it.
///
/// # Errors
/// [`SegmentError`]; the old segment is then still there, at worst without its index. A damaged record that is to be
/// kept is [`SegmentError::Damaged`].
pub(crate) fn rewrite(
    sealed: &Sealed,
    mut keep: impl FnMut(&Entry, &Topic) -> bool,
) -> Result<Option<Sealed>, SegmentError> {
    let log = sealed.log();
    let (summary, salt) = (sealed.summary(), sealed.header.salt);
    let head = SegmentHeader { epoch: sealed.epoch(), first: summary.begins_at, ends_at: Some(summary.ends_at), salt };
    let mut builder = IndexBuilder::new(head);
    let log_bytes = names::prepare(log, |file| copy(sealed, &mut keep, head, &mut builder, file))?;
    if builder.records() == 0 {
        names::remove(&names::temporary(log))?;
        sealed.remove()?;
        return Ok(None);
    }
    builder.write(log, log_bytes).inspect_err(|_| drop(names::remove(&names::temporary(log))))?;
    put_in_place(log)?;
    Sealed::open(log).map(Some)
}

/// Writes the new log; answers how long it is.
fn copy(
    sealed: &Sealed,
    keep: &mut impl FnMut(&Entry, &Topic) -> bool,
    head: SegmentHeader,
    builder: &mut IndexBuilder,
    file: &File,
) -> Result<u64, SegmentError> {
    let topics = sealed.directory()?;
    let path = names::temporary(sealed.log());
    let mut out = BufWriter::with_capacity(1 << 18, file);
    out.write_all(&head.encode()).map_err(SegmentError::io(&path))?;
    let mut at = SegmentHeader::BYTES as u64;
    for from in (0..sealed.summary().records).step_by(ENTRIES_AT_ONCE as usize) {
        let mut entries = sealed.entries(from..from.saturating_add(ENTRIES_AT_ONCE))?;
        entries.retain(|entry| topics.get(entry.topic as usize).is_some_and(|topic| keep(entry, &topic.topic)));
        sealed.log.visit(&entries, |entry, frame, bytes| {
            let facts = Facts { expires_at: entry.expires_at, cost_bytes: entry.cost_bytes, offset: at };
            let misfit = |Misfit| SegmentError::damaged(sealed.log(), u64::from(entry.offset), NOT_HERE);
            builder.add(&frame, facts).map_err(misfit)?;
            at += bytes.len() as u64;
            out.write_all(bytes).map_err(SegmentError::io(&path))
        })?;
    }
    out.flush().map_err(SegmentError::io(&path))?;
    Ok(at)
}

fn put_in_place(log: &Path) -> Result<(), SegmentError> {
    let index = names::index_path(log);
    names::remove(&index)?;
    names::sync_directory_of(&index)?;
    names::settle(log)?;
    names::settle(&index)
}
