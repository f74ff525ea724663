//! The topics of a segment by their numbers, each read once.

use std::collections::{HashMap, hash_map};

use tidings_topic::Topic;

use super::{Sealed, SegmentError};

/// The names of a segment's topics, as far as they were asked for.
pub(crate) struct TopicNames<'a> {
    segment: &'a Sealed,
    names: HashMap<u32, Topic>,
}

/// So many names are kept at once. Cost: up to 4 KiB each, mostly some 30 bytes.
const NAMES_MAX: usize = 1024;

impl<'a> TopicNames<'a> {
    /// None yet.
    pub(crate) fn of(segment: &'a Sealed) -> Self {
        Self { segment, names: HashMap::new() }
    }

    /// The topic with this number.
    pub(crate) fn name(&mut self, number: u32) -> Result<&Topic, SegmentError> {
        if self.names.len() >= NAMES_MAX && !self.names.contains_key(&number) {
            self.names.clear();
        }
        match self.names.entry(number) {
            hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            hash_map::Entry::Vacant(unknown) => Ok(unknown.insert(self.segment.topic_numbered(number)?.topic)),
        }
    }
}
