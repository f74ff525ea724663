//! What is known of the history in memory, and how it changes: a commit, a deletion, a trim.
//!
//! Changes nothing on disk and reads nothing from it; see `commit`, `shared` and `keeper`.

use std::sync::Arc;

use tidings_core::history::{self, BoundedTopics, CommitTimes, EndedTopics, IdempotencyKeys, Mark, Marks, Places};
use tidings_core::{AppendError, EngineError, HistoryLimits, Kind, Publication, Record, Sequence, Timestamp};
use tidings_topic::{SelectorSet, Topic};

use crate::front::{Front, FrontEntry};
use crate::holes::Holes;
use crate::recent::Recent;
use crate::segment::{Entry, Sealed, Summary};
use crate::segments::Segments;

/// The history but for the records that are on disk alone.
#[derive(Debug)]
pub(crate) struct State {
    pub history: HistoryLimits,
    pub recent: Recent,
    pub segments: Segments,
    pub marks: Marks,
    pub ended: EndedTopics,
    pub keys: IdempotencyKeys,
    pub times: CommitTimes,
    pub bounded: BoundedTopics,
    /// For each topic that was deleted, or of which its own bounds trimmed something: nothing of it up to this place is
    /// replayed. Only what is after `retained_after`.
    pub dropped: Places<()>,
    /// The last damaged event of each topic, as far as it was found in this run.
    pub damaged: Places<()>,
    pub holes: Holes,
    /// What comes after this place may be replayed, unless its topic was dropped there.
    pub retained_after: Sequence,
    /// Events that are retained.
    pub events: u64,
    /// What the retained records count for.
    pub bytes: u64,
    /// The records to be trimmed next, if they are on disk alone.
    pub front: Front,
    /// What is beyond the bounds of its topic and is trimmed as soon as its other topics are known, which are on disk alone.
    pub pending: Option<history::Trimmed>,
    /// What is not after this place is damaged or lies before damage: it is to be trimmed whatever the bounds say.
    pub damaged_through: Sequence,
}

/// What a round of trimming came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trimmed {
    /// The bounds are kept.
    Enough,
    /// There is more to trim: others have their turn first.
    More,
    /// The next records are on disk: `Front` must be filled.
    NeedsFront,
    /// The record at this place is on disk, and its other topics must be known: see [`State::trim_pending`].
    NeedsAlternates(Sequence),
}

/// So many records are trimmed while the state is locked.
const TRIMMED_AT_ONCE_MAX: usize = 512;

/// What is dropped of a topic. Counts only what was retained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub events: u64,
    pub bytes: u64,
}

/// What is to be dropped of a topic.
#[derive(Debug)]
pub(crate) struct Weighed {
    /// What it counts for, segment by segment, each with a place in it.
    pub parts: Vec<(Sequence, Weight)>,
    /// The other topics under which it is found, each with the last place there.
    pub alternates: Places<()>,
    /// Up to here it may be found under any topic: too many to know, or damaged.
    pub unknown_through: Sequence,
}

impl Weighed {
    /// Nothing yet; of other topics at most so many are known.
    pub(crate) fn new(topics_max: usize) -> Self {
        Self { parts: Vec::new(), alternates: Places::new(topics_max), unknown_through: Sequence::ZERO }
    }

    /// The record at `place` is found under `alternates` too.
    pub(crate) fn add_alternates(&mut self, alternates: &[Topic], place: Sequence) {
        for topic in alternates {
            if let Some((_, forgotten, ())) = self.alternates.advance(topic, place, ()) {
                self.unknown_through = self.unknown_through.max(forgotten);
            }
        }
    }

    fn has_alternates(&self) -> bool {
        self.alternates.count() > 0 || self.unknown_through > Sequence::ZERO
    }
}

