//! The newest records, in memory: those of the file that is being written, and a window beyond.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;

use tidings_core::history::{PublisherIds, TopicIndex};
use tidings_core::record::RECORD_OVERHEAD_BYTES;
use tidings_core::{Behind, IdFrom, Kind, Record, Sequence, Timestamp};
use tidings_topic::Topic;

/// Records one after the other, without a gap, up to the tail.
#[derive(Debug)]
pub(crate) struct Recent {
    slots: VecDeque<Slot>,
    /// The place of the first record; where there is none, of the one to come.
    first: Sequence,
    /// What they take in memory.
    bytes: usize,
    /// The places of those that are retained.
    pub topics: TopicIndex,
    /// The publishers' ids of those that are retained.
    pub ids: PublisherIds,
}

#[derive(Debug)]
enum Slot {
    Kept(Arc<Record>),
    /// Its topic was deleted: nobody is given it. The time stays, so that all times are in order.
    Buried(Timestamp),
}

impl Recent {
    /// None yet; the next one follows `tail`.
    pub(crate) fn after(tail: Sequence) -> Self {
        let (topics, ids) = (TopicIndex::default(), PublisherIds::default());
        Self { slots: VecDeque::new(), first: tail.next(), bytes: 0, topics, ids }
    }

    /// What comes after this place is here.
    pub(crate) fn start(&self) -> Sequence {
        self.first.previous()
    }

    pub(crate) fn tail(&self) -> Sequence {
        Sequence(self.first.0 + self.slots.len() as u64).previous()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the next record, which is retained.
    pub(crate) fn push(&mut self, record: Arc<Record>) {
        debug_assert_eq!(record.sequence, self.tail().next(), "the commit thread gives out sequences one by one");
        if record.kind != Kind::Deleted {
            record.topics().for_each(|topic| self.topics.push(topic, record.sequence));
        }
        self.ids.take(&record);
        self.bytes += memory_bytes(&record);
        self.slots.push_back(Slot::Kept(record));
    }

    /// The record at `place` is no longer retained; it stays for those who are just being given it.
    pub(crate) fn retire(&mut self, place: Sequence) {
        let Some(record) = self.get(place).cloned() else { return };
        if record.kind != Kind::Deleted {
            record.topics().for_each(|topic| self.topics.pop(topic, place));
        }
        self.ids.free(&record);
    }

    /// Where the earliest of these records with this id of a publisher's stands, and whether an earlier one, that is on
    /// disk alone, may have it too.
    pub(crate) fn place_of_id(&self, raw: &str) -> Option<(Sequence, bool)> {
        let place = self.ids.place(raw)?;
        let may_be_earlier = self.get(place).is_none_or(|record| record.id_from == IdFrom::AnyPublisher);
        Some((place, may_be_earlier))
    }

    /// Gives up the first record: it is on disk, or no longer retained. `is_retained` tells which.
    pub(crate) fn pop(&mut self, is_retained: impl FnOnce(&Record) -> bool) {
        if self.get(self.first).is_some_and(|record| is_retained(record)) {
            self.retire(self.first);
        }
        if let Some(slot) = self.slots.pop_front() {
            self.bytes -= slot.record().map_or(0, |record| memory_bytes(record));
            self.first = self.first.next();
        }
    }

    pub(crate) fn get(&self, place: Sequence) -> Option<&Arc<Record>> {
        self.slot(place)?.record()
    }

    /// Was the topic of the record at `place` deleted?
    pub(crate) fn is_buried(&self, place: Sequence) -> bool {
        matches!(self.slot(place), Some(Slot::Buried(_)))
    }

    /// When the record at `place` was committed, whatever became of it.
    pub(crate) fn committed_at(&self, place: Sequence) -> Option<Timestamp> {
        self.slot(place).map(Slot::committed_at)
    }

    fn slot(&self, place: Sequence) -> Option<&Slot> {
        self.slots.get(usize::try_from(place.0.checked_sub(self.first.0)?).ok()?)
    }

    /// All that is here after `place`, each with its place; `None` where a topic was deleted.
    ///
    /// # Errors
    /// [`Behind`] when something after it is not here.
    pub(crate) fn after_place(
        &self,
        place: Sequence,
    ) -> Result<impl Iterator<Item = (Sequence, Option<&Arc<Record>>)>, Behind> {
        let first = place.next();
        let index = first.0.checked_sub(self.first.0).ok_or(Behind { window_start: self.start() })?;
        let index = usize::try_from(index).unwrap_or(usize::MAX).min(self.slots.len());
        let places = iter::successors(Some(first), |place| Some(place.next()));
        Ok(places.zip(self.slots.range(index..).map(Slot::record)))
    }

    /// The place before the first record that was committed at or after `at`.
    pub(crate) fn place_before(&self, at: Timestamp) -> Sequence {
        let index = self.slots.partition_point(|slot| slot.committed_at() < at);
        Sequence(self.first.0 + index as u64).previous()
    }

    /// All records.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Record>> {
        self.slots.iter().filter_map(Slot::record)
    }

    /// A topic was deleted: nobody is given what it had. Records of which it is an alternate topic are not its own.
    pub(crate) fn delete(&mut self, topic: &Topic) {
        let places: Vec<Sequence> = self.topics.places(topic).collect();
        for place in places {
            let Some(record) = self.get(place).filter(|record| record.topic == *topic).cloned() else { continue };
            record.topics().for_each(|topic| self.topics.pop(topic, place));
            self.ids.free(&record);
            self.bytes -= memory_bytes(&record);
            let index = usize::try_from(place.0 - self.first.0).expect("the record was found there");
            self.slots[index] = Slot::Buried(record.committed_at);
        }
    }
}

impl Slot {
    fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Kept(record) => Some(record),
            Self::Buried(_) => None,
        }
    }

    fn committed_at(&self) -> Timestamp {
        match self {
            Self::Kept(record) => record.committed_at,
            Self::Buried(at) => *at,
        }
    }
}

fn memory_bytes(record: &Record) -> usize {
    record.chunk.wire().len() + RECORD_OVERHEAD_BYTES + record.alternates_bytes() + record.long_names_bytes()
}
