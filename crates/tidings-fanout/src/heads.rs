//! Connections whose first head is not complete, in the order in which they came. Bounded by the gate.
//!
//! Knows who has waited for how long. Does not know what a head is, nor who must go; see `door`.

use slab::Slab;
use tidings_core::session::Tick;

/// Values by an index, in the order in which they were put in.
#[derive(Debug)]
pub(crate) struct Heads<T> {
    entries: Slab<Entry<T>>,
    /// `first` came before all others. Both are `None` together.
    first: Option<usize>,
    last: Option<usize>,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    came_at: Tick,
    before: Option<usize>,
    after: Option<usize>,
}

impl<T> Heads<T> {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Self { entries: Slab::new(), first: None, last: None }
    }

    /// `value` came at `now`: not before any other. Answers its index.
    pub(crate) fn insert(&mut self, value: T, now: Tick) -> usize {
        let index = self.entries.insert(Entry { value, came_at: now, before: self.last, after: None });
        match self.last {
            Some(last) => self.entries[last].after = Some(index),
            None => self.first = Some(index),
        }
        self.last = Some(index);
        index
    }

    /// Takes out what has this index, if there is something.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let Entry { value, before, after, .. } = self.entries.try_remove(index)?;
        match before {
            Some(before) => self.entries[before].after = after,
            None => self.first = after,
        }
        match after {
            Some(after) => self.entries[after].before = before,
            None => self.last = before,
        }
        if self.entries.is_empty() {
            self.entries = Slab::new(); // after a flood the room is given back
        }
        Some(value)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        Some(&self.entries.get(index)?.value)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Some(&mut self.entries.get_mut(index)?.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The index of who has waited longest, and since when.
    pub(crate) fn first(&self) -> Option<(usize, Tick)> {
        self.first.map(|index| (index, self.entries[index].came_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_come_is_the_first_whoever_has_left() {
        let mut heads = Heads::new();
        let [first, second, third] =
            ["a", "b", "c"].map(|name| heads.insert(name, Tick(u64::from(name.as_bytes()[0]))));
        assert_eq!(heads.first(), Some((first, Tick(u64::from(b'a')))));
        assert_eq!(heads.remove(second), Some("b"));
        assert_eq!(heads.remove(first), Some("a"));
        assert_eq!((heads.first(), heads.remove(first)), (Some((third, Tick(u64::from(b'c')))), None));
        let fourth = heads.insert("d", Tick(200));
        assert_eq!(heads.get_mut(fourth), Some(&mut "d"));
        assert_eq!(heads.remove(third), Some("c"));
        assert_eq!((heads.first(), heads.remove(fourth)), (Some((fourth, Tick(200))), Some("d")));
        assert_eq!(heads.first(), None);
        let fifth = heads.insert("e", Tick(300));
        assert_eq!(heads.first(), Some((fifth, Tick(300))));
    }

    #[test]
    fn any_order_of_leaving_keeps_the_order_of_those_who_stay() {
        let mut heads = Heads::new();
        let mut random = fastrand::Rng::with_seed(8);
        let mut stay: Vec<(usize, u64)> = Vec::new();
        for now in 0..10_000 {
            if random.bool() || stay.is_empty() {
                stay.push((heads.insert(now, Tick(now)), now));
            } else {
                let (index, value) = stay.remove(random.usize(..stay.len()));
                assert_eq!(heads.remove(index), Some(value));
            }
            let want = stay.first().map(|(index, came)| (*index, Tick(*came)));
            assert_eq!(heads.first(), want);
        }
    }
}
