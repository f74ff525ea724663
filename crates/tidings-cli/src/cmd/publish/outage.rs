//! How long to wait for a hub that is gone, and when to give up.

use std::time::Duration;

use tokio::time::Instant;

/// How long the hub has been gone.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// There was a connection that the hub answered.
    pub(super) has_begun: bool,
    since: Option<Instant>,
    /// Answers when it began.
    answered: u64,
    attempts: u32,
}

impl Outage {
    /// How long to wait before the next attempt; `None` when it has lasted too long.
    pub(super) fn wait(&mut self, answered: u64, after: Option<Duration>) -> Option<Duration> {
        self.has_begun = true;
        if self.since.is_none() || self.answered < answered {
            (self.since, self.answered, self.attempts) = (Some(Instant::now()), answered, 0);
        }
        let most = WAIT_MIN.saturating_mul(1 << self.attempts.min(8)).min(WAIT_MAX);
        self.attempts += 1;
        // Spread, so that publishers that lost the same hub do not come back together.
        let wait = most.mul_f64(0.75 + fastrand::f64() / 2.0).max(after.unwrap_or_default());
        let lasted = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        (lasted + wait <= OUTAGE_MAX).then_some(wait)
    }
}

const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(5);
/// A restart takes less, and the hub keeps keys for far longer.
const OUTAGE_MAX: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// The clock is the test's.
    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_out_for_a_while() {
        let mut outage = Outage::default();
        let begin = Instant::now();
        while let Some(wait) = outage.wait(3, None) {
            assert!(wait <= WAIT_MAX * 2, "{wait:?}");
            sleep(wait).await;
        }
        let lasted = begin.elapsed();
        assert!(lasted <= OUTAGE_MAX && lasted > OUTAGE_MAX / 2, "{lasted:?}");
        assert!(outage.wait(4, None).is_some(), "an answer came since");
        let asked = Duration::from_secs(30);
        assert_eq!(outage.wait(4, Some(asked)), Some(asked));
    }
}
