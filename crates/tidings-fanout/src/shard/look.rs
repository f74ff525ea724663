//! What a shard tells an operator of its sessions, and those that it ends because he says so.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tidings_core::session::Tick;
use tidings_core::{CloseReason, Sequence};
use tidings_topic::Topic;

use super::Shard;
use super::roster::Entry;
use crate::inbox::SessionKey;
use crate::look::{Ending, Look, LookRequest, SessionLook, SessionName, SessionState};
use crate::way::Way;

/// Topics and patterns that are shown of one session.
const SELECTORS_SHOWN_MAX: usize = 3;

impl Shard {
    pub(super) fn look(&mut self, shard: u32, request: &LookRequest) -> Look {
        let slowest = self.slowest(request.sessions_max);
        let sessions = slowest.into_iter().filter_map(|key| self.look_at(shard, key)).collect();
        let readers = request.topics.iter().map(|topic| self.readers_of(topic)).collect();
        Look { sessions, readers }
    }

    /// Ends what is to be ended, each in good order if it takes bytes. Answers how many that were.
    pub(super) fn end_sessions(&mut self, ending: &Ending) -> usize {
        let keys = match ending {
            Ending::One(key) => vec![*key],
            Ending::Of(topic) => {
                let groups = self.roster.index.matching(topic.as_str()).to_vec();
                let is_in = |(_, entry): &(SessionKey, &Entry)| groups.contains(&entry.group);
                self.roster.iter().filter(is_in).map(|(key, _)| key).collect()
            }
        };
        keys.into_iter().filter(|&key| self.end_for_operator(key)).count()
    }

    fn end_for_operator(&mut self, key: SessionKey) -> bool {
        let Some(entry) = self.roster.get(key) else { return false };
        if entry.session.is_blocked() {
            self.remove(key, CloseReason::Operator); // it would not hear a farewell
        } else {
            self.close(key, CloseReason::Operator);
        }
        true
    }

    /// Cost: a look at every session, and no more memory than the answer takes.
    fn slowest(&self, count: usize) -> Vec<SessionKey> {
        let mut slowest = BinaryHeap::with_capacity(count + 1);
        for (key, entry) in self.roster.iter() {
            let slowness = slowness(entry, self.position, self.now);
            slowest.push(Reverse((slowness, key.index, key.generation)));
            if slowest.len() > count {
                slowest.pop();
            }
        }
        slowest.into_iter().map(|Reverse((_, index, generation))| SessionKey { index, generation }).collect()
    }

    fn look_at(&mut self, shard: u32, key: SessionKey) -> Option<SessionLook> {
        let selectors = self.roster.group_of(key)?.spec.selectors.clone();
        let entry = self.roster.get(key)?;
        let address = match &entry.way {
            Way::Direct(stream) => stream.peer_addr().ok().map(|address| address.ip().to_canonical()),
            Way::Body(outbox) => outbox.address(),
        };
        let session = &entry.session;
        let state = match () {
            () if session.is_closing() => SessionState::Ending,
            () if session.is_blocked() => SessionState::Blocked,
            () if session.awaits_page() => SessionState::Reading,
            () if session.slot().is_some() => SessionState::Live,
            () => SessionState::Behind,
        };
        let (stalled, behind_events, held_bytes) = slowness(entry, self.position, self.now);
        Some(SessionLook {
            name: SessionName::new(shard, key),
            address,
            state,
            selectors: selectors.iter().take(SELECTORS_SHOWN_MAX).map(ToString::to_string).collect(),
            selector_count: selectors.len(),
            behind_events,
            held_bytes,
            stalled,
        })
    }

    fn readers_of(&mut self, topic: &Topic) -> usize {
        let groups = self.roster.index.matching(topic.as_str());
        groups.iter().map(|&group| self.roster.groups[group as usize].sessions()).sum()
    }
}

/// What makes one session slower than another: for how long it takes nothing, how many events it is behind, and what is
/// held for it.
fn slowness(entry: &Entry, position: Sequence, now: Tick) -> (Duration, u64, usize) {
    let session = &entry.session;
    let stalled = session.stalled_since().map_or(0, |since| now.0.saturating_sub(since.0));
    let behind = position.0.saturating_sub(session.cursor(position).0);
    (Duration::from_millis(stalled), behind, session.pinned_bytes())
}
