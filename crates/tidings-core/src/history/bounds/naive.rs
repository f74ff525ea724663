//! The same as a plain list of all that is kept, and random histories that both must trim alike.

use std::iter;
use std::time::Duration;

use proptest::prelude::*;
use tidings_topic::Topic;

use super::BoundedTopics;
use super::tests::{at, bounded, table, topic};
use super::{Bounded, Kind, Timestamp, TopicBounds};

/// What may happen to the topics.
#[derive(Clone, Debug)]
enum Operation {
    Push { topic: usize, is_end: bool, cost_bytes: u32 },
    HubTrims { records: usize },
    Delete { topic: usize },
    Advance { ms: u64 },
    TrimOne,
    TrimAll,
}

const TOPICS: [&str; 4] = ["a", "b", "x/1", "x/2"];

fn operation() -> impl Strategy<Value = Operation> {
    let push = (0..TOPICS.len(), proptest::bool::weighted(0.1), 0..20_u32);
    prop_oneof![
        8 => push.prop_map(|(topic, is_end, cost_bytes)| Operation::Push { topic, is_end, cost_bytes }),
        1 => (0..4_usize).prop_map(|records| Operation::HubTrims { records }),
        1 => (0..TOPICS.len()).prop_map(|topic| Operation::Delete { topic }),
        2 => (0..10_u64).prop_map(|ms| Operation::Advance { ms }),
        1 => Just(Operation::TrimOne),
        2 => Just(Operation::TrimAll),
    ]
}

fn a_table() -> impl Strategy<Value = TopicBounds> {
    let topics = prop::sample::select(vec!["a", "b", "x/1", "x/*", "*", "**"]);
    let bound = |max: u64| prop_oneof![Just(None), (0..max).prop_map(Some)];
    (topics, bound(5), bound(40), bound(20)).prop_map(|(topics, events, bytes, age_ms)| {
        table(topics, events, bytes.map(|bytes| usize::try_from(bytes).expect("it is small")), age_ms)
    })
}

/// The same as a plain list of all that is kept.
struct Naive {
    tables: Vec<TopicBounds>,
    kept: Vec<(Topic, Bounded)>,
}

impl Naive {
    /// Takes out what is beyond a bound: what has as much as is allowed of its topic after it, or is too old.
    fn trim_all(&mut self, now: Timestamp) -> Vec<u64> {
        let is_over = |nth: usize| {
            let (topic, bounded) = &self.kept[nth];
            let table = self.tables.iter().find(|table| table.topics.matches(topic.as_str()))?;
            let from_here = || self.kept[nth..].iter().filter(|(other, _)| other == topic).map(|(_, it)| it);
            let events = from_here().filter(|it| it.kind == Kind::Event).count() as u64;
            let bytes: usize = from_here().map(|it| it.cost_bytes as usize).sum();
            let is_over = table.events_max.is_some_and(|events_max| events > events_max)
                || table.bytes_max.is_some_and(|bytes_max| bytes > bytes_max)
                || table.age_max.is_some_and(|age_max| bounded.committed_at.saturating_add(age_max) <= now);
            is_over.then_some(bounded.place)
        };
        let gone: Vec<_> = (0..self.kept.len()).filter_map(is_over).collect();
        self.kept.retain(|(_, bounded)| !gone.contains(&bounded.place));
        gone.into_iter().map(|place| place.0).collect()
    }
}

proptest! {
    #[test]
    fn any_topics_are_trimmed_as_a_plain_list(
        tables in prop::collection::vec(a_table(), 0..4),
        operations in prop::collection::vec(operation(), 1..120),
    ) {
        let mut topics = BoundedTopics::new(&tables);
        let mut naive = Naive { tables, kept: Vec::new() };
        let (mut now, mut place, mut early) = (at(0), 0, Vec::new());
        for operation in operations.into_iter().chain([Operation::TrimAll]) {
            match operation {
                Operation::Push { topic: nth, is_end, cost_bytes } => {
                    place += 1;
                    let kind = if is_end { Kind::End } else { Kind::Event };
                    let pushed = Bounded { committed_at: now, ..bounded(place, kind, cost_bytes) };
                    topics.restore(&topic(TOPICS[nth]), pushed);
                    naive.kept.push((topic(TOPICS[nth]), pushed));
                }
                Operation::Advance { ms } => now = now.saturating_add(Duration::from_millis(ms)),
                Operation::TrimOne => early.extend(topics.trim_one(now).map(|trimmed| trimmed.place.0)),
                // What was given out before is out of both.
                Operation::TrimAll | Operation::HubTrims { .. } | Operation::Delete { .. } => {
                    let rest = iter::from_fn(|| topics.trim_one(now)).map(|trimmed| trimmed.place.0);
                    let mut got: Vec<_> = early.drain(..).chain(rest).collect();
                    got.sort_unstable();
                    prop_assert_eq!(got, naive.trim_all(now));
                    prop_assert!(!topics.is_over_bounds(now));
                }
            }
            match operation {
                Operation::HubTrims { records } => {
                    for (topic, bounded) in naive.kept.drain(..records.min(naive.kept.len())) {
                        topics.on_trimmed(&topic, bounded.place);
                    }
                }
                Operation::Delete { topic: nth } => {
                    topics.on_deleted(&topic(TOPICS[nth]));
                    naive.kept.retain(|(other, _)| other.as_str() != TOPICS[nth]);
                }
                _ => {}
            }
        }
        let is_bounded = |name: &Topic| topics.bounds_of(name).is_some_and(TopicBounds::is_bounding);
        let mut left: Vec<_> = naive.kept.iter().map(|(name, _)| name).filter(|name| is_bounded(name)).collect();
        left.sort_unstable();
        left.dedup();
        let mut got: Vec<_> = topics.topics.keys().collect();
        got.sort_unstable();
        prop_assert_eq!(got, left);
    }
}
