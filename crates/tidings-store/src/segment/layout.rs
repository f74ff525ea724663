//! What stands where in an index file.
//!
//! ```text
//! header      256 bytes: see `Header`
//! entries     one row for each record, in their order
//! directory   one row for each topic, sorted by the hash of its name, then by the name
//! names       the names of the topics, one after the other, in the order of the directory
//! postings    u32 each: the indices of each topic's records, ascending, in the order of the directory; those that have
//!             several topics are there for each
//! ids         one row for each record with an id of its publisher's, sorted by the hash of the id, then by index
//! filter      of the hashes of these ids
//! ```
//! Numbers are little-endian. All of it lies in checksummed blocks, so places are logical ones.

use std::path::Path;

use tidings_core::{Epoch, Kind, Sequence, Timestamp};
use tidings_topic::TOPIC_BYTES_MAX;

use super::bloom::Bloom;
use super::sealed::{Entry, Summary};
use super::{SegmentError, blocks};
use crate::numbers::{take, take_u64};

/// The version of the index. An index of another one is made again from its log.
const INDEX_VERSION: u32 = 2;
const MAGIC: &[u8; 8] = b"TIDINDEX";
/// Room for the header. Unit: bytes.
pub(super) const HEADER_BYTES: usize = 256;

/// Where the parts are, and what the whole segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub epoch: Epoch,
    /// That of the log file.
    pub salt: u32,
    /// The key of the hashes.
    pub hash_key: u64,
    pub summary: Summary,
    /// The length of all names together.
    pub names_bytes: u64,
}

/// Rows of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Where the first begins.
    pub at: u64,
    pub row_bytes: u32,
    pub rows: u32,
}

impl Table {
    fn end(&self) -> u64 {
        self.row(self.rows)
    }

    /// Where a row begins.
    pub(super) fn row(&self, number: u32) -> u64 {
        self.at + u64::from(self.row_bytes) * u64::from(number)
    }

    /// So many of them are read at once in a search.
    pub(super) fn rows_per_read(&self) -> u32 {
        u32::try_from(blocks::BLOCK_BYTES).expect("4096") / self.row_bytes
    }
}

impl Header {
    pub(super) fn entries(&self) -> Table {
        Table { at: HEADER_BYTES as u64, row_bytes: ENTRY_BYTES, rows: self.summary.records }
    }

    pub(super) fn directory(&self) -> Table {
        Table { at: self.entries().end(), row_bytes: TOPIC_BYTES, rows: self.summary.topics }
    }

    /// Where the names begin.
    pub(super) fn names_at(&self) -> u64 {
        self.directory().end()
    }

    pub(super) fn postings(&self) -> Table {
        Table { at: self.names_at() + self.names_bytes, row_bytes: 4, rows: self.summary.postings }
    }

    pub(super) fn ids(&self) -> Table {
        Table { at: self.postings().end(), row_bytes: ID_BYTES, rows: self.summary.ids }
    }

    /// Where the filter is, and how long.
    pub(super) fn filter(&self) -> (u64, usize) {
        (self.ids().end(), Bloom::bytes_for(self.summary.ids))
    }

