//! Where a reader goes on, and what it must be told first.

use std::sync::Arc;

use tidings_topic::SelectorSet;

use super::log::Log;
use crate::position::{Epoch, Position, Sequence};
use crate::record::{Kind, Record};
use crate::resume::{OnReset, Reset, ResetReason, Resolution, ResumeFrom, ResumeRequest, time_of_id};
use crate::time::Timestamp;

/// What the engine brings to a reader's question.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolveContext {
    pub epoch: Epoch,
    pub now: Timestamp,
    pub ids_resolve_by_time: bool,
}

impl Log {
    pub(super) fn resolve(&self, request: &ResumeRequest, context: ResolveContext) -> Resolution {
        let selectors = &request.selectors;
        let end = self.ended.through(selectors);
        // Who comes late to topics that have ended gets their end in any case, or it would wait for ever.
        let before_end = |place: Sequence| end.map_or(place, |end| place.min(end.previous()));
        let found = match &request.from {
            ResumeFrom::Live => Ok(self.live(selectors)),
            ResumeFrom::Earliest => Ok(self.earliest(selectors)),
            ResumeFrom::Since { at, requested } => {
                self.since(selectors, *at).map(before_end).map_err(|reason| (reason, requested))
            }
            ResumeFrom::Last(count) => Ok(before_end(self.last(request, *count, context.now))),
            ResumeFrom::EventId(raw) => self.after_id(selectors, raw, context).map_err(|reason| (reason, raw)),
        };
        match found {
            Ok(cursor) => {
                let is_over = matches!(request.from, ResumeFrom::EventId(_)) && end.is_some_and(|end| cursor >= end);
                Resolution { cursor, reset: None, is_over }
            }
            Err((reason, requested)) => self.reset(request, reason, requested, context),
        }
    }

    fn reset(
        &self,
        request: &ResumeRequest,
        reason: ResetReason,
        requested: &Arc<str>,
        context: ResolveContext,
    ) -> Resolution {
        let cursor = match request.on_reset {
            OnReset::Oldest => self.earliest(&request.selectors),
            OnReset::Live => self.live(&request.selectors),
        };
        // A verdict names no event that this reader may not see.
        let is_told = |record: &Record| is_replayed(record, context.now) && request.grants.may_read(record);
        let is_told_at = |place: &Sequence| self.record(*place).is_some_and(|record| is_told(record));
        let selected = self.topics.select(&request.selectors);
        let oldest = selected.topics().filter_map(|places| places.iter().copied().find(is_told_at)).min();
        let latest = selected.topics().filter_map(|places| places.iter().copied().rfind(is_told_at)).max();
        let position = |sequence| Position { epoch: context.epoch, sequence };
        let reset = Reset {
            requested: Arc::clone(requested),
            reason,
            oldest: oldest.map(position),
            latest: latest.map(position),
        };
        Resolution { cursor, reset: Some(reset), is_over: false }
    }

    /// From now on; or, where nothing more will come, all there was.
    fn live(&self, selectors: &SelectorSet) -> Sequence {
        match self.ended.through(selectors) {
            Some(_) => self.earliest(selectors),
            None => self.window.tail(),
        }
    }

    /// Before the oldest record of these topics, and not before anything of them that the hub's bounds trimmed.
    fn earliest(&self, selectors: &SelectorSet) -> Sequence {
        match self.topics.select(selectors).first() {
            Some(first) => first.previous().max(self.trimmed_by_hub(selectors)),
            None => self.window.tail(),
        }
    }

    /// Nothing of these topics that the hub's bounds trimmed is after this place.
    fn trimmed_by_hub(&self, selectors: &SelectorSet) -> Sequence {
        self.marks.trimmed(selectors).sequence.min(self.window.retained_after())
    }

    fn since(&self, selectors: &SelectorSet, at: Timestamp) -> Result<Sequence, ResetReason> {
        let trimmed = self.marks.trimmed(selectors);
        if trimmed.sequence > Sequence::ZERO && trimmed.at >= at {
            return Err(ResetReason::Expired);
        }
        // Ends of ended topics are kept beyond the window, so they may be the first.
        let retained_after = self.window.retained_after();
        let selected = self.topics.select(selectors);
        let mut ends = selected.after(Sequence::ZERO).take_while(|&place| place <= retained_after);
        let first = ends.find(|&place| self.record(place).is_some_and(|end| end.committed_at >= at));
        Ok(first.map_or_else(|| self.window.place_before(at), Sequence::previous))
    }

    /// Before the last so many events that this reader can be given.
    fn last(&self, request: &ResumeRequest, count: u64, now: Timestamp) -> Sequence {
        let Some(skipped) = count.checked_sub(1) else { return self.window.tail() };
        let selected = self.topics.select(&request.selectors);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        if skipped >= selected.count() {
            return self.earliest(&request.selectors);
        }
        let is_given = |record: &&Arc<Record>| is_replayed(record, now) && request.grants.may_read(record);
        match selected.backwards().filter_map(|place| self.record(place)).filter(is_given).nth(skipped) {
            Some(first) => first.sequence.previous().max(self.trimmed_by_hub(&request.selectors)),
            None => self.earliest(&request.selectors),
        }
    }

    fn after_id(&self, selectors: &SelectorSet, raw: &str, context: ResolveContext) -> Result<Sequence, ResetReason> {
        // An id of the hub's own form that a publisher used is that publisher's.
        let place = match (self.ids.place(raw), Position::parse(raw)) {
            (Some(place), _) => place,
            (None, Some(position)) if position.epoch != context.epoch => return Err(ResetReason::Expired),
            (None, Some(position)) if position.sequence > self.window.tail() => return Err(ResetReason::Unknown),
            (None, Some(position)) => position.sequence,
            (None, None) => return self.after_time_id(selectors, raw, context),
        };
        if self.marks.gone_through(selectors) > place { Err(ResetReason::Expired) } else { Ok(place) }
    }

    /// An id that is a time stands for all that was committed before it.
    fn after_time_id(
        &self,
        selectors: &SelectorSet,
        raw: &str,
        context: ResolveContext,
    ) -> Result<Sequence, ResetReason> {
        match time_of_id(raw).filter(|_| context.ids_resolve_by_time) {
            // What was published before this history began is gone with the one before it.
            Some(at) if at < context.epoch.began_at() => Err(ResetReason::Expired),
            // A time to come was never given out.
            Some(at) if at <= context.now.max(self.times.latest()) => self.since(selectors, at),
            _ => Err(ResetReason::Unknown),
        }
    }
}

fn is_replayed(record: &Record, now: Timestamp) -> bool {
    record.kind == Kind::Event && !record.is_expired(now)
}
