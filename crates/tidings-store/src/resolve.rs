//! Where a reader goes on, and what it must be told first.
//!
//! What most ask, to go on from now or from an event of a moment ago, memory answers. The rest is asked on a reading
//! thread.

use std::sync::Arc;

use tidings_core::resume::time_of_id;
use tidings_core::{
    EngineError, Grants, Kind, OnReset, Position, Record, Reset, ResetReason, Resolution, ResumeFrom, ResumeRequest,
    Sequence, Timestamp,
};
use tidings_topic::{SelectorSet, Topic};

use crate::segment::{Entry, Sealed, SegmentError, TopicNames};
use crate::shared::{Shared, cannot_read};
use crate::state::State;

/// Entries looked at together.
const ENTRIES_AT_ONCE: u32 = 1024;

/// The answer, if memory knows it.
pub(crate) fn at_hand(shared: &Shared, request: &ResumeRequest, now: Timestamp) -> Option<Resolution> {
    let state = shared.state();
    let selectors = &request.selectors;
    if state.is_over_bounds(now) || state.ended.through(selectors).is_some() {
        return None;
    }
    let cursor = match &request.from {
        ResumeFrom::Live => state.tail(),
        ResumeFrom::EventId(raw) => {
            let place = match (state.recent.place_of_id(raw), Position::parse(raw)) {
                (Some((place, false)), _) => place,
                (None, Some(position))
                    if position.epoch == shared.epoch
                        && position.sequence <= state.tail()
                        && !state.segments.has_own_form_ids() =>
                {
                    position.sequence
                }
                _ => return None,
            };
            let is_good = place >= state.marks.gone_through(selectors) && !state.holes.has(place);
            is_good.then_some(place)?
        }
        ResumeFrom::Earliest | ResumeFrom::Since { .. } | ResumeFrom::Last(_) => return None,
    };
    Some(Resolution { cursor, reset: None, is_over: false })
}

/// The answer. May read a disk.
pub(crate) fn resolve(shared: &Shared, request: &ResumeRequest, now: Timestamp) -> Result<Resolution, EngineError> {
    shared.trim(now);
    let selectors = &request.selectors;
    let end = shared.state().ended.through(selectors);
    // Who comes late to topics that have ended gets their end in any case, or it would wait for ever.
    let before_end = |place: Sequence| end.map_or(place, |end| place.min(end.previous()));
    let found = match &request.from {
        ResumeFrom::Live => Ok(live(&shared.state(), selectors)),
        ResumeFrom::Earliest => Ok(shared.state().earliest(selectors)),
        ResumeFrom::Since { at, requested } => {
            since(shared, selectors, *at)?.map(before_end).map_err(|reason| (reason, requested))
        }
        ResumeFrom::Last(count) => Ok(before_end(last(shared, request, *count, now)?)),
        ResumeFrom::EventId(raw) => after_id(shared, selectors, raw, now)?.map_err(|reason| (reason, raw)),
    };
    match found {
        Ok(cursor) => {
            let is_over = matches!(request.from, ResumeFrom::EventId(_)) && end.is_some_and(|end| cursor >= end);
            Ok(Resolution { cursor, reset: None, is_over })
        }
        Err((reason, requested)) => reset(shared, request, reason, requested, now),
    }
}

fn reset(
    shared: &Shared,
    request: &ResumeRequest,
    reason: ResetReason,
    requested: &Arc<str>,
    now: Timestamp,
) -> Result<Resolution, EngineError> {
    let cursor = match request.on_reset {
        OnReset::Oldest => shared.state().earliest(&request.selectors),
        OnReset::Live => live(&shared.state(), &request.selectors),
    };
    // A verdict names no event that this reader may not see.
    let walk = Walk { shared, selectors: &request.selectors, grants: &request.grants, now };
    let position = |sequence| Position { epoch: shared.epoch, sequence };
    let oldest = walk.forwards().map_err(|error| cannot_read(&error))?;
    let latest = walk.backwards(1).map_err(|error| cannot_read(&error))?;
    let reset = Reset {
        requested: Arc::clone(requested),
        reason,
        oldest: oldest.map(position),
        latest: latest.or(oldest).map(position),
    };
    Ok(Resolution { cursor, reset: Some(reset), is_over: false })
}

