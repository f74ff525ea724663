//! The end of a load, also when a check fails: its threads could not be joined otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tidings_history::recorders::Recorder;

use crate::DEADLINE;

/// Tells all to be quiet when it is dropped. When a check has failed those who wait for something are told too.
///
/// Made after the readers, it is dropped before them: one that waits to come back is told so, and need not be waited for.
#[derive(Debug)]
pub struct QuietAtEnd<'a> {
    /// What the threads of the load look at.
    pub is_quiet: &'a AtomicBool,
    /// Where they, and the readers, write down what happens.
    pub recorders: Vec<Recorder>,
}

impl Drop for QuietAtEnd<'_> {
    fn drop(&mut self) {
        self.is_quiet.store(true, Ordering::Relaxed);
        if thread::panicking() {
            self.recorders.iter().for_each(Recorder::stop);
        }
    }
}

/// Waits until all publishers, who were told to be quiet, have got their last answer. Without a hub they would wait for
/// ever.
///
/// # Panics
/// When one of them failed, or waits too long.
#[track_caller]
pub fn join_publishers(publishers: Vec<ScopedJoinHandle<'_, ()>>) {
    let deadline = Instant::now() + DEADLINE;
    while !publishers.iter().all(ScopedJoinHandle::is_finished) {
        assert!(Instant::now() < deadline, "publishers wait for the hub, and it does not answer");
        thread::sleep(Duration::from_millis(20)); // between two looks
    }
    for publisher in publishers {
        publisher.join().expect("a publisher failed");
    }
}
