//! The index against its reference, and its promises about memory and the cache.

use proptest::prelude::*;

use super::*;
use crate::naive::{NaiveIndex, any_selector_set, any_topic_text};

#[derive(Debug, Clone)]
enum Step {
    /// A set of the pool, and a key.
    Insert(usize, u32),
    Remove(usize, u32),
    /// A topic of the pool, or one that a set of the pool names.
    Matching(prop::sample::Index),
}

const POOL: usize = 8;

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..POOL, 0_u32..6).prop_map(|(set, key)| Step::Insert(set, key)),
        2 => (0..POOL, 0_u32..6).prop_map(|(set, key)| Step::Remove(set, key)),
        5 => any::<prop::sample::Index>().prop_map(Step::Matching),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_index_agrees_with_a_scan(
        cache_entries_max in prop_oneof![Just(0), Just(1), Just(3), Just(64)],
        sets in prop::collection::vec(any_selector_set(), POOL),
        mut topics in prop::collection::vec(any_topic_text(), POOL),
        steps in prop::collection::vec(any_step(), 0..60),
    ) {
        topics.extend(sets.iter().flatten().filter_map(Selector::as_exact).map(ToString::to_string));
        let mut index = Index::new(cache_entries_max);
        let mut naive = NaiveIndex::default();
        for step in steps {
            match step {
                Step::Insert(set, key) => {
                    index.insert(&sets[set], key);
                    naive.insert(&sets[set], key);
                }
                Step::Remove(set, key) => {
                    index.remove(&sets[set], key);
                    naive.remove(&sets[set], key);
                }
                Step::Matching(topic) => {
                    let topic = topic.get(&topics);
                    prop_assert_eq!(index.matching(topic), naive.matching(topic), "{}", topic);
                }
            }
            prop_assert_eq!(index.len(), naive.len());
            prop_assert_eq!(index.is_empty(), naive.len() == 0);
        }
        for topic in &topics {
            prop_assert_eq!(index.matching(topic), naive.matching(topic), "{}", topic);
        }

        for set in &sets {
            (0..6).for_each(|key| index.remove(set, key));
        }
        assert_holds_nothing(&index);
    }
}

#[test]
fn a_key_is_found_once_however_many_of_its_selectors_match() {
    let mut index = Index::new(16);
    index.insert(&set(&["chat/42", "chat/*", "chat/**", "**"]), 5);
    index.insert(&set(&["*/42"]), 1);
    assert_eq!(index.matching("chat/42"), [1, 5]);
    assert_eq!(index.matching("chat/42"), [1, 5], "cached");
}

#[test]
fn a_star_in_a_topic_takes_the_edge_of_the_star_once() {
    let mut index = Index::new(0);
    index.insert(&set(&["*/a", "b/a"]), 1);
    assert_eq!(index.matching("*/a"), [1]);
    assert_eq!(index.matching("*/b"), []);
}

#[test]
fn many_exact_topics_leave_no_memory_behind() {
    let sets: Vec<SelectorSet> = (0..100_000).map(|n| set(&[&format!("user/{n}/inbox")])).collect();
    let mut index = Index::new(1024);
    for (key, set) in (0_u32..).zip(&sets) {
        index.insert(set, key);
    }
    assert_eq!(index.len(), 100_000);
    assert_eq!(index.matching("user/77777/inbox"), [77_777]);

    for (key, set) in (0_u32..).zip(&sets).skip(1) {
        index.remove(set, key);
    }
    assert_eq!(index.len(), 1);
    assert!(index.exact.capacity() <= 64, "room for {} topics, one is left", index.exact.capacity());
    assert_eq!(index.matching("user/0/inbox"), [0]);

    index.remove(&sets[0], 0);
    assert_holds_nothing(&index);
}

#[test]
fn many_patterns_leave_no_memory_behind() {
    let sets: Vec<SelectorSet> = (0..100_000).map(|n| set(&[&format!("user/{n}/*/x/**")])).collect();
    let mut index = Index::new(1024);
    for (key, set) in (0_u32..).zip(&sets) {
        index.insert(set, key);
    }
    assert_eq!(index.matching("user/77777/a/x/b"), [77_777]);

    for (key, set) in (0_u32..).zip(&sets).take(99_999) {
        index.remove(set, key);
    }
    assert!(index.patterns.capacity() <= 64, "room for {} nodes, four are left", index.patterns.capacity());
    assert_eq!(index.matching("user/99999/a/x"), [99_999]);

    index.remove(&sets[99_999], 99_999);
    assert_holds_nothing(&index);
}

#[test]
fn groups_of_exact_topics_that_come_and_go_leave_other_results_cached() {
    let mut index = Index::new(1024);
    index.insert(&set(&["chat/**"]), 1);
    index.matching("chat/42");
    for key in 2..100 {
        index.insert(&set(&[&format!("user/{key}")]), key);
        index.remove(&set(&[&format!("user/{key}")]), key);
    }
    assert_eq!(index.matching("chat/42"), [1]);
    assert_eq!(index.counts(), IndexCounts { cache_hits: 1, cache_misses: 1 });

    index.insert(&set(&["chat/42"]), 2);
    assert_eq!(index.matching("chat/42"), [1, 2], "its own result is void");
    index.remove(&set(&["chat/42"]), 2);
    assert_eq!(index.matching("chat/42"), [1], "and void again");
    assert_eq!(index.counts(), IndexCounts { cache_hits: 1, cache_misses: 3 });
}