    /// How long the file is. Unit: bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        let (at, len) = self.filter();
        blocks::file_bytes(at + len as u64)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Summary { begins_at, first, last, ends_at, first_at, last_at, .. } = self.summary;
        let Summary { records, events, cost_bytes, log_bytes, topics, postings, ids, .. } = self.summary;
        let Summary { has_keys, has_own_form_ids, .. } = self.summary;
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&INDEX_VERSION.to_le_bytes());
        out.extend_from_slice(self.epoch.as_str().as_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        for number in
            [self.hash_key, begins_at.0, first.0, last.0, ends_at.0, first_at.as_millis(), last_at.as_millis()]
        {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [cost_bytes, log_bytes, self.names_bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [records, events, topics, postings, ids, u32::from(has_keys), u32::from(has_own_form_ids)] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.resize(HEADER_BYTES, 0);
        out
    }

    /// # Errors
    /// [`SegmentError::BadIndex`].
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Self, SegmentError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| SegmentError::bad_index(path, "it is no index"))?;
        let rest = rest
            .strip_prefix(&INDEX_VERSION.to_le_bytes())
            .ok_or_else(|| SegmentError::bad_index(path, "it is of another version"))?;
        Self::decode_fields(rest).ok_or_else(|| SegmentError::bad_index(path, "its header makes no sense"))
    }

    fn decode_fields(mut rest: &[u8]) -> Option<Self> {
        let rest = &mut rest;
        let epoch = Epoch::parse(std::str::from_utf8(take(rest, 12)?).ok()?)?;
        let salt = take_u32(rest)?;
        let hash_key = take_u64(rest)?;
        let (begins_at, first) = (Sequence(take_u64(rest)?), Sequence(take_u64(rest)?));
        let (last, ends_at) = (Sequence(take_u64(rest)?), Sequence(take_u64(rest)?));
        let first_at = Timestamp::from_millis(take_u64(rest)?);
        let last_at = Timestamp::from_millis(take_u64(rest)?);
        let (cost_bytes, log_bytes, names_bytes) = (take_u64(rest)?, take_u64(rest)?, take_u64(rest)?);
        let (records, events) = (take_u32(rest)?, take_u32(rest)?);
        let (topics, postings, ids) = (take_u32(rest)?, take_u32(rest)?, take_u32(rest)?);
        let (has_keys, has_own_form_ids) = (take_u32(rest)? != 0, take_u32(rest)? != 0);
        let summary = Summary {
            begins_at,
            first,
            last,
            ends_at,
            first_at,
            last_at,
            records,
            events,
            cost_bytes,
            log_bytes,
            topics,
            postings,
            ids,
            has_keys,
            has_own_form_ids,
        };
        let is_possible = events <= records
            && records <= postings
            && topics <= postings
            && ids <= records
            && (begins_at <= first && first <= last && last.0 - first.0 <= NARROW_MAX || records == 0)
            && last <= ends_at
            && first_at <= last_at
            && names_bytes <= u64::from(topics) * TOPIC_BYTES_MAX as u64
            && u32::try_from(log_bytes).is_ok();
        is_possible.then_some(Self { epoch, salt, hash_key, summary, names_bytes })
    }
}

/// sequence, less the first u48 | committed at, less the first u48 | expires at u64 | cost u32 | topic and flags u32 |
/// offset u32
pub(super) const ENTRY_BYTES: u32 = 32;

const NARROW_MAX: u64 = (1 << 48) - 1;
const TOPIC_BITS: u32 = 28; // a frame takes 28 bytes at least, so a log of four GiB has no more of them
const EXPIRES: u32 = 1 << 28;
const PRIVATE: u32 = 1 << 29;
const KIND_SHIFT: u32 = 30;

impl Entry {
    /// Does it fit into a row of the segment that begins with `first`?
    pub(super) fn fits(&self, first: &Self) -> bool {
        let is_narrow = |value: u64, base: u64| value.checked_sub(base).is_some_and(|rest| rest <= NARROW_MAX);
        is_narrow(self.sequence.0, first.sequence.0)
            && is_narrow(self.committed_at.as_millis(), first.committed_at.as_millis())
            && self.topic < 1 << TOPIC_BITS
    }

