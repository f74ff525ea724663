//! The references for tests: what is meant, without any cleverness. And the values that property tests draw from.

use proptest::prelude::*;

use crate::selector::Selector;
use crate::selector_set::SelectorSet;
use crate::topic::Topic;

/// What [`Index`](crate::Index) must agree with: a list of pairs that is scanned for every topic.
#[derive(Debug, Default)]
pub(crate) struct NaiveIndex {
    pairs: Vec<(Selector, u32)>,
}

impl NaiveIndex {
    pub(crate) fn insert(&mut self, selectors: &SelectorSet, key: u32) {
        self.remove(selectors, key);
        self.pairs.extend(selectors.iter().map(|selector| (selector.clone(), key)));
    }

    pub(crate) fn remove(&mut self, selectors: &SelectorSet, key: u32) {
        self.pairs.retain(|(selector, holder)| *holder != key || !selectors.iter().any(|removed| removed == selector));
    }

    pub(crate) fn matching(&self, topic: &str) -> Vec<u32> {
        let mut keys: Vec<u32> =
            self.pairs.iter().filter(|(selector, _)| selector.matches(topic)).map(|(_, key)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }
}

/// What [`Glob::matches`](crate::Glob::matches) must agree with: tries every number of segments for `**`.
pub(crate) fn naive_glob_matches(pattern: &str, topic: &str) -> bool {
    fn matches(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern, topic) {
            ([], []) => true,
            (["**", pattern @ ..], topic) => (0..=topic.len()).any(|skipped| matches(pattern, &topic[skipped..])),
            (["*", pattern @ ..], [_, topic @ ..]) => matches(pattern, topic),
            ([want, pattern @ ..], [got, topic @ ..]) => want == got && matches(pattern, topic),
            _ => false,
        }
    }
    matches(&pattern.split('/').collect::<Vec<_>>(), &topic.split('/').collect::<Vec<_>>())
}

/// Few segments from a small alphabet, so that selectors and topics meet; empty ones and stars among them.
pub(crate) fn any_topic_text() -> impl Strategy<Value = String> {
    let segment = prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just(""), 1 => Just("*"), 1 => Just("**")];
    prop::collection::vec(segment, 1..5).prop_map(|segments| match segments[..] {
        [""] => "/".to_owned(), // one empty segment would be an empty topic
        _ => segments.join("/"),
    })
}

/// A text with at least one star, each where it has a meaning.
pub(crate) fn any_pattern_text() -> impl Strategy<Value = String> {
    let segment = prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just(""), 4 => Just("*")];
    (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(mut segments, tail)| {
        if tail {
            segments.push("**");
        } else if !segments.contains(&"*") {
            segments.push("*");
        }
        segments.join("/")
    })
}

/// One to three selectors, exact topics and patterns mixed.
pub(crate) fn any_selector_set() -> impl Strategy<Value = SelectorSet> {
    let exact = any_topic_text().prop_map(|text| Selector::exact(Topic::parse(&text).expect("drawn as a topic")));
    let pattern = any_pattern_text().prop_map(|text| Selector::parse(&text).expect("drawn as a pattern"));
    prop::collection::vec(prop_oneof![exact, pattern], 1..4)
        .prop_map(|selectors| SelectorSet::new(selectors).expect("one selector at least was drawn"))
}
