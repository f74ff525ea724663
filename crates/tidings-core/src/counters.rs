//! What a hub counts of itself. Plain atomics, so that the data path never waits; the admin listener renders them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::close::CloseReason;
use crate::resume::ResetReason;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many by now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that are there now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// So many fewer.
    pub fn subtract(&self, fewer: u64) {
        self.0.fetch_sub(fewer, Ordering::Relaxed);
    }

    /// How many now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter for each reason of an enumeration.
#[derive(Debug)]
pub struct ByReason<const N: usize>([Counter; N]);

impl<const N: usize> Default for ByReason<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

/// All that a hub counts of itself.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions that live on a socket of a shard, now.
    pub sessions_direct: Gauge,
    /// Sessions that live behind a body, now.
    pub sessions_body: Gauge,
    /// Sessions that ever began on a socket of a shard.
    pub joined_direct: Counter,
    /// Sessions that ever began behind a body.
    pub joined_body: Counter,
    /// Sessions of either way whose cursor is at the tail, now; the others are behind: replaying, or slow.
    pub sessions_live: Gauge,
    /// Times that a live session could not be written to and fell back to its cursor.
    pub fall_backs: Counter,
    /// Bytes pinned by half-written buffers, now.
    pub pinned_bytes: Gauge,
    /// Writes to readers, each of one or many events.
    pub writes: Counter,
    /// Bytes that readers took.
    pub bytes_out: Counter,
    /// Events times readers, live.
    pub delivered_live: Counter,
    /// Events times readers, replayed.
    pub delivered_replay: Counter,
    /// Heartbeats.
    pub heartbeats: Counter,
    /// Readers that were told that their token ends.
    pub notices: Counter,
    /// Times that a stream was prolonged by a fresh token.
    pub renewals: Counter,
    /// Publications that were stored.
    pub published: Counter,
    /// Bytes of data in them.
    pub published_bytes: Counter,
    /// Publications that were a repeat under an idempotency key.
    pub published_repeats: Counter,
    /// Requests that were refused for what they said: 4xx.
    pub refused_requests: Counter,
    /// Requests that were refused because a limit was reached or the hub drains.
    pub refused_limits: Counter,
    /// Connections whose request head was too long, too slow or not HTTP.
    pub bad_heads: Counter,
    closes: ByReason<{ CloseReason::ALL.len() }>,
    resets: ByReason<{ ResetReason::ALL.len() }>,
}

impl Counters {
    /// The counter of streams that ended for `reason`.
    pub fn closed(&self, reason: CloseReason) -> &Counter {
        &self.closes.0[reason as usize]
    }

    /// The counter of resumes that could not be kept for `reason`.
    pub fn reset(&self, reason: ResetReason) -> &Counter {
        &self.resets.0[reason as usize]
    }
}