#[test]
fn without_patterns_nothing_is_cached() {
    let mut index = Index::new(1024);
    index.insert(&set(&["chat/42"]), 1);
    assert_eq!(index.matching("chat/42"), [1]);
    assert_eq!(index.matching("chat/43"), []);
    assert_eq!(index.counts(), IndexCounts::default());
}

#[test]
fn a_result_too_large_for_the_cache_is_right_all_the_same() {
    let mut index = Index::new(16);
    for key in (0..1000).rev() {
        index.insert(&set(&["**"]), key);
        index.insert(&set(&["chat/42"]), key * 2);
    }
    let want: Vec<u32> = (0..1000).chain((1000..2000).filter(|key| key % 2 == 0)).collect();
    assert_eq!(index.matching("chat/42"), want);
    assert_eq!(index.matching("chat/42"), want);
    assert_eq!(index.counts(), IndexCounts { cache_hits: 0, cache_misses: 2 });
}

#[test]
fn the_longest_topic_and_pattern_are_taken_in_stride() {
    let mut index = Index::new(16);
    index.insert(&set(&[&"/*".repeat(2048)]), 1);
    index.insert(&set(&[&format!("{}**", "/".repeat(4000))]), 2);
    assert_eq!(index.matching(&"/".repeat(2048)), [1]);
    assert_eq!(index.matching(&"/".repeat(4096)), [2]);
    index.remove(&set(&[&"/*".repeat(2048)]), 1);
    index.remove(&set(&[&format!("{}**", "/".repeat(4000))]), 2);
    assert_holds_nothing(&index);
}

#[test]
fn selectors_of_all_kinds_are_found_together() {
    let mut index = Index::new(16);
    let topic = "https://hub.example/chat/42";
    for (key, selector) in (0_u32..).zip([
        Selector::match_exact(topic),
        Selector::parse("https:/**"),
        Selector::mercure_0("*"),
        Selector::mercure_0("https://hub.example/chat/{id}"),
        Selector::mercure_0("{+url}"),
        Selector::url_pattern("/chat/:id", "https://hub.example/"),
        Selector::mercure_0("https://hub.example/chats/{id}"),
        Selector::url_pattern("/chat/:id", "https://other.example/"),
    ]) {
        index.insert(&SelectorSet::new(selector).expect("one selector"), key);
    }
    assert_eq!(index.matching(topic), [0, 1, 2, 3, 4, 5]);
    assert_eq!(index.matching(topic), [0, 1, 2, 3, 4, 5], "cached");
    assert_eq!(index.counts(), IndexCounts { cache_hits: 1, cache_misses: 1 });
    assert_eq!(index.matching("/chat/42"), [2, 4, 5, 7], "relative to each hub");
    assert_eq!(index.matching("a b"), [2]);
}

#[test]
fn a_matcher_that_comes_or_goes_voids_what_was_cached() {
    let mut index = Index::new(16);
    let any = SelectorSet::new(Selector::mercure_0("*")).expect("one selector");
    let template = SelectorSet::new(Selector::mercure_0("chat/{id}")).expect("one selector");
    index.insert(&any, 1);
    assert_eq!(index.matching("chat/42"), [1]);
    index.insert(&template, 2);
    assert_eq!(index.matching("chat/42"), [1, 2]);
    index.remove(&any, 1);
    assert_eq!(index.matching("chat/42"), [2]);
    index.remove(&template, 2);
    assert_holds_nothing(&index);
}

#[test]
fn many_templates_leave_no_memory_behind() {
    let sets: Vec<SelectorSet> = (0..20_000)
        .map(|n| Selector::mercure_0(&format!("user/{n}/{{box}}{{?page}}")))
        .map(|template| SelectorSet::new(template).expect("one selector"))
        .collect();
    let mut index = Index::new(1024);
    for (key, set) in (0_u32..).zip(&sets) {
        index.insert(set, key);
    }
    assert_eq!(index.len(), 20_000);
    assert_eq!(index.matching("user/7777/inbox?page=2"), [7777]);
    for (key, set) in (0_u32..).zip(&sets) {
        index.remove(set, key);
    }
    assert_holds_nothing(&index);
}

fn assert_holds_nothing(index: &Index<u32>) {
    assert!(index.is_empty(), "{index:?}");
    assert_eq!((index.exact.capacity(), index.patterns.capacity()), (0, 0), "{index:?}");
    assert!(index.matchers.is_empty(), "{index:?}");
    assert_eq!((index.cache.capacity(), index.gathered.capacity()), (0, 0), "{index:?}");
}

fn set(selectors: &[&str]) -> SelectorSet {
    let selectors = selectors.iter().map(|raw| Selector::parse(raw).expect("a selector"));
    SelectorSet::new(selectors).expect("at least one selector")
}
