//! The topics that were ended, each with its end, which outlives the window: who comes late still gets it.

use std::sync::Arc;

use tidings_topic::{SelectorSet, Topic};

use super::places::Places;
use crate::position::Sequence;
use crate::record::Record;

/// The ended topics, so many at most; the one that ended first is open again when another one needs its place.
#[derive(Debug)]
pub struct EndedTopics(Places<Arc<Record>>);

impl EndedTopics {
    /// None yet; at most `topics_max`.
    pub fn new(topics_max: usize) -> Self {
        Self(Places::new(topics_max))
    }

    /// Remembers the end of a topic. Returns the end that is forgotten for it.
    pub fn end(&mut self, end: &Arc<Record>) -> Option<Arc<Record>> {
        self.0.set(&end.topic, end.sequence, Arc::clone(end)).map(|(_, _, forgotten)| forgotten)
    }

    /// Has this topic ended?
    pub fn contains(&self, topic: &Topic) -> bool {
        self.0.get(topic).is_some()
    }

    /// The end that stands at `place`.
    pub fn at(&self, place: Sequence) -> Option<&Arc<Record>> {
        self.0.get_at(place)
    }

    /// Lets the topic be open again.
    pub fn reopen(&mut self, topic: &Topic) {
        self.0.remove(topic);
    }

    /// The ends, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.0.iter().map(|(_, _, end)| end)
    }

    /// The end of a topic.
    pub fn of(&self, topic: &Topic) -> Option<&Arc<Record>> {
        self.0.get(topic).map(|(_, end)| end)
    }

    /// The last of the ends of these topics, if all have ended. A pattern never has: there may be more topics to come.
    pub fn through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        let mut last = Sequence::ZERO;
        for topic in selectors.exact_topics()? {
            let (end, _) = self.0.get(topic)?;
            last = last.max(*end);
        }
        Some(last)
    }
}
