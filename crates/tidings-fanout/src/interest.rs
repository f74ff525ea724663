//! Which topics a shard has readers for, as publishers see it: a commit that concerns nobody in a shard must not wake it.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use tidings_topic::SelectorSet;

/// The hash of a topic, computed once for all shards. Two topics with the same one only wake a shard for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TopicHash(u64);

impl TopicHash {
    pub(crate) fn of(topic: &str) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one(topic))
    }
}

/// The topics of a shard's groups. Written by the shard, read by every publisher.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    /// How many groups want exactly this topic. Cost: about 24 bytes for each topic.
    exact: RwLock<HashMap<TopicHash, u32, BuildHasherDefault<Identity>>>,
    /// How many selectors are patterns: with one, any topic may concern the shard.
    patterns: AtomicUsize,
}

impl Interest {
    /// May a commit to one of these topics concern a reader of this shard?
    pub(crate) fn covers_any(&self, topics: &[TopicHash]) -> bool {
        if self.patterns.load(Ordering::Relaxed) > 0 {
            return true;
        }
        let exact = self.exact.read().unwrap_or_else(PoisonError::into_inner);
        topics.iter().any(|topic| exact.contains_key(topic))
    }

    pub(crate) fn add(&self, selectors: &SelectorSet) {
        let mut exact = self.exact.write().unwrap_or_else(PoisonError::into_inner);
        for selector in selectors {
            match selector.as_exact() {
                Some(topic) => *exact.entry(TopicHash::of(topic.as_str())).or_default() += 1,
                None => drop(self.patterns.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }

    pub(crate) fn remove(&self, selectors: &SelectorSet) {
        let mut exact = self.exact.write().unwrap_or_else(PoisonError::into_inner);
        for selector in selectors {
            match selector.as_exact() {
                Some(topic) => {
                    let hash = TopicHash::of(topic.as_str());
                    if let Some(groups) = exact.get_mut(&hash) {
                        *groups -= 1;
                        if *groups == 0 {
                            exact.remove(&hash);
                        }
                    }
                }
                None => drop(self.patterns.fetch_sub(1, Ordering::Relaxed)),
            }
        }
        if exact.capacity() > ROOM_KEPT && exact.len() < exact.capacity() / 8 {
            exact.shrink_to_fit(); // after a crowd has left, nothing of it stays
        }
    }
}

/// Topics for which room is kept though nobody reads them.
const ROOM_KEPT: usize = 64;

/// The key is a hash already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "a topic's hash is one number, not {bytes:?}");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use tidings_topic::{Selector, Topic};

    use super::*;

    fn set(selectors: &[&str]) -> SelectorSet {
        SelectorSet::new(selectors.iter().map(|raw| Selector::parse(raw).expect("a good selector"))).expect("not empty")
    }

    fn covers(interest: &Interest, topic: &str) -> bool {
        let hash = |topic| TopicHash::of(Topic::parse(topic).expect("a good topic").as_str());
        assert!(!interest.covers_any(&[]) || interest.patterns.load(Ordering::Relaxed) > 0);
        interest.covers_any(&[hash("nobody reads this"), hash(topic)])
    }

    #[test]
    fn a_topic_counts_for_as_long_as_a_group_wants_it() {
        let interest = Interest::default();
        interest.add(&set(&["a", "b"]));
        interest.add(&set(&["a"]));
        assert!(covers(&interest, "a") && covers(&interest, "b") && !covers(&interest, "c"));
        interest.remove(&set(&["a", "b"]));
        assert!(covers(&interest, "a") && !covers(&interest, "b"));
        interest.remove(&set(&["a"]));
        assert!(!covers(&interest, "a"));
    }

    #[test]
    fn a_pattern_may_want_any_topic() {
        let interest = Interest::default();
        interest.add(&set(&["chat/*", "a"]));
        assert!(covers(&interest, "elsewhere"));
        interest.remove(&set(&["chat/*", "a"]));
        assert!(!covers(&interest, "elsewhere"));
    }
}
