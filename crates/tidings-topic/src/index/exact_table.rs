//! The keys of exact topics, by the topic's hash. The hasher and the hash of a topic are handed in, since the cache needs it too.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::key_set::KeySet;
use crate::topic::Topic;

#[derive(Debug)]
pub(super) struct ExactTable<K> {
    /// No entry is without keys.
    entries: HashTable<(Topic, KeySet<K>)>,
}

impl<K: Copy + Ord> ExactTable<K> {
    pub(super) const fn new() -> ExactTable<K> {
        ExactTable { entries: HashTable::new() }
    }

    /// Whether the pair was new.
    pub(super) fn insert(&mut self, hasher: &impl BuildHasher, hash: u64, topic: &Topic, key: K) -> bool {
        let rehash = |(topic, _): &(Topic, KeySet<K>)| hasher.hash_one(topic.as_str());
        match self.entries.entry(hash, |(known, _)| known == topic, rehash) {
            Entry::Occupied(mut entry) => entry.get_mut().1.insert(key),
            Entry::Vacant(entry) => {
                entry.insert((topic.clone(), KeySet::One(key)));
                true
            }
        }
    }

    /// Whether the pair was there.
    pub(super) fn remove(&mut self, hasher: &impl BuildHasher, hash: u64, topic: &Topic, key: K) -> bool {
        let Ok(mut entry) = self.entries.find_entry(hash, |(known, _)| known == topic) else {
            return false;
        };
        let keys = &mut entry.get_mut().1;
        let removed = keys.remove(key);
        if keys.is_empty() {
            entry.remove();
            shrink_if_sparse(&mut self.entries, |(topic, _)| hasher.hash_one(topic.as_str()));
        }
        removed
    }

    pub(super) fn get(&self, hash: u64, topic: &str) -> &[K] {
        match self.entries.find(hash, |(known, _)| known.as_str() == topic) {
            Some((_, keys)) => keys.as_slice(),
            None => &[],
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }
}

/// Gives memory back when most of a table is unused. Constant on average: as many removals went before as entries are moved.
pub(super) fn shrink_if_sparse<T>(table: &mut HashTable<T>, rehash: impl Fn(&T) -> u64) {
    if table.is_empty() {
        *table = HashTable::new();
    } else if table.capacity() > SPARSE_CAPACITY_MIN && table.len() * 8 < table.capacity() {
        table.shrink_to(table.len() * 2, rehash);
    }
}

/// Below this a table is too small to be worth moving. Unit: entries.
const SPARSE_CAPACITY_MIN: usize = 64;
