//! The recent records of a hub, within the bounds of its history.
//!
//! Decides what is still kept. Does not know which topics there are and what their readers are told; see `memory`. What is
//! beyond the bounds of a single topic, whoever calls says; see `history::BoundedTopics`.

mod slots;

use std::sync::Arc;

use self::slots::Slots;
use crate::engine::Behind;
use crate::limits::HistoryLimits;
use crate::position::Sequence;
use crate::record::{Kind, Record};
use crate::time::Timestamp;

/// The records that are at hand, in order.
///
/// Some are trimmed, beyond the bounds of history: nobody is replayed them, but a reader that is just being given them
/// live still finds them, up to [`HistoryLimits::trimmed_bytes_max`]; then the oldest are freed. The last record stays in
/// any case. The bounds of the hub trim from the front, those of a topic anywhere. What is deleted is gone at once.
///
/// ```text
///             retained_after()                  tail()
///  trimmed trimmed │ retained trimmed retained retained │
///          └ start(): all after it is at hand; it may as well be before or after retained_after()
/// ```
#[derive(Debug)]
pub struct Window {
    /// Before `start` only what is retained; after it also what is trimmed.
    slots: Slots,
    tail: Sequence,
    /// The place of what was freed last, or before the first record.
    start: Sequence,
    /// Nothing up to it is retained; the place after it is, if there is one.
    retained_after: Sequence,
    /// What the trimmed slots cost, but for the last record. `trimmed_bytes <= trimmed_bytes_max`
    trimmed_bytes: usize,
    /// What the retained slots cost. `retained_bytes <= bytes_max` once [`Window::trim_one`] has nothing more to give.
    retained_bytes: usize,
    /// How many of the retained slots are events.
    retained_events: u64,
    history: HistoryLimits,
}

impl Window {
    /// An empty window before the first event.
    pub fn new(history: HistoryLimits) -> Self {
        Self {
            slots: Slots::default(),
            tail: Sequence::ZERO,
            start: Sequence::ZERO,
            retained_after: Sequence::ZERO,
            trimmed_bytes: 0,
            retained_bytes: 0,
            retained_events: 0,
            history,
        }
    }

    /// The place of the last record; zero before the first.
    pub fn tail(&self) -> Sequence {
        self.tail
    }

    /// What comes after this place is at hand.
    pub fn start(&self) -> Sequence {
        self.start
    }

    /// Nothing up to this place may be replayed.
    pub fn retained_after(&self) -> Sequence {
        self.retained_after
    }

    /// What `record` counts for.
    pub fn cost_bytes(&self, record: &Record) -> usize {
        self.history.cost_bytes(record)
    }

    /// Adds the next record. Bounds are kept by [`Window::trim_one`].
    ///
    /// # Panics
    /// When the record does not follow the last one.
    pub fn push(&mut self, record: Arc<Record>) {
        assert_eq!(record.sequence, self.tail.next(), "the engine gives out sequences one by one");
        if let Some(before) = self.slots.last().filter(|before| before.place == self.tail && !before.is_retained) {
            self.trimmed_bytes += self.history.cost_bytes(&before.record);
        }
        self.tail = record.sequence;
        self.retained_bytes += self.history.cost_bytes(&record);
        self.retained_events += u64::from(record.kind == Kind::Event);
        self.slots.push(record);
        self.free_trimmed();
    }

    /// Trims the first retained record if that is needed to keep the bounds, and returns it, so that indices can follow.
    /// To be called until there is none.
    pub fn trim_one(&mut self, now: Timestamp) -> Option<Arc<Record>> {
        if self.is_over_bounds(now) { self.trim(self.retained_after.next()) } else { None }
    }

    /// Must something be trimmed now?
    pub fn is_over_bounds(&self, now: Timestamp) -> bool {
        let first = || self.slots.get(self.retained_after.next());
        let is_too_old = |age_max| first().is_some_and(|it| it.record.committed_at.saturating_add(age_max) <= now);
        self.retained_bytes > self.history.bytes_max
            || self.history.events_max.is_some_and(|events_max| self.retained_events > events_max)
            || self.history.age_max.is_some_and(is_too_old)
    }

