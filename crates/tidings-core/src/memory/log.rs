//! The history and its indices, which change together. What is asked of it stands in `read` and `resolve`.

use std::sync::Arc;

use tidings_topic::Topic;

use crate::engine::AppendError;
use crate::history::{BoundedTopics, CommitTimes, EndedTopics, Marks, PublisherIds, TopicIndex};
use crate::limits::HistoryLimits;
use crate::position::Sequence;
use crate::publication::Publication;
use crate::record::{Kind, Record};
use crate::time::Timestamp;
use crate::window::Window;

/// Everything that was committed and is still known.
#[derive(Debug)]
pub(super) struct Log {
    pub window: Window,
    /// What of the window is kept under a table.
    pub bounds: BoundedTopics,
    /// The places of every record that a reader can be given: those in the window, and the ends of ended topics.
    pub topics: TopicIndex,
    pub ids: PublisherIds,
    pub marks: Marks,
    pub ended: EndedTopics,
    pub times: CommitTimes,
    /// So many topics have places at most.
    topics_max: usize,
}

impl Log {
    pub(super) fn new(history: &HistoryLimits) -> Self {
        Self {
            window: Window::new(history.clone()),
            bounds: BoundedTopics::new(&history.topic_bounds),
            topics: TopicIndex::default(),
            ids: PublisherIds::default(),
            marks: Marks::new(history.marks_max),
            ended: EndedTopics::new(history.ended_topics_max),
            times: CommitTimes::default(),
            topics_max: history.topics_max,
        }
    }

    /// May this publication be stored?
    pub(super) fn admit(&self, publication: &Publication) -> Result<(), AppendError> {
        let new_topics = publication.topics().filter(|topic| !self.topics.has(topic)).count();
        if new_topics > 0 && self.topics.count() + new_topics > self.topics_max {
            return Err(AppendError::TopicsFull { topics_max: self.topics_max });
        }
        if let Some(ended) = publication.topics().find(|topic| self.ended.contains(topic)) {
            return Err(AppendError::TopicEnded { topic: ended.clone() });
        }
        match &publication.id {
            Some(id) if !publication.takes_any_id && self.ids.place(id.as_str()).is_some() => {
                Err(AppendError::IdTaken { id: id.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Adds the next record.
    pub(super) fn push(&mut self, record: Arc<Record>) {
        self.times.on_commit(record.committed_at);
        match record.kind {
            Kind::Event => {
                record.topics().for_each(|topic| self.topics.push(topic, record.sequence));
                self.ids.take(&record);
            }
            Kind::End => {
                self.topics.push(&record.topic, record.sequence);
                if let Some(forgotten) = self.ended.end(&record) {
                    self.forget_end(&forgotten);
                }
            }
            Kind::Deleted => {}
        }
        if !self.bounds.is_empty() {
            self.bounds.push(&record, self.window.cost_bytes(&record));
        }
        self.window.push(record);
    }

    /// Is there something to trim?
    pub(super) fn is_over_bounds(&self, now: Timestamp) -> bool {
        self.bounds.is_over_bounds(now) || self.window.is_over_bounds(now)
    }

    /// Trims what is beyond the bounds of history: first those of the topics, so that what goes by them is no reason to
    /// trim others.
    pub(super) fn trim(&mut self, now: Timestamp) {
        while let Some(trimmed) = self.bounds.trim_one(now) {
            if let Some(record) = self.window.trim(trimmed.place) {
                self.on_trimmed(&record, now);
            }
        }
        while let Some(record) = self.window.trim_one(now) {
            self.bounds.on_trimmed(&record.topic, record.sequence);
            self.on_trimmed(&record, now);
        }
    }

    fn on_trimmed(&mut self, record: &Record, now: Timestamp) {
        self.marks.record_trimmed(record, now);
        match record.kind {
            Kind::Event => {
                self.ids.free(record);
                record.topics().for_each(|topic| self.topics.pop(topic, record.sequence));
            }
            // The end of an ended topic can be read for as long as the topic counts as ended.
            Kind::End if self.ended.at(record.sequence).is_some() => {}
            Kind::End => self.topics.pop(&record.topic, record.sequence),
            Kind::Deleted => {}
        }
    }

    /// Drops all records whose canonical topic this is; the record of its deletion is to come at `place`. Answers whether there was anything.
    pub(super) fn delete(&mut self, topic: &Topic, place: Sequence) -> bool {
        let is_its_own = |place: &Sequence| self.record(*place).is_some_and(|record| record.topic == *topic);
        let places: Vec<Sequence> = self.topics.places(topic).filter(is_its_own).collect();
        if places.is_empty() {
            return false;
        }
        for place in places {
            self.topics.pop(topic, place);
            let Some(record) = self.window.bury(place) else { continue };
            self.ids.free(&record);
            for alternate in &record.alternates {
                self.topics.pop(alternate, place);
                self.marks.topic_deleted(alternate, place);
            }
        }
        self.bounds.on_deleted(topic);
        self.ended.reopen(topic);
        self.marks.topic_deleted(topic, place);
        true
    }

    /// The record at `place`, if a reader can be given it.
    pub(super) fn record(&self, place: Sequence) -> Option<&Arc<Record>> {
        self.window.retained(place).or_else(|| self.ended.at(place))
    }

    /// The topic is open again, for so many ended after it. Its end is then kept no longer than other records.
    fn forget_end(&mut self, end: &Record) {
        if self.window.retained(end.sequence).is_none() {
            self.topics.pop(&end.topic, end.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_topic::Selector;

    use super::*;
    use crate::limits::TopicBounds;
    use crate::position::{Epoch, Position};

    #[test]
    fn nothing_is_left_of_a_topic_that_has_nothing() {
        let bounds = TopicBounds {
            topics: Selector::parse("*").expect("a selector"),
            events_max: Some(5),
            bytes_max: None,
            age_max: None,
        };
        let mut log =
            Log::new(&HistoryLimits { events_max: Some(1), topic_bounds: vec![bounds], ..HistoryLimits::default() });
        let event = |place: u64, topic: &Topic| {
            let position = Position { epoch: Epoch::from_unix_micros(1), sequence: Sequence(place) };
            Arc::new(Record::event(position, Publication::new(topic.clone(), "data"), Timestamp::default()))
        };
        let [a, b] = ["a", "b"].map(|raw| Topic::parse(raw).expect("a topic"));
        for (place, topic) in [(1, &a), (2, &a), (3, &b)] {
            log.push(event(place, topic));
            log.trim(Timestamp::default());
        }
        assert_eq!((log.bounds.count(), log.topics.count()), (1, 1), "the hub has trimmed all of a");
        assert!(log.delete(&b, Sequence(4)));
        assert_eq!((log.bounds.count(), log.topics.count(), log.window.bytes()), (0, 0, 0));
    }
}
