//! Pages of history: from memory at once, from sealed segments on a reading thread.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use tidings_core::{EngineError, Kind, Page, Read, ReadRequest, Record, Sequence, Timestamp};
use tidings_topic::{SelectorSet, Topic};

use crate::segment::{Entry, Sealed, SegmentError};
use crate::shared::{Shared, cannot_read};
use crate::state::State;

/// Entries of an index looked at together, where there are patterns.
const ENTRIES_AT_ONCE: u32 = 1024;
/// Entries of single topics looked at together: each may stand in a block of its own, and a page may need few.
const PICKED_AT_ONCE: usize = 64;

/// The page, if memory has all of it.
pub(crate) fn at_hand(state: &State, request: &ReadRequest) -> Read {
    if state.is_over_bounds(request.now) {
        return Read::Elsewhere; // whoever reads it there trims first
    }
    if state.has_gap_after(request.after, &request.selectors) {
        return Read::Expired;
    }
    let after = request.after.max(state.retained_after);
    if after < state.recent.start() {
        return Read::Elsewhere;
    }
    Read::Page(recent_page(state, request, after))
}

/// A page after `after`, of which memory has everything.
fn recent_page(state: &State, request: &ReadRequest, after: Sequence) -> Page {
    let mut draft = Draft::new(request);
    draft.add_recent(state, after);
    draft.finish(state)
}

fn is_given(state: &State, record: &Record, request: &ReadRequest) -> bool {
    record.kind != Kind::Deleted && !record.is_expired(request.now) && state.is_retained(&record.topic, record.sequence)
}

/// The page, wherever it is. May read a disk.
pub(crate) fn fetch(shared: &Shared, request: &ReadRequest) -> Result<Read, EngineError> {
    shared.trim(request.now);
    let mut after = request.after;
    let mut draft = Draft::new(request);
    loop {
        let (segments, sealed_through) = {
            let state = shared.state();
            if state.has_gap_after(request.after, &request.selectors) {
                return Ok(Read::Expired);
            }
            after = after.max(state.retained_after);
            if after >= state.recent.start() {
                draft.add_recent(&state, after);
                return Ok(draft.answer(&state));
            }
            (state.sealed(), state.segments.sealed_through())
        };
        for segment in segments.iter().filter(|segment| segment.summary().last > after) {
            match draft.add_segment(shared, segment, after) {
                Ok(true) => return Ok(draft.answer(&shared.state())),
                Ok(false) => {}
                Err(error) => return on_error(shared, segment, request, &error),
            }
        }
        after = after.max(sealed_through); // more may be sealed meanwhile, and memory begin later
    }
}

fn on_error(
    shared: &Shared,
    segment: &Sealed,
    request: &ReadRequest,
    error: &SegmentError,
) -> Result<Read, EngineError> {
    // It was trimmed and removed in this moment: then the marks say so now.
    if shared.state().has_gap_after(request.after, &request.selectors) {
        return Ok(Read::Expired);
    }
    if segment.summary().last <= shared.state().retained_after {
        return Ok(Read::Expired);
    }
    Err(cannot_read(error))
}

/// Of these entries, one whose frame could not be read may be damaged.
fn on_damage(shared: &Shared, segment: &Sealed, entries: &[Entry], error: &SegmentError, now: Timestamp) {
    if let SegmentError::Damaged { offset, .. } = error
        && let Some(entry) = entries.iter().rev().find(|entry| u64::from(entry.offset) <= *offset)
    {
        shared.on_damaged_frame(segment, entry, error, now);
    }
}

/// The indices of these topics' records from one on, in order, and enough of them for a page.
fn exact_indices(
    segment: &Sealed,
    selectors: &SelectorSet,
    from: u32,
    count_max: usize,
) -> Result<Vec<u32>, SegmentError> {
    let count_max = u32::try_from(count_max).unwrap_or(u32::MAX).saturating_add(1);
    let mut indices = Vec::new();
    for topic in selectors.exact_topics().into_iter().flatten() {
        if let Some(topic) = segment.topic(topic)? {
            let first = segment.posting_from(&topic, from)?;
            indices.extend(segment.postings(&topic, first..first.saturating_add(count_max).min(topic.records))?);
        }
    }
    indices.sort_unstable();
    indices.dedup(); // those that are found under several of the topics
    indices.truncate(count_max as usize);
    Ok(indices)
}

/// A page that is being put together.
struct Draft<'a> {
    request: &'a ReadRequest,
    records: Vec<Arc<Record>>,
    bytes: usize,
    scanned: usize,
    through: Sequence,
}

impl<'a> Draft<'a> {
    /// A page that holds everything that was asked for, unless it is full before.
    fn new(request: &'a ReadRequest) -> Self {
        Self { request, records: Vec::new(), bytes: 0, scanned: 0, through: request.through.max(request.after) }
    }

    /// Adds what memory has after `after`.
    fn add_recent(&mut self, state: &State, after: Sequence) {
        let (request, selectors) = (self.request, &self.request.selectors);
        let end = self.through.min(state.tail()).max(request.after);
        self.through = end;
        if selectors.has_patterns() {
            let slots = state.recent.after_place(after).into_iter().flatten();
            for (place, record) in slots.take_while(|(place, _)| *place <= end) {
                let is_wanted = |record: &&Arc<Record>| {
                    record.topics().any(|topic| selectors.matches(topic.as_str())) && is_given(state, record, request)
                };
                if self.take(place, record.filter(is_wanted).cloned()) {
                    break;
                }
            }
        } else {
            let selected = state.recent.topics.select(selectors);
            for place in selected.after(after).take_while(|place| *place <= end) {
                let record = state.recent.get(place).filter(|record| is_given(state, record, request));
                if self.take(place, record.cloned()) {
                    break;
                }
            }
        }
    }