impl State {
    /// A history that has nothing after `tail` yet.
    pub(crate) fn new(history: &HistoryLimits, tail: Sequence) -> Self {
        Self {
            history: history.clone(),
            recent: Recent::after(tail),
            segments: Segments::default(),
            marks: Marks::new(history.marks_max),
            ended: EndedTopics::new(history.ended_topics_max),
            keys: IdempotencyKeys::new(history),
            times: CommitTimes::default(),
            bounded: BoundedTopics::new(&history.topic_bounds),
            dropped: Places::new(usize::MAX), // bounded by `check_room_for_deletion`, and by the topics under a table
            damaged: Places::new(history.marks_max),
            holes: Holes::default(),
            retained_after: tail,
            events: 0,
            bytes: 0,
            front: Front::default(),
            pending: None,
            damaged_through: Sequence::ZERO,
        }
    }

    pub(crate) fn tail(&self) -> Sequence {
        self.recent.tail()
    }

    /// Is the record at `place` retained, if it is there?
    pub(crate) fn is_retained(&self, topic: &Topic, place: Sequence) -> bool {
        place > self.retained_after && !self.is_dropped(topic, place)
    }

    /// Does the record at `place` count against the bounds, if it is there? The record of a deletion does, like any other.
    pub(crate) fn counts(&self, topic: &Topic, place: Sequence, kind: Kind) -> bool {
        place > self.retained_after && (kind == Kind::Deleted || !self.is_dropped(topic, place))
    }

    pub(crate) fn is_dropped(&self, topic: &Topic, place: Sequence) -> bool {
        self.dropped.get(topic).is_some_and(|(through, ())| place <= *through)
    }

