//! A sealed segment: a log file that is full, and the index beside it.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::mem;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tidings_core::hash::StableHash;
use tidings_core::{Epoch, HistoryLimits, Kind, Record, Sequence, Timestamp};
use tidings_topic::Topic;

use super::blocks::BlockFile;
use super::bloom::Bloom;
use super::frames::{CUT_OFF, LogFile, NOT_AS_WRITTEN, NOT_HERE};
use super::index::{Facts, IndexBuilder, Misfit};
use super::layout::{self, HEADER_BYTES, Header, Table};
use super::search::lower_bound;
use super::{LogScan, ScanEnd, Scanned, SegmentError, Step, names};
use crate::frame::Frame;

/// A segment that is full. Nothing of it changes; many threads may ask it at once.
///
/// Whatever is asked of it is read from its two files each time, but for the filter of ids, which is kept once it was
/// needed: about ten bits for each id of a publisher's. Each question answers what was written or
/// [`SegmentError::Damaged`].
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(super) log: LogFile,
    pub(super) index: BlockFile,
    pub(super) header: Header,
    pub(super) filter: OnceLock<Bloom>,
}

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// No record of the segment is before this place; its files are called by it.
    pub begins_at: Sequence,
    /// Its first record. Without records: `begins_at`.
    pub first: Sequence,
    /// Its last record. Without records: the place before `begins_at`.
    pub last: Sequence,
    /// No record of the segment was ever after this place: its last one, also when that is gone since.
    pub ends_at: Sequence,
    /// When the first was committed.
    pub first_at: Timestamp,
    /// When the last was committed.
    pub last_at: Timestamp,
    /// How many records there are; the number of a record among them is its *index*.
    pub records: u32,
    /// How many of them are events.
    pub events: u32,
    /// What they count for against the history's bytes.
    pub cost_bytes: u64,
    /// The length of the log file.
    pub log_bytes: u64,
    /// How many topics there are.
    pub topics: u32,
    /// How many records they have together; those that have several count for each.
    pub postings: u32,
    /// How many records have an id of their publisher's.
    pub ids: u32,
    /// Some record carries an idempotency key.
    pub has_keys: bool,
    /// Some record has an id of its publisher's that looks like one of the hub's own.
    pub has_own_form_ids: bool,
}

/// What the index says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub sequence: Sequence,
    pub committed_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// What it counts for against the history's bytes.
    pub cost_bytes: u32,
    /// The number of its topic in the directory.
    pub topic: u32,
    pub kind: Kind,
    /// It is found under other topics too, which its frame knows.
    pub has_alternates: bool,
    pub private: bool,
    /// Where its frame begins in the log file.
    pub offset: u32,
}

impl Entry {
    /// Is it an event, and not a mark of its topic's end or deletion?
    pub(crate) fn is_event(&self) -> bool {
        self.kind == Kind::Event
    }
}

impl Sealed {
    /// Makes the index of a log file that is full, and opens it. Zeros at the end of the log are cut off.
    ///
    /// Reads the whole log once. Cost in memory: about 60 bytes for each record while it lasts.
    ///
    /// # Errors
    /// [`SegmentError`]; when the log is not good to its end, [`SegmentError::Damaged`], also for a torn end.
    pub(crate) fn seal(log: &Path, epoch: Epoch, history: &HistoryLimits) -> Result<Self, SegmentError> {
        let mut scan = LogScan::open(log)?;
        let head = scan.header();
        if head.epoch != epoch {
            return Err(SegmentError::Foreign { path: log.to_owned(), found: head.epoch, expected: epoch });
        }
        let mut builder = IndexBuilder::new(head);
        let log_bytes = loop {
            match scan.step()? {
                Step::Frame(scanned) => {
                    let Scanned { offset, mut frame } = scanned;
                    let data = mem::take(&mut frame.data);
                    // Only the record knows how long it is on the wire, and so what it counts for.
                    let record = Frame { data, ..frame.clone() }.into_record(epoch);
                    let cost_bytes = u32::try_from(history.cost_bytes(&record)).unwrap_or(u32::MAX);
                    let facts = Facts { expires_at: record.expires_at, cost_bytes, offset };
                    builder.add(&frame, facts).map_err(|Misfit| SegmentError::damaged(log, offset, NOT_HERE))?;
                }
                Step::End(ScanEnd::Clean { offset }) => break offset,
                Step::End(ScanEnd::Torn { offset, .. }) => return Err(SegmentError::damaged(log, offset, CUT_OFF)),
                Step::End(ScanEnd::Damaged { offset, .. }) => {
                    return Err(SegmentError::damaged(log, offset, NOT_AS_WRITTEN));
                }
            }
        };
        finish_log(log, log_bytes, scan.file_bytes())?;
        builder.write(log, log_bytes)?;
        names::settle(&names::index_path(log))?;
        Self::open(log)
    }

