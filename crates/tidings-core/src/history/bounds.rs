//! The bounds of single topics: which table holds for a topic, and what of it is beyond.
//!
//! Knows places, times and sizes, never a record's bytes: an engine that keeps its records on a disk uses it too. The
//! bounds of the whole hub are the engine's own affair.

#[cfg(test)]
mod naive;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use tidings_topic::Topic;

use super::tables::Tables;
use crate::limits::TopicBounds;
use crate::position::Sequence;
use crate::record::{Kind, Record};
use crate::time::Timestamp;

/// What is kept of the topics that a table of [`crate::HistoryLimits::topic_bounds`] holds for.
///
/// Events and ends count for the bytes and the age, events alone for the count. What is pushed is kept until
/// [`BoundedTopics::trim_one`] gives it out, or the engine says that it has gone otherwise.
///
/// Cost: 32 bytes for each record kept under a table, a third more with the room that it grows into, and about 200 for each
/// such topic; both are given back. Without a table nothing is kept and nothing is looked up.
#[derive(Debug, Default)]
pub struct BoundedTopics {
    tables: Tables,
    /// Those that have something, and none else.
    topics: HashMap<Topic, BoundedTopic>,
    /// All topics that have more events or bytes than they may, and maybe some that no longer have.
    over: Vec<Topic>,
    /// When to look at a topic again for its age: never later than the first of its records is too old.
    /// `due = { (topic.due, topic) }`
    due: BTreeSet<(Timestamp, Topic)>,
}

/// What is remembered of a record under a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// Its place.
    pub place: Sequence,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// What it counts for against the bytes of its topic. An event is far from 4 GiB.
    pub cost_bytes: u32,
    /// How long after its commit it is past its own age. Unit: milliseconds; `None`: never, or not within 49 days.
    pub ttl_ms: Option<NonZeroU32>,
    /// What it is.
    pub kind: Kind,
    /// It is found under other topics too. (These have no say here: bounds go by the canonical topic alone.)
    pub has_alternates: bool,
}

/// A record that is beyond the bounds of its topic: the oldest one that the topic had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Its topic.
    pub topic: Topic,
    /// Its place.
    pub place: Sequence,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// What it counted for.
    pub cost_bytes: usize,
    /// From when on it is past its own age, if it has one.
    pub expires_at: Option<Timestamp>,
    /// What it is.
    pub kind: Kind,
    /// It is found under other topics too.
    pub has_alternates: bool,
}

impl Bounded {
    /// What is remembered of a record that is past its own age at `expires_at`, and has no alternate topics.
    pub fn new(
        place: Sequence,
        committed_at: Timestamp,
        expires_at: Option<Timestamp>,
        cost_bytes: u32,
        kind: Kind,
    ) -> Self {
        let ttl_ms = expires_at.and_then(|at| u32::try_from(at.since(committed_at).as_millis()).ok());
        // One that is past its age at once is past it after a millisecond as well.
        let ttl_ms = ttl_ms.map(|ttl_ms| NonZeroU32::new(ttl_ms).unwrap_or(NonZeroU32::MIN));
        Self { place, committed_at, cost_bytes, ttl_ms, kind, has_alternates: false }
    }

    fn expires_at(&self) -> Option<Timestamp> {
        let ttl = Duration::from_millis(u64::from(self.ttl_ms?.get()));
        Some(self.committed_at.saturating_add(ttl))
    }
}

impl BoundedTopics {
    /// Nothing kept yet, under these tables, of which the first that selects a topic holds for it.
    pub fn new(tables: &[TopicBounds]) -> Self {
        Self { tables: Tables::new(tables), ..Self::default() }
    }

    /// Is there no table? Then nothing here ever does anything.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// How many topics under a table have something.
    pub fn count(&self) -> usize {
        self.topics.len()
    }

    /// The table that holds for `topic`. Cost: a match for each pattern before it.
    pub fn bounds_of(&self, topic: &Topic) -> Option<&TopicBounds> {
        self.tables.nth_of(topic).map(|nth| self.tables.get(nth))
    }

    /// `record` was committed and counts for so much. Records of one topic come in the order of their places.
    pub fn push(&mut self, record: &Record, cost_bytes: usize) {
        if !self.is_empty() {
            let Record { sequence: place, committed_at, expires_at, kind, .. } = *record;
            let cost_bytes = u32::try_from(cost_bytes).unwrap_or(u32::MAX);
            let bounded = Bounded::new(place, committed_at, expires_at, cost_bytes, kind);
            self.restore(&record.topic, Bounded { has_alternates: record.has_alternates(), ..bounded });
        }
    }