    /// May a publication on these topics be stored, as far as memory tells?
    pub(crate) fn admit(&self, publication: &Publication) -> Result<(), AppendError> {
        if let Some(ended) = publication.topics().find(|topic| self.ended.contains(topic)) {
            return Err(AppendError::TopicEnded { topic: ended.clone() });
        }
        match &publication.id {
            Some(id) if !publication.takes_any_id && self.recent.ids.place(id.as_str()).is_some() => {
                Err(AppendError::IdTaken { id: id.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Adds the next record. The effects of a deletion come before, by [`State::delete`].
    pub(crate) fn push(&mut self, record: Arc<Record>) {
        self.account(&record);
        let cost = self.history.cost_bytes(&record);
        self.bounded.push(&record, cost);
        self.recent.push(record);
    }

    /// What a record changes beside the records and their indices.
    pub(crate) fn account(&mut self, record: &Arc<Record>) {
        self.times.on_commit(record.committed_at);
        self.bytes += self.history.cost_bytes(record) as u64;
        self.events += u64::from(record.kind == Kind::Event);
        if record.kind == Kind::End {
            self.ended.end(record);
        }
    }

    /// Drops all records whose canonical topic this is; the record of its deletion is to come at `place`.
    pub(crate) fn delete(&mut self, topic: &Topic, place: Sequence, weighed: &Weighed) {
        for (at, weight) in &weighed.parts {
            self.drop_weight(*at, *weight);
        }
        for (alternate, last, ()) in weighed.alternates.iter() {
            self.marks.topic_deleted(alternate, last);
        }
        self.marks.raise_deleted_floor(weighed.unknown_through);
        self.dropped.set(topic, place, ());
        self.recent.delete(topic);
        self.bounded.on_deleted(topic);
        self.ended.reopen(topic);
        self.marks.topic_deleted(topic, place);
    }

    /// Is there something to trim at `now`?
    pub(crate) fn is_over_bounds(&self, now: Timestamp) -> bool {
        self.pending.is_some() || self.bounded.is_over_bounds(now) || self.front_is_over_bounds(now)
    }

    fn front_is_over_bounds(&self, now: Timestamp) -> bool {
        if self.retained_after >= self.tail() {
            return false;
        }
        self.retained_after < self.damaged_through
            || self.bytes > self.history.bytes_max as u64
            || self.history.events_max.is_some_and(|events_max| self.events > events_max)
            || self.history.age_max.is_some_and(|age_max| {
                // Where the first is not known, whoever trims will see.
                self.front_time().is_none_or(|at| at.saturating_add(age_max) <= now)
            })
    }

    /// Trims what is beyond the bounds of history, a little at a time.
    pub(crate) fn trim(&mut self, now: Timestamp) -> Trimmed {
        for _ in 0..TRIMMED_AT_ONCE_MAX {
            if let Some(pending) = &self.pending {
                return Trimmed::NeedsAlternates(pending.place);
            }
            if let Some(trimmed) = self.bounded.trim_one(now) {
                let in_memory = self.recent.get(trimmed.place).map(|record| record.alternates.clone());
                match in_memory.or_else(|| (!trimmed.has_alternates).then(Box::default)) {
                    Some(alternates) => self.trim_bounded(&trimmed, Some(&alternates), now),
                    None => self.pending = Some(trimmed),
                }
                continue;
            }
            if !self.front_is_over_bounds(now) {
                return Trimmed::Enough;
            }
            if self.trim_first(now, |_, _| true) == Trimmed::NeedsFront {
                return Trimmed::NeedsFront;
            }
        }
        Trimmed::More
    }

    /// Trims what waited for its other topics; `None`: they cannot be known.
    pub(crate) fn trim_pending(&mut self, alternates: Option<&[Topic]>, now: Timestamp) {
        let Some(trimmed) = self.pending.take() else { return };
        // Its topic may have been deleted meanwhile.
        if self.is_retained(&trimmed.topic, trimmed.place) {
            self.trim_bounded(&trimmed, alternates, now);
        }
    }

    fn trim_bounded(&mut self, trimmed: &history::Trimmed, alternates: Option<&[Topic]>, now: Timestamp) {
        let events = u64::from(trimmed.kind == Kind::Event);
        let weight = Weight { events, bytes: trimmed.cost_bytes as u64 };
        self.drop_weight(trimmed.place, weight);
        self.dropped.set(&trimmed.topic, trimmed.place, ());
        let is_past_its_age = trimmed.expires_at.is_some_and(|at| at <= now);
        self.recent.retire(trimmed.place);
        if trimmed.kind == Kind::Event && !is_past_its_age {
            let mark = Mark { sequence: trimmed.place, at: trimmed.committed_at };
            self.mark_trimmed(&trimmed.topic, alternates, mark);
        }
    }

    /// An event was trimmed that is found under these topics; `None`: under more that cannot be known.
    fn mark_trimmed(&mut self, topic: &Topic, alternates: Option<&[Topic]>, mark: Mark) {
        self.marks.event_trimmed(topic, mark);
        match alternates {
            Some(alternates) => alternates.iter().for_each(|topic| self.marks.event_trimmed(topic, mark)),
            None => self.marks.raise_floor(mark),
        }
    }

    /// Trims the first records for as long as they are no retained events, whatever the bounds say: ends are kept beside
    /// the history, and the rest is nothing to anybody.
    pub(crate) fn pass_dead_front(&mut self, now: Timestamp) -> Trimmed {
        while self.retained_after < self.tail() {
            match self.trim_first(now, |state, entry| {
                entry.kind != Kind::Event || state.is_dropped(&entry.topic, entry.sequence)
            }) {
                Trimmed::More => {}
                found => return found,
            }
        }
        Trimmed::Enough
    }

    /// Trims the first record after `retained_after`, if `is_due` says so of it.
    fn trim_first(&mut self, now: Timestamp, is_due: impl FnOnce(&Self, &FrontEntry) -> bool) -> Trimmed {
        let first = self.retained_after.next();
        if self.recent.is_buried(first) {
            self.retained_after = first; // it was dropped with its topic
            self.dropped.forget_through(first);
            return Trimmed::More;
        }
        let in_memory = self.recent.get(first).map(|record| FrontEntry::of(record, &self.history));
        let Some(entry) = in_memory.or_else(|| self.front.peek_after(self.retained_after).cloned()) else {
            if self.segments.sealed().iter().any(|sealed| sealed.summary().last > self.retained_after) {
                return Trimmed::NeedsFront;
            }
            self.retained_after = self.recent.start(); // a hole: there is nothing up to where memory begins
            return Trimmed::More;
        };
        if !is_due(self, &entry) {
            return Trimmed::Enough;
        }
        self.trim_front(&entry, now);
        self.front.forget_through(entry.sequence);
        Trimmed::More
    }

    fn trim_front(&mut self, entry: &FrontEntry, now: Timestamp) {
        let FrontEntry { topic, sequence, kind, cost_bytes, .. } = entry;
        if self.counts(topic, *sequence, *kind) {
            self.bytes = self.bytes.saturating_sub(*cost_bytes);
        }
        if !self.is_dropped(topic, *sequence) {
            self.events -= u64::from(*kind == Kind::Event).min(self.events);
            self.bounded.on_trimmed(topic, *sequence);
            if *kind == Kind::Event && entry.expires_at.is_none_or(|at| at > now) {
                let mark = Mark { sequence: *sequence, at: entry.committed_at };
                self.mark_trimmed(topic, entry.alternates.as_deref(), mark);
            }
            self.recent.retire(*sequence);
        }
        self.retained_after = *sequence;
        self.dropped.forget_through(*sequence);
        if self.damaged_through == *sequence {
            self.marks.raise_floor(Mark { sequence: *sequence, at: entry.committed_at });
        }
    }

    /// Something up to `place` is lost, and of which topics nobody knows: the history begins after it, and whoever was before
    /// it is told.
    pub(crate) fn begin_after_damage(&mut self, place: Sequence) {
        self.damaged_through = self.damaged_through.max(place);
        self.retained_after = self.retained_after.max(place);
        self.dropped.forget_through(self.retained_after);
        self.bounded = BoundedTopics::new(&self.history.topic_bounds);
        self.marks.raise_floor(Mark { sequence: place, at: self.times.latest() });
    }

    /// A segment cannot be read at all: the history begins after it.
    pub(crate) fn skip_through(&mut self, lost: &Summary) {
        self.retained_after = self.retained_after.max(lost.last);
        self.damaged_through = self.damaged_through.max(lost.last);
        self.marks.raise_floor(Mark { sequence: lost.last, at: lost.last_at });
        self.dropped.forget_through(lost.last);
        // What was before it cannot be told from what is after it any more: as good as can be known.
        let rest = self.segments.sealed().iter().filter(|sealed| sealed.summary().begins_at > lost.last);
        let (events, bytes) = rest.fold((0, 0), |(events, bytes), sealed| {
            (events + u64::from(sealed.summary().events), bytes + sealed.summary().cost_bytes)
        });
        let sealed_through = self.segments.sealed_through();
        let open = self.recent.iter().filter(|record| record.sequence > sealed_through);
        let open = open.fold((0, 0), |(events, bytes), record| {
            (events + u64::from(record.kind == Kind::Event), bytes + self.history.cost_bytes(record) as u64)
        });
        (self.events, self.bytes) = (events + open.0, bytes + open.1);
    }

    /// An event on disk is damaged: nothing of its topic up to it, which was weighed, is replayed. Where some of that is found
    /// under other topics too, nothing at all up to it is: a reader of those must not miss it without a word.
    pub(crate) fn drop_damaged(&mut self, topic: &Topic, damaged: &Entry, weighed: &Weighed) {
        let (place, at) = (damaged.sequence, damaged.committed_at);
        if !self.is_retained(topic, place) {
            return;
        }
        if damaged.has_alternates || weighed.has_alternates() {
            self.damaged_through = self.damaged_through.max(place);
            self.marks.raise_floor(Mark { sequence: place, at });
            return;
        }
        for (at, weight) in &weighed.parts {
            self.drop_weight(*at, *weight);
        }
        self.bounded.on_trimmed(topic, place);
        if let Some((_, folded, ())) = self.damaged.set(topic, place, ()) {
            self.damaged_through = self.damaged_through.max(folded);
        }
        self.dropped.set(topic, place, ());
        self.marks.event_trimmed(topic, Mark { sequence: place, at });
    }

    fn drop_weight(&mut self, at: Sequence, weight: Weight) {
        self.events -= weight.events.min(self.events);
        self.bytes = self.bytes.saturating_sub(weight.bytes);
        self.segments.add_dead(at, weight.bytes);
    }

    /// When the first retained record was committed, if that is known without a disk.
    pub(crate) fn front_time(&self) -> Option<Timestamp> {
        match self.recent.committed_at(self.retained_after.next()) {
            Some(at) => Some(at),
            None => self.front.peek_after(self.retained_after).map(|entry| entry.committed_at),
        }
    }

    /// Gives up records of memory that are sealed, beyond `bytes_max`.
    pub(crate) fn shrink_recent(&mut self, bytes_max: usize) {
        let sealed_through = self.segments.sealed_through();
        while self.recent.bytes() > bytes_max && self.recent.start() < sealed_through {
            let (floor, dropped) = (self.retained_after, &self.dropped);
            self.recent.pop(|record| {
                let through = dropped.get(&record.topic).map_or(floor, |(through, ())| floor.max(*through));
                record.sequence > through
            });
        }
    }

    /// The place from which on these topics are replayed from their beginning.
    pub(crate) fn earliest(&self, selectors: &SelectorSet) -> Sequence {
        let first_end = self.old_ends(selectors, Sequence::ZERO).first().map(|end| end.sequence.previous());
        let first = first_end.map_or(self.retained_after, |end| end.min(self.retained_after));
        first.max(self.trimmed_by_hub(selectors))
    }

    /// Nothing of these topics that the hub's bounds trimmed, or that is damaged, is after this place.
    pub(crate) fn trimmed_by_hub(&self, selectors: &SelectorSet) -> Sequence {
        let damaged = self.damaged.latest(selectors).map_or(Sequence::ZERO, |(place, ())| *place);
        self.marks.trimmed(selectors).sequence.min(self.retained_after).max(damaged)
    }

    /// Is something gone that a reader of these topics, who stands after `after`, should still be given? What the bounds of a
    /// single topic trimmed is left out: whoever resumed was told, and the rest of its topics is all there.
    pub(crate) fn has_gap_after(&self, after: Sequence, selectors: &SelectorSet) -> bool {
        let is_behind = after < self.retained_after || self.damaged.count() > 0;
        is_behind && after < self.trimmed_by_hub(selectors)
    }

    /// The ends of these topics that outlive the history, after a place, in order.
    pub(crate) fn old_ends(&self, selectors: &SelectorSet, after: Sequence) -> Vec<Arc<Record>> {
        let Some(topics) = selectors.exact_topics() else { return Vec::new() };
        let ends = topics.filter_map(|topic| self.ended.of(topic));
        let mut ends: Vec<_> =
            ends.filter(|end| end.sequence > after && !self.is_retained(&end.topic, end.sequence)).cloned().collect();
        ends.sort_by_key(|end| end.sequence);
        ends
    }

    /// The sealed segments, for whoever reads them without the lock.
    pub(crate) fn sealed(&self) -> Arc<[Arc<Sealed>]> {
        self.segments.sealed_shared()
    }

    /// Can one more deletion be remembered?
    pub(crate) fn check_room_for_deletion(&self) -> Result<(), EngineError> {
        let deletions_max = self.history.marks_max;
        if self.dropped.count() < deletions_max || !self.bounded.is_empty() {
            return Ok(());
        }
        let cause =
            format!("{deletions_max} deleted topics are remembered until their events are trimmed, which is the limit");
        Err(EngineError::NoRoom { cause: cause.into() })
    }
}
