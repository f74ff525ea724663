//! The times of commits, which never go backwards whatever the clock does.

use crate::time::Timestamp;

/// When the last commit was, and before when none will be.
#[derive(Debug, Default)]
pub struct CommitTimes {
    /// That of the last commit.
    last: Timestamp,
    /// No commit to come is earlier.
    from: Timestamp,
}

impl CommitTimes {
    /// There was a commit at `at`.
    pub fn on_commit(&mut self, at: Timestamp) {
        self.last = at;
    }

    /// No commit to come is earlier than `at`: the times of a history that was stored before.
    pub fn restore(&mut self, at: Timestamp) {
        self.from = self.from.max(at);
    }

    /// The time of a commit at `now`.
    pub fn of_commit(&self, now: Timestamp) -> Timestamp {
        now.max(self.latest())
    }

    /// A time after that of every commit so far and not after that of any to come.
    pub fn mark(&mut self, now: Timestamp) -> Timestamp {
        let mark = now.max(Timestamp::from_millis(self.last.as_millis().saturating_add(1)));
        self.from = self.from.max(mark);
        mark
    }

    /// No time that was given out is later.
    pub fn latest(&self) -> Timestamp {
        self.last.max(self.from)
    }
}