/// From now on; or, where nothing more will come, all there was.
fn live(state: &State, selectors: &SelectorSet) -> Sequence {
    match state.ended.through(selectors) {
        Some(_) => state.earliest(selectors),
        None => state.tail(),
    }
}

fn since(
    shared: &Shared,
    selectors: &SelectorSet,
    at: Timestamp,
) -> Result<Result<Sequence, ResetReason>, EngineError> {
    let (segments, place_in_memory) = {
        let state = shared.state();
        let trimmed = state.marks.trimmed(selectors);
        if trimmed.sequence > Sequence::ZERO && trimmed.at >= at {
            return Ok(Err(ResetReason::Expired));
        }
        // Ends of ended topics are kept beyond the history, so they may be the first.
        let ends = state.old_ends(selectors, Sequence::ZERO);
        if let Some(end) = ends.iter().find(|end| end.committed_at >= at && end.sequence <= state.retained_after) {
            return Ok(Ok(end.sequence.previous()));
        }
        (state.sealed(), state.recent.place_before(at).max(state.retained_after))
    };
    // Times never go back, so the first segment that ends late enough has the place.
    let Some(segment) = segments.iter().find(|segment| segment.summary().last_at >= at) else {
        return Ok(Ok(place_in_memory));
    };
    let found = segment.position_at_or_after(at).and_then(|index| segment.entries(index..index + 1));
    let first = found.map_err(|error| cannot_read(&error))?;
    let place = first.first().map_or(segment.summary().last, |entry| entry.sequence.previous());
    Ok(Ok(place.max(shared.state().retained_after)))
}

/// Before the last so many events that this reader can be given.
fn last(shared: &Shared, request: &ResumeRequest, count: u64, now: Timestamp) -> Result<Sequence, EngineError> {
    if count == 0 {
        return Ok(shared.tail());
    }
    let walk = Walk { shared, selectors: &request.selectors, grants: &request.grants, now };
    let first = walk.backwards(count).map_err(|error| cannot_read(&error))?;
    let state = shared.state();
    let trimmed = state.trimmed_by_hub(&request.selectors);
    Ok(first.map_or_else(|| state.earliest(&request.selectors), |first| first.previous().max(trimmed)))
}

fn after_id(
    shared: &Shared,
    selectors: &SelectorSet,
    raw: &str,
    now: Timestamp,
) -> Result<Result<Sequence, ResetReason>, EngineError> {
    // An id of the hub's own form that a publisher used is that publisher's.
    let place = match (place_of_id(shared, raw)?, Position::parse(raw)) {
        (Some(place), _) => place,
        (None, Some(position)) if position.epoch != shared.epoch => return Ok(Err(ResetReason::Expired)),
        (None, Some(position)) if position.sequence > shared.tail() => return Ok(Err(ResetReason::Unknown)),
        (None, Some(position)) if shared.state().holes.has(position.sequence) => return Ok(Err(ResetReason::Lost)),
        (None, Some(position)) => position.sequence,
        (None, None) => return after_time_id(shared, selectors, raw, now),
    };
    let is_gone = shared.state().marks.gone_through(selectors) > place;
    Ok(if is_gone { Err(ResetReason::Expired) } else { Ok(place) })
}

/// Where the earliest retained event with this id of a publisher's stands.
fn place_of_id(shared: &Shared, raw: &str) -> Result<Option<Sequence>, EngineError> {
    // Memory first, for records go from there to the segments.
    let in_memory = shared.state().recent.place_of_id(raw);
    match in_memory {
        Some((place, false)) => Ok(Some(place)),
        later => Ok(shared.find_sealed_id(raw)?.or(later.map(|(place, _)| place))),
    }
}

/// An id that is a time stands for all that was committed before it.
fn after_time_id(
    shared: &Shared,
    selectors: &SelectorSet,
    raw: &str,
    now: Timestamp,
) -> Result<Result<Sequence, ResetReason>, EngineError> {
    match time_of_id(raw).filter(|_| shared.options.ids_resolve_by_time) {
        // What was published before this history began is gone with the one before it.
        Some(at) if at < shared.epoch.began_at() => Ok(Err(ResetReason::Expired)),
        // A time to come was never given out.
        Some(at) if at <= now.max(shared.state().times.latest()) => since(shared, selectors, at),
        _ => Ok(Err(ResetReason::Unknown)),
    }
}

/// A walk over the retained events that a reader can be given.
struct Walk<'a> {
    shared: &'a Shared,
    selectors: &'a SelectorSet,
    grants: &'a Grants,
    now: Timestamp,
}

