//! The keys of Mercure's matchers: URI templates, URL patterns, and the one that takes every topic. Each distinct matcher is
//! tried once for a topic, however many keys hold it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound::{Included, Unbounded};

use super::key_set::KeySet;
use crate::template::Template;
use crate::url_pattern::{ResolvedTopic, UrlPattern};

/// Templates lie in buckets by the text before their first expression: whoever selects a topic lies in a bucket whose text the
/// topic begins with, so the others are not tried. URL patterns say nothing as simple about a topic and are all tried.
///
/// Trees, not hash tables: buckets are looked for by what comes before a topic in order, and an empty tree holds no memory.
#[derive(Debug)]
pub(super) struct MatcherTable<K> {
    any: KeySet<K>,
    templates: BTreeMap<Box<str>, BTreeMap<Template, KeySet<K>>>,
    url_patterns: BTreeMap<UrlPattern, KeySet<K>>,
}

/// A selector of this table.
#[derive(Clone, Copy)]
pub(super) enum Matcher<'a> {
    Any,
    Template(&'a Template),
    UrlPattern(&'a UrlPattern),
}

impl<K: Copy + Ord> MatcherTable<K> {
    pub(super) const fn new() -> MatcherTable<K> {
        MatcherTable { any: KeySet::Empty, templates: BTreeMap::new(), url_patterns: BTreeMap::new() }
    }

    /// Whether the pair was new.
    pub(super) fn insert(&mut self, matcher: Matcher<'_>, key: K) -> bool {
        match matcher {
            Matcher::Any => self.any.insert(key),
            Matcher::Template(template) => {
                let bucket = match self.templates.get_mut(template.prefix()) {
                    Some(bucket) => bucket,
                    None => self.templates.entry(Box::from(template.prefix())).or_default(),
                };
                insert(bucket, template, key)
            }
            Matcher::UrlPattern(pattern) => insert(&mut self.url_patterns, pattern, key),
        }
    }

    /// Whether the pair was there.
    pub(super) fn remove(&mut self, matcher: Matcher<'_>, key: K) -> bool {
        match matcher {
            Matcher::Any => self.any.remove(key),
            Matcher::Template(template) => {
                let Some(bucket) = self.templates.get_mut(template.prefix()) else {
                    return false;
                };
                let removed = remove(bucket, template, key);
                if bucket.is_empty() {
                    self.templates.remove(template.prefix());
                }
                removed
            }
            Matcher::UrlPattern(pattern) => remove(&mut self.url_patterns, pattern, key),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.any.is_empty() && self.templates.is_empty() && self.url_patterns.is_empty()
    }

    /// Calls `found` with the keys of each matcher that covers `topic`; a matcher is found once, a key perhaps with several.
    ///
    /// Cost: a search among the buckets for each one that the topic begins with and each one that comes near it, and the trial of
    /// every template in the former and of every URL pattern. The topic is parsed as a URL once for all patterns of one base.
    pub(super) fn each_match(&self, topic: &str, mut found: impl FnMut(&[K])) {
        if !self.any.is_empty() {
            found(self.any.as_slice());
        }
        self.each_bucket(topic, |bucket| {
            for (template, keys) in bucket {
                if template.matches(topic) {
                    found(keys.as_slice());
                }
            }
        });
        let mut resolved: Option<ResolvedTopic> = None;
        for (pattern, keys) in &self.url_patterns {
            let resolved = match &mut resolved {
                Some(resolved) if pattern.has_base_of(resolved) => resolved,
                other => other.insert(pattern.resolve(topic)),
            };
            if pattern.matches_resolved(resolved) {
                found(keys.as_slice());
            }
        }
    }

    /// Calls `found` with each bucket whose text the topic begins with.
    ///
    /// The greatest text that is not after the topic is such a one, or shares no more than a shorter beginning with the topic; in
    /// both cases all that is left to find begins the topic and is shorter, so each search shortens what is searched for.
    fn each_bucket(&self, topic: &str, mut found: impl FnMut(&BTreeMap<Template, KeySet<K>>)) {
        let mut beginning = topic;
        while let Some((text, bucket)) = self.templates.range::<str, _>((Unbounded, Included(beginning))).next_back() {
            let common = common_length(text, beginning);
            if common == text.len() {
                found(bucket);
                let Some((last, _)) = beginning[..common].char_indices().next_back() else {
                    return;
                };
                beginning = &beginning[..last];
            } else {
                beginning = &beginning[..common];
            }
        }
    }
}

fn insert<S: Clone + Ord, K: Copy + Ord>(table: &mut BTreeMap<S, KeySet<K>>, selector: &S, key: K) -> bool {
    match table.entry(selector.clone()) {
        Entry::Occupied(mut entry) => entry.get_mut().insert(key),
        Entry::Vacant(entry) => {
            entry.insert(KeySet::One(key));
            true
        }
    }
}

fn remove<S: Ord, K: Copy + Ord>(table: &mut BTreeMap<S, KeySet<K>>, selector: &S, key: K) -> bool {
    let Some(keys) = table.get_mut(selector) else {
        return false;
    };
    let removed = keys.remove(key);
    if keys.is_empty() {
        table.remove(selector);
    }
    removed
}

/// How many bytes two texts begin with alike, whole characters only.
fn common_length(a: &str, b: &str) -> usize {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    b.floor_char_boundary(common)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_matcher_is_found_once_however_many_keys_hold_it() {
        let mut table = MatcherTable::new();
        let template = Template::parse("chat/{id}").expect("a template");
        let pattern = UrlPattern::parse("/chat/:id", "https://hub.example/").expect("a URL pattern");
        for key in 0..1000_u32 {
            assert!(table.insert(Matcher::Template(&template), key));
            assert!(table.insert(Matcher::UrlPattern(&pattern), key));
            assert!(table.insert(Matcher::Any, key));
            assert!(!table.insert(Matcher::Any, key));
        }
        let mut found = Vec::new();
        table.each_match("chat/42", |keys| found.push(keys.len()));
        assert_eq!(found, [1000, 1000, 1000]);
    }

    #[test]
    fn removing_what_is_not_there_changes_nothing() {
        let mut table = MatcherTable::new();
        let [there, same_bucket, other_bucket] =
            ["a/{x}", "a/{y}", "b{x}"].map(|raw| Template::parse(raw).expect("a template"));
        assert!(table.insert(Matcher::Template(&there), 1));
        for (matcher, key) in [
            (Matcher::Template(&there), 2),
            (Matcher::Template(&same_bucket), 1),
            (Matcher::Template(&other_bucket), 1),
            (Matcher::Any, 1),
        ] {
            assert!(!table.remove(matcher, key));
        }
        assert!(!table.is_empty());
        assert!(table.remove(Matcher::Template(&there), 1));
        assert!(table.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn the_buckets_found_are_those_that_the_topic_begins_with(
            beginnings in prop::collection::vec("[ab\u{e9}\u{ea}/]{0,4}", 0..24),
            topic in "[ab\u{e9}\u{ea}/]{0,6}",
        ) {
            let mut table = MatcherTable::new();
            for beginning in &beginnings {
                let template = Template::parse(&format!("{beginning}{{+x}}")).expect("a template");
                table.insert(Matcher::Template(&template), 0_u32);
            }
            let mut got = Vec::new();
            table.each_bucket(&topic, |bucket| got.extend(bucket.keys().map(|template| template.prefix().to_owned())));
            let mut want: Vec<String> = beginnings.into_iter().filter(|text| topic.starts_with(text.as_str())).collect();
            want.sort_by(|a, b| b.cmp(a)); // the longest first
            want.dedup();
            prop_assert_eq!(got, want);
        }
    }
}
