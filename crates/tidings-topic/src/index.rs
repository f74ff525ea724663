//! From a topic to the keys of all whose selectors match it. Puts the parts together: a hash table of exact topics, a tree of
//! globs, a table of Mercure's matchers, a cache of results. Knows nothing of what a key stands for, and delivers nothing.

mod cache;
mod exact_table;
mod key_set;
mod matcher_table;
mod pattern_tree;

use std::hash::{BuildHasher, RandomState};

use crate::selector::Selector;
use crate::selector_set::SelectorSet;
use cache::Cache;
use exact_table::ExactTable;
use matcher_table::{Matcher, MatcherTable};
use pattern_tree::PatternTree;

/// Which keys selected a topic. A key is a small number for a group, given by the caller.
///
/// The index holds pairs of one selector and one key. Inserting a pair again changes nothing, and removing it removes it,
/// whichever set it came with; so give a key one set at a time.
///
/// | call | cost |
/// |---|---|
/// | `insert`, `remove`, for each exact topic | one look-up, wherever the number of topics stands |
/// | `insert`, `remove`, for each glob | one look-up a segment; the results cached so far become void |
/// | `insert`, `remove`, for each template, URL pattern or `Any` | two searches in a tree; the results cached so far become void |
/// | either, further | moving the larger keys that hold the same selector |
/// | `matching` without any pattern | one look-up, no allocation |
/// | `matching`, cached | the same |
/// | `matching`, not cached: the globs | two look-ups for each node of the pattern tree that agrees with the beginning of the topic |
/// | …, the templates | a search for each bucket whose text the topic begins with, and one trial of each distinct template in these |
/// | …, the URL patterns | parsing the topic as a URL for each base, and one trial of each distinct pattern |
/// | …, all | sorting the keys found |
///
/// Globs cost no more for those that differ from the topic in a segment, only for the ways to replace segments of the topic by
/// `*` that globs really use: a topic of three segments meets 15 nodes at the very most. A template lies in the bucket of the
/// text before its first expression, so those of other beginnings are not tried. URL patterns are all tried. A trial is
/// for a selector, never for a key, and takes some 100 ns if the selector is a usual one; see [`Template`](crate::Template) and
/// [`UrlPattern`](crate::UrlPattern) for the others. Parsing a topic as a URL takes 2 µs.
///
/// Memory (with keys of `u32`): 50 to 100 bytes for each exact topic beside its text, which is shared; 100 to 200 for each
/// distinct beginning of a glob, a segment longer than the last; 50 to 150 for each template or URL pattern beside what it
/// shares with its selector, and as much with its text for each distinct beginning; 4 for each further key. It is given back as
/// tables fall below an eighth of their room. The cache is there only while a pattern is; see [`Index::new`].
///
/// Topics come from the network, so hashes are keyed by a random seed (`SipHash`): nobody can choose topics that collide.
///
/// ```
/// use tidings_topic::{Index, SelectorSet, Topic};
///
/// let news = SelectorSet::one(Topic::parse("news")?);
/// let mut index = Index::new(1024);
/// index.insert(&news, 1_u32);
/// assert_eq!(index.matching("news"), [1]);
///
/// index.remove(&news, 1);
/// assert!(index.is_empty());
/// # Ok::<(), tidings_topic::TopicError>(())
/// ```
#[derive(Debug)]
pub struct Index<K> {
    hasher: RandomState,
    exact: ExactTable<K>,
    patterns: PatternTree<K>,
    matchers: MatcherTable<K>,
    cache: Cache<K>,
    /// The last result that was gathered rather than found in one place; kept for its memory.
    gathered: Vec<K>,
    pairs: usize,
    counts: IndexCounts,
}

/// What the cache of an [`Index`] was good for, counted from the index's beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexCounts {
    /// Topics whose result was cached.
    pub cache_hits: u64,
    /// Topics that had to be looked up among the patterns of all kinds.
    pub cache_misses: u64,
}

impl<K: Copy + Ord> Index<K> {
    /// An empty index that remembers the results of at most `cache_entries_max` topics (0: of none).
    ///
    /// Results are cached only while there is a pattern, and only those of up to 256 keys: collecting more is cheap beside
    /// delivering to them. Memory of the cache: 64 bytes for each entry as soon as it is used, and at most 4 KiB for the topic
    /// and 256 keys more (so up to 5.3 MB for 1,024 entries of `u32`).
    pub fn new(cache_entries_max: usize) -> Index<K> {
        Index {
            hasher: RandomState::new(),
            exact: ExactTable::new(),
            patterns: PatternTree::new(),
            matchers: MatcherTable::new(),
            cache: Cache::new(cache_entries_max),
            gathered: Vec::new(),
            pairs: 0,
            counts: IndexCounts::default(),
        }
    }

