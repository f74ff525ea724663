//! The records of a window by their place. One that is taken out gives its room back, wherever it stands.
//!
//! Places that follow each other stand side by side, so a look-up is an index and a bit; where some are missing it is a
//! binary search. (A search tree alone would make every publish pay for the few windows with holes.)

use std::collections::VecDeque;
use std::sync::Arc;

use crate::position::Sequence;
use crate::record::Record;
use crate::time::Timestamp;

/// One place in the window. It is known here, so that a search does not go through the records.
#[derive(Debug)]
pub(super) struct Slot {
    pub place: Sequence,
    /// Within the bounds of history; else it is trimmed, and still at hand.
    pub is_retained: bool,
    pub record: Arc<Record>,
}

/// Slots, ascending by place.
#[derive(Debug, Default)]
pub(super) struct Slots(VecDeque<Block>);

/// The slots of [`BLOCK_PLACES`] places that follow each other.
#[derive(Debug)]
struct Block {
    /// `slot.place / BLOCK_PLACES = number` for each of its slots.
    number: u64,
    /// Ascending by place, never empty.
    slots: VecDeque<Slot>,
}

/// Cost of a slot that stands alone in its block: about 100 bytes. Cost of taking one out: as many moved, at most half.
const BLOCK_PLACES: usize = 256;
/// A block gives room back when it has this many times more than it needs.
const SPARE_FACTOR: usize = 4;

/// Where a slot stands: its block, and where in it.
type Index = (usize, usize);

impl Slots {
    /// Adds a retained record after all others.
    pub(super) fn push(&mut self, record: Arc<Record>) {
        let place = record.sequence;
        let number = number_of(place);
        if self.0.back().is_none_or(|last| last.number != number) {
            self.0.push_back(Block { number, slots: VecDeque::with_capacity(BLOCK_PLACES) });
        }
        let block = self.0.back_mut().expect("there is one, or it was put in just now");
        block.slots.push_back(Slot { place, is_retained: true, record });
    }

    pub(super) fn last(&self) -> Option<&Slot> {
        self.0.back()?.slots.back()
    }

    pub(super) fn get(&self, place: Sequence) -> Option<&Slot> {
        let (block, slot) = self.find(place)?;
        self.0[block].slots.get(slot)
    }

    pub(super) fn get_mut(&mut self, place: Sequence) -> Option<&mut Slot> {
        let (block, slot) = self.find(place)?;
        self.0[block].slots.get_mut(slot)
    }

    /// The first slot after `place` that is retained. Cost: a walk to it, or none where it is the next one.
    pub(super) fn first_retained(&self, place: Sequence) -> Option<&Slot> {
        let next = self.get(place.next()).filter(|next| next.is_retained);
        next.or_else(|| self.after(place).find(|slot| slot.is_retained))
    }

    /// Takes out the first slot after `place` that is trimmed. Before `place` there is none. Cost: a walk to it, or none
    /// where it is the first of all.
    pub(super) fn take_first_trimmed(&mut self, place: Sequence) -> Option<Slot> {
        if self.0.front()?.slots.front().is_some_and(|first| !first.is_retained) {
            return self.remove_at((0, 0));
        }
        let trimmed = self.after(place).find(|slot| !slot.is_retained)?.place;
        self.remove(trimmed)
    }

    pub(super) fn remove(&mut self, place: Sequence) -> Option<Slot> {
        self.remove_at(self.find(place)?)
    }

    fn remove_at(&mut self, (index, slot): Index) -> Option<Slot> {
        let block = &mut self.0[index];
        let removed = if slot == 0 { block.slots.pop_front() } else { block.slots.remove(slot) };
        let (room, needed) = (block.slots.capacity(), block.slots.len());
        if needed == 0 {
            self.0.remove(index);
        } else if index > 0 && room / SPARE_FACTOR > needed {
            // Not the first block, which only becomes empty: it is about to go whole.
            block.slots.shrink_to(2 * needed);
        }
        removed
    }

    /// All after `place`.
    pub(super) fn after(&self, place: Sequence) -> impl Iterator<Item = &Slot> {
        let (block, slot) = self.lower_bound(place.next());
        let blocks = self.0.range(block..).enumerate();
        blocks.flat_map(move |(nth, block)| block.slots.range(if nth == 0 { slot } else { 0 }..))
    }

