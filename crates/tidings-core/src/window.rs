//! The recent records of a hub, one after the other, within the bounds of its history.
//!
//! Decides what is still kept. Does not know which topics there are and what their readers are told; see `memory`.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;

use crate::engine::Behind;
use crate::limits::HistoryLimits;
use crate::position::Sequence;
use crate::record::{Kind, Record};
use crate::time::Timestamp;

/// The records that are at hand, contiguous by sequence: the index of a record is its sequence less the first one.
///
/// At its front stand records that are trimmed, beyond the bounds of history: nobody is replayed them, but a reader
/// that is just being given them live still finds them, up to [`HistoryLimits::trimmed_bytes_max`]. The last record
/// stays in any case. What stands after them is retained.
///
/// ```text
///      start()      retained_after()       tail()
///         │ trimmed trimmed │ retained retained │
/// ```
#[derive(Debug)]
pub struct Window {
    slots: VecDeque<Slot>,
    /// The place of the first slot; where there is none, of the record to come.
    first: Sequence,
    /// So many slots at the front are trimmed. `trimmed <= slots.len()`
    trimmed: usize,
    /// What the slots at the front cost. `trimmed_bytes <= trimmed_bytes_max`, but for the last record.
    trimmed_bytes: usize,
    /// What the other slots cost. `retained_bytes <= bytes_max` once [`Window::trim_one`] has nothing more to give.
    retained_bytes: usize,
    /// How many of the other slots are events.
    retained_events: u64,
    history: HistoryLimits,
}

/// One place in the history.
#[derive(Debug)]
enum Slot {
    Kept(Arc<Record>),
    /// Its topic was deleted. The time stays, so that the times of all slots are in order.
    Tombstone(Timestamp),
}

/// What a place costs whose record was deleted. It counts, for else deleting would be a way round the limit of bytes.
pub const TOMBSTONE_BYTES: usize = size_of::<Slot>();

impl Window {
    /// An empty window before the first event.
    pub fn new(history: HistoryLimits) -> Self {
        Self {
            slots: VecDeque::new(),
            first: Sequence::ZERO.next(),
            trimmed: 0,
            trimmed_bytes: 0,
            retained_bytes: 0,
            retained_events: 0,
            history,
        }
    }

    /// The place of the last record; zero before the first.
    pub fn tail(&self) -> Sequence {
        self.place_of(self.slots.len()).previous()
    }

    /// What comes after this place is at hand.
    pub fn start(&self) -> Sequence {
        self.first.previous()
    }

    /// What comes after this place may be replayed.
    pub fn retained_after(&self) -> Sequence {
        self.place_of(self.trimmed).previous()
    }

    /// Adds the next record. Bounds are kept by [`Window::trim_one`].
    ///
    /// # Panics
    /// When the record does not follow the last one.
    pub fn push(&mut self, record: Arc<Record>) {
        assert_eq!(record.sequence, self.tail().next(), "the engine gives out sequences one by one");
        self.retained_bytes += self.history.cost_bytes(&record);
        self.retained_events += u64::from(record.kind == Kind::Event);
        self.slots.push_back(Slot::Kept(record));
        self.free_trimmed();
    }

    /// Trims the first retained record if that is needed to keep the bounds, and returns it, so that indices can follow.
    /// To be called until there is none.
    pub fn trim_one(&mut self, now: Timestamp) -> Option<Arc<Record>> {
        while self.is_over_bounds(now) {
            let slot = &self.slots[self.trimmed];
            let cost = slot.cost_bytes(&self.history);
            let record = slot.record().cloned();
            self.trimmed += 1;
            self.trimmed_bytes += cost;
            self.retained_bytes -= cost;
            self.retained_events -= u64::from(record.as_ref().is_some_and(|record| record.kind == Kind::Event));
            self.free_trimmed();
            if record.is_some() {
                return record;
            }
        }
        None
    }

    /// Must something be trimmed now?
    pub fn is_over_bounds(&self, now: Timestamp) -> bool {
        let Some(front) = self.slots.get(self.trimmed) else { return false };
        let is_too_old = |age_max| front.committed_at().saturating_add(age_max) <= now;
        self.retained_bytes > self.history.bytes_max
            || self.history.events_max.is_some_and(|events_max| self.retained_events > events_max)
            || self.history.age_max.is_some_and(is_too_old)
    }