    /// Opens a segment that was sealed before. Cost: one block read.
    ///
    /// # Errors
    /// [`SegmentError::BadIndex`] when it is to be sealed (again).
    pub(crate) fn open(log: &Path) -> Result<Self, SegmentError> {
        let path = names::index_path(log);
        let bad = |what| SegmentError::bad_index(&path, what);
        let index = BlockFile::open(&path).map_err(|error| match error {
            SegmentError::Io { source, .. } if source.kind() == ErrorKind::NotFound => bad("there is none"),
            error => error,
        })?;
        let bytes = index.read_at(0, HEADER_BYTES).map_err(|error| match error {
            SegmentError::Damaged { .. } => bad("its first block is damaged"),
            error => error,
        })?;
        let header = Header::decode(&bytes, &path)?;
        if header.file_bytes() != index.bytes() {
            return Err(bad("it is not as long as its header says"));
        }
        let log = LogFile::open(log, header.salt)?;
        if header.summary.log_bytes != log.bytes() {
            return Err(bad("it is not that of this log file, which has another length"));
        }
        Ok(Self { log, index, header, filter: OnceLock::new() })
    }

    /// What it holds.
    pub(crate) fn summary(&self) -> &Summary {
        &self.header.summary
    }

    /// The history that it belongs to.
    pub(crate) fn epoch(&self) -> Epoch {
        self.header.epoch
    }

    /// The log file.
    pub(crate) fn log(&self) -> &Path {
        self.log.path()
    }

    /// What the index says of these records, by their indices; of those that there are. Cost: 32 bytes read for each.
    pub(crate) fn entries(&self, indices: Range<u32>) -> Result<Vec<Entry>, SegmentError> {
        let table = self.header.entries();
        let rows = self.rows(table, indices.clone())?;
        let rows = (indices.start..).zip(rows.chunks_exact(table.row_bytes as usize));
        rows.map(|(index, row)| self.entry(index, row)).collect()
    }

    /// What the index says of these records, whose indices ascend. Neighbours are read at once.
    pub(crate) fn entries_at(&self, indices: &[u32]) -> Result<Vec<Entry>, SegmentError> {
        let table = self.header.entries();
        let mut entries = Vec::with_capacity(indices.len());
        for run in indices.chunk_by(|one, next| one < next && next - one < table.rows_per_read()) {
            for piece in run.chunks(ENTRIES_PER_READ) {
                let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
                let rows = self.rows(table, *first..last.saturating_add(1))?;
                for index in piece {
                    let at = (index - first) as usize * table.row_bytes as usize;
                    entries.push(self.entry(*index, rows.get(at..at + table.row_bytes as usize).unwrap_or_default())?);
                }
            }
        }
        Ok(entries)
    }

    /// The index of the first record after `sequence`; the number of records when there is none. Costs no read where
    /// no sequence is missing.
    pub(crate) fn position_after(&self, sequence: Sequence) -> Result<u32, SegmentError> {
        let Summary { first, last, records, .. } = *self.summary();
        if sequence < first {
            return Ok(0);
        }
        if sequence >= last {
            return Ok(records);
        }
        let (passed, all) = (sequence.0 - first.0 + 1, last.0 - first.0 + 1);
        if all == u64::from(records) {
            return Ok(u32::try_from(passed).expect("fewer than there are records"));
        }
        self.search(self.header.entries(), 0..all - 1, passed, layout::entry_sequence)
    }

