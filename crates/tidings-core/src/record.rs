//! An event in history: its place, whom it concerns, and its bytes as they go out. It is encoded here, once.

use std::iter;

use tidings_topic::Topic;
use tidings_wire::{Chunk, EventFields, EventId, EventType, encode_event, encoded_len};

use crate::position::{Position, Sequence};
use crate::publication::Publication;
use crate::time::Timestamp;

/// What a record costs in memory beside its encoded bytes: itself, its entries in the indices. Unit: bytes.
pub const RECORD_OVERHEAD_BYTES: usize = 320;

/// What a record is for its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event.
    Event,
    /// The end of its topic: `tidings.end`, and no more after it.
    End,
    /// The topic was deleted at this place. Nobody gets it; groups learn that the topic is open again.
    Deleted,
}

/// One committed event.
#[derive(Debug)]
pub struct Record {
    /// Its place in the epoch of the engine.
    pub sequence: Sequence,
    /// When it was committed; never earlier than that of the record before it.
    pub committed_at: Timestamp,
    /// From when on it is not replayed, if its publisher said so.
    pub expires_at: Option<Timestamp>,
    /// What it is.
    pub kind: Kind,
    /// The id as it goes out: the publisher's, else the position.
    pub id: EventId,
    /// Where it was published: its canonical topic.
    pub topic: Topic,
    /// The other topics under which it is found too.
    pub alternates: Box<[Topic]>,
    /// Its type; `None` is `message`.
    pub event_type: Option<EventType>,
    /// Only readers with a grant for it get it.
    pub private: bool,
    /// Its encoded bytes, with chunk framing.
    pub chunk: Chunk,
}

impl Record {
    /// The record that `publication` becomes at `position`.
    pub fn event(position: Position, publication: Publication, now: Timestamp) -> Self {
        let Publication { topic, alternates, data, event_type, id, retry_ms, ttl, private, .. } = publication;
        let id = id.unwrap_or_else(|| position.to_event_id());
        let fields = EventFields { event_type: event_type.as_ref(), retry_ms, id: Some(&id), data: &data };
        let chunk = Chunk::build(encoded_len(&fields), |out| encode_event(&fields, out));
        let expires_at = ttl.map(|ttl| now.saturating_add(ttl));
        Self {
            sequence: position.sequence,
            committed_at: now,
            expires_at,
            kind: Kind::Event,
            id,
            topic,
            alternates,
            event_type,
            private,
            chunk,
        }
    }

    /// The record that ends `topic` at `position`.
    pub fn end(position: Position, topic: Topic, now: Timestamp) -> Self {
        let event_type = EventType::parse("tidings.end").expect("a plain word");
        let id = position.to_event_id();
        let fields = EventFields { event_type: Some(&event_type), retry_ms: None, id: Some(&id), data: "" };
        let chunk = Chunk::build(encoded_len(&fields), |out| encode_event(&fields, out));
        Self {
            sequence: position.sequence,
            committed_at: now,
            expires_at: None,
            kind: Kind::End,
            id,
            topic,
            alternates: Box::default(),
            event_type: Some(event_type),
            private: false,
            chunk,
        }
    }

    /// The record that marks the deletion of `topic` at `position`.
    pub fn deleted(position: Position, topic: Topic, now: Timestamp) -> Self {
        Self {
            sequence: position.sequence,
            committed_at: now,
            expires_at: None,
            kind: Kind::Deleted,
            id: position.to_event_id(),
            topic,
            alternates: Box::default(),
            event_type: None,
            private: false,
            chunk: Chunk::build(0, |_| {}),
        }
    }

    /// All topics under which it is found, the canonical one first.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        iter::once(&self.topic).chain(&self.alternates)
    }

    /// Is it past its own age at `now`?
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
