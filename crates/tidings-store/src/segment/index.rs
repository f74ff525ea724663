//! Makes the index of a segment: takes its records one by one, sorts what is to be found, writes the file.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tidings_core::hash::StableHash;
use tidings_core::{Position, Timestamp};
use tidings_topic::Topic;

use super::blocks::BlockWriter;
use super::bloom::Bloom;
use super::layout::{Header, TopicRow};
use super::sealed::{Entry, Summary};
use super::{SegmentError, names};
use crate::frame::Frame;
use crate::header::SegmentHeader;

/// An index in the making. Cost: about 60 bytes for each record, and the names of the topics.
#[derive(Debug)]
pub(super) struct IndexBuilder {
    head: SegmentHeader,
    hash_key: u64,
    /// With the numbers of topics in the order in which they came.
    entries: Vec<Entry>,
    topics: HashMap<Topic, u32>,
    totals: Vec<Totals>,
    /// Hash and index.
    ids: Vec<(u64, u32)>,
    /// Topic and index, of the records that have alternate topics.
    alternates: Vec<(u32, u32)>,
    has_keys: bool,
    has_own_form_ids: bool,
}

/// What is counted of a topic.
#[derive(Debug)]
struct Totals {
    hash: u64,
    topic: Topic,
    /// Those that are found under it; events and cost are those of which it is the canonical topic.
    records: u32,
    events: u32,
    cost_bytes: u64,
}

/// What the index keeps of a record that the frame does not say by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub expires_at: Option<Timestamp>,
    pub cost_bytes: u32,
    pub offset: u64,
}

/// A record that has no place in an index.
#[derive(Debug)]
pub(super) struct Misfit;

impl IndexBuilder {
    /// An index without records of the log with this head.
    pub(super) fn new(head: SegmentHeader) -> Self {
        Self::with_key(head, fastrand::u64(..))
    }

    /// The same, with a key for the hashes: the same records then give the same bytes.
    pub(super) fn with_key(head: SegmentHeader, hash_key: u64) -> Self {
        Self {
            head,
            hash_key,
            entries: Vec::new(),
            topics: HashMap::new(),
            totals: Vec::new(),
            ids: Vec::new(),
            alternates: Vec::new(),
            has_keys: false,
            has_own_form_ids: false,
        }
    }