    /// The index of the first record that was committed at `time` or later; the number of records when there is none.
    pub(crate) fn position_at_or_after(&self, time: Timestamp) -> Result<u32, SegmentError> {
        let Summary { first_at, last_at, records, .. } = *self.summary();
        if time <= first_at {
            return Ok(0);
        }
        if time > last_at {
            return Ok(records);
        }
        let from_first = |time: Timestamp| time.as_millis() - first_at.as_millis();
        self.search(self.header.entries(), 0..from_first(last_at), from_first(time), layout::entry_time)
    }

    /// Reads the records of these entries, whose offsets ascend. Neighbours are read at once.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`] when one of them is not as it was written.
    pub(crate) fn read(&self, entries: &[Entry]) -> Result<Vec<Arc<Record>>, SegmentError> {
        let mut records = Vec::with_capacity(entries.len());
        self.log.visit(entries, |_, frame, _| {
            records.push(Arc::new(frame.into_record(self.header.epoch)));
            Ok(())
        })?;
        Ok(records)
    }

    /// The alternate topics of these entries, whose offsets ascend, each with the entry. Cost: a read of the frames of those
    /// that have any.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`] when one of these is not as it was written.
    pub(crate) fn alternates(
        &self,
        entries: &[Entry],
        mut take: impl FnMut(&Entry, Box<[Topic]>),
    ) -> Result<(), SegmentError> {
        let having: Vec<Entry> = entries.iter().filter(|entry| entry.has_alternates).copied().collect();
        self.log.visit(&having, |entry, frame, _| {
            take(entry, frame.alternates);
            Ok(())
        })
    }

    /// The alternate topics of one entry. Costs no read where it has none.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`] when its frame is not as it was written.
    pub(crate) fn alternates_of(&self, entry: &Entry) -> Result<Box<[Topic]>, SegmentError> {
        let mut found = Box::default();
        if entry.has_alternates {
            self.alternates(std::slice::from_ref(entry), |_, alternates| found = alternates)?;
        }
        Ok(found)
    }

    /// Removes its files. Who has it open can go on reading.
    ///
    /// # Errors
    /// [`SegmentError::Io`].
    pub(crate) fn remove(&self) -> Result<(), SegmentError> {
        // The index goes first: a crash between the two leaves a log to be sealed again, which is removed then.
        names::remove(self.index.path())?;
        names::remove(self.log.path())?;
        names::sync_directory_of(self.log.path())
    }

    pub(super) fn hash(&self, name: &str) -> u64 {
        StableHash::new(self.header.hash_key).of(name.as_bytes())
    }

    /// The rows with these numbers, of those that there are.
    pub(super) fn rows(&self, table: Table, numbers: Range<u32>) -> Result<Vec<u8>, SegmentError> {
        let end = numbers.end.min(table.rows);
        let count = end.saturating_sub(numbers.start) as usize;
        self.index.read_at(table.row(numbers.start.min(end)), count * table.row_bytes as usize)
    }

    /// The number of the first row whose key is `target` or greater.
    pub(super) fn search(
        &self,
        table: Table,
        keys: Range<u64>,
        target: u64,
        key: impl Fn(&[u8]) -> u64,
    ) -> Result<u32, SegmentError> {
        lower_bound(table.rows, table.rows_per_read(), keys, target, |numbers| {
            Ok(self.rows(table, numbers)?.chunks_exact(table.row_bytes as usize).map(&key).collect())
        })
    }

    /// What a row says makes no sense, although its checksum holds.
    pub(super) fn nonsense(&self, table: Table, number: u32) -> SegmentError {
        SegmentError::damaged(self.index.path(), table.row(number), "the row makes no sense")
    }

    fn entry(&self, index: u32, row: &[u8]) -> Result<Entry, SegmentError> {
        Entry::decode(row, self.summary()).ok_or_else(|| self.nonsense(self.header.entries(), index))
    }
}

/// Most entries that are read at once where they are asked for one by one. Unit: entries of 32 bytes.
const ENTRIES_PER_READ: usize = 4096;

/// Cuts off the room ahead, and makes durable what is there: the index must not outlive what it points at.
fn finish_log(log: &Path, log_bytes: u64, file_bytes: u64) -> Result<(), SegmentError> {
    let file = OpenOptions::new().write(true).open(log).map_err(SegmentError::io(log))?;
    if log_bytes < file_bytes {
        file.set_len(log_bytes).map_err(SegmentError::io(log))?;
    }
    file.sync_all().map_err(SegmentError::io(log))
}
