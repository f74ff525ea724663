//! The history and its indices, which change together. What is asked of it stands in `read` and `resolve`.

use std::sync::Arc;

use tidings_topic::Topic;

use crate::engine::AppendError;
use crate::history::{CommitTimes, EndedTopics, Marks, PublisherIds, TopicIndex};
use crate::limits::HistoryLimits;
use crate::position::{Position, Sequence};
use crate::publication::Publication;
use crate::record::{Kind, Record};
use crate::time::Timestamp;
use crate::window::Window;

/// Everything that was committed and is still known.
#[derive(Debug)]
pub(super) struct Log {
    pub window: Window,
    /// The places of every record that a reader can be given: those in the window, and the ends of ended topics.
    pub topics: TopicIndex,
    pub ids: PublisherIds,
    pub marks: Marks,
    pub ended: EndedTopics,
    pub times: CommitTimes,
}

impl Log {
    pub(super) fn new(history: &HistoryLimits) -> Self {
        Self {
            window: Window::new(history.clone()),
            topics: TopicIndex::default(),
            ids: PublisherIds::default(),
            marks: Marks::new(history.marks_max),
            ended: EndedTopics::new(history.ended_topics_max),
            times: CommitTimes::default(),
        }
    }

    /// May this publication be stored?
    pub(super) fn admit(&self, publication: &Publication) -> Result<(), AppendError> {
        if self.ended.contains(&publication.topic) {
            return Err(AppendError::TopicEnded { topic: publication.topic.clone() });
        }
        match &publication.id {
            Some(id) if self.ids.place(id.as_str()).is_some() => Err(AppendError::IdTaken { id: id.clone() }),
            _ => Ok(()),
        }
    }

    /// Adds the next record.
    pub(super) fn push(&mut self, record: Arc<Record>) {
        self.times.on_commit(record.committed_at);
        match record.kind {
            Kind::Event => {
                self.topics.push(&record.topic, record.sequence);
                if Position::parse(record.id.as_str()).is_none() {
                    self.ids.take(&record);
                }
            }
            Kind::End => {
                self.topics.push(&record.topic, record.sequence);
                if let Some(forgotten) = self.ended.end(&record) {
                    self.forget_end(&forgotten);
                }
            }
            Kind::Deleted => {}
        }
        self.window.push(record);
    }

    /// Trims what is beyond the bounds of history.
    pub(super) fn trim(&mut self, now: Timestamp) {
        while let Some(record) = self.window.trim_one(now) {
            self.marks.record_trimmed(&record, now);
            match record.kind {
                Kind::Event => {
                    self.ids.free(&record);
                    self.topics.pop(&record.topic, record.sequence);
                }
                // The end of an ended topic can be read for as long as the topic counts as ended.
                Kind::End if self.ended.at(record.sequence).is_some() => {}
                Kind::End => self.topics.pop(&record.topic, record.sequence),
                Kind::Deleted => {}
            }
        }
    }

    /// Drops all of a topic; the record of its deletion is to come at `place`. Answers whether there was anything.
    pub(super) fn delete(&mut self, topic: &Topic, place: Sequence) -> bool {
        let Some(places) = self.topics.remove(topic) else { return false };
        for place in places {
            if let Some(record) = self.window.bury(place) {
                self.ids.free(&record);
            }
        }
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
        if end.sequence <= self.window.retained_after() {
            self.topics.pop(&end.topic, end.sequence);
        }
    }
}
