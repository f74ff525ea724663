//! A bounded memory of one place for each topic; at its limit the oldest place makes room.

use std::collections::{BTreeSet, HashMap};

use tidings_topic::{SelectorSet, Topic};

use crate::position::Sequence;

/// For each topic one place, and something to remember with it.
#[derive(Debug)]
pub struct Places<T> {
    /// `by_topic[topic].0 = sequence  <=>  (sequence, topic) in by_sequence`
    by_topic: HashMap<Topic, (Sequence, T)>,
    by_sequence: BTreeSet<(Sequence, Option<Topic>)>,
    topics_max: usize,
}

/// More marks than this are not matched with a reader's patterns; the next one counts for all older ones.
const MATCHED_MAX: usize = 1024;

impl<T> Places<T> {
    /// None yet; at most `topics_max`.
    pub fn new(topics_max: usize) -> Self {
        Self { by_topic: HashMap::new(), by_sequence: BTreeSet::new(), topics_max }
    }

    /// How many topics there are.
    pub fn count(&self) -> usize {
        self.by_topic.len()
    }

    /// The place of a topic.
    pub fn get(&self, topic: &Topic) -> Option<&(Sequence, T)> {
        self.by_topic.get(topic)
    }

    /// What is remembered with `sequence`, for one of the topics that have it.
    pub fn get_at(&self, sequence: Sequence) -> Option<&T> {
        // No topic is before every topic: that alone is why the topics in this set are optional.
        let (at, topic) = self.by_sequence.range((sequence, None)..).next()?;
        let topic = topic.as_ref().filter(|_| *at == sequence)?;
        self.get(topic).map(|(_, value)| value)
    }

    /// All of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (&Topic, Sequence, &T)> {
        self.newest_last().filter_map(|(topic, sequence)| Some((topic, sequence, &self.get(topic)?.1)))
    }

    /// Forgets all places up to and with `place`.
    pub fn forget_through(&mut self, place: Sequence) {
        while self.by_sequence.first().is_some_and(|(first, _)| *first <= place) {
            if let Some((_, Some(topic))) = self.by_sequence.pop_first() {
                self.by_topic.remove(&topic);
            }
        }
    }

    /// Remembers a place in lieu of the topic's earlier one. Returns what had to go for it.
    pub fn set(&mut self, topic: &Topic, sequence: Sequence, value: T) -> Option<(Topic, Sequence, T)> {
        if let Some(place) = self.by_topic.get_mut(topic) {
            let (before, _) = std::mem::replace(place, (sequence, value));
            self.by_sequence.remove(&(before, Some(topic.clone())));
            self.by_sequence.insert((sequence, Some(topic.clone())));
            return None;
        }
        self.by_topic.insert(topic.clone(), (sequence, value));
        self.by_sequence.insert((sequence, Some(topic.clone())));
        if self.by_topic.len() <= self.topics_max {
            return None;
        }
        let (oldest, topic) = self.by_sequence.pop_first()?;
        let topic = topic?;
        self.by_topic.remove(&topic).map(|(_, value)| (topic, oldest, value))
    }

    /// As [`Places::set`], unless the topic's earlier place is not before `sequence`.
    pub fn advance(&mut self, topic: &Topic, sequence: Sequence, value: T) -> Option<(Topic, Sequence, T)> {
        match self.get(topic) {
            Some((before, _)) if *before >= sequence => None,
            _ => self.set(topic, sequence, value),
        }
    }

    /// Forgets a topic.
    pub fn remove(&mut self, topic: &Topic) -> Option<(Sequence, T)> {
        let place = self.by_topic.remove(topic)?;
        self.by_sequence.remove(&(place.0, Some(topic.clone())));
        Some(place)
    }

    /// The latest place of the selected topics; for patterns possibly a later one, never an earlier one.
    pub fn latest(&self, selectors: &SelectorSet) -> Option<&(Sequence, T)> {
        if let Some(topics) = selectors.exact_topics() {
            return topics.filter_map(|topic| self.get(topic)).max_by_key(|(sequence, _)| *sequence);
        }
        let mut newest_first = self.newest_last().rev().map(|(topic, _)| topic).enumerate();
        let is_latest = |(nth, topic): &(usize, &Topic)| *nth >= MATCHED_MAX || selectors.matches(topic.as_str());
        newest_first.find(is_latest).and_then(|(_, topic)| self.get(topic))
    }

    fn newest_last(&self) -> impl DoubleEndedIterator<Item = (&Topic, Sequence)> {
        self.by_sequence.iter().filter_map(|(sequence, topic)| Some((topic.as_ref()?, *sequence)))
    }
}

