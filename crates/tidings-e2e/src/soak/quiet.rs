//! The end of a load, also when a check fails: its threads could not be joined otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidings_history::recorders::Recorder;

/// Tells all to be quiet when it is dropped. When a check has failed those who wait for something are told too.
pub(super) struct QuietAtEnd<'a> {
    pub(super) is_quiet: &'a AtomicBool,
    pub(super) recorders: Vec<Recorder>,
}

impl Drop for QuietAtEnd<'_> {
    fn drop(&mut self) {
        self.is_quiet.store(true, Ordering::Relaxed);
        if thread::panicking() {
            self.recorders.iter().for_each(Recorder::stop);
        }
    }
}