    /// The first that was committed at or after `at`. Cost: a binary search.
    pub(super) fn first_at(&self, at: Timestamp) -> Option<&Slot> {
        let is_before = |slot: &Slot| slot.record.committed_at < at;
        let block = self.0.get(self.0.partition_point(|block| block.slots.back().is_some_and(is_before)))?;
        block.slots.get(block.slots.partition_point(is_before))
    }

    fn find(&self, place: Sequence) -> Option<Index> {
        let index = self.lower_bound(place);
        let slot = self.0.get(index.0)?.slots.get(index.1)?;
        (slot.place == place).then_some(index)
    }

    /// Where the first slot at or after `place` stands, or behind all.
    fn lower_bound(&self, place: Sequence) -> Index {
        let Some(first) = self.0.front() else { return (0, 0) };
        let number = number_of(place);
        let nth = position(&self.0, number.saturating_sub(first.number), |block| block.number.cmp(&number));
        match self.0.get(nth).filter(|block| block.number == number) {
            Some(block) => {
                let ahead = block.slots.front().map_or(0, |first| place.0.saturating_sub(first.place.0));
                match position(&block.slots, ahead, |slot| slot.place.cmp(&place)) {
                    behind_all if behind_all == block.slots.len() => (nth + 1, 0),
                    slot => (nth, slot),
                }
            }
            None => (nth, 0),
        }
    }
}

/// Where the first item stands that is not less, or behind all. It is at `guess` if none before it is missing.
fn position<T>(items: &VecDeque<T>, guess: u64, compare: impl Fn(&T) -> std::cmp::Ordering) -> usize {
    let guess = usize::try_from(guess).unwrap_or(usize::MAX);
    if items.get(guess).is_some_and(|item| compare(item).is_eq()) {
        return guess;
    }
    items.partition_point(|item| compare(item).is_lt())
}

fn number_of(place: Sequence) -> u64 {
    place.0 / BLOCK_PLACES as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use tidings_topic::Topic;

    use super::*;
    use crate::position::{Epoch, Position};
    use crate::publication::Publication;

    proptest! {
        #[test]
        fn any_slots_are_found_as_in_a_tree(
            before in 0..600_u64,
            pushed in 1..1_000_u64,
            removed in prop::collection::vec((0..1_600_u64, 1..300_u64), 0..12),
            asked in prop::collection::vec(0..1_700_u64, 1..20),
        ) {
            let (mut slots, mut tree) = (Slots::default(), BTreeSet::new());
            for place in before + 1..=before + pushed {
                slots.push(record(place));
                tree.insert(place);
            }
            for (from, count) in removed {
                for place in from..from + count {
                    prop_assert_eq!(slots.remove(Sequence(place)).is_some(), tree.remove(&place));
                }
            }
            for place in asked {
                prop_assert_eq!(slots.get(Sequence(place)).is_some(), tree.contains(&place));
                let got: Vec<_> = slots.after(Sequence(place)).map(|slot| slot.place.0).collect();
                let want: Vec<_> = tree.range(place + 1..).copied().collect();
                prop_assert_eq!(got, want, "after {}", place);
                // Each is committed at as many milliseconds as its place.
                let got = slots.first_at(Timestamp::from_millis(place)).map(|slot| slot.place.0);
                prop_assert_eq!(got, tree.range(place..).next().copied());
            }
            prop_assert_eq!(slots.last().map(|slot| slot.place.0), tree.last().copied());
        }
    }

    #[test]
    fn what_is_taken_out_gives_its_room_back() {
        let mut slots = Slots::default();
        (1..=100_000).for_each(|place| slots.push(record(place)));
        let kept = [1, 700, 701, 99_999];
        (1..=100_000).filter(|place| !kept.contains(place)).for_each(|place| drop(slots.remove(Sequence(place))));
        assert_eq!(slots.0.len(), 3, "blocks");
        let room: usize = slots.0.iter().skip(1).map(|block| block.slots.capacity()).sum();
        assert!(room <= 4 * SPARE_FACTOR, "room for {room}");
    }

    fn record(place: u64) -> Arc<Record> {
        let position = Position { epoch: Epoch::from_unix_micros(1), sequence: Sequence(place) };
        let publication = Publication::new(Topic::parse("a").expect("a topic"), "data");
        Arc::new(Record::event(position, publication, Timestamp::from_millis(place)))
    }
}
