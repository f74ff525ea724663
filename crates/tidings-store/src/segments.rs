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

/// What dropped records count for in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeadIn {
    /// Where the segment begins.
    pub segment: Sequence,
    pub bytes: u64,
    /// How long its log was then, if it was sealed: one that is written anew has another length, and they are gone.
    pub log_bytes: Option<u64>,
}

impl Segments {
    pub(crate) fn sealed(&self) -> &[Arc<Sealed>] {
        &self.sealed
    }

    pub(crate) fn sealed_shared(&self) -> Arc<[Arc<Sealed>]> {
        Arc::clone(&self.sealed)
    }

    /// Has any record of theirs an id of its publisher's that looks like one of the hub's own?
    pub(crate) fn has_own_form_ids(&self) -> bool {
        self.sealed.iter().any(|sealed| sealed.summary().has_own_form_ids)
    }

    /// Everything up to this place is in a sealed segment, or gone.
    pub(crate) fn sealed_through(&self) -> Sequence {
        match self.open.first() {
            Some((_, first)) => first.previous(),
            None => self.sealed.last().map_or(Sequence::ZERO, |sealed| sealed.summary().ends_at),
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

    /// Puts `fresh` in the place of the segment that begins where it does; `None`: nothing was left of it. Of its dropped
    /// records, those that count for `gone` are gone, or will never be.
    pub(crate) fn replace(&mut self, begins_at: Sequence, fresh: Option<&Arc<Sealed>>, gone: u64) {
        let is_it = |sealed: &&Arc<Sealed>| sealed.summary().begins_at == begins_at;
        let replaced = |sealed: &Arc<Sealed>| if is_it(&sealed) { fresh.cloned() } else { Some(Arc::clone(sealed)) };
        self.sealed = self.sealed.iter().filter_map(replaced).collect();
        self.forget_dead(begins_at, gone);
    }

    /// A record at `place`, or several of its segment, was dropped.
    pub(crate) fn add_dead(&mut self, place: Sequence, bytes: u64) {
        let Some(segment) = self.segment_of(place) else { return };
        match self.dead.binary_search_by_key(&segment, |(first, _)| *first) {
            Ok(at) => self.dead[at].1 += bytes,
            Err(at) => self.dead.insert(at, (segment, bytes)),
        }
    }

    /// Of what was dropped in a segment, so much counts no more.
    pub(crate) fn forget_dead(&mut self, segment: Sequence, bytes: u64) {
        self.dead.retain_mut(|(first, dead)| {
            if *first == segment {
                *dead = dead.saturating_sub(bytes);
            }
            *dead > 0
        });
    }

    /// What the dropped records of each segment count for, by its place.
    pub(crate) fn dead(&self) -> impl Iterator<Item = DeadIn> {
        self.dead.iter().map(|&(segment, bytes)| DeadIn {
            segment,
            bytes,
            log_bytes: self.sealed_at(segment).map(|sealed| sealed.summary().log_bytes),
        })
    }

    /// What was known when the store ran last, but for segments that were written anew after that.
    pub(crate) fn restore_dead(&mut self, dead: impl IntoIterator<Item = DeadIn>) {
        let is_as_it_was = |dead: &DeadIn| {
            dead.log_bytes.is_none()
                || dead.log_bytes == self.sealed_at(dead.segment).map(|sealed| sealed.summary().log_bytes)
        };
        self.dead = dead.into_iter().filter(is_as_it_was).map(|dead| (dead.segment, dead.bytes)).collect();
    }

    /// The sealed segment that begins at this place.
    fn sealed_at(&self, begins_at: Sequence) -> Option<&Arc<Sealed>> {
        let at = self.sealed.binary_search_by_key(&begins_at, |sealed| sealed.summary().begins_at).ok()?;
        self.sealed.get(at)
    }

    fn segment_of(&self, place: Sequence) -> Option<Sequence> {
        if let Some((_, first)) = self.open.iter().rev().find(|(_, first)| *first <= place) {
            return Some(*first);
        }
        let after = self.sealed.partition_point(|sealed| sealed.summary().begins_at <= place);
        Some(self.sealed[..after].last()?.summary().begins_at)
    }
}
