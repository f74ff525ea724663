//! Sessions that are behind get history page by page until they meet the shard's position.
//!
//! A budget for each turn keeps a storm of replays from starving live events. Readers of a group that stand at the same
//! place share the page, which is read and joined once. What is not at hand is fetched meanwhile; see `elsewhere`.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_core::session::{Next, Sent};
use tidings_core::{CloseReason, GroupSpec, Kind, Page, Read, ReadLimit, ReadRequest, Sequence};
use tidings_topic::SelectorSet;

use super::Shard;
use super::batch::Batch;
use super::fetches::{Outcome, PageStart};
use super::live::bytes_taken;
use crate::inbox::SessionKey;

/// Records that a page may look at before others have their turn. What costs time but sends nothing takes as much from
/// the budget as a page of so many bytes.
const SCANNED_PER_PAGE_MAX: usize = 4096;
/// Pages shared within a turn. Cost: one batch each.
const PAGES_MAX: usize = 64;

/// The pages of this turn. They are forgotten with the turn, so none grows stale.
#[derive(Default)]
pub(super) struct Pages(HashMap<PageStart, Arc<SharedPage>>);

/// A page as the sessions of a group get it.
pub(super) struct SharedPage {
    batch: Batch,
    /// It holds all of its group's topics up to and with this place.
    through: Sequence,
}

impl Shard {
    /// Lets those with something to do do it, within the budget of a turn.
    pub(super) fn replay(&mut self) {
        let mut budget = self.limits.catch_up_bytes_per_turn;
        for _ in 0..self.runnable.len() {
            if budget == 0 {
                break;
            }
            let Some(key) = self.runnable.pop_front() else { break };
            let Some(entry) = self.roster.get(key) else { continue };
            entry.is_runnable = false;
            self.advance_without_reading(key);
            budget = budget.saturating_sub(self.read_on(key));
        }
        self.pages.0.clear();
        self.start_fetches();
    }

    fn advance_without_reading(&mut self, key: SessionKey) {
        let is_reading = |entry: &mut super::Entry, position| matches!(entry.session.next(position), Next::Read(_));
        let position = self.position;
        if !self.roster.get(key).is_some_and(|entry| is_reading(entry, position)) {
            self.advance(key);
        }
    }

    /// Lets a session read its next page if it is to; answers what that took from the budget.
    fn read_on(&mut self, key: SessionKey) -> usize {
        let Some(entry) = self.roster.get(key) else { return 0 };
        let fetched = if entry.session.awaits_page() { self.take_fetched(key) } else { None };
        let position = self.position;
        let Some(entry) = self.roster.get(key) else { return 0 };
        // One that still waits does not read; nor does one that was blocked or closed while it waited.
        let Next::Read(cursor) = entry.session.next(position) else { return 0 };
        if !self.takes_turn(key) {
            return 0;
        }
        let Some(entry) = self.roster.get(key) else { return 0 };
        let start = PageStart { group: entry.group, cursor };
        let cost = match fetched {
            Some(Outcome::Page(page)) => self.give_page(key, cursor, &page),
            Some(Outcome::Over(reason)) => self.end_replay(key, reason),
            None => self.replay_page(key, start),
        };
        self.advance(key);
        cost
    }

    /// Gives a session the page that is at hand, or has it wait; answers what that took from the budget.
    fn replay_page(&mut self, key: SessionKey, start: PageStart) -> usize {
        if let Some(page) = self.pages.0.get(&start).map(Arc::clone) {
            return self.give_page(key, start.cursor, &page);
        }
        if self.wait_with_others(key, start) {
            return 0;
        }
        let spec = self.roster.groups[start.group as usize].spec.clone();
        match self.engine.read(&self.read_request(spec.selectors.clone(), start.cursor)) {
            Read::Page(page) => {
                let page = Arc::new(self.share(&spec, page));
                if self.pages.0.len() >= PAGES_MAX {
                    self.pages.0.clear();
                }
                self.pages.0.insert(start, Arc::clone(&page));
                self.give_page(key, start.cursor, &page)
            }
            Read::Expired => self.end_replay(key, CloseReason::Lagged),
            Read::Elsewhere => {
                self.wait_for_page(key, start);
                SCANNED_PER_PAGE_MAX
            }
        }
    }

    fn give_page(&mut self, key: SessionKey, cursor: Sequence, page: &SharedPage) -> usize {
        let outbox_bytes_max = self.limits.batch_bytes_max;
        let own_part;
        let part = if let Some(part) = page.batch.for_all() {
            part
        } else {
            own_part = self.part_for(key, &page.batch);
            &own_part
        };
        let Some(entry) = self.roster.get(key) else { return 0 };
        if part.chunk.is_empty() {
            entry.session.skip_to(page.through);
            return SCANNED_PER_PAGE_MAX;
        }
        let bytes = entry.way.bytes_of(&part.chunk);
        match entry.way.send(&bytes, outbox_bytes_max) {
            Ok(sent) => {
                let now = self.now;
                self.update(key, |session| session.on_sent(&bytes, cursor, page.through, sent, now));
                self.counters.writes.increment();
                self.counters.bytes_out.add(bytes_taken(sent, bytes.len()));
                self.counters.replayed_bytes.add(bytes_taken(sent, bytes.len()));
                if sent != Sent::Nothing {
                    self.counters.delivered_replay.add(part.events);
                    if page.batch.ends {
                        self.close(key, CloseReason::TopicEnded);
                    }
                }
            }
            Err(_) => self.remove(key, CloseReason::Broken),
        }
        bytes.len()
    }

    fn end_replay(&mut self, key: SessionKey, reason: CloseReason) -> usize {
        self.close(key, reason);
        SCANNED_PER_PAGE_MAX
    }

    /// What an engine is asked for the next page after `cursor`.
    pub(super) fn read_request(&self, selectors: SelectorSet, cursor: Sequence) -> ReadRequest {
        ReadRequest {
            selectors,
            after: cursor,
            through: self.position,
            now: Self::wall_clock(),
            limit: ReadLimit { bytes_max: self.limits.batch_bytes_max, scanned_max: SCANNED_PER_PAGE_MAX },
        }
    }

    /// Joins what the sessions of a group want of a page.
    pub(super) fn share(&self, spec: &GroupSpec, mut page: Page) -> SharedPage {
        page.records.retain(|record| {
            spec.wants(record, || self.engine.ended_through(&spec.selectors) == Some(record.sequence))
        });
        if let Some(end) = page.records.iter().position(|record| record.kind == Kind::End) {
            page.records.truncate(end + 1);
        }
        SharedPage { batch: self.batch_of(spec, &page.records), through: page.through }
    }
}
