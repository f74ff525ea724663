//! Which events are gone: for each topic its last trimmed place, and the place where it was deleted.
//!
//! So the position of a quiet topic stays good while a busy one is trimmed beside it.

use tidings_topic::{SelectorSet, Topic};

use super::places::Places;
use crate::position::Sequence;
use crate::record::{Kind, Record};
use crate::time::Timestamp;

/// What was trimmed last. The default is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its place.
    pub sequence: Sequence,
    /// When it was committed.
    pub at: Timestamp,
}

/// The marks of all topics. Beyond their number the oldest becomes a floor for all topics, which can only make a
/// verdict more careful.
#[derive(Debug)]
pub struct Marks {
    trimmed: Places<Timestamp>,
    trimmed_floor: Mark,
    deleted: Places<()>,
    deleted_floor: Sequence,
}

impl Marks {
    /// None yet; at most `marks_max` of each kind.
    pub fn new(marks_max: usize) -> Self {
        Self {
            trimmed: Places::new(marks_max),
            trimmed_floor: Mark::default(),
            deleted: Places::new(marks_max),
            deleted_floor: Sequence::ZERO,
        }
    }

    /// Remembers that `record` was trimmed at `now`.
    ///
    /// An event past its own age leaves no mark: nobody would have been replayed it. Neither does an end, which is
    /// kept beyond the window for as long as its topic counts as ended; nor a deletion, which has its own mark.
    pub fn record_trimmed(&mut self, record: &Record, now: Timestamp) {
        if record.kind == Kind::Event && !record.is_expired(now) {
            let mark = Mark { sequence: record.sequence, at: record.committed_at };
            record.topics().for_each(|topic| self.event_trimmed(topic, mark));
        }
    }

    /// Remembers a trimmed event of `topic`. (Those that are found under several topics are not trimmed in the order of
    /// each.)
    pub fn event_trimmed(&mut self, topic: &Topic, mark: Mark) {
        if let Some((_, sequence, at)) = self.trimmed.advance(topic, mark.sequence, mark.at) {
            self.trimmed_floor = self.trimmed_floor.max(Mark { sequence, at });
        }
    }

    /// Up to `mark` events of any topic may be gone.
    pub fn raise_floor(&mut self, mark: Mark) {
        self.trimmed_floor = self.trimmed_floor.max(mark);
    }

    /// Up to `place` any topic may have been deleted.
    pub fn raise_deleted_floor(&mut self, place: Sequence) {
        self.deleted_floor = self.deleted_floor.max(place);
    }

    /// The mark of each topic, in the order of their places.
    pub fn of_topics(&self) -> impl Iterator<Item = (&Topic, Mark)> {
        self.trimmed.iter().map(|(topic, sequence, &at)| (topic, Mark { sequence, at }))
    }

    /// Where topics were deleted, in order.
    pub fn deletions(&self) -> impl Iterator<Item = (&Topic, Sequence)> {
        self.deleted.iter().map(|(topic, sequence, ())| (topic, sequence))
    }

    /// The mark that holds for every topic, and the place up to which any may have been deleted.
    pub fn floors(&self) -> (Mark, Sequence) {
        (self.trimmed_floor, self.deleted_floor)
    }

    /// Remembers that `topic` was deleted at `place`; or that an event at `place`, of which it was an alternate topic, went
    /// with its own.
    pub fn topic_deleted(&mut self, topic: &Topic, place: Sequence) {
        if let Some((_, sequence, ())) = self.deleted.advance(topic, place, ()) {
            self.deleted_floor = self.deleted_floor.max(sequence);
        }
    }

    /// The last of these topics that was trimmed.
    pub fn trimmed(&self, selectors: &SelectorSet) -> Mark {
        let own = self.trimmed.latest(selectors).map(|&(sequence, at)| Mark { sequence, at });
        own.unwrap_or_default().max(self.trimmed_floor)
    }

    /// Whoever was before this place may have missed something of these topics.
    pub fn gone_through(&self, selectors: &SelectorSet) -> Sequence {
        let deleted = self.deleted.latest(selectors).map_or(Sequence::ZERO, |&(sequence, ())| sequence);
        deleted.max(self.deleted_floor).max(self.trimmed(selectors).sequence)
    }

    /// How many topics have a mark.
    pub fn count(&self) -> usize {
        self.trimmed.count() + self.deleted.count()
    }
}
