//! What a hub counts of itself. Plain atomics, so that the data path never waits; the admin listener renders them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::close::CloseReason;
use crate::histogram::Histogram;
use crate::limit::Limit;
use crate::resume::ResetReason;

/// Most characters that are kept of the name of who reached a limit.
const CULPRIT_CHARS_MAX: usize = 200;

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
    /// Connections of all kinds that have a place, now.
    pub connections: Gauge,
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
    /// Topics and patterns in the indices of the shards, now: those of one group once for each shard that has it.
    pub subscribed_topics: Gauge,
    /// Sessions that are being replayed history, now, and those that wait for their turn to be.
    pub replays: Gauge,
    /// Sessions that wait for a turn to be replayed history, now.
    pub replays_waiting: Gauge,
    /// Bytes of events replayed.
    pub replayed_bytes: Counter,
    /// How long a publication took, from its whole body to the answer.
    pub publish_time: Histogram,
    /// How long events took from their commit to their first write to a reader, sampled.
    pub delivery_time: Histogram,
    /// How far sessions were behind, sampled.
    pub session_lag: Histogram,
    limits: ByReason<{ Limit::ALL.len() }>,
    culprits: Culprits,
    closes: ByReason<{ CloseReason::ALL.len() }>,
    resets: ByReason<{ ResetReason::ALL.len() }>,
}

/// Who reached each limit first since somebody asked.
#[derive(Debug)]
struct Culprits([Mutex<Option<Box<str>>>; Limit::ALL.len()]);

impl Default for Culprits {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Counters {
    /// A limit was reached once: somebody was refused, closed or made to wait.
    pub fn reach(&self, limit: Limit) {
        self.limits.0[limit as usize].increment();
    }

    /// [`Counters::reach`], by somebody whom an operator wants to know: an address, a subject, a topic.
    pub fn reach_by(&self, limit: Limit, culprit: &dyn fmt::Display) {
        self.reach(limit);
        // Only the first one is kept until the log has it: a storm must not be paid for by writing names.
        if let Ok(mut kept) = self.culprits.0[limit as usize].try_lock()
            && kept.is_none()
        {
            let name: String = culprit.to_string().chars().take(CULPRIT_CHARS_MAX).collect();
            *kept = Some(name.into());
        }
    }

    /// How often a limit was reached.
    pub fn reached(&self, limit: Limit) -> u64 {
        self.limits.0[limit as usize].get()
    }

    /// Who reached a limit first since this was asked the last time.
    pub fn take_culprit(&self, limit: Limit) -> Option<Box<str>> {
        self.culprits.0[limit as usize].lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The counter of streams that ended for `reason`.
    pub fn closed(&self, reason: CloseReason) -> &Counter {
        &self.closes.0[reason as usize]
    }

    /// The counter of resumes that could not be kept for `reason`.
    pub fn reset(&self, reason: ResetReason) -> &Counter {
        &self.resets.0[reason as usize]
    }
}