    /// Trims the record at `place` and returns it, if it is retained: it is beyond the bounds of its topic.
    pub fn trim(&mut self, place: Sequence) -> Option<Arc<Record>> {
        let slot = self.slots.get_mut(place).filter(|slot| slot.is_retained)?;
        slot.is_retained = false;
        let record = Arc::clone(&slot.record);
        if place <= self.start {
            self.slots.remove(place);
        } else if place < self.tail {
            self.trimmed_bytes += self.history.cost_bytes(&record);
        }
        self.on_no_longer_retained(&record);
        self.free_trimmed();
        Some(record)
    }

    /// Takes the record at `place` away, if it is retained: its topic is deleted.
    pub fn bury(&mut self, place: Sequence) -> Option<Arc<Record>> {
        self.slots.get(place).filter(|slot| slot.is_retained)?;
        let record = self.slots.remove(place)?.record;
        self.on_no_longer_retained(&record);
        Some(record)
    }

    /// The retained record at `place`.
    pub fn retained(&self, place: Sequence) -> Option<&Arc<Record>> {
        self.slots.get(place).filter(|slot| slot.is_retained).map(|slot| &slot.record)
    }

    /// All that is at hand after `place`, trimmed or not.
    ///
    /// # Errors
    /// [`Behind`] when something after `place` is no longer at hand.
    pub fn after(&self, place: Sequence) -> Result<impl Iterator<Item = &Arc<Record>>, Behind> {
        if place < self.start {
            return Err(Behind { window_start: self.start });
        }
        Ok(self.slots.after(place).map(|slot| &slot.record))
    }

    /// All places at hand after `place` of which some may be retained, each with its record if it is.
    pub fn retained_since(&self, place: Sequence) -> impl Iterator<Item = (Sequence, Option<&Arc<Record>>)> {
        let slots = self.slots.after(place.max(self.retained_after));
        slots.map(|slot| (slot.place, slot.is_retained.then_some(&slot.record)))
    }

    /// The place before the first record at hand that was committed at or after `at`, and not before the first retained one.
    /// Cost: a binary search.
    pub fn place_before(&self, at: Timestamp) -> Sequence {
        let first = self.slots.first_at(at);
        first.map_or(self.tail, |first| first.place.previous()).max(self.retained_after)
    }

    /// How many events are retained.
    pub fn events(&self) -> u64 {
        self.retained_events
    }

    /// What counts against the limit of bytes.
    pub fn bytes(&self) -> usize {
        self.retained_bytes
    }

    /// When the oldest retained event was committed.
    pub fn oldest_at(&self) -> Option<Timestamp> {
        let mut retained = self.slots.after(self.retained_after).filter(|slot| slot.is_retained);
        retained.find(|slot| slot.record.kind == Kind::Event).map(|slot| slot.record.committed_at)
    }

    fn on_no_longer_retained(&mut self, record: &Record) {
        self.retained_bytes -= self.history.cost_bytes(record);
        self.retained_events -= u64::from(record.kind == Kind::Event);
        if record.sequence == self.retained_after.next() {
            let first = self.slots.first_retained(record.sequence);
            self.retained_after = first.map_or(self.tail, |first| first.place.previous());
        }
    }