    /// Adds what a segment has after `after`. Answers whether the page is full.
    fn add_segment(&mut self, shared: &Shared, segment: &Sealed, after: Sequence) -> Result<bool, SegmentError> {
        let (request, selectors) = (self.request, &self.request.selectors);
        let mut wanted = Vec::new();
        let from = segment.position_after(after)?;
        let is_full = if selectors.has_patterns() {
            let topics = segment.topics_where(|topic| selectors.matches(topic))?;
            let topics: HashSet<u32> = topics.into_iter().map(|topic| topic.number).collect();
            let records = if topics.is_empty() { from } else { segment.summary().records };
            self.walk(shared, segment, from..records, &topics, &mut wanted)?
        } else {
            let rest = request.limit.scanned_max.saturating_sub(self.scanned);
            let indices = exact_indices(segment, selectors, from, rest)?;
            self.pick(segment, &indices, &mut wanted)?
        };
        let records =
            segment.read(&wanted).inspect_err(|error| on_damage(shared, segment, &wanted, error, request.now))?;
        let state = shared.state();
        let given = |record: &Arc<Record>| state.is_retained(&record.topic, record.sequence);
        self.records.extend(records.into_iter().filter(given));
        Ok(is_full)
    }

    /// Looks at some entries, one after the other. Answers whether the page is full.
    fn pick(&mut self, segment: &Sealed, indices: &[u32], wanted: &mut Vec<Entry>) -> Result<bool, SegmentError> {
        for chunk in indices.chunks(PICKED_AT_ONCE) {
            for entry in segment.entries_at(chunk)? {
                if self.look_at(&entry, true, wanted) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Looks at a range of entries, one after the other. Answers whether the page is full.
    fn walk(
        &mut self,
        shared: &Shared,
        segment: &Sealed,
        range: Range<u32>,
        topics: &HashSet<u32>,
        wanted: &mut Vec<Entry>,
    ) -> Result<bool, SegmentError> {
        let (selectors, now) = (&self.request.selectors, self.request.now);
        let mut from = range.start;
        while from < range.end {
            let rest = u32::try_from(self.request.limit.scanned_max.saturating_sub(self.scanned)).unwrap_or(u32::MAX);
            let to = from.saturating_add(ENTRIES_AT_ONCE.min(rest.max(1))).min(range.end);
            let entries = segment.entries(from..to)?;
            // Only the frames know of other topics.
            let others: Vec<Entry> = entries
                .iter()
                .filter(|entry| !topics.contains(&entry.topic) && entry.has_alternates)
                .copied()
                .collect();
            let mut found = HashSet::new();
            let look = |entry: &Entry, alternates: Box<[Topic]>| {
                if alternates.iter().any(|topic| selectors.matches(topic.as_str())) {
                    found.insert(entry.sequence);
                }
            };
            segment.alternates(&others, look).inspect_err(|error| on_damage(shared, segment, &others, error, now))?;
            for entry in entries {
                let is_selected = topics.contains(&entry.topic) || found.contains(&entry.sequence);
                if self.look_at(&entry, is_selected, wanted) {
                    return Ok(true);
                }
            }
            from = to;
        }
        Ok(false)
    }

    /// Looks at a place, whose record may be one for the page. Answers whether the page is full.
    fn take(&mut self, place: Sequence, record: Option<Arc<Record>>) -> bool {
        if let Some(record) = record {
            self.bytes += record.chunk.wire().len();
            self.records.push(record);
        }
        let has_some = !self.records.is_empty();
        self.scan(place, has_some)
    }

    /// Looks at an entry, which is read later if it is one for the page. Answers whether the page is full.
    fn look_at(&mut self, entry: &Entry, is_selected: bool, wanted: &mut Vec<Entry>) -> bool {
        if entry.sequence > self.through {
            return true;
        }
        if is_selected && entry.kind != Kind::Deleted && entry.expires_at.is_none_or(|at| at > self.request.now) {
            self.bytes += entry.cost_bytes as usize;
            wanted.push(*entry);
        }
        let has_some = !wanted.is_empty() || !self.records.is_empty();
        self.scan(entry.sequence, has_some)
    }

    fn scan(&mut self, place: Sequence, has_some: bool) -> bool {
        self.scanned += 1;
        let limit = self.request.limit;
        let is_full = self.scanned >= limit.scanned_max || has_some && self.bytes >= limit.bytes_max;
        if is_full {
            self.through = place;
        }
        is_full
    }

    /// The page, unless something of it was trimmed while it was read: then it has a gap.
    fn answer(self, state: &State) -> Read {
        if state.has_gap_after(self.request.after, &self.request.selectors) {
            return Read::Expired;
        }
        Read::Page(self.finish(state))
    }

    /// The page, with the ends that outlive their history.
    fn finish(self, state: &State) -> Page {
        let mut records = self.records;
        let ends = state.old_ends(&self.request.selectors, self.request.after);
        let ends = ends.into_iter().filter(|end| end.sequence <= self.through);
        let before = records.len();
        records.extend(ends);
        if records.len() > before {
            records.sort_by_key(|record| record.sequence);
        }
        Page { records, through: self.through }
    }
}
