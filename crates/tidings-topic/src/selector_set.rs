//! What one subscriber asked for as a whole. Two subscribers with equal sets can share a group.

use std::slice;
use std::sync::Arc;

use crate::selector::Selector;
use crate::topic::Topic;

/// One or more selectors, sorted and each once; it selects what any of them selects.
///
/// Order and repetition in a query make no difference: sets are equal when the same selectors are in them. A clone shares the
/// selectors.
///
/// ```
/// use tidings_topic::{Selector, SelectorSet};
///
/// let asked = ["news", "chat/*", "news"].map(Selector::parse).into_iter().collect::<Result<Vec<_>, _>>()?;
/// let set = SelectorSet::new(asked).expect("three selectors were given");
/// assert_eq!(set.len(), 2);
/// assert!(set.matches("news") && set.matches("chat/42") && !set.matches("chat"));
/// # Ok::<(), tidings_topic::SelectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectorSet(
    /// Never empty, strictly ascending; so all exact selectors come before all patterns.
    Arc<[Selector]>,
);

impl SelectorSet {
    /// Gathers selectors into a set; `None` when there are none.
    pub fn new(selectors: impl IntoIterator<Item = Selector>) -> Option<SelectorSet> {
        let mut selectors: Vec<Selector> = selectors.into_iter().collect();
        selectors.sort_unstable();
        selectors.dedup();
        if selectors.is_empty() { None } else { Some(SelectorSet(selectors.into())) }
    }

    /// The set that selects `topic` and no other.
    pub fn one(topic: Topic) -> SelectorSet {
        SelectorSet(Arc::new([Selector::Exact(topic)]))
    }

    /// The selectors, ascending.
    pub fn iter(&self) -> slice::Iter<'_, Selector> {
        self.0.iter()
    }

    /// How many selectors there are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty, so the question has one answer")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether any of the selectors selects `topic`.
    ///
    /// Cost: logarithmic in the exact topics (a connection may ask for a thousand), linear in the patterns.
    pub fn matches(&self, topic: &str) -> bool {
        let (exact, patterns) = self.0.split_at(self.exact_len());
        exact.binary_search_by(|selector| selector.as_exact().map(Topic::as_str).cmp(&Some(topic))).is_ok()
            || patterns.iter().any(|pattern| pattern.matches(topic))
    }

    /// The topic, if the set selects just one by its name.
    pub fn single_exact(&self) -> Option<&Topic> {
        match &*self.0 {
            [selector] => selector.as_exact(),
            _ => None,
        }
    }

    /// The topics, ascending, if all selectors are exact; `None` when there is a pattern.
    pub fn exact_topics(&self) -> Option<impl Iterator<Item = &Topic>> {
        if self.has_patterns() { None } else { Some(self.0.iter().filter_map(Selector::as_exact)) }
    }

    /// Whether any selector is a pattern.
    pub fn has_patterns(&self) -> bool {
        self.exact_len() < self.0.len()
    }

    fn exact_len(&self) -> usize {
        self.0.partition_point(|selector| selector.as_exact().is_some())
    }
}

impl<'a> IntoIterator for &'a SelectorSet {
    type Item = &'a Selector;
    type IntoIter = slice::Iter<'a, Selector>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::naive::{any_selector_set, any_topic_text};

    #[test]
    fn no_selectors_are_no_set() {
        assert_eq!(SelectorSet::new([]), None);
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        assert_eq!(set(&["b", "a", "*", "b"]), set(&["*", "a", "b"]));
        assert_ne!(set(&["a"]), set(&["a", "b"]));
        assert_eq!(
            set(&["b", "**", "a", "*"]).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["a", "b", "*", "**"]
        );
    }

    #[test]
    fn one_topic_is_seen_as_one() {
        let news = Topic::parse("news").expect("a topic");
        assert_eq!(SelectorSet::one(news.clone()), set(&["news"]));
        assert_eq!(set(&["news"]).single_exact(), Some(&news));
        assert_eq!(set(&["news", "chat"]).single_exact(), None);
        assert_eq!(set(&["*"]).single_exact(), None);
    }

    #[test]
    fn topics_are_listed_only_when_there_is_no_pattern() {
        let topics =
            |set: &SelectorSet| set.exact_topics().map(|topics| topics.map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(topics(&set(&["b", "a"])), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(topics(&set(&["b", "a/*"])), None);
        assert!(!set(&["b", "a"]).has_patterns());
        assert!(set(&["b", "a/*"]).has_patterns());
    }

    proptest! {
        #[test]
        fn a_set_matches_what_any_of_its_selectors_matches(set in any_selector_set(), topic in any_topic_text()) {
            prop_assert_eq!(set.matches(&topic), set.iter().any(|selector| selector.matches(&topic)));
        }
    }

    fn set(selectors: &[&str]) -> SelectorSet {
        let selectors = selectors.iter().map(|raw| Selector::parse(raw).expect("a selector"));
        SelectorSet::new(selectors).expect("at least one selector")
    }
}
