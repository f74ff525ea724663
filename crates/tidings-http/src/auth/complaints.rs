//! The log of readers whose tokens are refused: a browser shows its page nothing of the answer, so its developer looks
//! here. Limited, for whoever is refused may come again and again.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Writes what readers are refused for.
#[derive(Default)]
pub(crate) struct Complaints(Mutex<Minute>);

/// The lines of a while.
#[derive(Default)]
struct Minute {
    began: Option<Instant>,
    written: u32,
    withheld: u64,
}

/// So many lines are written in each [`WHILE`]; the next one after it tells how many were not.
const LINES_MAX: u32 = 20;
const WHILE: Duration = Duration::from_mins(1);

impl Complaints {
    /// A reader was refused for this.
    pub(crate) fn write(&self, reason: &impl fmt::Display) {
        let Some(withheld) = self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now()) else {
            return;
        };
        if withheld > 0 {
            tracing::info!(withheld, "more readers were refused for their tokens than are logged");
        }
        tracing::info!(%reason, "a reader was refused");
    }
}

impl Minute {
    /// May a line be written now, and how many were not before it?
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.duration_since(began) >= WHILE) {
            let withheld = self.withheld;
            *self = Self { began: Some(now), written: 1, withheld: 0 };
            return Some(withheld);
        }
        if self.written == LINES_MAX {
            self.withheld += 1;
            return None;
        }
        self.written += 1;
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_counted_rather_than_written() {
        let (mut minute, began) = (Minute::default(), Instant::now());
        let admitted = (0..100).filter(|_| minute.admit(began).is_some()).count();
        assert_eq!(admitted, LINES_MAX as usize);
        assert_eq!(minute.admit(began + WHILE), Some(80));
        assert_eq!(minute.admit(began + WHILE), Some(0));
    }
}
