//! The history as a plain list: slow, and so plain that it is right. `model` compares every engine with it.

use std::sync::Arc;

use tidings_topic::{SelectorSet, Topic};

use crate::engine::AppendError;
use crate::grants::Grants;
use crate::limits::HistoryLimits;
use crate::position::{Epoch, Position, Sequence};
use crate::publication::Publication;
use crate::record::{IdFrom, Kind, Record};
use crate::resume::{ResetReason, ResumeFrom};
use crate::time::Timestamp;

/// The history as a plain list: `entries[n]` is the record with sequence `n + 1`.
pub(super) struct Naive {
    history: HistoryLimits,
    entries: Vec<Entry>,
    deletions: Vec<(Topic, Sequence)>,
}

struct Entry {
    record: Arc<Record>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Retained,
    Trimmed { leaves_mark: bool, by_hub: bool },
    Deleted,
}

impl Naive {
    pub(super) fn new(history: HistoryLimits) -> Self {
        Self { history, entries: Vec::new(), deletions: Vec::new() }
    }

    pub(super) fn push(&mut self, record: Arc<Record>) {
        self.entries.push(Entry { record, state: State::Retained });
    }

    pub(super) fn events(&self) -> u64 {
        self.events_from(0)
    }

    pub(super) fn tail(&self) -> Sequence {
        Sequence(self.entries.len() as u64)
    }

    pub(super) fn is_end(&self, place: u64) -> bool {
        self.entries.iter().any(|entry| entry.record.sequence.0 == place && entry.record.kind == Kind::End)
    }

    pub(super) fn oldest_at(&self) -> Option<Timestamp> {
        self.retained().find(|record| record.kind == Kind::Event).map(|record| record.committed_at)
    }

    fn events_from(&self, index: usize) -> u64 {
        let is_event = |entry: &&Entry| entry.state == State::Retained && entry.record.kind == Kind::Event;
        self.entries[index..].iter().filter(is_event).count() as u64
    }

    /// First by the tables, then by the bounds of the hub.
    pub(super) fn trim(&mut self, now: Timestamp) {
        let trimmed_now = |record: &Record, by_hub| State::Trimmed {
            leaves_mark: record.kind == Kind::Event && !record.is_expired(now),
            by_hub,
        };
        for index in 0..self.entries.len() {
            if self.is_beyond_table(index, now) {
                self.entries[index].state = trimmed_now(&self.entries[index].record, false);
            }
        }
        for index in 0..self.entries.len() {
            let is_too_old = |age_max| self.entries[index].record.committed_at.saturating_add(age_max) <= now;
            let is_over = self.history.age_max.is_some_and(is_too_old)
                || self.history.events_max.is_some_and(|events_max| self.events_from(index) > events_max);
            let Entry { record, state } = &mut self.entries[index];
            if is_over && *state == State::Retained && record.kind != Kind::End {
                *state = trimmed_now(record, true);
            }
        }
    }

    /// Is it an event of which there is, from it on, more than the table of its topic allows, or is it too old for that?
    /// (An end counts, and is kept.)
    fn is_beyond_table(&self, index: usize, now: Timestamp) -> bool {
        let Entry { record, state } = &self.entries[index];
        let mut tables = self.history.topic_bounds.iter();
        let Some(table) = tables.find(|table| table.topics.matches(record.topic.as_str())) else { return false };
        if *state != State::Retained || record.kind != Kind::Event {
            return false;
        }
        let is_kept = |entry: &&Entry| {
            entry.state == State::Retained && entry.record.kind != Kind::Deleted && entry.record.topic == record.topic
        };
        let from_here = || self.entries[index..].iter().filter(is_kept).map(|entry| &entry.record);
        let events = from_here().filter(|record| record.kind == Kind::Event).count() as u64;
        let bytes: usize = from_here().map(|record| self.history.cost_bytes(record)).sum();
        table.events_max.is_some_and(|events_max| events > events_max)
            || table.bytes_max.is_some_and(|bytes_max| bytes > bytes_max)
            || table.age_max.is_some_and(|age_max| record.committed_at.saturating_add(age_max) <= now)
    }

