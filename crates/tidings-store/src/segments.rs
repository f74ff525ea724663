//! The log files of a store, in order: those that are sealed, those about to be, and the one that is written.

use std::path::PathBuf;
use std::sync::Arc;

use tidings_core::Sequence;

use crate::segment::Sealed;

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Shared with readers, and replaced whole when it changes.
    sealed: Arc<[Arc<Sealed>]>,
    /// Those that are not sealed yet: `log, first sequence`; the last one is being written.
    open: Vec<(PathBuf, Sequence)>,
    /// What dropped records count for in each segment that has any, by the segment's first sequence, ascending.
    dead: Vec<(Sequence, u64)>,
}

impl Segments {
    pub(crate) fn sealed(&self) -> &[Arc<Sealed>] {
        &self.sealed
    }

    pub(crate) fn sealed_shared(&self) -> Arc<[Arc<Sealed>]> {
        Arc::clone(&self.sealed)
    }

    /// Everything up to this place is in a sealed segment, or gone.
    pub(crate) fn sealed_through(&self) -> Sequence {
        match self.open.first() {
            Some((_, first)) => first.previous(),
            None => self.sealed.last().map_or(Sequence::ZERO, |sealed| sealed.summary().last),
        }
    }

    /// A log file is begun.
    pub(crate) fn begin(&mut self, log: PathBuf, first: Sequence) {
        self.open.push((log, first));
    }

    /// The newest log file was never written to, and is gone.
    pub(crate) fn forget_open(&mut self) {
        self.open.pop();
    }

    /// The first log file that is full and not sealed.
    pub(crate) fn to_seal(&self) -> Option<&PathBuf> {
        (self.open.len() > 1).then(|| &self.open[0].0)
    }

    /// How many log files are full and not sealed.
    pub(crate) fn to_seal_count(&self) -> usize {
        self.open.len().saturating_sub(1)
    }

    /// A segment that was sealed in an earlier run.
    pub(crate) fn add_sealed(&mut self, sealed: Arc<Sealed>) {
        self.sealed = self.sealed.iter().cloned().chain([sealed]).collect();
    }

    /// The first log file that was full is sealed now.
    pub(crate) fn on_sealed(&mut self, sealed: Arc<Sealed>) {
        self.open.remove(0);
        self.add_sealed(sealed);
    }

    /// The sealed segments of which nothing is after `place`; they are no longer among the others.
    pub(crate) fn take_through(&mut self, place: Sequence) -> Vec<Arc<Sealed>> {
        let gone = self.sealed.partition_point(|sealed| sealed.summary().last <= place);
        if gone == 0 {
            return Vec::new();
        }
        let taken = self.sealed[..gone].to_vec();
        self.sealed = self.sealed[gone..].into();
        let first = self.sealed.first().map_or(self.sealed_through(), |sealed| sealed.summary().begins_at);
        self.dead.retain(|(segment, _)| *segment >= first);
        taken
    }

    /// Puts `fresh` in the place of the segment that begins where it does; `None`: nothing was left of it.
    pub(crate) fn replace(&mut self, begins_at: Sequence, fresh: Option<Arc<Sealed>>) {
        let is_it = |sealed: &&Arc<Sealed>| sealed.summary().begins_at == begins_at;
        let replaced = |sealed: &Arc<Sealed>| if is_it(&sealed) { fresh.clone() } else { Some(Arc::clone(sealed)) };
        self.sealed = self.sealed.iter().filter_map(replaced).collect();
        self.dead.retain(|(segment, _)| *segment != begins_at);
    }

    /// A record at `place`, or several of its segment, was dropped.
    pub(crate) fn add_dead(&mut self, place: Sequence, bytes: u64) {
        let Some(segment) = self.segment_of(place) else { return };
        match self.dead.binary_search_by_key(&segment, |(first, _)| *first) {
            Ok(at) => self.dead[at].1 += bytes,
            Err(at) => self.dead.insert(at, (segment, bytes)),
        }
    }

    /// What the dropped records of each segment count for, by its first sequence.
    pub(crate) fn dead(&self) -> &[(Sequence, u64)] {
        &self.dead
    }

    pub(crate) fn restore_dead(&mut self, dead: Vec<(Sequence, u64)>) {
        self.dead = dead;
    }

    fn segment_of(&self, place: Sequence) -> Option<Sequence> {
        if let Some((_, first)) = self.open.iter().rev().find(|(_, first)| *first <= place) {
            return Some(*first);
        }
        let after = self.sealed.partition_point(|sealed| sealed.summary().begins_at <= place);
        Some(self.sealed[..after].last()?.summary().begins_at)
    }
}
