//! Sequences that died with a loss of power in `relaxed`: they may have been given out, and are never used again.

use tidings_core::Sequence;

/// Ranges of lost sequences, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holes(Vec<(Sequence, Sequence)>);

/// So many losses of power are remembered. Readers from before the oldest get `expired` long before that.
const HOLES_MAX: usize = 1024;

impl Holes {
    /// All from `first` to `last` are lost.
    pub(crate) fn add(&mut self, first: Sequence, last: Sequence) {
        if first > last {
            return;
        }
        if self.0.len() == HOLES_MAX {
            self.0.remove(0);
        }
        self.0.push((first, last));
    }

    /// Did the event at `place` die?
    pub(crate) fn has(&self, place: Sequence) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&place))
    }

    /// The ranges.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (Sequence, Sequence)> {
        self.0.iter().copied()
    }
}
