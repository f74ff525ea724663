//! An event in history: its place, whom it concerns, and its bytes as they go out. It is encoded here, once.

use std::iter;

use tidings_topic::{SelectorSet, Topic};
use tidings_wire::{Chunk, EventFields, EventId, EventType, encode_event, encoded_len};

use crate::position::{Epoch, Position, Sequence};
use crate::publication::Publication;
use crate::time::Timestamp;

/// What a record costs in memory beside its encoded bytes: itself, its entries in the indices. Unit: bytes.
pub const RECORD_OVERHEAD_BYTES: usize = 320;

/// A name of at most so many bytes costs nothing beside that.
const SHORT_NAME_BYTES: usize = 64;

/// What each alternate topic of a record costs in memory beside its name: the name's place, and its own entries in the
/// indices. Unit: bytes.
pub const ALTERNATE_OVERHEAD_BYTES: usize = 160;

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

/// Whose id a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdFrom {
    /// The hub's own, which says the record's place.
    Hub,
    /// Its publisher's. No earlier event that was retained then had it.
    Publisher,
    /// Its publisher's, who takes any: an earlier event may have it too, and it may look like one of the hub's own.
    AnyPublisher,
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
    /// Whose id that is.
    pub id_from: IdFrom,
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
        let Publication { topic, alternates, data, event_type, id, takes_any_id, retry_ms, ttl, private, .. } =
            publication;
        let id_from = match &id {
            None => IdFrom::Hub,
            Some(_) if takes_any_id => IdFrom::AnyPublisher,
            Some(_) => IdFrom::Publisher,
        };
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
            id_from,
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
            id_from: IdFrom::Hub,
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
            id_from: IdFrom::Hub,
            topic,
            alternates: Box::default(),
            event_type: None,
            private: false,
            chunk: Chunk::build(0, |_| {}),
        }
    }

    /// The same record for a reader who is told what comes next: before the event stands `event: tidings.next` without an
    /// id, with the position and those of its topics that the reader selected, each a line of data. A stream that is cut
    /// between the two goes on before the event.
    pub fn announced(&self, epoch: Epoch, selectors: &SelectorSet) -> Self {
        let mut data = Position { epoch, sequence: self.sequence }.to_event_id().as_str().to_owned();
        for topic in self.topics().filter(|topic| selectors.matches(topic.as_str())) {
            data.push('\n'); // no topic has one in it
            data.push_str(topic.as_str());
        }
        let event_type = EventType::parse("tidings.next").expect("a plain word");
        let fields = EventFields { event_type: Some(&event_type), retry_ms: None, id: None, data: &data };
        let next = Chunk::build(encoded_len(&fields), |out| encode_event(&fields, out));
        Self {
            id: self.id.clone(),
            topic: self.topic.clone(),
            alternates: self.alternates.clone(),
            event_type: self.event_type.clone(),
            chunk: Chunk::join([&next, &self.chunk]),
            ..*self
        }
    }

    /// All topics under which it is found, the canonical one first.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        iter::once(&self.topic).chain(&self.alternates)
    }

    /// Is it found under another topic than its canonical one?
    pub fn has_alternates(&self) -> bool {
        !self.alternates.is_empty()
    }

    /// What its alternate topics cost in memory. Unit: bytes.
    pub fn alternates_bytes(&self) -> usize {
        self.alternates.iter().map(|topic| ALTERNATE_OVERHEAD_BYTES + topic.as_str().len()).sum()
    }

    /// What its names cost in memory beyond what [`RECORD_OVERHEAD_BYTES`] has for them: topic and id have two places each,
    /// the record and an index. Unit: bytes.
    pub fn long_names_bytes(&self) -> usize {
        let beyond = |name: &str| name.len().saturating_sub(SHORT_NAME_BYTES);
        2 * (beyond(self.topic.as_str()) + beyond(self.id.as_str()))
            + self.event_type.as_ref().map_or(0, |event_type| beyond(event_type.as_str()))
    }

    /// Is it past its own age at `now`?
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
