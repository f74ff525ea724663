//! What a publisher asks for, parsed once at the door and trusted from there on.

use std::collections::HashSet;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};

use crate::hash::StableHash;

/// One event as its publisher gave it. Only an engine turns it into a [`crate::Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Where it is published: its canonical topic.
    pub topic: Topic,
    /// The other topics under which it is found too. Mercure alone has them; mostly there are none. An engine takes each
    /// once, and leaves the canonical one out: see [`Publication::tidy`]. How many there may be, whoever parses says.
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

    /// All topics under which it will be found, the canonical one first.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        iter::once(&self.topic).chain(&self.alternates)
    }

    /// Leaves each alternate topic there once, in the order in which they came, and the canonical one not at all. Every
    /// engine does this first, so nobody behind it need look again.
    pub fn tidy(&mut self) {
        if self.alternates.is_empty() {
            return;
        }
        let mut seen = HashSet::from([self.topic.clone()]);
        let alternates = std::mem::take(&mut self.alternates).into_iter();
        self.alternates = alternates.filter(|topic| seen.insert(topic.clone())).collect();
    }

    /// A number that tells this publication from another one under the same idempotency key. It stays the same for ever: a
    /// store keeps it.
    pub fn fingerprint(&self) -> u64 {
        let hash = StableHash::new(0); // no secret: a publisher could only deceive itself
        let mut all = hash.of(self.data.as_bytes()).to_le_bytes().to_vec();
        let mut put = |tag: u8, field: &[u8]| {
            all.push(tag);
            all.extend_from_slice(&(field.len() as u64).to_le_bytes());
            all.extend_from_slice(field);
        };
        put(b'f', &[u8::from(self.private), u8::from(self.ends_topic)]);
        self.event_type.iter().for_each(|event_type| put(b't', event_type.as_str().as_bytes()));
        self.id.iter().for_each(|id| put(b'i', id.as_str().as_bytes()));
        self.retry_ms.iter().for_each(|retry_ms| put(b'r', &retry_ms.to_le_bytes()));
        self.ttl.iter().for_each(|ttl| put(b'l', &ttl.as_nanos().to_le_bytes()));
        self.alternates.iter().for_each(|topic| put(b'a', topic.as_str().as_bytes()));
        hash.of(&all)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores rely on it.
    #[test]
    fn a_publication_has_the_same_fingerprint_for_ever() {
        let topic = Topic::parse("a").expect("a topic");
        let plain = Publication::new(topic.clone(), "data");
        let full = Publication {
            event_type: EventType::parse("order").ok(),
            id: EventId::parse("order-1").ok(),
            retry_ms: Some(1),
            ttl: Some(Duration::from_secs(1)),
            private: true,
            ends_topic: true,
            alternates: [topic].into(),
            ..plain.clone()
        };
        assert_eq!([plain.fingerprint(), full.fingerprint()], [0x3947_9085_2742_585e, 0xc18e_31b0_9109_69c2]);
    }

    #[test]
    fn each_topic_is_there_once() {
        let topic = |raw: &&str| Topic::parse(raw).expect("a topic");
        let check = |alternates: &[&str], want: &[&str]| {
            let mut publication = Publication::new(topic(&"a"), "data");
            publication.alternates = alternates.iter().map(topic).collect();
            publication.tidy();
            let topics: Vec<_> = publication.topics().map(Topic::as_str).collect();
            assert_eq!(topics, want, "{alternates:?}");
        };
        check(&[], &["a"]);
        check(&["a"], &["a"]);
        check(&["c", "b", "a", "c"], &["a", "c", "b"]);
    }
}
