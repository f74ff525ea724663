//! The history while it is written, by many threads.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::entry::{Asked, End, Entry, Outcome, Saw};
use crate::history::History;
use crate::name::{PublicationName, ReaderName};

/// Where publishers and readers write down what they do, in the order in which it happens. Clones write into the same.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held to append and to look, never to wait.
    pages: Mutex<Pages>,
    changed: Condvar,
    /// Apart from `changed`: thousands of readers that rest are not to be woken by each line.
    stopped: Condvar,
}

#[derive(Debug, Default)]
struct Pages {
    history: History,
    tally: Tally,
    /// What each publication looks like at a reader, so that what comes as it was sent is kept once.
    sent: HashMap<PublicationName, Arc<str>>,
    seen: HashMap<ReaderName, HashSet<PublicationName>>,
    /// Those with a stream that is open.
    open: HashSet<ReaderName>,
    publishers: u32,
    is_stopped: bool,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Publications that were acknowledged.
    pub acknowledged: u64,
    /// Answers that did not come.
    pub unknown: u64,
    /// Publications that were refused.
    pub refused: u64,
    /// Streams that readers opened.
    pub streams: u64,
    /// Connections that readers ended themselves.
    pub cuts: u64,
    /// Streams that the hub ended as HTTP says, so that nothing of them is missing.
    pub ended: u64,
    /// Events that came to readers.
    pub seen: u64,
}

impl Recorder {
    /// One in which nothing is written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One whose publishers count from this number on. Several recorders of one hub need numbers apart: ids and keys are
    /// made of them.
    pub fn with_publishers_from(first: u32) -> Self {
        let recorder = Self::new();
        recorder.pages().publishers = first;
        recorder
    }

    /// Everything so far.
    pub fn history(&self) -> History {
        self.pages().history.clone()
    }

    /// How far the run has come.
    pub fn tally(&self) -> Tally {
        self.pages().tally
    }

    /// Writes something for whoever reads the history.
    pub fn note(&self, text: impl Into<String>) {
        self.write(Entry::Note { text: text.into() });
    }

    /// Ends all waiting: publishers send nothing more, and readers that lose their connection do not come back.
    pub fn stop(&self) {
        self.pages().is_stopped = true;
        self.shared.changed.notify_all();
        self.shared.stopped.notify_all();
    }

    /// Waits until `is_so`, which is asked again after each entry.
    ///
    /// # Errors
    /// How far it had come at the deadline, or when the recorder was stopped.
    pub fn wait_until(&self, deadline: Instant, mut is_so: impl FnMut(&Tally) -> bool) -> Result<Tally, Tally> {
        self.wait(deadline, |pages| is_so(&pages.tally).then_some(pages.tally)).map_err(|pages| pages.tally)
    }

    /// Waits until a reader has seen all of these. Answers whether it has.
    pub(super) fn wait_for_seen(&self, reader: ReaderName, names: &[PublicationName], deadline: Instant) -> bool {
        let has_all = |pages: &Pages| {
            let seen = &pages.seen[&reader];
            names.iter().all(|name| seen.contains(name)).then_some(())
        };
        self.wait(deadline, has_all).is_ok()
    }

    /// Waits until a reader has a stream that is open. Answers whether it has.
    pub(super) fn wait_for_open(&self, reader: ReaderName, deadline: Instant) -> bool {
        self.wait(deadline, |pages| pages.open.contains(&reader).then_some(())).is_ok()
    }

    /// Does nothing for a while, or until it is stopped. Answers whether it goes on.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let pages = self.pages();
        let rested = self.shared.stopped.wait_timeout_while(pages, time, |pages| !pages.is_stopped);
        let (pages, _) = rested.unwrap_or_else(PoisonError::into_inner);
        !pages.is_stopped
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.pages().is_stopped
    }

    /// A new publisher's number.
    pub(super) fn add_publisher(&self) -> u32 {
        let mut pages = self.pages();
        pages.publishers += 1;
        pages.publishers - 1
    }

    /// A new reader's name.
    pub(super) fn add_reader(&self) -> ReaderName {
        let mut pages = self.pages();
        let name = ReaderName(u32::try_from(pages.seen.len()).expect("fewer readers than that"));
        pages.seen.insert(name, HashSet::new());
        name
    }

    /// Writes what happened last.
    pub(super) fn write(&self, entry: Entry) {
        let mut pages = self.pages();
        pages.count(&entry);
        pages.history.push(entry);
        drop(pages);
        // After the lock is released: who waits takes the same lock.
        self.shared.changed.notify_all();
    }

    /// Writes what a reader saw.
    pub(super) fn write_saw(&self, mut saw: Saw) {
        let name = PublicationName::of_data(&saw.data);
        let mut pages = self.pages();
        if let Some(name) = name {
            if let Some(sent) = pages.sent.get(&name).filter(|sent| **sent == saw.data) {
                saw.data = Arc::clone(sent);
            }
            pages.seen.entry(saw.place.reader).or_default().insert(name);
            pages.tally.seen += 1;
        }
        pages.history.push(Entry::Saw(saw));
        drop(pages);
        self.shared.changed.notify_all();
    }

    /// Waits until `find` finds something.
    fn wait<T>(
        &self,
        deadline: Instant,
        mut find: impl FnMut(&Pages) -> Option<T>,
    ) -> Result<T, MutexGuard<'_, Pages>> {
        let mut pages = self.pages();
        loop {
            if let Some(found) = find(&pages) {
                return Ok(found);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
            let Some(left) = left.filter(|_| !pages.is_stopped) else { return Err(pages) };
            pages = self.shared.changed.wait_timeout(pages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // A panic while it is held can only be one of a `find`, which changes nothing.
        self.shared.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Asked(asked) => self.keep(asked),
            Entry::Answered { outcome: Outcome::Accepted(_), .. } => self.tally.acknowledged += 1,
            Entry::Answered { outcome: Outcome::Refused(_), .. } => self.tally.refused += 1,
            Entry::Answered { outcome: Outcome::Unknown, .. } => self.tally.unknown += 1,
            Entry::Opened { place, status: 200 } => {
                self.tally.streams += 1;
                self.open.insert(place.reader);
            }
            Entry::Ended { place, end } => {
                self.open.remove(&place.reader);
                self.tally.cuts += u64::from(*end == End::Cut);
                self.tally.ended += u64::from(*end == End::Whole);
            }
            _ => {}
        }
    }

    fn keep(&mut self, asked: &Asked) {
        self.sent.entry(asked.publication).or_insert_with(|| asked.data_seen());
    }
}
