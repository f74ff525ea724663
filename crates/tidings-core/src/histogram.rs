//! How long something took, many times over: counts by bucket, as Prometheus has it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in seconds; above the last one there is one more.
pub const BUCKETS_SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const COUNTS: usize = BUCKETS_SECONDS.len() + 1;

/// Durations, counted. Cost of one: three atomic additions.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; COUNTS],
    sum_nanos: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum_nanos: AtomicU64::new(0) }
    }
}

/// What a [`Histogram`] has counted by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistogramCounts {
    /// For each of [`BUCKETS_SECONDS`] how many took longer than the bound before it and at most so long; the last one:
    /// how many took longer than all bounds.
    pub counts: [u64; COUNTS],
    /// All of them together.
    pub sum: Duration,
}

impl Histogram {
    /// It took so long once.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS_SECONDS.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was counted by now. Observations that happen meanwhile may be half in it.
    pub fn counts(&self) -> HistogramCounts {
        HistogramCounts {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)),
        }
    }
}

impl HistogramCounts {
    /// How many observations there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_the_first_bucket_that_reaches_it() {
        let histogram = Histogram::default();
        for (micros, bucket) in [(0, 0), (100, 0), (101, 1), (10_000_000, 15), (10_000_001, 16)] {
            let before = histogram.counts().counts[bucket];
            histogram.observe(Duration::from_micros(micros));
            assert_eq!(histogram.counts().counts[bucket], before + 1, "{micros} µs");
        }
        assert_eq!(histogram.counts().total(), 5);
        assert_eq!(histogram.counts().sum, Duration::from_micros(20_000_202));
    }
}
