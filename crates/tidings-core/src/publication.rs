//! What a publisher asks for, parsed once at the door and trusted from there on.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};

/// One event as its publisher gave it. Only an engine turns it into a [`crate::Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Where it is published: its canonical topic.
    pub topic: Topic,
    /// The other topics under which it is found too. Mercure alone has them; mostly there are none.
    pub alternates: Box<[Topic]>,
    /// The data: any text, of any number of lines.
    pub data: String,
    /// The event's type; `None` is `message`.
    pub event_type: Option<EventType>,
    /// The publisher's own id; `None` has the engine make one.
    pub id: Option<EventId>,
    /// Its id may be one that a retained event has, or of the form of the hub's own: Mercure takes any. A resume takes the
    /// earliest event with an id.
    pub takes_any_id: bool,
    /// The reconnection time that goes with it, in milliseconds.
    pub retry_ms: Option<u64>,
    /// How long it is replayed; it is always delivered live.
    pub ttl: Option<Duration>,
    /// Only readers with a grant for it get it.
    pub private: bool,
    /// It is the last of its topic.
    pub ends_topic: bool,
    /// With it a repeat of the same publication is recognised.
    pub idempotency: Option<IdempotencyKey>,
}

impl Publication {
    /// A public event without type and id of its own.
    pub fn new(topic: Topic, data: impl Into<String>) -> Self {
        Self {
            topic,
            alternates: Box::default(),
            data: data.into(),
            event_type: None,
            id: None,
            takes_any_id: false,
            retry_ms: None,
            ttl: None,
            private: false,
            ends_topic: false,
            idempotency: None,
        }
    }

    /// A number that tells this publication from another one under the same idempotency key.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.data, &self.event_type, &self.id, self.retry_ms, self.ttl, self.private, self.ends_topic)
            .hash(&mut hasher);
        if !self.alternates.is_empty() {
            self.alternates.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A publisher's `Idempotency-Key`, within the scope of who used it. The topic, which is part of the scope too, stands
/// in the publication.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Whose key: the subject of the token; empty for the anonymous.
    pub subject: Arc<str>,
    /// The key as it was sent.
    pub key: Arc<str>,
}