    /// As [`BoundedTopics::push`], of a record that is not at hand.
    pub fn restore(&mut self, topic: &Topic, bounded: Bounded) {
        if self.is_empty() || bounded.kind == Kind::Deleted {
            return;
        }
        let of_topic = match self.topics.get_mut(topic) {
            Some(of_topic) => of_topic,
            None => match self.tables.nth_of(topic).filter(|&nth| self.tables.get(nth).is_bounding()) {
                Some(table) => self.topics.entry(topic.clone()).or_insert(BoundedTopic::new(table)),
                None => return,
            },
        };
        let bounds = self.tables.get(of_topic.table);
        of_topic.push(bounded);
        if of_topic.due.is_none()
            && let Some(age_max) = bounds.age_max
        {
            let at = bounded.committed_at.saturating_add(age_max);
            of_topic.due = Some(at);
            self.due.insert((at, topic.clone()));
        }
        if !of_topic.is_queued && of_topic.is_over(bounds) {
            of_topic.is_queued = true;
            self.over.push(topic.clone());
        }
    }

    /// May there be something to trim now? Cost: a look at two ends of lists.
    pub fn is_over_bounds(&self, now: Timestamp) -> bool {
        !self.over.is_empty() || self.due.first().is_some_and(|(at, _)| *at <= now)
    }

    /// Gives out one record that is beyond the bounds of its topic, which is not kept from then on. To be called until there
    /// is none. Cost: a look-up, and for the age the logarithm of the number of topics.
    pub fn trim_one(&mut self, now: Timestamp) -> Option<Trimmed> {
        self.trim_over().or_else(|| self.trim_due(now))
    }

    /// The engine has trimmed all of `topic` up to and with this place, for the bounds of the hub.
    pub fn on_trimmed(&mut self, topic: &Topic, through: Sequence) {
        while self.topics.get(topic).is_some_and(|of_topic| of_topic.first().place <= through) {
            self.take_first(topic);
        }
    }

    /// The topic was deleted: it has nothing any more.
    pub fn on_deleted(&mut self, topic: &Topic) {
        if let Some(of_topic) = self.topics.remove(topic) {
            self.forget_due(of_topic.due, topic);
        }
    }

    fn trim_over(&mut self) -> Option<Trimmed> {
        while let Some(topic) = self.over.last() {
            let of_topic = self.topics.get_mut(topic);
            if let Some(of_topic) = of_topic {
                if of_topic.is_over(self.tables.get(of_topic.table)) {
                    let topic = topic.clone();
                    return self.take_first(&topic);
                }
                of_topic.is_queued = false;
            }
            self.over.pop();
        }
        None
    }

    fn trim_due(&mut self, now: Timestamp) -> Option<Trimmed> {
        while let Some((_, topic)) = self.due.first().filter(|(at, _)| *at <= now) {
            let of_topic = self.topics.get_mut(topic).expect("a topic that is due has something");
            let age_max = self.tables.get(of_topic.table).age_max.expect("a topic that is due has an age");
            let at = of_topic.first().committed_at.saturating_add(age_max);
            let topic = topic.clone();
            if at <= now {
                return self.take_first(&topic);
            }
            // What was due has gone before its age. Looked at only now, so that a busy topic that is held by its count
            // does not change its place in this list with each event.
            let before = of_topic.due.replace(at);
            self.forget_due(before, &topic);
            self.due.insert((at, topic));
        }
        None
    }

    fn take_first(&mut self, topic: &Topic) -> Option<Trimmed> {
        let of_topic = self.topics.get_mut(topic)?;
        let bounded = of_topic.pop()?;
        let Bounded { place, committed_at, cost_bytes, kind, has_alternates, .. } = bounded;
        let expires_at = bounded.expires_at();
        if of_topic.kept.is_empty() {
            self.on_deleted(topic);
        }
        let (topic, cost_bytes) = (topic.clone(), cost_bytes as usize);
        Some(Trimmed { topic, place, committed_at, cost_bytes, expires_at, kind, has_alternates })
    }

    fn forget_due(&mut self, due: Option<Timestamp>, topic: &Topic) {
        if let Some(at) = due {
            self.due.remove(&(at, topic.clone()));
        }
    }
}

/// What is kept of one topic.
#[derive(Debug)]
struct BoundedTopic {
    /// Which table holds for it.
    table: usize,
    /// Ascending by place; not empty between two calls.
    kept: VecDeque<Bounded>,
    /// How many of them are events.
    events: u64,
    /// What all of them count for.
    bytes: usize,
    /// It stands in the list of those that have too much.
    is_queued: bool,
    /// When it is to be looked at for its age. `due <= first().committed_at + age_max`
    due: Option<Timestamp>,
}

/// A topic that was busy once gives its room back when it has this many times more than it needs.
const SPARE_FACTOR: usize = 4;
const ROOM_KEPT: usize = 64;

impl BoundedTopic {
    fn new(table: usize) -> Self {
        Self { table, kept: VecDeque::new(), events: 0, bytes: 0, is_queued: false, due: None }
    }

    fn first(&self) -> &Bounded {
        self.kept.front().expect("a topic that has nothing is forgotten")
    }

