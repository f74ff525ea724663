//! Topic → the table that holds for it: the first one that selects it.

use std::collections::HashMap;

use tidings_topic::Topic;

use crate::limits::TopicBounds;

/// The tables in their order, found by name where they name a topic.
#[derive(Debug, Default)]
pub(super) struct Tables {
    all: Vec<TopicBounds>,
    /// The first table of each topic that is named.
    exact: HashMap<Topic, usize>,
    /// Which tables have a pattern, ascending.
    patterns: Vec<usize>,
}

impl Tables {
    pub(super) fn new(tables: &[TopicBounds]) -> Self {
        let (mut exact, mut patterns) = (HashMap::new(), Vec::new());
        for (nth, table) in tables.iter().enumerate() {
            match table.topics.as_exact() {
                Some(topic) => _ = exact.entry(topic.clone()).or_insert(nth),
                None => patterns.push(nth),
            }
        }
        Self { all: tables.to_vec(), exact, patterns }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn get(&self, nth: usize) -> &TopicBounds {
        &self.all[nth]
    }

    /// Which table holds for `topic`? Cost: a look-up, and a match for each pattern before what it finds.
    pub(super) fn nth_of(&self, topic: &Topic) -> Option<usize> {
        let exact = self.exact.get(topic).copied();
        let mut before = self.patterns.iter().copied().take_while(|&nth| exact.is_none_or(|exact| nth < exact));
        before.find(|&nth| self.all[nth].topics.matches(topic.as_str())).or(exact)
    }
}

impl TopicBounds {
    /// Does it bound anything? One that does not exempts its topics from those after it.
    pub(super) fn is_bounding(&self) -> bool {
        self.events_max.is_some() || self.bytes_max.is_some() || self.age_max.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tidings_topic::Selector;

    use super::*;

    #[test]
    fn the_first_table_that_selects_a_topic_holds() {
        let check = |selectors: &[&str], raw: &str, want: Option<usize>| {
            let table = |raw: &&str| TopicBounds {
                topics: Selector::parse(raw).expect("a selector"),
                events_max: None,
                bytes_max: None,
                age_max: None,
            };
            let tables = Tables::new(&selectors.iter().map(table).collect::<Vec<_>>());
            let got = tables.nth_of(&Topic::parse(raw).expect("a topic"));
            assert_eq!(got, want, "{raw} under {selectors:?}");
        };
        check(&[], "a", None);
        check(&["a", "b"], "b", Some(1));
        check(&["a", "b"], "c", None);
        check(&["a", "*"], "a", Some(0));
        check(&["*", "a"], "a", Some(0));
        check(&["b/*", "a", "*"], "a", Some(1));
        check(&["b/*", "a", "*"], "c", Some(2));
        check(&["b/*", "b/1", "**"], "b/1", Some(0));
        check(&["b/*", "b/1", "**"], "b/1/2", Some(2));
        check(&["a", "a"], "a", Some(0));
    }
}
