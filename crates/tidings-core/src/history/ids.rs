//! The ids that publishers gave to retained events. The hub's own ids need no index: they say their place.

use std::collections::HashMap;

use tidings_wire::EventId;

use crate::position::Sequence;
use crate::record::Record;

/// Publisher's id → place.
#[derive(Debug, Default)]
pub struct PublisherIds(HashMap<EventId, Sequence>);

impl PublisherIds {
    /// Where the retained event with this id stands.
    pub fn place(&self, raw: &str) -> Option<Sequence> {
        self.0.get(raw).copied()
    }

    /// The id of `record` belongs to it from now on.
    pub fn take(&mut self, record: &Record) {
        self.0.insert(record.id.clone(), record.sequence);
    }

    /// Frees the id of a record that is no longer retained, if a publisher gave it.
    pub fn free(&mut self, record: &Record) {
        if self.place(record.id.as_str()) == Some(record.sequence) {
            self.0.remove(&record.id);
        }
    }
}
