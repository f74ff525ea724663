//! What one connection has received of each stream of sequence numbers. A stream is one publisher on one topic.

use std::collections::BTreeMap;

/// What one connection has received.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// For each stream, one more than the highest sequence received.
    next: Vec<u32>,
    /// What was skipped and has not come since: `(stream, first) → end`. Ranges, so that a long loss costs no more than a
    /// short one. Without a range there is no allocation.
    missing: BTreeMap<(usize, u32), u32>,
}

/// What a sequence number means to a connection that gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one, or a later one.
    New,
    /// After a later one.
    OutOfOrder,
    Duplicate,
}

impl Tracker {
    pub(crate) fn new(streams: usize) -> Self {
        Self { next: vec![0; streams], missing: BTreeMap::new() }
    }

    /// Notes that a sequence number came. The stream is one of those it was made for.
    pub(crate) fn take(&mut self, stream: usize, sequence: u32) -> Arrival {
        let next = &mut self.next[stream];
        if sequence == *next {
            *next += 1;
            return Arrival::New;
        }
        if sequence > *next {
            self.missing.insert((stream, *next), sequence);
            *next = sequence.saturating_add(1);
            return Arrival::New;
        }
        self.fill(stream, sequence)
    }

    /// How many of the first `published` of a stream never came; those for which `is_excused` are not counted.
    pub(crate) fn lost(&self, stream: usize, published: u32, is_excused: impl Fn(u32) -> bool) -> u64 {
        let skipped = self.missing.range((stream, 0)..(stream + 1, 0)).map(|(&(_, first), &end)| first..end);
        let tail = self.next[stream]..published;
        skipped.chain([tail]).flatten().filter(|&sequence| !is_excused(sequence)).fold(0, |count, _| count + 1)
    }

    fn fill(&mut self, stream: usize, sequence: u32) -> Arrival {
        let before = self.missing.range((stream, 0)..=(stream, sequence)).next_back();
        let Some((&(_, first), &end)) = before.filter(|&(_, &end)| sequence < end) else {
            return Arrival::Duplicate;
        };
        self.missing.remove(&(stream, first));
        if first < sequence {
            self.missing.insert((stream, first), sequence);
        }
        if sequence + 1 < end {
            self.missing.insert((stream, sequence + 1), end);
        }
        Arrival::OutOfOrder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrival::{Duplicate, New, OutOfOrder};

    fn check(sequences: &[u32], want: &[Arrival], want_lost_of_10: u64) {
        let mut tracker = Tracker::new(3);
        let got: Vec<_> = sequences.iter().map(|&sequence| tracker.take(1, sequence)).collect();
        assert_eq!(got, want, "{sequences:?}");
        assert_eq!(tracker.lost(1, 10, |_| false), want_lost_of_10, "{sequences:?}");
        assert_eq!((tracker.lost(0, 10, |_| false), tracker.lost(2, 0, |_| false)), (10, 0), "streams are apart");
    }

    #[test]
    fn gaps_repeats_and_late_ones_are_told_apart() {
        check(&[], &[], 10);
        check(&[0, 1, 2], &[New, New, New], 7);
        check(&[0, 0], &[New, Duplicate], 9);
        check(&[3, 1, 1, 0], &[New, OutOfOrder, Duplicate, OutOfOrder], 7);
        check(&[2, 9, 5, 5, 4, 6, 9], &[New, New, OutOfOrder, Duplicate, OutOfOrder, OutOfOrder, Duplicate], 5);
        check(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[New; 10], 0);
        check(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], &[&[New][..], &[OutOfOrder; 9]].concat(), 0);
    }

    #[test]
    fn a_publish_that_was_refused_is_not_lost() {
        let mut tracker = Tracker::new(1);
        tracker.take(0, 0);
        tracker.take(0, 2);
        assert_eq!(tracker.lost(0, 5, |sequence| sequence == 1 || sequence == 4), 1);
    }
}
