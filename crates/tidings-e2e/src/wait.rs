//! Waiting for what can only be looked at, such as a number of the metrics.

use std::thread;
use std::time::{Duration, Instant};

use crate::DEADLINE;

/// Looks again and again until it holds.
///
/// # Panics
/// When the deadline passes; `what` completes "waited for: …".
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        thread::sleep(Duration::from_millis(20)); // between two looks
    }
}