    /// How many records it has.
    pub(super) fn records(&self) -> usize {
        self.entries.len()
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// [`Misfit`] when it is not after the one before it, thousands of years later, or beyond the first 4 GiB.
    pub(super) fn add(&mut self, frame: &Frame, facts: Facts) -> Result<(), Misfit> {
        let Facts { expires_at, cost_bytes, offset } = facts;
        let index = u32::try_from(self.entries.len()).map_err(|_| Misfit)?;
        let offset = u32::try_from(offset).map_err(|_| Misfit)?;
        let topic = self.topics.get(&frame.topic).copied().unwrap_or(self.topics.len().try_into().map_err(|_| Misfit)?);
        let Frame { sequence, committed_at, kind, private, .. } = *frame;
        let has_alternates = !frame.alternates.is_empty();
        let entry =
            Entry { sequence, committed_at, expires_at, cost_bytes, topic, kind, has_alternates, private, offset };
        let is_next = self
            .entries
            .last()
            .is_none_or(|last| last.sequence < sequence && last.committed_at <= committed_at && last.offset < offset);
        if !is_next || sequence < self.head.first || !entry.fits(self.entries.first().unwrap_or(&entry)) {
            return Err(Misfit);
        }
        self.count(&entry, &frame.topic);
        for topic in &frame.alternates {
            let number = self.number(topic);
            self.totals[number as usize].records += 1;
            self.alternates.push((number, index));
        }
        if let Some(id) = &frame.id {
            self.ids.push((StableHash::new(self.hash_key).of(id.as_str().as_bytes()), index));
        }
        self.has_keys |= frame.key.is_some();
        self.has_own_form_ids |= frame.id.as_ref().is_some_and(|id| Position::parse(id.as_str()).is_some());
        self.entries.push(entry);
        Ok(())
    }

    fn count(&mut self, entry: &Entry, topic: &Topic) {
        let number = self.number(topic);
        let totals = &mut self.totals[number as usize];
        totals.records += 1;
        totals.events += u32::from(entry.is_event());
        totals.cost_bytes += u64::from(entry.cost_bytes);
    }

    /// The number of a topic, which is known from now on.
    fn number(&mut self, topic: &Topic) -> u32 {
        if let Some(number) = self.topics.get(topic) {
            return *number;
        }
        let number = u32::try_from(self.totals.len()).expect("a log of 4 GiB does not have so many names");
        let hash = StableHash::new(self.hash_key).of(topic.as_str().as_bytes());
        self.totals.push(Totals { hash, topic: topic.clone(), records: 0, events: 0, cost_bytes: 0 });
        self.topics.insert(topic.clone(), number);
        number
    }

    /// Writes the index of `log`, which has `log_bytes`, beside it; it comes to its place by [`names::settle`].
    ///
    /// # Errors
    /// [`SegmentError::Io`].
    pub(super) fn write(self, log: &Path, log_bytes: u64) -> Result<(), SegmentError> {
        let path = names::index_path(log);
        names::prepare(&path, |file| {
            self.write_to(BufWriter::new(file), log_bytes).map_err(SegmentError::io(&names::temporary(&path)))
        })
    }

    /// Writes the index of a log of `log_bytes` to `out`, block by block.
    pub(super) fn write_to(mut self, out: impl Write, log_bytes: u64) -> io::Result<()> {
        self.topics = HashMap::new(); // what it takes is needed for sorting
        let summary = self.summary(log_bytes);
        let names_bytes = self.totals.iter().map(|totals| totals.topic.as_str().len() as u64).sum();
        let header =
            Header { epoch: self.head.epoch, salt: self.head.salt, hash_key: self.hash_key, summary, names_bytes };

        let numbers = self.number_topics();
        self.entries.iter_mut().for_each(|entry| entry.topic = numbers[entry.topic as usize]);
        self.alternates.iter_mut().for_each(|(topic, _)| *topic = numbers[*topic as usize]);
        self.ids.sort_unstable();
        self.write_parts(&header, out)
    }

    fn summary(&self, log_bytes: u64) -> Summary {
        let (first, last) = (self.entries.first(), self.entries.last());
        let count = |len: usize| u32::try_from(len).expect("`add` lets no more in");
        Summary {
            begins_at: self.head.first,
            first: first.map_or(self.head.first, |entry| entry.sequence),
            last: last.map_or(self.head.first.previous(), |entry| entry.sequence),
            ends_at: self.head.ends_at.max(last.map(|entry| entry.sequence)).unwrap_or(self.head.first.previous()),
            first_at: first.map(|entry| entry.committed_at).unwrap_or_default(),
            last_at: last.map(|entry| entry.committed_at).unwrap_or_default(),
            records: count(self.entries.len()),
            events: self.totals.iter().map(|totals| totals.events).sum(),
            cost_bytes: self.totals.iter().map(|totals| totals.cost_bytes).sum(),
            log_bytes,
            topics: count(self.totals.len()),
            postings: count(self.entries.len() + self.alternates.len()),
            ids: count(self.ids.len()),
            has_keys: self.has_keys,
            has_own_form_ids: self.has_own_form_ids,
        }
    }

    /// Brings the topics into the order of the directory; answers the new number for each old one.
    fn number_topics(&mut self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..).take(self.totals.len()).collect();
        order.sort_unstable_by_key(|&old| {
            let Totals { hash, topic, .. } = &self.totals[old as usize];
            (*hash, topic.clone())
        });
        let mut numbers = vec![0; order.len()];
        (0..).zip(&order).for_each(|(new, &old)| numbers[old as usize] = new);
        self.totals.sort_unstable_by(|one, other| (one.hash, &one.topic).cmp(&(other.hash, &other.topic)));
        numbers
    }

    fn write_parts(&self, header: &Header, out: impl Write) -> io::Result<()> {
        let mut out = BlockWriter::new(out);
        out.write(&header.encode())?;
        let mut row = Vec::new();
        for entry in &self.entries {
            row.clear();
            entry.encode(&header.summary, &mut row);
            out.write(&row)?;
        }
        let (mut name_at, mut postings_from) = (0, 0);
        for totals in &self.totals {
            let Totals { hash, records, events, cost_bytes, .. } = *totals;
            let name_bytes = u32::try_from(totals.topic.as_str().len()).expect("4 KiB at most");
            row.clear();
            TopicRow { hash, name_at, name_bytes, postings_from, records, events, cost_bytes }.encode(&mut row);
            out.write(&row)?;
            name_at += name_bytes;
            postings_from += records;
        }
        for totals in &self.totals {
            out.write(totals.topic.as_str().as_bytes())?;
        }
        for index in self.postings() {
            out.write(&index.to_le_bytes())?;
        }
        for (hash, index) in &self.ids {
            out.write(&hash.to_le_bytes())?;
            out.write(&index.to_le_bytes())?;
        }
        out.write(Bloom::build(self.ids.iter().map(|(hash, _)| *hash)).as_bytes())?;
        out.finish()?.flush()
    }

    /// The indices of the records of each topic, in the order of the topics' numbers.
    fn postings(&self) -> Vec<u32> {
        let mut next = Vec::with_capacity(self.totals.len());
        let mut from = 0;
        for totals in &self.totals {
            next.push(from);
            from += totals.records as usize;
        }
        let mut postings = vec![0; self.entries.len() + self.alternates.len()];
        let mut put = |topic: u32, index: u32| {
            let place = &mut next[topic as usize];
            postings[*place] = index;
            *place += 1;
        };
        // Both lists are in the order of the records, so each topic's indices ascend.
        let mut alternates = self.alternates.iter().peekable();
        for (index, entry) in (0..).zip(&self.entries) {
            put(entry.topic, index);
            while let Some((topic, _)) = alternates.next_if(|(_, of)| *of == index) {
                put(*topic, index);
            }
        }
        postings
    }
}
