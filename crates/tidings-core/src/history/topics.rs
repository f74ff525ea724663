//! Topic → the places of its retained records, and walks over several topics in the order of places.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::iter;

use tidings_topic::{SelectorSet, Topic};

use crate::position::Sequence;

/// The places of one topic, ascending; never empty.
type Places = VecDeque<Sequence>;

/// The places of every topic that has any.
#[derive(Debug, Default)]
pub struct TopicIndex(HashMap<Topic, Places>);

/// A topic that was busy once gives its room back when it has this many times more than it needs.
const SPARE_FACTOR: usize = 4;
const ROOM_KEPT: usize = 64;

impl TopicIndex {
    /// How many topics have places.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Has the topic places?
    pub fn has(&self, topic: &Topic) -> bool {
        self.0.contains_key(topic)
    }

    /// The topics, in no order.
    pub fn names(&self) -> impl Iterator<Item = &Topic> {
        self.0.keys()
    }

    /// The topic has a record at `place`, after all it had.
    pub fn push(&mut self, topic: &Topic, place: Sequence) {
        match self.0.get_mut(topic) {
            Some(places) => places.push_back(place),
            None => drop(self.0.insert(topic.clone(), VecDeque::from([place]))),
        }
    }

    /// Forgets a place of a topic, if it is there: mostly the first. (Of records that are found under several topics any may
    /// go first. Cost then: as many places moved as are on its shorter side.)
    pub fn pop(&mut self, topic: &Topic, place: Sequence) {
        let Some(places) = self.0.get_mut(topic) else { return };
        if places.front() == Some(&place) {
            places.pop_front();
        } else if let Ok(nth) = places.binary_search(&place) {
            places.remove(nth);
        }
        if places.is_empty() {
            self.0.remove(topic);
        } else if places.capacity() > ROOM_KEPT && places.capacity() / SPARE_FACTOR > places.len() {
            places.shrink_to(2 * places.len());
        }
    }

    /// The places of a topic, ascending.
    pub fn places(&self, topic: &Topic) -> impl Iterator<Item = Sequence> {
        self.0.get(topic).into_iter().flatten().copied()
    }

    /// The places of the selected topics. Cost: a look-up for each topic asked for, or, with patterns, a match for each
    /// topic there is.
    pub fn select(&self, selectors: &SelectorSet) -> Selected<'_> {
        if let Some(topics) = selectors.exact_topics() {
            return Selected(topics.filter_map(|topic| self.0.get(topic)).collect());
        }
        let matching = self.0.iter().filter(|(topic, _)| selectors.matches(topic.as_str()));
        Selected(matching.map(|(_, places)| places).collect())
    }
}

/// The places of some topics.
#[derive(Debug)]
pub struct Selected<'a>(Vec<&'a Places>);

impl<'a> Selected<'a> {
    /// Each topic's places by themselves.
    pub fn topics(&self) -> impl Iterator<Item = &'a Places> {
        self.0.iter().copied()
    }

    /// The first place of all.
    pub fn first(&self) -> Option<Sequence> {
        self.topics().filter_map(VecDeque::front).min().copied()
    }

    /// How many places there are. One that several of the topics have counts for each.
    pub fn count(&self) -> usize {
        self.topics().map(VecDeque::len).sum()
    }

    /// All places after `after`, ascending. Cost: a binary search for each topic, then its logarithm for each place.
    pub fn after(&self, after: Sequence) -> impl Iterator<Item = Sequence> {
        let rests = self.topics().map(move |places| places.range(places.partition_point(|&place| place <= after)..));
        once_each(merge(rests.map(|rest| rest.map(|&place| Reverse(place)))).map(|Reverse(place)| place))
    }

    /// All places, descending.
    pub fn backwards(&self) -> impl Iterator<Item = Sequence> {
        once_each(merge(self.topics().map(|places| places.iter().rev().copied())))
    }
}

/// Equal neighbours once: a record that is found under several of the topics.
fn once_each(places: impl Iterator<Item = Sequence>) -> impl Iterator<Item = Sequence> {
    let mut last = None;
    places.filter(move |place| last.replace(*place) != Some(*place))
}

