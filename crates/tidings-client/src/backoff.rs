//! How long to wait before the next attempt. Pure: chance comes from a seed.
//!
//! Never sooner than the server's `retry`, never all clients at once, and never without a bound.

use std::time::Duration;

/// The reconnection time, and how it grows while attempts fail.
#[derive(Debug)]
pub(crate) struct Backoff {
    retry: Duration,
    wait_max: Duration,
    /// Attempts in a row that led to nothing.
    failures: u32,
    chance: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(retry: Duration, wait_max: Duration, seed: u64) -> Self {
        Self { retry: retry.min(WAIT_LIMIT), wait_max, failures: 0, chance: fastrand::Rng::with_seed(seed) }
    }

    /// The server's word. A huge one means "hardly ever", not an overflow and not "at once".
    pub(crate) fn set_retry(&mut self, retry: Duration) {
        self.retry = retry.min(WAIT_LIMIT);
    }

    pub(crate) fn retry(&self) -> Duration {
        self.retry
    }

    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// One more failure in a row; gives how many there are now.
    pub(crate) fn fail(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// How long to wait now, and no less than `at_least`.
    pub(crate) fn next_wait(&mut self, at_least: Duration) -> Duration {
        let base = match self.failures {
            0 => self.retry,
            nth => {
                let doubled = self.retry.max(FAILURE_WAIT_MIN).saturating_mul(1 << (nth - 1).min(DOUBLINGS_MAX));
                doubled.min(self.wait_max.max(self.retry))
            }
        };
        // Upwards alone: the server's time is the least, and a Retry-After is the same for all it was told.
        base.max(at_least).min(WAIT_LIMIT).mul_f64(1.0 + JITTER * self.chance.f64())
    }
}

/// Most that chance adds, as a share of the wait.
const JITTER: f64 = 0.25;
/// What a failure waits for at least: a server that sets `retry: 0` and falls must not be stormed.
const FAILURE_WAIT_MIN: Duration = Duration::from_millis(250);
/// 2^16 of the least wait is five hours: beyond any sensible maximum, and no overflow.
const DOUBLINGS_MAX: u32 = 16;
/// No wait is longer, whatever a server says.
const WAIT_LIMIT: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(retry_ms: u64, wait_max_ms: u64, failures: u32, at_least_ms: u64, want_ms: u64) {
        for seed in 0..50 {
            let mut backoff = Backoff::new(Duration::from_millis(retry_ms), Duration::from_millis(wait_max_ms), seed);
            for _ in 0..failures {
                backoff.fail();
            }
            let got = backoff.next_wait(Duration::from_millis(at_least_ms));
            let want = Duration::from_millis(want_ms);
            assert!(
                got >= want && got <= want.mul_f64(1.0 + JITTER),
                "retry {retry_ms}, {failures} failures: got {got:?}, want {want:?} and up to a quarter more"
            );
        }
    }

    #[test]
    fn the_wait_doubles_above_the_servers_time_up_to_the_maximum() {
        check(3000, 60_000, 0, 0, 3000);
        check(3000, 60_000, 1, 0, 3000);
        check(3000, 60_000, 2, 0, 6000);
        check(3000, 60_000, 5, 0, 48_000);
        check(3000, 60_000, 6, 0, 60_000);
        check(3000, 60_000, 1_000, 0, 60_000);
        check(90_000, 60_000, 4, 0, 90_000); // the server's word is above the maximum
        check(0, 60_000, 0, 0, 0);
        check(0, 60_000, 1, 0, 250);
        check(0, 60_000, 3, 0, 1000);
        check(3000, 60_000, 1, 20_000, 20_000); // Retry-After
        check(u64::MAX, 60_000, 9, 0, 86_400_000);
    }

    #[test]
    fn a_thousand_clients_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<_> = (0..1000)
            .map(|seed| Backoff::new(Duration::from_secs(2), Duration::from_mins(1), seed).next_wait(Duration::ZERO))
            .collect();
        assert!(waits.len() > 990, "{} different waits", waits.len());
        let spread = waits.last().expect("some").saturating_sub(*waits.first().expect("some"));
        assert!(spread > Duration::from_millis(400), "spread over {spread:?}");
    }
}
