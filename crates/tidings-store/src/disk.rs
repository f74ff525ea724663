//! How the disk does: how long commits take, and whether it answers at all.
//!
//! A disk that hangs fails nothing: a write to it does not come back. So each write is watched from outside, and when
//! nobody writes, whoever asks has the keeper try.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidings_core::{EngineError, Histogram};

/// A write that takes longer is one that hangs.
pub(crate) const STALL: Duration = Duration::from_secs(5);
/// A write that takes no longer is worth less than to wake another thread for it.
pub(crate) const QUICK: Duration = Duration::from_micros(500);
/// A disk that answered so long ago is asked again.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// What is known of the disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// How long writing and syncing a group took.
    pub(crate) commit_time: Histogram,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    commit_began: Option<Instant>,
    probe_asked: Option<Instant>,
    answered: Option<Instant>,
    last_commit_took: Duration,
}

impl Disk {
    /// A group is written from now on.
    pub(crate) fn begin_commit(&self, now: Instant) {
        self.lock().commit_began = Some(now);
    }

    /// It is written, or refused: the disk has answered.
    pub(crate) fn end_commit(&self, now: Instant) {
        let mut watched = self.lock();
        if let Some(began) = watched.commit_began.take() {
            watched.last_commit_took = now - began;
            self.commit_time.observe(watched.last_commit_took);
        }
        watched.answered = Some(now);
    }

    /// Was the last group written quickly? Nothing is known of the first.
    pub(crate) fn is_quick(&self) -> bool {
        self.lock().last_commit_took <= QUICK
    }

    /// Does it answer? Tells whether the keeper is to try, too.
    ///
    /// # Errors
    /// [`EngineError::Stalled`] when something takes too long.
    pub(crate) fn check(&self, now: Instant) -> Result<bool, EngineError> {
        let mut watched = self.lock();
        let since = [watched.commit_began, watched.probe_asked].into_iter().flatten().min();
        if let Some(waiting) = since.map(|since| now - since).filter(|waiting| *waiting >= STALL) {
            return Err(EngineError::Stalled { waiting });
        }
        let is_fresh = watched.answered.is_some_and(|answered| now - answered < PROBE_INTERVAL);
        let is_asked = is_fresh || since.is_some();
        if !is_asked {
            watched.probe_asked = Some(now);
        }
        Ok(!is_asked)
    }

    /// Tries the disk, if somebody asked for that. What it says is for others: here it matters that it says something.
    pub(crate) fn probe_if_asked(&self, directory: &Path) {
        if self.lock().probe_asked.is_none() {
            return;
        }
        let path = directory.join("answer.probe");
        if let Err(error) = write_and_sync(&path) {
            tracing::debug!(%error, "a try of the disk failed");
        }
        drop(std::fs::remove_file(&path)); // it is not there where it could not be made
        let mut watched = self.lock();
        watched.probe_asked = None;
        watched.answered = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_and_sync(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(b"?")?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_does_not_come_back_is_a_stall() {
        let (disk, began) = (Disk::default(), Instant::now());
        disk.begin_commit(began);
        assert_eq!(disk.check(began + STALL / 2), Ok(false), "it is busy, and no reason to ask");
        assert_eq!(disk.check(began + STALL), Err(EngineError::Stalled { waiting: STALL }));
        disk.end_commit(began + STALL);
        assert_eq!(disk.check(began + STALL), Ok(false), "it has just answered");
        assert_eq!(disk.commit_time.counts().total(), 1);
    }

    #[test]
    fn a_disk_is_as_quick_as_its_last_commit() {
        let (disk, began) = (Disk::default(), Instant::now());
        assert!(disk.is_quick(), "nothing is known of it");
        for (took, is_quick) in [(QUICK * 2, false), (QUICK, true)] {
            disk.begin_commit(began);
            disk.end_commit(began + took);
            assert_eq!(disk.is_quick(), is_quick, "after {took:?}");
        }
    }

    #[test]
    fn an_idle_disk_is_tried_when_somebody_asks() {
        let (disk, now) = (Disk::default(), Instant::now());
        assert_eq!(disk.check(now), Ok(true), "nobody knows");
        assert_eq!(disk.check(now), Ok(false), "it is being tried");
        assert!(disk.check(now + STALL).is_err(), "and does not answer");
        let folder = tempfile::TempDir::new().expect("there is room for a byte");
        disk.probe_if_asked(folder.path());
        assert_eq!(disk.check(Instant::now()), Ok(false), "it has answered");
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }
}
