//! How far sessions are behind, by samples: one session in so much time, each in its turn. No delivery pays for it.

use std::time::Duration;

use tidings_core::Sequence;
use tidings_core::session::Tick;

use super::Shard;

/// A shard that works looks at one session in so much time; one that sleeps has nobody who could fall behind further.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// Whose turn it is, and when.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    next: usize,
    due: Tick,
}

impl Shard {
    /// Looks at the next session, if it is time.
    pub(super) fn sample_lag(&mut self) {
        if self.now < self.sampler.due {
            return;
        }
        self.sampler.due = self.now.after(SAMPLE_INTERVAL);
        let (entry, next) = self.roster.entry_from(self.sampler.next);
        self.sampler.next = next;
        let Some(entry) = entry else { return };
        let place = entry.behind_from(self.position);
        let lag = if place < self.position { self.age_of_what_follows(place) } else { Duration::ZERO };
        self.counters.session_lag.observe(lag);
    }

    /// The age of the oldest event after `place`, of whatever topic; of the oldest at hand where that one is not.
    fn age_of_what_follows(&mut self, place: Sequence) -> Duration {
        self.records.clear();
        if let Err(behind) = self.engine.committed(place, 1, &mut self.records) {
            // If the window has moved on once more, nothing is found, which happens to one sample of many.
            let _ = self.engine.committed(behind.window_start, 1, &mut self.records);
        }
        let first = self.records.first().map(|record| record.committed_at);
        self.records.clear();
        first.map_or(Duration::ZERO, |committed_at| Self::wall_clock().since(committed_at))
    }
}
