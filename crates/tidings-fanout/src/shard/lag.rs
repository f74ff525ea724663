//! How far history has grown since a place, in bytes: for the limit of how far a connected reader may be behind.

use std::collections::VecDeque;

use tidings_core::{CloseReason, Limit, Sequence};

use super::Shard;

/// So finely the way behind a shard is measured, in parts of the limit; and so often, while history grows by as much as
/// that, all sessions are looked at.
const STEPS: u64 = 16;

/// What the shard has carried of late: places, and how many bytes there were up to each.
#[derive(Debug, Default)]
pub(super) struct LagMeter {
    points: VecDeque<(Sequence, u64)>,
    carried_bytes: u64,
    /// All who stand before this place were ended.
    ended_before: Option<Sequence>,
}

impl LagMeter {
    /// The shard has carried so many bytes more, up to `through`. Points closer than a step are not kept.
    fn carry(&mut self, through: Sequence, bytes: u64, lag_bytes_max: u64) {
        self.carried_bytes += bytes;
        let step = lag_bytes_max / STEPS;
        if self.points.back().is_none_or(|(_, at)| self.carried_bytes - at >= step.max(1)) {
            self.points.push_back((through, self.carried_bytes));
        }
        // One point beyond the limit is kept: it says how far it goes back.
        while self.points.get(1).is_some_and(|(_, at)| self.carried_bytes - at > lag_bytes_max) {
            self.points.pop_front();
        }
    }

    /// Whoever stands before this place is too far behind; `None`: nobody can be.
    fn too_far_before(&self, lag_bytes_max: u64) -> Option<Sequence> {
        let (place, at) = self.points.front()?;
        (self.carried_bytes - at > lag_bytes_max).then_some(*place)
    }
}

impl Shard {
    /// The shard has carried its records, up to where it stands. Without a limit nothing is measured.
    pub(super) fn measure_lag(&mut self) {
        if let Some(max) = self.limits.lag_bytes_max {
            let bytes = self.records.iter().map(|record| record.chunk.wire().len() as u64).sum();
            self.lag.carry(self.position, bytes, max as u64);
        }
    }

    /// Ends those that are too far behind. What a reader has to make good since before it came does not count.
    pub(super) fn end_those_too_far_behind(&mut self) {
        let Some(max) = self.limits.lag_bytes_max else { return };
        let place = self.lag.too_far_before(max as u64);
        if place == self.lag.ended_before {
            return;
        }
        self.lag.ended_before = place;
        let Some(place) = place else { return };
        for key in self.roster.behind(place) {
            self.counters.reach(Limit::LagBytes);
            // It may hold half a frame, so nothing can be said to it.
            self.remove(key, CloseReason::Lagged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_more_bytes_behind_than_may_be_is_before_the_place() {
        let mut meter = LagMeter::default();
        for place in 1..=100 {
            meter.carry(Sequence(place), 10, 256);
        }
        // 25 places of 10 bytes are 250 bytes behind: whoever stands at 75 may stay, and a step before that.
        let place = meter.too_far_before(256).expect("a thousand bytes went by");
        assert!((72..=75).contains(&place.0), "{place}");
        assert!(meter.points.len() as u64 <= STEPS + 2, "{}", meter.points.len());
    }

    #[test]
    fn a_quiet_shard_has_nobody_behind() {
        let mut meter = LagMeter::default();
        assert_eq!(meter.too_far_before(100), None);
        meter.carry(Sequence(1), 50, 100);
        meter.carry(Sequence(2), 50, 100);
        assert_eq!(meter.too_far_before(100), None);
    }
}