    /// Takes the record at `place` away and leaves a tombstone. Only what is retained can be taken away.
    pub fn bury(&mut self, place: Sequence) -> Option<Arc<Record>> {
        let index = self.index_of(place)?;
        let slot = self.slots.get_mut(index).filter(|_| index >= self.trimmed)?;
        let record = Arc::clone(slot.record()?);
        *slot = Slot::Tombstone(record.committed_at);
        self.retained_bytes = self.retained_bytes - self.history.cost_bytes(&record) + TOMBSTONE_BYTES;
        self.retained_events -= u64::from(record.kind == Kind::Event);
        Some(record)
    }

    /// The retained record at `place`.
    pub fn retained(&self, place: Sequence) -> Option<&Arc<Record>> {
        let index = self.index_of(place).filter(|&index| index >= self.trimmed)?;
        self.slots.get(index)?.record()
    }

    /// All that is at hand after `place`, trimmed or not, each with its place; `None` stands for a tombstone.
    ///
    /// # Errors
    /// [`Behind`] when something after `place` is no longer at hand.
    pub fn after(&self, place: Sequence) -> Result<impl Iterator<Item = (Sequence, Option<&Arc<Record>>)>, Behind> {
        match self.index_of(place.next()) {
            Some(index) => Ok(self.slots_from(index)),
            None => Err(Behind { window_start: self.start() }),
        }
    }

    /// All that is retained after `place`, as [`Window::after`].
    pub fn retained_since(&self, place: Sequence) -> impl Iterator<Item = (Sequence, Option<&Arc<Record>>)> {
        self.slots_from(self.index_of(place.next()).unwrap_or(0).max(self.trimmed))
    }

    /// The place before the first retained record that was committed at or after `at`. Cost: a binary search.
    pub fn place_before(&self, at: Timestamp) -> Sequence {
        let index = self.slots.partition_point(|slot| slot.committed_at() < at);
        self.place_of(index.max(self.trimmed)).previous()
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
        let mut records = self.slots.range(self.trimmed..).filter_map(Slot::record);
        records.find(|record| record.kind == Kind::Event).map(|record| record.committed_at)
    }

    fn free_trimmed(&mut self) {
        // Not the last slot: it may be the event that wakes the readers now.
        while self.trimmed_bytes > self.history.trimmed_bytes_max && self.trimmed > 0 && self.slots.len() > 1 {
            let Some(slot) = self.slots.pop_front() else { return };
            self.first = self.first.next();
            self.trimmed -= 1;
            self.trimmed_bytes -= slot.cost_bytes(&self.history);
        }
    }

    fn slots_from(&self, index: usize) -> impl Iterator<Item = (Sequence, Option<&Arc<Record>>)> {
        let index = index.min(self.slots.len());
        let places = iter::successors(Some(self.place_of(index)), |place| Some(place.next()));
        places.zip(self.slots.range(index..).map(Slot::record))
    }

    fn place_of(&self, index: usize) -> Sequence {
        Sequence(self.first.0 + index as u64)
    }

    /// `None` when the place is before the window; beyond its end it is whatever it is.
    fn index_of(&self, place: Sequence) -> Option<usize> {
        place.0.checked_sub(self.first.0).map(|index| usize::try_from(index).unwrap_or(usize::MAX))
    }
}

impl Slot {
    fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Kept(record) => Some(record),
            Self::Tombstone(_) => None,
        }
    }

    fn committed_at(&self) -> Timestamp {
        match self {
            Self::Kept(record) => record.committed_at,
            Self::Tombstone(at) => *at,
        }
    }

    fn cost_bytes(&self, history: &HistoryLimits) -> usize {
        match self {
            Self::Kept(record) => history.cost_bytes(record),
            Self::Tombstone(_) => TOMBSTONE_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(places(window.retained_since(Sequence::ZERO)), [5]);
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
    fn a_tombstone_keeps_its_place_and_its_time() {
        let mut window = filled(HistoryLimits::default());
        let bytes = window.bytes();
        let record = window.bury(Sequence(3)).expect("it is there");
        assert!(window.bury(Sequence(3)).is_none());
        assert_eq!(
            (window.events(), window.bytes()),
            (4, bytes - HistoryLimits::default().cost_bytes(&record) + TOMBSTONE_BYTES)
        );
        let seen: Vec<_> = window.after(Sequence(1)).expect("at hand").map(|(_, record)| record.is_some()).collect();
        assert_eq!(seen, [true, false, true, true]);
        assert_eq!(window.place_before(Timestamp::from_millis(3)), Sequence(2));
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

    fn places<'a>(slots: impl Iterator<Item = (Sequence, Option<&'a Arc<Record>>)>) -> Vec<u64> {
        slots.map(|(place, _)| place.0).collect()
    }
}