    /// Frees the oldest of what is trimmed, never the last record, which does not count: it may be the event that wakes the
    /// readers now.
    fn free_trimmed(&mut self) {
        while self.trimmed_bytes > self.history.trimmed_bytes_max {
            let Some(oldest) = self.slots.take_first_trimmed(self.start) else { return };
            self.start = oldest.place;
            self.trimmed_bytes -= self.history.cost_bytes(&oldest.record);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::time::Duration;

    use tidings_topic::Topic;

    use super::*;
    use crate::position::{Epoch, Position};
    use crate::publication::Publication;

    #[test]
    fn the_bounds_of_count_bytes_and_age_each_trim_from_the_front() {
        let unbounded = HistoryLimits { bytes_max: usize::MAX, ..HistoryLimits::default() };
        let cost = unbounded.cost_bytes(&record(1));
        check(&unbounded, 0, &[]);
        check(&HistoryLimits { events_max: Some(3), ..unbounded.clone() }, 0, &[1, 2]);
        check(&HistoryLimits { events_max: Some(0), ..unbounded.clone() }, 0, &[1, 2, 3, 4, 5]);
        check(&HistoryLimits { bytes_max: 2 * cost, ..unbounded.clone() }, 0, &[1, 2, 3]);
        check(&HistoryLimits { bytes_max: 0, ..unbounded.clone() }, 0, &[1, 2, 3, 4, 5]);
        let aged = HistoryLimits { age_max: Some(Duration::from_secs(1)), ..unbounded };
        check(&aged, 1_002, &[1, 2]);
        check(&aged, 1_001, &[1]);
    }

    /// Five records, committed at 1 to 5 ms.
    fn check(history: &HistoryLimits, now_ms: u64, want_trimmed: &[u64]) {
        let mut window = filled(history.clone());
        assert_eq!(trimmed(&mut window, now_ms), want_trimmed, "{history:?}");
        assert_eq!(window.retained_after(), Sequence(want_trimmed.len() as u64));
        assert_eq!(window.events(), 5 - want_trimmed.len() as u64);
        assert_eq!(window.tail(), Sequence(5));
    }

    #[test]
    fn what_is_trimmed_stays_at_hand_but_is_not_retained() {
        let mut window = filled(HistoryLimits { events_max: Some(1), ..HistoryLimits::default() });
        trimmed(&mut window, 0);
        assert_eq!(places(window.after(Sequence::ZERO).expect("all is at hand")), [1, 2, 3, 4, 5]);
        assert_eq!(retained(&window, 0), [5]);
        assert!(window.retained(Sequence(4)).is_none() && window.bury(Sequence(4)).is_none());
    }

    #[test]
    fn what_is_trimmed_is_freed_beyond_its_limit_and_the_last_record_stays() {
        let history = HistoryLimits { events_max: Some(0), trimmed_bytes_max: 0, ..HistoryLimits::default() };
        let mut window = filled(history);
        trimmed(&mut window, 0);
        assert_eq!(window.start(), Sequence(4));
        assert_eq!(places(window.after(Sequence(4)).expect("the last is at hand")), [5]);
        assert_eq!(window.after(Sequence(3)).err(), Some(Behind { window_start: Sequence(4) }));
        assert_eq!(places(window.after(Sequence(99)).expect("nothing is missing")), []);
    }

    #[test]
    fn what_is_trimmed_in_the_middle_stays_at_hand_until_it_is_the_oldest_to_be_freed() {
        let cost = HistoryLimits::default().cost_bytes(&record(1));
        let history = HistoryLimits { trimmed_bytes_max: 2 * cost, ..HistoryLimits::default() };
        let mut window = filled(history);
        let mut trim = |place: u64, want_at_hand: (u64, &[u64]), want_retained: &[u64]| {
            assert_eq!(window.trim(Sequence(place)).map(|record| record.sequence), Some(Sequence(place)));
            assert!(window.trim(Sequence(place)).is_none() && window.retained(Sequence(place)).is_none());
            let (start, at_hand) = want_at_hand;
            assert_eq!((window.start(), retained(&window, 0).as_slice()), (Sequence(start), want_retained));
            assert_eq!(places(window.after(Sequence(start)).expect("at hand")), at_hand);
            assert_eq!(window.bytes(), want_retained.len() * cost);
            assert_eq!(window.retained_after().0, want_retained.first().map_or(5, |first| first - 1));
        };
        trim(4, (0, &[1, 2, 3, 4, 5]), &[1, 2, 3, 5]);
        trim(2, (0, &[1, 2, 3, 4, 5]), &[1, 3, 5]);
        trim(5, (0, &[1, 2, 3, 4, 5]), &[1, 3]); // the last record does not count
        trim(3, (2, &[3, 4, 5]), &[1]);
        trim(1, (2, &[3, 4, 5]), &[]); // what is before the start goes at once
        window.push(record(6));
        assert_eq!(window.start(), Sequence(3), "the last record counts once it is not the last");
        assert_eq!(places(window.after(Sequence(3)).expect("at hand")), [4, 5, 6]);
        assert_eq!(trimmed(&mut window, 0), []);
    }

    #[test]
    fn what_is_trimmed_counts_once() {
        let history = HistoryLimits::default();
        let trimmed_bytes_max = history.cost_bytes(&record(1));
        let mut window = filled(HistoryLimits { trimmed_bytes_max, ..history });
        window.trim(Sequence(4));
        window.bury(Sequence(5));
        window.push(record(6));
        assert_eq!(places(window.after(Sequence::ZERO).expect("all is at hand")), [1, 2, 3, 4, 6]);
    }

    #[test]
    fn what_is_gone_from_the_middle_costs_nothing() {
        let history = HistoryLimits { trimmed_bytes_max: 0, ..HistoryLimits::default() };
        let bytes_max = 2 * history.cost_bytes(&record(1));
        let mut window = Window::new(HistoryLimits { bytes_max, ..history });
        for place in 1..=100_000 {
            window.push(record(place));
            assert!(place == 1 || window.bury(Sequence(place)).is_some());
            assert_eq!(trimmed(&mut window, 0), []);
        }
        assert_eq!(retained(&window, 0), [1]);
    }

    #[test]
    fn what_is_deleted_is_gone_and_its_place_is_passed() {
        let mut window = filled(HistoryLimits::default());
        let bytes = window.bytes();
        let record = window.bury(Sequence(3)).expect("it is there");
        assert!(window.bury(Sequence(3)).is_none());
        assert_eq!((window.events(), window.bytes()), (4, bytes - HistoryLimits::default().cost_bytes(&record)));
        assert_eq!(places(window.after(Sequence(1)).expect("at hand")), [2, 4, 5]);
        assert_eq!(window.place_before(Timestamp::from_millis(3)), Sequence(3));
        window.bury(Sequence(5));
        assert_eq!((window.tail(), window.place_before(Timestamp::from_millis(5))), (Sequence(5), Sequence(5)));
    }

    #[test]
    fn a_time_finds_the_place_before_the_first_record_at_or_after_it() {
        let mut window = filled(HistoryLimits { events_max: Some(3), ..HistoryLimits::default() });
        trimmed(&mut window, 0);
        for (ms, want) in [(0, 2), (2, 2), (3, 2), (4, 3), (5, 4), (6, 5)] {
            assert_eq!(window.place_before(Timestamp::from_millis(ms)), Sequence(want), "{ms} ms");
        }
    }

    fn filled(history: HistoryLimits) -> Window {
        let mut window = Window::new(history);
        (1..=5).for_each(|sequence| window.push(record(sequence)));
        window
    }

    fn record(sequence: u64) -> Arc<Record> {
        let position = Position { epoch: Epoch::from_unix_micros(1), sequence: Sequence(sequence) };
        let publication = Publication::new(Topic::parse("a").expect("a topic"), "data");
        Arc::new(Record::event(position, publication, Timestamp::from_millis(sequence)))
    }

    fn trimmed(window: &mut Window, now_ms: u64) -> Vec<u64> {
        iter::from_fn(|| window.trim_one(Timestamp::from_millis(now_ms))).map(|record| record.sequence.0).collect()
    }

    fn places<'a>(records: impl Iterator<Item = &'a Arc<Record>>) -> Vec<u64> {
        records.map(|record| record.sequence.0).collect()
    }

    fn retained(window: &Window, after: u64) -> Vec<u64> {
        places(window.retained_since(Sequence(after)).filter_map(|(_, record)| record))
    }
}
