//! Latencies: a histogram with three digits, from a microsecond to an hour.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::LatencyMs;

/// How long many things took.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    micros: Histogram<u64>,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        let micros = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are in order");
        Self { micros }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.saturating_record(micros.max(1));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.micros.add(&other.micros).expect("all have the same bounds");
    }

    pub(crate) fn reset(&mut self) {
        self.micros.reset();
    }

    /// `None` when nothing was recorded.
    pub(crate) fn summary(&self) -> Option<LatencyMs> {
        let at = |quantile: f64| millis(self.micros.value_at_quantile(quantile).min(self.micros.max()));
        (!self.micros.is_empty()).then(|| LatencyMs {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: millis(self.micros.max()),
        })
    }
}

/// Longer ones count as this.
const LONGEST_US: u64 = 3_600_000_000;

/// Of each value: enough for a comparison, and 200 KiB a histogram.
const DIGITS: u8 = 3;

#[expect(clippy::cast_precision_loss, reason = "at most an hour in microseconds, which f64 holds exactly")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_holds_three_digits() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.summary(), None);
        for millis in 1..=1_000 {
            latencies.record(Duration::from_millis(millis));
        }
        let summary = latencies.summary().expect("something was recorded");
        for (got, want) in [
            (summary.p50, 500.0),
            (summary.p90, 900.0),
            (summary.p99, 990.0),
            (summary.p999, 999.0),
            (summary.max, 1_000.0),
        ] {
            assert!((got / want - 1.0_f64).abs() < 0.001, "{summary:?}");
        }
        latencies.record(Duration::from_secs(100_000));
        assert!(latencies.summary().is_some_and(|summary| summary.max >= 3_600_000.0), "an hour stands for all longer");
    }
}
