//! The keys of patterns, in a tree of segments. Finds every pattern that covers a topic without looking at those that do not.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::exact_table::shrink_if_sparse;
use super::key_set::KeySet;
use crate::glob::{Glob, STAR};

/// Patterns as paths from a root, one segment an edge; `*` is an edge like any other.
///
/// All nodes live in one hash table under (parent, segment). A table for each node would cost ten times the memory of a pattern
/// of many short segments, and an array of nodes could not be shrunk: the last node in it may be the one that stays.
#[derive(Debug)]
pub(super) struct PatternTree<K> {
    root: Node<K>,
    /// All nodes but the root. Each holds keys or has a child.
    nodes: HashTable<Node<K>>,
    /// Numbers are never used twice, and 64 bits do not run out.
    last_id: u64,
}

#[derive(Debug)]
struct Node<K> {
    id: u64,
    parent: u64,
    /// The edge from the parent: a literal, or [`STAR`].
    segment: Box<str>,
    /// How many children have a literal edge.
    literal_children: usize,
    has_star_child: bool,
    /// Keys of patterns that end here.
    ends: KeySet<K>,
    /// Keys of patterns that go on with a final `**`.
    tails: KeySet<K>,
}

/// A node of the tree, to be found again after the tree was borrowed otherwise.
#[derive(Clone, Copy)]
struct Place {
    id: u64,
    hash: u64,
}

impl<K: Copy + Ord> PatternTree<K> {
    pub(super) fn new() -> PatternTree<K> {
        PatternTree { root: Node::new(ROOT.id, ROOT.id, ""), nodes: HashTable::new(), last_id: ROOT.id }
    }

    /// Whether the pair was new.
    pub(super) fn insert(&mut self, hasher: &impl BuildHasher, glob: &Glob, key: K) -> bool {
        let mut place = ROOT;
        for segment in glob.head() {
            let child = self.find(hasher, place.id, segment);
            place = child.unwrap_or_else(|| self.grow(hasher, place, segment));
        }
        self.node_mut(place).keys_mut(glob).insert(key)
    }

    /// Whether the pair was there.
    pub(super) fn remove(&mut self, hasher: &impl BuildHasher, glob: &Glob, key: K) -> bool {
        let mut path = vec![ROOT];
        let mut place = ROOT;
        for segment in glob.head() {
            let Some(child) = self.find(hasher, place.id, segment) else {
                return false;
            };
            place = child;
            path.push(child);
        }
        let removed = self.node_mut(place).keys_mut(glob).remove(key);
        self.prune(&path);
        shrink_if_sparse(&mut self.nodes, |node| node.hash(hasher));
        removed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.root.tails.is_empty()
    }

    /// Calls `found` with the keys of each pattern that covers `topic`; a pattern is found once, a key perhaps with several.
    ///
    /// Cost: two look-ups for each node whose path agrees with the beginning of the topic, so at most one node for each way to
    /// replace some of the topic's first segments by `*`, and never more than there are.
    pub(super) fn each_match(&self, hasher: &impl BuildHasher, topic: &str, mut found: impl FnMut(&[K])) {
        // Depth first with a stack of our own: a topic may have 4,096 segments, and a thread's stack should not depend on it.
        let mut open = vec![(&self.root, Some(topic))];
        while let Some((node, rest)) = open.pop() {
            if !node.tails.is_empty() {
                found(node.tails.as_slice());
            }
            let Some(rest) = rest else {
                if !node.ends.is_empty() {
                    found(node.ends.as_slice());
                }
                continue;
            };
            let (segment, rest) = match rest.split_once('/') {
                Some((segment, rest)) => (segment, Some(rest)),
                None => (rest, None),
            };
            if node.has_star_child {
                open.extend(self.child(hasher, node.id, STAR).map(|child| (child, rest)));
            }
            // A topic may have a segment `*`. No pattern can name it, and the star's edge was just taken.
            if node.literal_children > 0 && segment != STAR {
                open.extend(self.child(hasher, node.id, segment).map(|child| (child, rest)));
            }
        }
    }

    fn child(&self, hasher: &impl BuildHasher, parent: u64, segment: &str) -> Option<&Node<K>> {
        self.nodes.find(hash(hasher, parent, segment), |node| node.is_child(parent, segment))
    }

    fn find(&self, hasher: &impl BuildHasher, parent: u64, segment: &str) -> Option<Place> {
        let hash = hash(hasher, parent, segment);
        let child = self.nodes.find(hash, |node| node.is_child(parent, segment))?;
        Some(Place { id: child.id, hash })
    }

