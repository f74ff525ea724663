//! Lines of the log that may be due again and again, because clients or the system cause them: so many clients must not
//! fill a disk. Time is an argument.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after such a line the next one of its kind may come.
pub const QUIET_TIME: Duration = Duration::from_mins(1);

/// How often a kind of line is written: at most once in each [`QUIET_TIME`]. The next one says how many were not.
#[derive(Debug, Default)]
pub struct Rarely(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    at: Option<Instant>,
    unsaid: u64,
}

impl Rarely {
    /// None was written yet. Made for a `static` beside the line.
    pub const fn new() -> Self {
        Self(Mutex::new(Written { at: None, unsaid: 0 }))
    }

    /// May the line be written now? If so, how many were not since the one before it.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.at.is_some_and(|at| now.saturating_duration_since(at) < QUIET_TIME) {
            written.unsaid += 1;
            return None;
        }
        written.at = Some(now);
        Some(std::mem::take(&mut written.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_one_line_and_a_number() {
        let (rarely, began) = (Rarely::new(), Instant::now());
        assert_eq!(rarely.admit(began), Some(0));
        for _ in 0..1000 {
            assert_eq!(rarely.admit(began + QUIET_TIME / 2), None);
        }
        assert_eq!(rarely.admit(began + QUIET_TIME), Some(1000));
        assert_eq!(rarely.admit(began + 2 * QUIET_TIME), Some(0));
    }
}
