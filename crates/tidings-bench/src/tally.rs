//! What one reading thread counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::latency::Latencies;
use crate::ledger::Ledger;
use crate::stamp::RunMark;
use crate::verify::Verifier;

/// What one reading thread counts, since the last baseline unless said otherwise.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) run: RunMark,
    /// What all times in stamps count from.
    pub(crate) epoch: Instant,
    pub(crate) counts: Counts,
    /// Since the run began.
    pub(crate) verifier: Option<Verifier>,
    /// What clients that came back are to get before they have caught up, and when they began to come back.
    pub(crate) debt: Option<(Arc<Ledger>, Instant)>,
    pub(crate) gauges: Arc<Gauges>,
}

/// Numbers that are handed over.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
    pub(crate) wire_bytes: u64,
    pub(crate) latencies: Latencies,
    /// How long clients took to catch up.
    pub(crate) catch_up: Latencies,
}

/// How far a reading thread is, for the thread that waits for it. Never reset.
#[derive(Debug, Default)]
#[repr(align(128))] // one thread's counting must not slow the others'
pub(crate) struct Gauges {
    pub(crate) connected: AtomicU64,
    /// Deliveries, without duplicates.
    pub(crate) delivered: AtomicU64,
    /// Streams that ended and were not cut here.
    pub(crate) closed: AtomicU64,
    pub(crate) caught_up: AtomicU64,
    pub(crate) retries: AtomicU64,
    /// When the last delivery was read, in nanoseconds since the epoch.
    pub(crate) last_delivery_ns: AtomicU64,
}

impl Tally {
    /// Shows what was counted to the waiting thread.
    pub(crate) fn show(&self, new: u64, now: Instant) {
        if new > 0 {
            let since = now.saturating_duration_since(self.epoch);
            let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
            self.gauges.last_delivery_ns.store(nanos, Ordering::Relaxed);
            // Release: whoever sees the count sees the time of its last delivery too.
            self.gauges.delivered.fetch_add(new, Ordering::Release);
        }
    }
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            received: 0,
            duplicated: 0,
            out_of_order: 0,
            wire_bytes: 0,
            latencies: Latencies::new(),
            catch_up: Latencies::new(),
        }
    }

    pub(crate) fn reset(&mut self) {
        self.latencies.reset();
        self.catch_up.reset();
        (self.received, self.duplicated, self.out_of_order, self.wire_bytes) = (0, 0, 0, 0);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.wire_bytes += other.wire_bytes;
        self.latencies.add(&other.latencies);
        self.catch_up.add(&other.catch_up);
    }
}

impl Gauges {
    pub(crate) fn last_delivery(&self) -> Duration {
        Duration::from_nanos(self.last_delivery_ns.load(Ordering::Relaxed))
    }
}