    pub(super) fn refusal(&self, publication: &Publication) -> Option<AppendError> {
        let id = publication.id.clone().filter(|_| !publication.takes_any_id);
        if let Some(id) = id.clone().filter(|id| Position::parse(id.as_str()).is_some()) {
            return Some(AppendError::IdReserved { id });
        }
        let mut topics = publication.topics();
        if let Some(topic) = topics.find(|topic| self.ended_through(&SelectorSet::one((*topic).clone())).is_some()) {
            return Some(AppendError::TopicEnded { topic: topic.clone() });
        }
        let id = id?;
        self.place_of_id(id.as_str()).map(|_| AppendError::IdTaken { id })
    }

    /// Where the earliest event stands that has this id from its publisher.
    fn place_of_id(&self, raw: &str) -> Option<Sequence> {
        let has_it = |record: &&Record| record.id_from != IdFrom::Hub && record.id.as_str() == raw;
        self.retained().find(has_it).map(|record| record.sequence)
    }

    pub(super) fn delete(&mut self, topic: &Topic, place: Sequence) -> bool {
        let of_topic = |entry: &&mut Entry| entry.record.topic == *topic && entry.record.kind != Kind::Deleted;
        let retained = self.entries.iter_mut().filter(of_topic).filter(|entry| entry.state == State::Retained);
        let mut count = 0;
        for entry in retained {
            entry.state = State::Deleted;
            count += 1;
            let alternates = entry.record.alternates.iter().cloned();
            self.deletions.extend(alternates.map(|topic| (topic, entry.record.sequence)));
        }
        if count > 0 {
            self.deletions.push((topic.clone(), place));
        }
        count > 0
    }

    /// What readers can be given: events within the bounds, and ends for ever.
    fn retained(&self) -> impl DoubleEndedIterator<Item = &Record> {
        let retained = self.entries.iter().filter(|entry| entry.state == State::Retained).map(|entry| &*entry.record);
        retained.filter(|record| record.kind != Kind::Deleted)
    }

    fn of(&self, selectors: &SelectorSet) -> impl DoubleEndedIterator<Item = &Record> {
        self.retained().filter(move |record| record.topics().any(|topic| selectors.matches(topic.as_str())))
    }

