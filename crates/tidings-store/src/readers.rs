//! A few threads that read older history, so that nobody else waits for a disk.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::shared::Shared;

/// Something to read. It answers by itself.
pub(crate) type Job = Box<dyn FnOnce(&Shared) + Send>;

/// The queue of the reading threads. Bounded by those who wait: each connection asks once when it comes, and a shard
/// bounds the pages that it has asked for.
#[derive(Default)]
pub(crate) struct Readers {
    jobs: Mutex<Jobs>,
    has_more: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    is_over: bool,
}

impl Readers {
    /// Adds a job; gives it back when the threads have ended.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut jobs = self.lock();
        if jobs.is_over {
            return Err(job);
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.has_more.notify_one();
        Ok(())
    }

    /// What waits is still done; nothing more is taken in.
    pub(crate) fn end(&self) {
        self.lock().is_over = true;
        self.has_more.notify_all();
    }

    fn take(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.is_over {
                return None;
            }
            jobs = self.has_more.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does jobs until there are no more to come.
pub(crate) fn run(shared: &Arc<Shared>) {
    while let Some(job) = shared.readers.take() {
        job(shared);
    }
}