#[cfg(test)]
mod tests {
    use tidings_topic::Selector;

    use super::*;

    #[test]
    fn the_oldest_place_makes_room() {
        let mut places = Places::new(2);
        assert_eq!(places.set(&topic("a"), Sequence(1), 'a'), None);
        assert_eq!(places.set(&topic("b"), Sequence(2), 'b'), None);
        assert_eq!(places.set(&topic("a"), Sequence(3), 'A'), None);
        assert_eq!(places.set(&topic("c"), Sequence(4), 'c'), Some((topic("b"), Sequence(2), 'b')));
        assert_eq!((places.get_at(Sequence(3)), places.get_at(Sequence(1)), places.count()), (Some(&'A'), None, 2));
        assert_eq!(places.remove(&topic("a")), Some((Sequence(3), 'A')));
        assert_eq!(places.remove(&topic("a")), None);
    }

    #[test]
    fn topics_may_share_a_place_and_never_go_back() {
        let mut places = Places::new(2);
        for name in ["a", "b"] {
            assert_eq!(places.advance(&topic(name), Sequence(2), ()), None);
        }
        assert_eq!((places.get_at(Sequence(2)), places.get_at(Sequence(1)), places.count()), (Some(&()), None, 2));
        assert_eq!(places.advance(&topic("a"), Sequence(1), ()), None);
        assert_eq!(places.get(&topic("a")), Some(&(Sequence(2), ())));
        assert_eq!(places.advance(&topic("c"), Sequence(3), ()), Some((topic("a"), Sequence(2), ())));
        places.forget_through(Sequence(2));
        assert_eq!(places.iter().map(|(topic, _, ())| topic.clone()).collect::<Vec<_>>(), [topic("c")]);
    }

    #[test]
    fn the_latest_place_is_that_of_the_selected_topics() {
        let mut places = Places::new(10);
        for (sequence, name) in [(1, "a/1"), (2, "a/2"), (3, "b/1"), (4, "c")] {
            places.set(&topic(name), Sequence(sequence), ());
        }
        let check = |selectors: &[&str], want: Option<u64>| {
            let set = SelectorSet::new(selectors.iter().map(|raw| Selector::parse(raw).expect("a selector")));
            let got = places.latest(&set.expect("not empty")).map(|(sequence, ())| sequence.0);
            assert_eq!(got, want, "{selectors:?}");
        };
        check(&["a/1"], Some(1));
        check(&["a/2", "a/1"], Some(2));
        check(&["a/*"], Some(2));
        check(&["a/*", "b/1"], Some(3));
        check(&["**"], Some(4));
        check(&["d/*"], None);
        check(&["d"], None);
    }

    #[test]
    fn beyond_so_many_places_a_pattern_gets_a_later_one() {
        let mut places = Places::new(10_000);
        for sequence in 1..=2_000 {
            places.set(&topic(&format!("busy/{sequence}")), Sequence(sequence), ());
        }
        let set = SelectorSet::new([Selector::parse("quiet/*").expect("a selector")]).expect("not empty");
        let oldest_looked_at = 2_000 - MATCHED_MAX as u64;
        assert_eq!(places.latest(&set), Some(&(Sequence(oldest_looked_at), ())));
    }

    fn topic(raw: &str) -> Topic {
        Topic::parse(raw).expect("a topic")
    }
}
