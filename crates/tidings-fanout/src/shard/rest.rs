//! The rest of a shard that has just written to many.
//!
//! While a shard writes to hundreds of readers, those who publish want the same cores. A short rest after such a turn lets
//! them get on, and the next turn carries what came meanwhile with as many writes as one event would have taken. Whoever
//! publishes now and then never meets a rest: it is over before the next event.

use std::time::{Duration, Instant};

/// A turn with so many writes to live readers is followed by a rest. Below this a rest would cost more than it saves.
const WRITES_MIN: u64 = 64;
/// So many commits that wait already are worth a turn of their own: what a write costs is small beside what it carries.
const COMMITS_WAITING_MAX: u64 = 256;
/// A rest is so many times as long as the turn was: live readers get a quarter of a busy shard's time at most.
const TIMES_THE_TURN: u32 = 3;
/// A poll counts whole milliseconds.
const REST_MIN: Duration = Duration::from_millis(1);
/// What a rest may add to the delay of an event.
const REST_MAX: Duration = Duration::from_millis(5);

/// What a shard has done in its turn.
#[derive(Debug)]
pub(super) struct Rest {
    turn_began: Instant,
    writes: u64,
}

impl Rest {
    /// At the beginning of the first turn.
    pub(super) fn new(now: Instant) -> Self {
        Self { turn_began: now, writes: 0 }
    }

    /// A turn begins.
    pub(super) fn begin_turn(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// So many writes to live readers were made.
    pub(super) fn add_writes(&mut self, writes: u64) {
        self.writes += writes;
    }

    /// How long to rest after this turn; `None`: not at all. `commits_waiting`: what came while it lasted.
    pub(super) fn due(&self, now: Instant, commits_waiting: u64) -> Option<Duration> {
        let is_due = self.writes >= WRITES_MIN && commits_waiting < COMMITS_WAITING_MAX;
        is_due.then(|| ((now - self.turn_began) * TIMES_THE_TURN).clamp(REST_MIN, REST_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_follows_much_work_and_is_bounded() {
        let check = |writes, took_us: u64, waiting, want_us: Option<u64>| {
            let began = Instant::now();
            let mut rest = Rest::new(began);
            rest.add_writes(writes);
            let got = rest.due(began + Duration::from_micros(took_us), waiting);
            assert_eq!(got, want_us.map(Duration::from_micros), "{writes} writes in {took_us} us, {waiting} waiting");
        };
        check(0, 900, 0, None);
        check(63, 900, 0, None);
        check(64, 100, 0, Some(1000));
        check(250, 700, 3, Some(2100));
        check(250, 700, 255, Some(2100));
        check(250, 700, 256, None);
        check(100_000, 250_000, 1, Some(5000));
    }

    #[test]
    fn a_turn_begins_with_nothing_done() {
        let began = Instant::now();
        let mut rest = Rest::new(began);
        rest.add_writes(1000);
        rest.begin_turn(began);
        assert_eq!(rest.due(began, 0), None);
    }
}