    /// Adds its row to `out`. It fits.
    pub(super) fn encode(&self, summary: &Summary, out: &mut Vec<u8>) {
        let narrow = |value: u64, base: u64| (value - base).to_le_bytes();
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = kind_bits(self.kind, self.has_alternates) << KIND_SHIFT
            | flag(self.expires_at.is_some(), EXPIRES)
            | flag(self.private, PRIVATE);
        out.extend_from_slice(&narrow(self.sequence.0, summary.first.0)[..6]);
        out.extend_from_slice(&narrow(self.committed_at.as_millis(), summary.first_at.as_millis())[..6]);
        out.extend_from_slice(&self.expires_at.unwrap_or_default().as_millis().to_le_bytes());
        for number in [self.cost_bytes, self.topic | flags, self.offset] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// The entry that a row is; `None` when it is none of this segment's.
    pub(super) fn decode(mut row: &[u8], summary: &Summary) -> Option<Self> {
        let row = &mut row;
        let sequence = Sequence(summary.first.0.checked_add(take_u48(row)?)?);
        let committed_at = Timestamp::from_millis(summary.first_at.as_millis().checked_add(take_u48(row)?)?);
        let expires_at = Timestamp::from_millis(take_u64(row)?);
        let (cost_bytes, topic_and_flags, offset) = (take_u32(row)?, take_u32(row)?, take_u32(row)?);
        let topic = topic_and_flags & ((1 << TOPIC_BITS) - 1);
        let (kind, has_alternates) = kind_of(topic_and_flags >> KIND_SHIFT)?;
        let private = topic_and_flags & PRIVATE != 0;
        let expires_at = (topic_and_flags & EXPIRES != 0).then_some(expires_at);
        let is_possible = sequence <= summary.last && topic < summary.topics && u64::from(offset) < summary.log_bytes;
        is_possible.then_some(Self {
            sequence,
            committed_at,
            expires_at,
            cost_bytes,
            topic,
            kind,
            has_alternates,
            private,
            offset,
        })
    }
}

/// Of a row, the sequence alone: less the first of the segment.
pub(super) fn entry_sequence(row: &[u8]) -> u64 {
    first_number(row, 6)
}

/// Of a row, the time alone: less the first of the segment.
pub(super) fn entry_time(row: &[u8]) -> u64 {
    first_number(row.get(6..).unwrap_or_default(), 6)
}

/// hash u64 | name at u32 | name bytes u32 | postings from u32 | records u32 | events u32 | cost u64
pub(super) const TOPIC_BYTES: u32 = 36;

/// A row of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TopicRow {
    pub hash: u64,
    /// Where its name begins among the names.
    pub name_at: u32,
    pub name_bytes: u32,
    pub postings_from: u32,
    pub records: u32,
    pub events: u32,
    pub cost_bytes: u64,
}

impl TopicRow {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_le_bytes());
        for number in [self.name_at, self.name_bytes, self.postings_from, self.records, self.events] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.cost_bytes.to_le_bytes());
    }

    /// The row; `None` when it is none of this segment's.
    pub(super) fn decode(mut row: &[u8], header: &Header) -> Option<Self> {
        let row = &mut row;
        let hash = take_u64(row)?;
        let (name_at, name_bytes) = (take_u32(row)?, take_u32(row)?);
        let (postings_from, records, events) = (take_u32(row)?, take_u32(row)?, take_u32(row)?);
        let cost_bytes = take_u64(row)?;
        let is_possible = u64::from(name_at) + u64::from(name_bytes) <= header.names_bytes
            && postings_from.checked_add(records).is_some_and(|end| end <= header.summary.postings)
            && events <= records;
        is_possible.then_some(Self { hash, name_at, name_bytes, postings_from, records, events, cost_bytes })
    }
}

/// hash u64 | index u32
pub(super) const ID_BYTES: u32 = 12;

/// Of a row that begins with a hash, the hash alone.
pub(super) fn row_hash(row: &[u8]) -> u64 {
    first_number(row, 8)
}

/// The number in the first bytes of a row, eight at most.
pub(super) fn first_number(row: &[u8], bytes: usize) -> u64 {
    row.iter().take(bytes).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

pub(super) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes were taken")))
}

fn take_u48(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 6).map(|bytes| first_number(bytes, 6))
}

fn kind_bits(kind: Kind, has_alternates: bool) -> u32 {
    match kind {
        Kind::Event if has_alternates => 3,
        Kind::Event => 0,
        Kind::End => 1,
        Kind::Deleted => 2,
    }
}

/// The kind, and whether there are alternate topics.
fn kind_of(bits: u32) -> Option<(Kind, bool)> {
    match bits {
        0 => Some((Kind::Event, false)),
        1 => Some((Kind::End, false)),
        2 => Some((Kind::Deleted, false)),
        3 => Some((Kind::Event, true)),
        _ => None,
    }
}