    fn events_for(
        &self,
        selectors: &SelectorSet,
        grants: &Grants,
        now: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &Record> {
        let events = self.of(selectors).filter(move |record| record.kind == Kind::Event && !record.is_expired(now));
        events.filter(move |record| grants.may_read(record))
    }

    pub(super) fn replay(&self, selectors: &SelectorSet, after: Sequence, now: Timestamp) -> Vec<u64> {
        let records = self.of(selectors).filter(|record| record.sequence > after && !record.is_expired(now));
        records.map(|record| record.sequence.0).collect()
    }

    pub(super) fn told(
        &self,
        selectors: &SelectorSet,
        grants: &Grants,
        now: Timestamp,
    ) -> (Option<Sequence>, Option<Sequence>) {
        let mut events = self.events_for(selectors, grants, now).map(|record| record.sequence);
        let oldest = events.next();
        (oldest, events.next_back().or(oldest))
    }

    /// The last place of these topics that the hub's bounds trimmed, those of the topics apart.
    pub(super) fn mark_of_hub(&self, is_selected: impl Fn(&str) -> bool) -> Option<Sequence> {
        let is_mark = |entry: &&Entry| entry.state == State::Trimmed { leaves_mark: true, by_hub: true };
        let is_selected = |entry: &&Entry| entry.record.topics().any(|topic| is_selected(topic.as_str()));
        let mut marks = self.entries.iter().filter(is_mark).filter(is_selected);
        marks.next_back().map(|entry| entry.record.sequence)
    }

    pub(super) fn mark(&self, is_selected: impl Fn(&str) -> bool) -> Option<(Sequence, Timestamp)> {
        let is_mark = |entry: &&Entry| matches!(entry.state, State::Trimmed { leaves_mark: true, .. });
        let is_selected = |entry: &&Entry| entry.record.topics().any(|topic| is_selected(topic.as_str()));
        let mut marks = self.entries.iter().filter(is_mark).filter(is_selected);
        marks.next_back().map(|entry| (entry.record.sequence, entry.record.committed_at))
    }

    pub(super) fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        let end_of = |topic: &Topic| {
            let mut ends = self.retained().filter(|record| record.kind == Kind::End && record.topic == *topic);
            ends.next_back().map(|record| record.sequence)
        };
        selectors.exact_topics()?.map(end_of).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// A place from which on the reader misses nothing and gets nothing twice, or the verdict.
    pub(super) fn resolve(
        &self,
        selectors: &SelectorSet,
        from: &ResumeFrom,
        grants: &Grants,
        now: Timestamp,
        epoch: Epoch,
    ) -> Result<Sequence, ResetReason> {
        let end = self.ended_through(selectors);
        let before_end = |place: Sequence| end.map_or(place, |end| place.min(end.previous()));
        match from {
            ResumeFrom::Live if end.is_none() => Ok(self.tail()),
            ResumeFrom::Live | ResumeFrom::Earliest => Ok(Sequence::ZERO),
            ResumeFrom::Since { at, .. } => self.since(selectors, *at).map(before_end),
            ResumeFrom::Last(0) => Ok(before_end(self.tail())),
            ResumeFrom::Last(count) => {
                let nth = usize::try_from(*count).expect("it is small") - 1;
                let first = self.events_for(selectors, grants, now).nth_back(nth);
                Ok(before_end(first.map_or(Sequence::ZERO, |record| record.sequence.previous())))
            }
            ResumeFrom::EventId(raw) => {
                let place = match (self.place_of_id(raw), Position::parse(raw)) {
                    (Some(place), _) => place,
                    (None, Some(position)) if position.epoch != epoch => return Err(ResetReason::Expired),
                    (None, Some(position)) if position.sequence > self.tail() => return Err(ResetReason::Unknown),
                    (None, Some(position)) => position.sequence,
                    (None, None) => match raw.parse().map(Timestamp::from_millis) {
                        Ok(at) if at < epoch.began_at() => return Err(ResetReason::Expired),
                        Ok(at) => return self.since(selectors, at),
                        Err(_) => return Err(ResetReason::Unknown),
                    },
                };
                let mut deletions = self.deletions.iter().filter(|(topic, _)| selectors.matches(topic.as_str()));
                let is_trimmed = self.mark(|topic| selectors.matches(topic)).is_some_and(|(mark, _)| mark > place);
                let is_gone = is_trimmed || deletions.any(|(_, deleted)| *deleted > place);
                if is_gone { Err(ResetReason::Expired) } else { Ok(place) }
            }
        }
    }

    fn since(&self, selectors: &SelectorSet, at: Timestamp) -> Result<Sequence, ResetReason> {
        if self.mark(|topic| selectors.matches(topic)).is_some_and(|(_, trimmed_at)| trimmed_at >= at) {
            return Err(ResetReason::Expired);
        }
        let before = self.entries.iter().take_while(|entry| entry.record.committed_at < at).count();
        Ok(Sequence(before as u64))
    }
}

/// The first eight look like nothing else; those after them like the hub's own for the first places.
pub(super) fn own_id_text(id: u64, epoch: Epoch) -> String {
    match id.checked_sub(PLAIN_IDS) {
        Some(place) => Position { epoch, sequence: Sequence(place) }.to_string(),
        None => format!("order-{id}"),
    }
}

const PLAIN_IDS: u64 = 8;