    fn is_over(&self, bounds: &TopicBounds) -> bool {
        bounds.events_max.is_some_and(|events_max| self.events > events_max)
            || bounds.bytes_max.is_some_and(|bytes_max| self.bytes > bytes_max)
    }

    fn push(&mut self, bounded: Bounded) {
        debug_assert!(self.kept.back().is_none_or(|last| last.place < bounded.place), "places ascend");
        self.events += u64::from(bounded.kind == Kind::Event);
        self.bytes += bounded.cost_bytes as usize;
        self.kept.push_back(bounded);
    }

    fn pop(&mut self) -> Option<Bounded> {
        let first = self.kept.pop_front()?;
        self.events -= u64::from(first.kind == Kind::Event);
        self.bytes -= first.cost_bytes as usize;
        if self.kept.capacity() > ROOM_KEPT && self.kept.capacity() / SPARE_FACTOR > self.kept.len() {
            self.kept.shrink_to(2 * self.kept.len());
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use tidings_topic::Selector;

    use super::*;

    #[test]
    fn what_is_beyond_its_table_is_given_out_oldest_first() {
        let check = |bounds: TopicBounds, now_ms: u64, want: &[u64]| {
            let mut topics = BoundedTopics::new(std::slice::from_ref(&bounds));
            // Five events of 10 bytes and an end of 10 bytes, committed at 1 to 6 ms.
            for place in 1..=6 {
                topics.restore(&topic("a"), bounded(place, if place == 6 { Kind::End } else { Kind::Event }, 10));
                topics.restore(&topic("other"), bounded(place, Kind::Event, 10));
            }
            assert_eq!(topics.is_over_bounds(at(now_ms)), !want.is_empty(), "{bounds:?}");
            let got: Vec<_> = iter::from_fn(|| topics.trim_one(at(now_ms))).collect();
            assert_eq!(got.iter().map(|trimmed| trimmed.place.0).collect::<Vec<_>>(), want, "{bounds:?}");
            assert!(got.iter().all(|trimmed| trimmed.topic == topic("a") && trimmed.cost_bytes == 10));
            assert!(!topics.is_over_bounds(at(now_ms)));
        };
        check(table("a", None, None, None), 1_000, &[]);
        check(table("a", Some(5), Some(60), Some(100)), 0, &[]);
        check(table("a", Some(2), None, None), 0, &[1, 2, 3]);
        check(table("a", Some(0), None, None), 0, &[1, 2, 3, 4, 5]);
        check(table("a", None, Some(59), None), 0, &[1]);
        check(table("a", None, Some(0), None), 0, &[1, 2, 3, 4, 5, 6]);
        check(table("a", None, None, Some(100)), 103, &[1, 2, 3]);
        check(table("a", Some(4), None, Some(100)), 103, &[1, 2, 3]);
        check(table("a", Some(1), None, Some(100)), 103, &[1, 2, 3, 4]);
    }

    #[test]
    fn a_topic_without_events_is_forgotten() {
        let mut topics = BoundedTopics::new(&[table("*", Some(2), None, Some(1_000))]);
        for (place, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
            topics.restore(&topic(name), bounded(place, Kind::Event, 1));
        }
        topics.on_trimmed(&topic("a"), Sequence(3));
        topics.on_trimmed(&topic("b"), Sequence(2));
        topics.on_trimmed(&topic("never"), Sequence(2));
        topics.on_deleted(&topic("c"));
        assert_eq!((topics.topics.len(), topics.due.len()), (1, 1), "a has its second event");
        assert_eq!(topics.trim_one(at(1_004)).map(|trimmed| trimmed.place), Some(Sequence(4)));
        assert_eq!((topics.topics.len(), topics.due.len(), topics.over.len()), (0, 0, 0));
    }

    #[test]
    fn a_topic_that_was_busy_gives_its_room_back() {
        let mut topics = BoundedTopics::new(&[table("a", Some(10_000), None, None)]);
        (1..=10_000).for_each(|place| topics.restore(&topic("a"), bounded(place, Kind::Event, 1)));
        topics.on_trimmed(&topic("a"), Sequence(9_999));
        assert!(topics.topics[&topic("a")].kept.capacity() <= ROOM_KEPT);
        assert_eq!(size_of::<Bounded>(), 32, "as its cost is documented");
    }

    pub(super) fn bounded(place: u64, kind: Kind, cost_bytes: u32) -> Bounded {
        Bounded::new(Sequence(place), at(place), None, cost_bytes, kind)
    }

    pub(super) fn table(
        raw: &str,
        events_max: Option<u64>,
        bytes_max: Option<usize>,
        age_ms_max: Option<u64>,
    ) -> TopicBounds {
        let topics = Selector::parse(raw).expect("a selector");
        TopicBounds { topics, events_max, bytes_max, age_max: age_ms_max.map(Duration::from_millis) }
    }

    pub(super) fn topic(raw: &str) -> Topic {
        Topic::parse(raw).expect("a topic")
    }

    pub(super) fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }
}