    /// Adds a child that is not there yet.
    fn grow(&mut self, hasher: &impl BuildHasher, parent: Place, segment: &str) -> Place {
        self.last_id += 1;
        let place = Place { id: self.last_id, hash: hash(hasher, parent.id, segment) };
        let node = Node::new(place.id, parent.id, segment);
        self.nodes.insert_unique(place.hash, node, |node| node.hash(hasher));

        let parent = self.node_mut(parent);
        if segment == STAR {
            parent.has_star_child = true;
        } else {
            parent.literal_children += 1;
        }
        place
    }

    /// Removes what has become useless at the end of a path from the root.
    fn prune(&mut self, path: &[Place]) {
        for &[parent, place] in path.array_windows().rev() {
            let Ok(entry) = self.nodes.find_entry(place.hash, |node| node.id == place.id) else {
                return;
            };
            if !entry.get().is_useless() {
                return;
            }
            let (node, _) = entry.remove();
            let parent = self.node_mut(parent);
            if &*node.segment == STAR {
                parent.has_star_child = false;
            } else {
                parent.literal_children -= 1;
            }
        }
    }

    fn node_mut(&mut self, place: Place) -> &mut Node<K> {
        if place.id == ROOT.id {
            return &mut self.root;
        }
        self.nodes
            .find_mut(place.hash, |node| node.id == place.id)
            .expect("places come from this tree and are used at once")
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.nodes.capacity()
    }
}

impl<K: Copy + Ord> Node<K> {
    fn new(id: u64, parent: u64, segment: &str) -> Node<K> {
        Node {
            id,
            parent,
            segment: Box::from(segment),
            literal_children: 0,
            has_star_child: false,
            ends: KeySet::Empty,
            tails: KeySet::Empty,
        }
    }

    /// The keys of `glob`, if its head leads here.
    fn keys_mut(&mut self, glob: &Glob) -> &mut KeySet<K> {
        if glob.has_tail() { &mut self.tails } else { &mut self.ends }
    }

    fn is_child(&self, parent: u64, segment: &str) -> bool {
        self.parent == parent && &*self.segment == segment
    }

    fn is_useless(&self) -> bool {
        self.literal_children == 0 && !self.has_star_child && self.ends.is_empty() && self.tails.is_empty()
    }

    fn hash(&self, hasher: &impl BuildHasher) -> u64 {
        hash(hasher, self.parent, &self.segment)
    }
}

fn hash(hasher: &impl BuildHasher, parent: u64, segment: &str) -> u64 {
    hasher.hash_one((parent, segment))
}

/// The root is a field of its own, so nothing looks for it by its hash.
const ROOT: Place = Place { id: 0, hash: 0 };

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;
    use crate::selector::Selector;

    #[test]
    fn a_pattern_is_found_once_by_a_topic_of_stars() {
        // Were the segment `*` of a topic looked up as a literal too, each level would be walked twice as often as the one above:
        // a short topic could keep a shard busy for ever.
        let stars = ["*"; 20].join("/");
        let hasher = RandomState::new();
        let mut tree = PatternTree::new();
        tree.insert(&hasher, &glob(&stars), 1);
        for depth in 0..20 {
            tree.insert(&hasher, &glob(&format!("{}a/**", "*/".repeat(depth))), 2);
        }

        let mut found = Vec::new();
        tree.each_match(&hasher, &stars, |keys| found.push(keys.to_vec()));
        assert_eq!(found.len(), 1);
        assert_eq!(found, [[1]]);
    }

    #[test]
    fn removing_what_is_not_there_changes_nothing() {
        let hasher = RandomState::new();
        let mut tree = PatternTree::new();
        assert!(tree.insert(&hasher, &glob("a/*/b"), 1));
        for (text, key) in [("a/*/b", 2), ("a/*", 1), ("a/*/b/**", 1), ("a/*/b/*", 1), ("**", 1), ("*", 1)] {
            assert!(!tree.remove(&hasher, &glob(text), key), "{text}");
        }
        assert!(!tree.is_empty());
        assert!(tree.remove(&hasher, &glob("a/*/b"), 1));
        assert!(tree.is_empty());
    }

    fn glob(text: &str) -> Glob {
        match Selector::parse(text) {
            Ok(Selector::Glob(glob)) => glob,
            other => panic!("{text}: got {other:?}, want a pattern"),
        }
    }
}
