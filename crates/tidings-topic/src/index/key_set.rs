//! The keys that hold one selector. Most selectors are held by one group, and that one costs no allocation.

use std::slice;

/// Keys, ascending, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySet<K> {
    Empty,
    One(K),
    /// Two or more keys, strictly ascending.
    Many(Vec<K>),
}

impl<K: Copy + Ord> KeySet<K> {
    /// Whether `key` was new. Cost: moving the larger keys, beside a binary search.
    pub(super) fn insert(&mut self, key: K) -> bool {
        match self {
            KeySet::Empty => *self = KeySet::One(key),
            KeySet::One(only) if *only == key => return false,
            KeySet::One(only) => *self = KeySet::Many(vec![key.min(*only), key.max(*only)]),
            KeySet::Many(keys) => match keys.binary_search(&key) {
                Ok(_) => return false,
                Err(at) => keys.insert(at, key),
            },
        }
        true
    }

    /// Whether `key` was there. Cost: as for [`KeySet::insert`].
    pub(super) fn remove(&mut self, key: K) -> bool {
        match self {
            KeySet::Empty => return false,
            KeySet::One(only) if *only != key => return false,
            KeySet::One(_) => *self = KeySet::Empty,
            KeySet::Many(keys) => {
                let Ok(at) = keys.binary_search(&key) else {
                    return false;
                };
                keys.remove(at);
                if let [only] = keys[..] {
                    *self = KeySet::One(only);
                } else if keys.len() * 4 < keys.capacity() {
                    keys.shrink_to(keys.len() * 2);
                }
            }
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, KeySet::Empty)
    }

    pub(super) fn as_slice(&self) -> &[K] {
        match self {
            KeySet::Empty => &[],
            KeySet::One(only) => slice::from_ref(only),
            KeySet::Many(keys) => keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_set(steps in prop::collection::vec((any::<bool>(), 0_u8..12), 0..80)) {
            let mut got = KeySet::Empty;
            let mut want = BTreeSet::new();
            for (insert, key) in steps {
                let changed = if insert { got.insert(key) } else { got.remove(key) };
                prop_assert_eq!(changed, if insert { want.insert(key) } else { want.remove(&key) });
                prop_assert_eq!(got.as_slice(), want.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(got.is_empty(), want.is_empty());
            }
        }
    }

    #[test]
    fn removal_gives_memory_back() {
        let mut keys = KeySet::Empty;
        (0..10_000).for_each(|key| assert!(keys.insert(key)));
        (2..10_000).for_each(|key| assert!(keys.remove(key)));
        let KeySet::Many(left) = &keys else { panic!("two keys are left: {keys:?}") };
        assert!(left.capacity() <= 8, "{}", left.capacity());

        assert!(keys.remove(0));
        assert_eq!(keys, KeySet::One(1));
    }
}