/// All items of some descending sequences, descending.
fn merge<T: Ord>(sources: impl Iterator<Item = impl Iterator<Item = T>>) -> impl Iterator<Item = T> {
    let mut rests: Vec<_> = sources.collect();
    let heads = rests.iter_mut().enumerate().filter_map(|(source, rest)| Some((rest.next()?, source)));
    let mut heads: BinaryHeap<(T, usize)> = heads.collect();
    iter::from_fn(move || {
        let mut head = heads.peek_mut()?;
        match rests[head.1].next() {
            Some(next) => Some(std::mem::replace(&mut head.0, next)),
            None => Some(PeekMut::pop(head).0),
        }
    })
}

#[cfg(test)]
mod tests {
    use tidings_topic::Selector;

    use super::*;

    fn index() -> TopicIndex {
        let mut index = TopicIndex::default();
        for (place, name) in ["a", "b", "a", "c", "b", "a"].iter().enumerate() {
            index.push(&topic(name), Sequence(place as u64 + 1));
        }
        index
    }

    #[test]
    fn places_of_several_topics_come_in_one_order() {
        let index = index();
        let check = |selectors: &[&str], after: u64, want: &[u64]| {
            let set = SelectorSet::new(selectors.iter().map(|raw| Selector::parse(raw).expect("a selector")));
            let selected = index.select(set.as_ref().expect("not empty"));
            let got: Vec<u64> = selected.after(Sequence(after)).map(|place| place.0).collect();
            assert_eq!(got, want, "{selectors:?} after {after}");
            let mut backwards: Vec<u64> = selected.backwards().map(|place| place.0).collect();
            backwards.reverse();
            assert_eq!(backwards, selected.after(Sequence::ZERO).map(|place| place.0).collect::<Vec<_>>());
            assert_eq!(
                (selected.count(), selected.first().map(|place| place.0)),
                (backwards.len(), backwards.first().copied())
            );
        };
        check(&["a"], 0, &[1, 3, 6]);
        check(&["a"], 3, &[6]);
        check(&["a", "b"], 1, &[2, 3, 5, 6]);
        check(&["*"], 0, &[1, 2, 3, 4, 5, 6]);
        check(&["a", "nobody"], 6, &[]);
        check(&["nobody"], 0, &[]);
    }

    #[test]
    fn a_place_of_several_topics_comes_once() {
        let mut index = index();
        for name in ["a", "b", "d"] {
            index.push(&topic(name), Sequence(7));
        }
        let set = SelectorSet::new([Selector::parse("*").expect("a selector")]).expect("not empty");
        let selected = index.select(&set);
        let forwards: Vec<u64> = selected.after(Sequence(4)).map(|place| place.0).collect();
        assert_eq!(forwards, [5, 6, 7]);
        let backwards: Vec<u64> = selected.backwards().take(3).map(|place| place.0).collect();
        assert_eq!(backwards, [7, 6, 5]);
    }

    #[test]
    fn a_topic_without_places_is_forgotten() {
        let mut index = index();
        index.pop(&topic("c"), Sequence(4));
        assert_eq!(index.count(), 2);
        index.pop(&topic("a"), Sequence(1));
        index.pop(&topic("a"), Sequence(6));
        index.pop(&topic("a"), Sequence(5));
        assert_eq!(index.places(&topic("a")).collect::<Vec<_>>(), [Sequence(3)]);
        index.pop(&topic("a"), Sequence(3));
        assert_eq!((index.count(), index.places(&topic("a")).count()), (1, 0));
    }

    #[test]
    fn a_topic_that_was_busy_gives_its_room_back() {
        let mut index = TopicIndex::default();
        (1..=10_000).for_each(|place| index.push(&topic("a"), Sequence(place)));
        (1..10_000).for_each(|place| index.pop(&topic("a"), Sequence(place)));
        let places = &index.0[&topic("a")];
        assert!(places.capacity() <= ROOM_KEPT, "room for {}", places.capacity());
    }

    fn topic(raw: &str) -> Topic {
        Topic::parse(raw).expect("a topic")
    }
}
