//! The topics of a sealed segment: its directory, and the places of their records.

use std::ops::Range;

use tidings_topic::Topic;

use super::layout::{self, Table, TopicRow};
use super::{Sealed, SegmentError};

/// What the index says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicEntry {
    /// Its number in the directory.
    pub number: u32,
    pub topic: Topic,
    /// How many records are found under it, and so how many postings.
    pub records: u32,
    /// How many events there are of which it is the canonical topic.
    pub events: u32,
    /// What the records count for together of which it is the canonical topic.
    pub cost_bytes: u64,
    /// Its first posting among all.
    postings_from: u32,
}

/// So much of the directory is read at once when all of it is.
const TOPICS_PER_READ: u32 = 4096;

impl Sealed {
    /// A topic, if it has records here. Cost: two or three reads.
    pub(crate) fn topic(&self, topic: &Topic) -> Result<Option<TopicEntry>, SegmentError> {
        let (table, hash) = (self.header.directory(), self.hash(topic.as_str()));
        let mut number = self.search(table, 0..u64::MAX, hash, layout::row_hash)?;
        while number < table.rows {
            let row = self.topic_row(&self.rows(table, number..number + 1)?, number)?;
            if row.hash != hash {
                break;
            }
            // Two topics with one hash are next to impossible: the loop goes round once.
            let name = self.names(u64::from(row.name_at), u64::from(row.name_at) + u64::from(row.name_bytes))?;
            if name == topic.as_str().as_bytes() {
                return Ok(Some(entry(number, topic.clone(), row)));
            }
            number += 1;
        }
        Ok(None)
    }

    /// The topic with this number.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`], also when there is none.
    pub(crate) fn topic_numbered(&self, number: u32) -> Result<TopicEntry, SegmentError> {
        let table = self.header.directory();
        let row = self.topic_row(&self.rows(table, number..number.saturating_add(1))?, number)?;
        let name = self.names(u64::from(row.name_at), u64::from(row.name_at) + u64::from(row.name_bytes))?;
        let topic = text(&name).and_then(|name| Topic::parse(name).ok());
        Ok(entry(number, topic.ok_or_else(|| self.nonsense(table, number))?, row))
    }

    /// All topics whose name is `wanted`, in the order of their numbers. Cost: the whole directory is read.
    pub(crate) fn topics_where(&self, mut wanted: impl FnMut(&str) -> bool) -> Result<Vec<TopicEntry>, SegmentError> {
        let table = self.header.directory();
        let mut found = Vec::new();
        let mut from = 0;
        while from < table.rows {
            let end = from.saturating_add(TOPICS_PER_READ).min(table.rows);
            let bytes = self.rows(table, from..end)?;
            let rows = (from..).zip(bytes.chunks_exact(table.row_bytes as usize));
            let rows: Vec<TopicRow> =
                rows.map(|(number, row)| self.topic_row(row, number)).collect::<Result<_, _>>()?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { break };
            let names_at = u64::from(first.name_at);
            let names = self.names(names_at, u64::from(last.name_at) + u64::from(last.name_bytes))?;
            for (number, row) in (from..).zip(rows) {
                let name = (u64::from(row.name_at).checked_sub(names_at))
                    .and_then(|at| usize::try_from(at).ok())
                    .and_then(|at| text(names.get(at..at.checked_add(row.name_bytes as usize)?)?))
                    .ok_or_else(|| self.nonsense(table, number))?;
                if wanted(name) {
                    let topic = Topic::parse(name).map_err(|_| self.nonsense(table, number))?;
                    found.push(entry(number, topic, row));
                }
            }
            from = end;
        }
        Ok(found)
    }

    /// All topics, in the order of their numbers.
    pub(crate) fn directory(&self) -> Result<Vec<TopicEntry>, SegmentError> {
        self.topics_where(|_| true)
    }

    /// The indices of a topic's records, ascending: those from one posting to another, of those that there are.
    pub(crate) fn postings(&self, topic: &TopicEntry, range: Range<u32>) -> Result<Vec<u32>, SegmentError> {
        let table = self.postings_of(topic);
        let bytes = self.rows(table, range.clone())?;
        let indices = bytes.chunks_exact(4).map(posting);
        (range.start..)
            .zip(indices)
            .map(|(at, index)| if index < self.summary().records { Ok(index) } else { Err(self.nonsense(table, at)) })
            .collect()
    }

    /// The first posting of a topic whose record has `index` or a greater one; the number of its records when there is
    /// none.
    pub(crate) fn posting_from(&self, topic: &TopicEntry, index: u32) -> Result<u32, SegmentError> {
        let keys = 0..u64::from(self.summary().records);
        self.search(self.postings_of(topic), keys, u64::from(index), |row| u64::from(posting(row)))
    }

    fn postings_of(&self, topic: &TopicEntry) -> Table {
        let all = self.header.postings();
        Table { at: all.row(topic.postings_from), rows: topic.records, ..all }
    }

    fn topic_row(&self, row: &[u8], number: u32) -> Result<TopicRow, SegmentError> {
        TopicRow::decode(row, &self.header).ok_or_else(|| self.nonsense(self.header.directory(), number))
    }

    /// The names from one place to another.
    fn names(&self, from: u64, end: u64) -> Result<Vec<u8>, SegmentError> {
        // Not longer than all names, for each row was checked to end within them.
        let len = usize::try_from(end.saturating_sub(from)).expect("all names together fit into memory");
        self.index.read_at(self.header.names_at() + from, len)
    }
}

fn entry(number: u32, topic: Topic, row: TopicRow) -> TopicEntry {
    let TopicRow { postings_from, records, events, cost_bytes, .. } = row;
    TopicEntry { number, topic, records, events, cost_bytes, postings_from }
}

fn posting(row: &[u8]) -> u32 {
    u32::try_from(layout::first_number(row, 4)).expect("four bytes")
}

fn text(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(name).ok()
}