impl Walk<'_> {
    /// The place of the first event.
    fn forwards(&self) -> Result<Option<Sequence>, SegmentError> {
        let (segments, first_in_memory) = {
            let state = self.shared.state();
            let selected = state.recent.topics.select(self.selectors);
            let is_given = |place: &Sequence| state.recent.get(*place).is_some_and(|it| self.is_given(&state, it));
            // Both at one moment, for records go from memory to the segments.
            (state.sealed(), selected.after(state.recent.start()).find(is_given))
        };
        for segment in segments.iter() {
            if segment.summary().last <= self.shared.state().retained_after {
                continue;
            }
            let indices = self.indices(segment)?;
            let mut topics = TopicNames::of(segment);
            for chunk in indices.chunks(ENTRIES_AT_ONCE as usize) {
                for entry in segment.entries_at(chunk)? {
                    if self.is_given_entry(segment, &entry, &mut topics)? {
                        return Ok(Some(entry.sequence));
                    }
                }
            }
        }
        Ok(first_in_memory)
    }

    /// The place of the last event but so many less one; nothing when there are fewer.
    fn backwards(&self, mut count: u64) -> Result<Option<Sequence>, SegmentError> {
        let (segments, in_memory_from) = {
            let state = self.shared.state();
            let selected = state.recent.topics.select(self.selectors);
            for place in selected.backwards() {
                let Some(record) = state.recent.get(place) else { continue };
                if self.is_given(&state, record) {
                    count -= 1;
                    if count == 0 {
                        return Ok(Some(place));
                    }
                }
            }
            (state.sealed(), state.recent.start())
        };
        for segment in segments.iter().rev() {
            let indices = self.indices(segment)?;
            let mut topics = TopicNames::of(segment);
            for chunk in indices.rchunks(ENTRIES_AT_ONCE as usize) {
                for entry in segment.entries_at(chunk)?.iter().rev() {
                    // Memory has counted the rest.
                    if entry.sequence <= in_memory_from && self.is_given_entry(segment, entry, &mut topics)? {
                        count -= 1;
                        if count == 0 {
                            return Ok(Some(entry.sequence));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// The indices of these topics' records in a segment, ascending.
    fn indices(&self, segment: &Sealed) -> Result<Vec<u32>, SegmentError> {
        let topics = match self.selectors.exact_topics() {
            Some(topics) => {
                let found = topics.map(|topic| segment.topic(topic));
                found.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?
            }
            None => segment.topics_where(|topic| self.selectors.matches(topic))?,
        };
        let mut indices = Vec::new();
        for topic in &topics {
            indices.extend(segment.postings(topic, 0..topic.records)?);
        }
        indices.sort_unstable();
        indices.dedup();
        Ok(indices)
    }

    fn is_given(&self, state: &State, record: &Record) -> bool {
        record.kind == Kind::Event
            && !record.is_expired(self.now)
            && self.grants.may_read(record)
            && state.is_retained(&record.topic, record.sequence)
    }

    fn is_given_entry(
        &self,
        segment: &Sealed,
        entry: &Entry,
        topics: &mut TopicNames<'_>,
    ) -> Result<bool, SegmentError> {
        if entry.kind != Kind::Event || entry.expires_at.is_some_and(|at| at <= self.now) {
            return Ok(false);
        }
        if entry.private && !self.may_read_private_entry(segment, entry, topics)? {
            return Ok(false);
        }
        {
            let state = self.shared.state();
            if entry.sequence <= state.retained_after {
                return Ok(false);
            }
            if state.dropped.count() == 0 {
                return Ok(true);
            }
        }
        let topic = topics.name(entry.topic)?;
        Ok(self.shared.state().is_retained(topic, entry.sequence))
    }

    fn may_read_private_entry(
        &self,
        segment: &Sealed,
        entry: &Entry,
        topics: &mut TopicNames<'_>,
    ) -> Result<bool, SegmentError> {
        match self.grants {
            Grants::Anonymous => Ok(false),
            Grants::Everything => Ok(true),
            Grants::Only(selectors) => {
                let may_read = |topic: &Topic| selectors.matches(topic.as_str());
                Ok(may_read(topics.name(entry.topic)?) || segment.alternates_of(entry)?.iter().any(may_read))
            }
        }
    }
}
