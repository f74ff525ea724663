//! Sessions that are behind get history page by page until they meet the shard's position.
//!
//! A budget for each turn keeps a storm of replays from starving live events. Readers of a group that stand at the same
//! place share the page, which is read and joined once.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_core::session::{Next, Sent};
use tidings_core::{CloseReason, Kind, Read, ReadLimit, ReadRequest, Sequence};

use super::Shard;
use super::live::{Batch, bytes_taken};
use crate::inbox::SessionKey;

/// Records that a page may look at before others have their turn.
const SCANNED_PER_PAGE_MAX: usize = 4096;
/// Pages shared within a turn. Cost: one batch each.
const PAGES_MAX: usize = 64;

/// The pages of this turn, by group and cursor. They are forgotten with the turn, so none grows stale.
#[derive(Default)]
pub(crate) struct Pages(HashMap<(u32, Sequence), Arc<SharedPage>>);

struct SharedPage {
    batch: Batch,
    /// It holds all of its group's topics up to and with this place.
    through: Sequence,
}

impl Shard {
    /// Lets those with something to do do it, within the budget of a turn.
    pub(super) fn replay(&mut self) {
        let mut budget = self.options.limits.catch_up_bytes_per_turn;
        for _ in 0..self.runnable.len() {
            if budget == 0 {
                break;
            }
            let Some(key) = self.runnable.pop_front() else { break };
            let Some(entry) = self.roster.get(key) else { continue };
            entry.is_runnable = false;
            self.advance_without_reading(key);
            let Some(entry) = self.roster.get(key) else { continue };
            if let Next::Read(cursor) = entry.session.next(self.position) {
                let bytes = self.replay_page(key, cursor);
                budget = budget.saturating_sub(bytes);
                self.advance(key);
            }
        }
        self.pages.0.clear();
    }

    fn advance_without_reading(&mut self, key: SessionKey) {
        let is_reading = |entry: &mut super::Entry, position| matches!(entry.session.next(position), Next::Read(_));
        let position = self.position;
        if !self.roster.get(key).is_some_and(|entry| is_reading(entry, position)) {
            self.advance(key);
        }
    }

    /// Gives a session its next page; answers what that took from the budget.
    fn replay_page(&mut self, key: SessionKey, cursor: Sequence) -> usize {
        let Some(group_key) = self.roster.get(key).map(|entry| entry.group) else { return 0 };
        let Some(page) = self.page(group_key, cursor) else {
            self.close(key, CloseReason::Lagged);
            return 0;
        };
        let outbox_bytes_max = self.options.limits.batch_bytes_max;
        let Some(entry) = self.roster.get(key) else { return 0 };
        let part = page.batch.part_for(entry.session.grants().may_read_private());
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

    /// The next page of a group after `cursor`; `None` when something of it is no longer kept.
    fn page(&mut self, group_key: u32, cursor: Sequence) -> Option<Arc<SharedPage>> {
        if let Some(page) = self.pages.0.get(&(group_key, cursor)) {
            return Some(Arc::clone(page));
        }
        let spec = &self.roster.groups[group_key as usize].spec;
        let read = self.engine.read(&ReadRequest {
            selectors: spec.selectors.clone(),
            after: cursor,
            through: self.position,
            now: Self::wall_clock(),
            limit: ReadLimit { bytes_max: self.options.limits.batch_bytes_max, scanned_max: SCANNED_PER_PAGE_MAX },
        });
        let Read::Page(mut page) = read else { return None }; // TODO(elsewhere)
        page.records.retain(|record| {
            spec.wants(record, || self.engine.ended_through(&spec.selectors) == Some(record.sequence))
        });
        if let Some(end) = page.records.iter().position(|record| record.kind == Kind::End) {
            page.records.truncate(end + 1);
        }
        let batch = Batch::of(page.records.iter().map(AsRef::as_ref));
        let shared = Arc::new(SharedPage { batch, through: page.through });
        if self.pages.0.len() >= PAGES_MAX {
            self.pages.0.clear();
        }
        self.pages.0.insert((group_key, cursor), Arc::clone(&shared));
        Some(shared)
    }
}
