//! A timer wheel: who must be looked at when. Coarse, lazy and cheap: one entry for a session, moved only when it is due.

use crate::session::Tick;

/// How fine the wheel is. Unit: milliseconds.
pub const STEP_MS: u64 = 16;
const SLOTS: u64 = 1024; // a turn of 16 s: longer than a heartbeat, so that most entries are placed once
const WORDS: usize = (SLOTS / 64) as usize;

/// Keys in the order of their time, to a step of [`STEP_MS`]. A key that lies further off than a turn comes up early:
/// whoever takes it out looks again at when it is really due.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: Vec<Vec<K>>,
    occupied: [u64; WORDS],
    /// All steps before this one are empty.
    step: u64,
}

impl<K> Wheel<K> {
    /// An empty wheel at the beginning of time.
    pub fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), occupied: [0; WORDS], step: 0 }
    }

    /// Has `key` come up at `due`, or earlier if that is more than a turn away. What never comes due is left out.
    pub fn insert(&mut self, key: K, due: Tick) {
        if due == Tick::NEVER {
            return;
        }
        let step = due.0.div_ceil(STEP_MS).clamp(self.step, self.step + SLOTS - 1);
        let slot = slot_of(step);
        self.slots[slot].push(key);
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// Takes out at most `max` of those that are due at `now`. Answers whether that were all.
    pub fn take_due(&mut self, now: Tick, max: usize, out: &mut Vec<K>) -> bool {
        let last_step = now.0 / STEP_MS;
        while self.step <= last_step {
            let Some(step) = self.next_occupied().filter(|step| *step <= last_step) else {
                self.step = last_step + 1;
                return true;
            };
            self.step = step;
            let slot = slot_of(step);
            while let Some(key) = self.slots[slot].pop() {
                out.push(key);
                if out.len() >= max {
                    return false;
                }
            }
            self.slots[slot] = Vec::new(); // after a storm the room is given back
            self.occupied[slot / 64] &= !(1 << (slot % 64));
            self.step += 1;
        }
        true
    }

    /// When the next key comes up.
    pub fn next_due(&self) -> Option<Tick> {
        self.next_occupied().map(|step| Tick(step * STEP_MS))
    }

    fn next_occupied(&self) -> Option<u64> {
        let start = slot_of(self.step);
        let (word, bit) = (start / 64, start % 64);
        // The first word twice: at first what lies from `start` on, at the end what lies before it.
        (0..=WORDS).find_map(|turn| {
            let index = (word + turn) % WORDS;
            let mask = match turn {
                0 => u64::MAX << bit,
                WORDS => !(u64::MAX << bit),
                _ => u64::MAX,
            };
            let bits = self.occupied[index] & mask;
            (bits != 0).then(|| {
                let slot = index as u64 * 64 + u64::from(bits.trailing_zeros());
                self.step + (slot + SLOTS - start as u64) % SLOTS
            })
        })
    }
}

impl<K> Default for Wheel<K> {
    fn default() -> Self {
        Self::new()
    }
}

fn slot_of(step: u64) -> usize {
    usize::try_from(step % SLOTS).expect("below the number of slots")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn due(wheel: &mut Wheel<u32>, now: u64) -> Vec<u32> {
        let mut out = Vec::new();
        assert!(wheel.take_due(Tick(now), usize::MAX, &mut out));
        out
    }

    #[test]
    fn a_key_comes_up_when_it_is_due_and_not_before() {
        let mut wheel = Wheel::new();
        wheel.insert(1, Tick(100));
        assert_eq!(wheel.next_due(), Some(Tick(112)));
        assert_eq!(due(&mut wheel, 99), []);
        assert_eq!(due(&mut wheel, 112), [1]);
        assert_eq!((due(&mut wheel, 10_000), wheel.next_due()), (vec![], None));
    }

    #[test]
    fn one_that_lies_far_off_comes_up_within_a_turn() {
        let mut wheel = Wheel::new();
        wheel.insert(1, Tick(1_000_000));
        assert_eq!(due(&mut wheel, STEP_MS * SLOTS), [1]);
        wheel.insert(2, Tick::NEVER);
        assert_eq!(wheel.next_due(), None);
    }

    #[test]
    fn a_storm_is_taken_in_parts() {
        let mut wheel = Wheel::new();
        (0..10).for_each(|key| wheel.insert(key, Tick(5)));
        let mut out = Vec::new();
        assert!(!wheel.take_due(Tick(50), 4, &mut out));
        assert_eq!(out.len(), 4);
        out.clear();
        assert!(wheel.take_due(Tick(50), 100, &mut out));
        assert_eq!(out.len(), 6);
    }

    proptest! {
        #[test]
        fn every_key_comes_up_once_and_never_early(
            entries in proptest::collection::vec((0u64..15_000, 0u64..200), 1..60),
        ) {
            let mut wheel = Wheel::new();
            let (mut now, mut open) = (0, Vec::new());
            for (key, (delay, step)) in entries.into_iter().enumerate() {
                wheel.insert(key, Tick(now + delay));
                open.push((key, now + delay));
                now += step;
                let mut out = Vec::new();
                wheel.take_due(Tick(now), usize::MAX, &mut out);
                for key in out {
                    let at = open.iter().position(|(other, _)| *other == key).expect("each comes up once");
                    prop_assert!(open.swap_remove(at).1 <= now);
                }
                prop_assert!(open.iter().all(|(_, due)| *due + STEP_MS > now), "late: {open:?} at {now}");
            }
        }
    }
}
