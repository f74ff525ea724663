//! How long to wait before a stream is asked for again.

use std::time::Duration;

/// The server's wish, and how often it could not be had.
#[derive(Debug)]
pub(super) struct Backoff {
    /// What the server asked for last: no reader comes back sooner.
    pub(super) retry: Duration,
    /// Attempts that failed since the last stream.
    failures: u32,
}

/// As long as the hub's own default. (The standard: "a few seconds".)
const RETRY_DEFAULT: Duration = Duration::from_secs(2);
/// What doubles from attempt to attempt even when the server asks for none.
const STEP_MIN: Duration = Duration::from_millis(500);
/// Beyond it waiting spares nobody anything. A server that asks for longer gets longer.
const CEILING: Duration = Duration::from_secs(30);

impl Default for Backoff {
    fn default() -> Self {
        Self { retry: RETRY_DEFAULT, failures: 0 }
    }
}

impl Backoff {
    /// A stream was opened: the next wait is the server's wish alone, which a hub spreads itself.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// There was no stream to be had.
    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// How long to wait now. `share`, from 0 to 1, places it between what the server asked for and twice as much for each
    /// failure, so that readers that lost the same server do not come back together.
    pub(super) fn delay(&self, share: f64) -> Duration {
        if self.failures == 0 {
            return self.retry;
        }
        let factor = 1_u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX);
        let most = self.retry.max(STEP_MIN).saturating_mul(factor).min(CEILING);
        let spread = most.saturating_sub(self.retry);
        self.retry.saturating_add(spread.mul_f64(share.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(retry_ms: u64, failures: u32, want_least_ms: u64, want_most_ms: u64) {
        let backoff = Backoff { retry: Duration::from_millis(retry_ms), failures };
        let got = [0.0, 1.0].map(|share| backoff.delay(share));
        let want = [want_least_ms, want_most_ms].map(Duration::from_millis);
        assert_eq!(got, want, "retry {retry_ms} ms, {failures} failures");
    }

    #[test]
    fn the_wait_doubles_above_what_the_server_asks_for_up_to_half_a_minute() {
        check(2_000, 0, 2_000, 2_000);
        check(2_000, 1, 2_000, 4_000);
        check(2_000, 2, 2_000, 8_000);
        check(2_000, 4, 2_000, 30_000);
        check(2_000, u32::MAX, 2_000, 30_000);
        check(0, 0, 0, 0);
        check(0, 1, 0, 1_000);
        check(0, 9, 0, 30_000);
        check(60_000, 3, 60_000, 60_000);
        check(u64::MAX, 3, u64::MAX, u64::MAX);
    }

    #[test]
    fn a_stream_forgives_all_failures() {
        let mut backoff = Backoff::default();
        backoff.failed();
        backoff.failed();
        assert_eq!(backoff.delay(1.0), Duration::from_secs(8));
        backoff.succeeded();
        assert_eq!(backoff.delay(1.0), RETRY_DEFAULT);
    }
}