    /// Lets `key` be found by every topic that `selectors` select.
    pub fn insert(&mut self, selectors: &SelectorSet, key: K) {
        for selector in selectors {
            let added = match selector {
                Selector::Exact(topic) => {
                    let hash = self.hasher.hash_one(topic.as_str());
                    // Only this topic's result changes: groups of exact topics come and go all day and must not void the rest.
                    self.cache.forget(hash, topic.as_str());
                    self.exact.insert(&self.hasher, hash, topic, key)
                }
                Selector::Glob(glob) => {
                    self.cache.forget_all();
                    self.patterns.insert(&self.hasher, glob, key)
                }
                Selector::Any => self.insert_matcher(Matcher::Any, key),
                Selector::Template(template) => self.insert_matcher(Matcher::Template(template), key),
                Selector::UrlPattern(pattern) => self.insert_matcher(Matcher::UrlPattern(pattern), key),
            };
            self.pairs += usize::from(added);
        }
    }

    /// Undoes [`Index::insert`] of the same arguments. Pairs that are not there are passed over.
    pub fn remove(&mut self, selectors: &SelectorSet, key: K) {
        for selector in selectors {
            let removed = match selector {
                Selector::Exact(topic) => {
                    let hash = self.hasher.hash_one(topic.as_str());
                    self.cache.forget(hash, topic.as_str());
                    self.exact.remove(&self.hasher, hash, topic, key)
                }
                Selector::Glob(glob) => {
                    self.cache.forget_all();
                    self.patterns.remove(&self.hasher, glob, key)
                }
                Selector::Any => self.remove_matcher(Matcher::Any, key),
                Selector::Template(template) => self.remove_matcher(Matcher::Template(template), key),
                Selector::UrlPattern(pattern) => self.remove_matcher(Matcher::UrlPattern(pattern), key),
            };
            self.pairs -= usize::from(removed);
        }
        if self.has_no_patterns() {
            self.cache.release();
            self.gathered = Vec::new();
        }
    }

    /// The keys that selected `topic`: each once, ascending.
    ///
    /// Takes `&mut self` because it caches; the answer depends on the pairs alone.
    pub fn matching(&mut self, topic: &str) -> &[K] {
        let hash = self.hasher.hash_one(topic);
        if self.has_no_patterns() {
            return self.exact.get(hash, topic);
        }
        if let Some(slot) = self.cache.find(hash, topic) {
            self.counts.cache_hits += 1;
            return self.cache.keys(slot);
        }
        self.counts.cache_misses += 1;
        self.gather(hash, topic);
        self.cache.store(hash, topic, &self.gathered);
        &self.gathered
    }

    /// How many pairs of a selector and a key there are.
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether no topic would find a key.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// The counters, for metrics.
    pub fn counts(&self) -> IndexCounts {
        self.counts
    }

    fn insert_matcher(&mut self, matcher: Matcher<'_>, key: K) -> bool {
        self.cache.forget_all();
        self.matchers.insert(matcher, key)
    }

    fn remove_matcher(&mut self, matcher: Matcher<'_>, key: K) -> bool {
        self.cache.forget_all();
        self.matchers.remove(matcher, key)
    }

    fn has_no_patterns(&self) -> bool {
        self.patterns.is_empty() && self.matchers.is_empty()
    }

    /// Leaves the keys of `topic` in `gathered`.
    fn gather(&mut self, hash: u64, topic: &str) {
        let gathered = &mut self.gathered;
        gathered.clear();
        gathered.extend_from_slice(self.exact.get(hash, topic));
        let mut sources = usize::from(!gathered.is_empty());
        let mut found = |keys: &[K]| {
            gathered.extend_from_slice(keys);
            sources += 1;
        };
        self.patterns.each_match(&self.hasher, topic, &mut found);
        self.matchers.each_match(topic, &mut found);
        if sources > 1 {
            gathered.sort(); // the stable sort: it merges the ascending runs that it finds
            gathered.dedup();
        }
    }
}

#[cfg(test)]
mod tests;
