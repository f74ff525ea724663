//! Which lines have an idempotency key. Pure: time comes in.
//!
//! A key lets a line be sent again after a lost connection. A hub keeps 100,000 of them for 10 minutes each, for all its
//! publishers together, and refuses what is beyond. So keys that nobody asked for take no more than half of them.

use std::time::{Duration, Instant};

/// Says of each line whether it has a key.
#[derive(Debug)]
pub(super) struct Keys {
    name: String,
    /// They were asked for: every line has one.
    is_given: bool,
    since: Instant,
    taken: u32,
}

impl Keys {
    /// Keys that begin with the given one, or with one of this run's own.
    pub(super) fn new(given: Option<&str>, now: Instant) -> Self {
        let own = || format!("tidings-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { name: given.map_or_else(own, str::to_owned), is_given: given.is_some(), since: now, taken: 0 }
    }

    /// What every key begins with.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the next line has one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= KEPT_FOR {
            (self.since, self.taken) = (now, 0);
        }
        self.taken = self.taken.saturating_add(1);
        self.is_given || self.taken <= TAKEN_MAX
    }
}

/// How long a hub keeps a key.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// Half of what a hub keeps.
const TAKEN_MAX: u32 = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_its_own_leave_half_of_the_hubs_to_others() {
        let start = Instant::now();
        let mut keys = Keys::new(None, start);
        let taken = (0..TAKEN_MAX + 5).filter(|_| keys.take(start)).count();
        assert_eq!(taken, TAKEN_MAX as usize);
        assert!(keys.take(start + KEPT_FOR), "the first ones are over by then");
        assert_ne!(keys.name(), Keys::new(None, start).name());

        let mut keys = Keys::new(Some("k"), start);
        assert!((0..TAKEN_MAX + 5).all(|_| keys.take(start)));
        assert_eq!(keys.name(), "k");
    }
}
