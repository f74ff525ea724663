//! All sessions of a shard that get the same events. Matching and batching are paid once for a group.
//!
//! Decides whether a group wants an event and who its live members are. Does not write to them; see `tidings-fanout`.

use std::sync::Arc;

use tidings_topic::SelectorSet;
use tidings_wire::EventType;

use crate::record::{Kind, Record};

/// What the members of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupSpec {
    /// Their topics.
    pub selectors: SelectorSet,
    /// The event types they asked for; `None`: all.
    pub types: Option<TypeFilter>,
    /// The rules of their endpoint.
    pub dialect: Dialect,
    /// Before each event they are told its position and its topics: `?announce=1`.
    pub announces: bool,
}

/// The rules by which a stream talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/events`: with `tidings.…` frames.
    Plain,
    /// `/.well-known/mercure`: without.
    Mercure,
}

/// A set of event types: `?types=a,b`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeFilter(Arc<[EventType]>);

impl TypeFilter {
    /// The filter that lets these types through; nothing when there are none.
    pub fn new(types: impl IntoIterator<Item = EventType>) -> Option<Self> {
        let mut types: Vec<EventType> = types.into_iter().collect();
        types.sort();
        types.dedup();
        (!types.is_empty()).then(|| Self(types.into()))
    }

    /// Does it let `event_type` through? An event without a type is a `message`.
    pub fn allows(&self, event_type: Option<&EventType>) -> bool {
        let name = event_type.map_or("message", EventType::as_str);
        self.0.iter().any(|allowed| allowed.as_str() == name)
    }
}

impl GroupSpec {
    /// Do the members want `record`, whose topic is one of theirs? An end they want only if it is the last one of their
    /// topics: `is_last_end` is asked then.
    pub fn wants(&self, record: &Record, is_last_end: impl FnOnce() -> bool) -> bool {
        match record.kind {
            Kind::Event => self.types.as_ref().is_none_or(|types| types.allows(record.event_type.as_ref())),
            Kind::End => self.dialect == Dialect::Plain && (self.selectors.single_exact().is_some() || is_last_end()),
            Kind::Deleted => false,
        }
    }
}

/// A group in a shard. `K` is the shard's name for a session.
#[derive(Debug)]
pub struct Group<K> {
    /// What its members have in common.
    pub spec: GroupSpec,
    /// Its live members: their cursor is the shard's position. Catching-up ones are not among them.
    live: Vec<K>,
    /// All its sessions, live or not. The group ends with the last.
    sessions: usize,
    /// What gathered for its members in this turn, in order.
    pub batch: Vec<Arc<Record>>,
}

impl<K: Copy> Group<K> {
    /// A group without sessions.
    pub fn new(spec: GroupSpec) -> Self {
        Self { spec, live: Vec::new(), sessions: 0, batch: Vec::new() }
    }

    /// One session more.
    pub fn enter(&mut self) {
        self.sessions += 1;
    }

    /// One session less. Answers whether it was the last.
    pub fn exit(&mut self) -> bool {
        self.sessions -= 1;
        self.sessions == 0
    }

    /// All its sessions, live or not.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// Makes a session a live member; answers its slot.
    pub fn join(&mut self, key: K) -> u32 {
        self.live.push(key);
        u32::try_from(self.live.len() - 1).expect("a shard has fewer sessions than 2^32")
    }

    /// Takes a live member out of its slot; answers who has moved into the slot, if somebody has.
    pub fn leave(&mut self, slot: u32) -> Option<K> {
        let slot = slot as usize;
        self.live.swap_remove(slot);
        self.live.get(slot).copied()
    }

    /// The live members.
    pub fn live(&self) -> &[K] {
        &self.live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_leaves_gives_its_slot_to_the_last_one() {
        let spec = GroupSpec {
            selectors: SelectorSet::one(tidings_topic::Topic::default_topic()),
            types: None,
            dialect: Dialect::Plain,
            announces: false,
        };
        let mut group = Group::new(spec);
        assert_eq!([group.join('a'), group.join('b'), group.join('c')], [0, 1, 2]);
        assert_eq!(group.leave(0), Some('c'));
        assert_eq!(group.live(), ['c', 'b']);
        assert_eq!(group.leave(1), None);
        assert_eq!(group.live(), ['c']);
    }

    #[test]
    fn a_type_filter_takes_an_event_without_type_for_a_message() {
        let parse = |name| EventType::parse(name).expect("a good type");
        let filter = TypeFilter::new([parse("tick"), parse("message"), parse("tick")]).expect("not empty");
        assert!(filter.allows(None));
        assert!(filter.allows(Some(&parse("tick"))));
        assert!(!filter.allows(Some(&parse("tock"))));
        assert_eq!(TypeFilter::new([]), None);
    }
}
