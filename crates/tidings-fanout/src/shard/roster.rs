//! Who is in a shard: its sessions, their groups, and which group wants which topic.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;
use tidings_core::group::Group;
use tidings_core::session::{Session, Tick};
use tidings_core::{CloseReason, Counters, Grants, GroupSpec, Sequence};
use tidings_topic::Index;

use super::rights::{Rights, RightsTable};
use super::turns::Turn;
use crate::inbox::{Inbox, SessionKey};
use crate::lease::{Companion, Hold};
use crate::permit::Permit;
use crate::way::Way;

/// Topics whose groups are remembered once patterns are subscribed. Cost: about 100 bytes and the name for each.
const INDEX_CACHE_ENTRIES_MAX: usize = 16 * 1024;

/// Places without a session that a sample goes past.
const VACANT_SKIPPED_MAX: usize = 64;

/// A session and what belongs to it in this shard.
pub(crate) struct Entry {
    generation: u32,
    pub(crate) group: u32,
    pub(crate) session: Session,
    pub(crate) way: Way,
    /// What it may see.
    rights: Arc<Rights>,
    /// What binds it to the token it came with.
    pub(crate) lease: Option<Hold>,
    /// When it comes up in the timer wheel, and which of its entries there counts.
    pub(crate) scheduled_at: Tick,
    pub(crate) timer: u32,
    /// May it be replayed history?
    pub(crate) turn: Turn,
    /// Where the shard stood when it came: what was before that, it is not behind with.
    joined_at: Sequence,
    /// It stands in the shard's list of those with something to do.
    pub(crate) is_runnable: bool,
    /// What is given back when it is gone. Boxed once more: few sessions have one, and all would pay for its width.
    companion: Option<Box<Companion>>,
    /// The place of its connection; a body's connection keeps its own.
    permit: Option<Permit>,
}

impl Entry {
    /// From which place on it is behind, where the shard stands at `position`.
    pub(super) fn behind_from(&self, position: Sequence) -> Sequence {
        self.session.cursor(position).max(self.joined_at)
    }
}

/// A session that comes in, and what belongs to it.
pub(crate) struct Newcomer {
    pub(crate) session: Session,
    pub(crate) way: Way,
    pub(crate) spec: GroupSpec,
    pub(crate) grants: Grants,
    pub(crate) lease: Option<Hold>,
    pub(crate) companion: Option<Companion>,
    pub(crate) permit: Option<Permit>,
    pub(crate) joins_at: Sequence,
}

/// A session that was taken out, and what it had.
pub(crate) struct Leaver {
    pub(crate) session: Session,
    pub(crate) way: Way,
    pub(crate) group: u32,
    pub(crate) lease: Option<Hold>,
    pub(crate) turn: Turn,
    _given_back: (Option<Box<Companion>>, Option<Permit>),
}

/// The sessions and groups of a shard.
pub(crate) struct Roster {
    entries: Slab<Entry>,
    generation: u32,
    pub(crate) groups: Slab<Group<SessionKey>>,
    by_spec: HashMap<GroupSpec, u32>,
    rights: RightsTable,
    pub(crate) index: Index<u32>,
    /// Publishers see there what the groups want.
    inbox: Arc<Inbox>,
    /// A group was added since the shard asked last.
    is_wider: bool,
}

impl Roster {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            inbox,
            is_wider: false,
            entries: Slab::new(),
            generation: 0,
            groups: Slab::new(),
            by_spec: HashMap::new(),
            rights: RightsTable::new(),
            index: Index::new(INDEX_CACHE_ENTRIES_MAX),
        }
    }

    /// Takes in a session, and its group if it is the first of it.
    pub(crate) fn insert(&mut self, newcomer: Newcomer, counters: &Counters) -> SessionKey {
        let Newcomer { session, way, spec, grants, lease, companion, permit, joins_at } = newcomer;
        let group = self.group_for(spec, counters);
        self.groups[group as usize].enter();
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let index = self.entries.insert(Entry {
            generation,
            group,
            session,
            way,
            rights: self.rights.take(grants),
            lease,
            scheduled_at: Tick::NEVER,
            timer: 0,
            turn: Turn::None,
            joined_at: joins_at,
            is_runnable: false,
            companion: companion.map(Box::new),
            permit,
        });
        SessionKey { index: narrow(index), generation }
    }

    pub(crate) fn get(&mut self, key: SessionKey) -> Option<&mut Entry> {
        self.entries.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    pub(crate) fn group_of(&mut self, key: SessionKey) -> Option<&Group<SessionKey>> {
        let group = self.get(key)?.group;
        self.groups.get(group as usize)
    }

    /// What a session may see from now on. A lease that was prolonged may have narrowed it since this was asked last.
    pub(super) fn rights_of(&mut self, key: SessionKey) -> Option<&Rights> {
        let entry = self.entries.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)?;
        if let Some(lease) = &entry.lease {
            let narrower = lease.take_narrower();
            if !narrower.is_empty() && !self.rights.narrow(&mut entry.rights, narrower) {
                // It has had too many different ones. Until it ends, which is soon, it sees nothing private.
                self.rights.narrow(&mut entry.rights, vec![Grants::Anonymous]);
                lease.end(CloseReason::TokenEnded);
            }
        }
        Some(&entry.rights)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionKey, &Entry)> {
        let key = |index, entry: &Entry| SessionKey { index: narrow(index), generation: entry.generation };
        self.entries.iter().map(move |(index, entry)| (key(index, entry), entry))
    }

    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// A session at this index or soon after it, if there is one, and the index to go on from: each has its turn.
    pub(super) fn entry_from(&self, index: usize) -> (Option<&Entry>, usize) {
        let end = self.entries.capacity().min(index.saturating_add(VACANT_SKIPPED_MAX));
        let found = (index..end).find_map(|index| Some((index, self.entries.get(index)?)));
        match found {
            Some((index, entry)) => (Some(entry), index + 1),
            None if end < self.entries.capacity() => (None, end),
            None => (None, 0),
        }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those that are behind and stand before this place, and came before it went by. Cost: a look at every session.
    pub(crate) fn behind(&self, place: Sequence) -> Vec<SessionKey> {
        let is_behind = |entry: &Entry| {
            let session = &entry.session;
            session.slot().is_none() && !session.is_closing() && entry.behind_from(place) < place
        };
        self.iter().filter(|(_, entry)| is_behind(entry)).map(|(key, _)| key).collect()
    }

    /// Who has taken nothing for longest, of those who pin something. Cost: a look at every session.
    pub(crate) fn longest_stalled(&self) -> Option<SessionKey> {
        let pins = self.iter().filter(|(_, entry)| entry.session.pinned_bytes() > 0);
        let slowest = pins.min_by_key(|(_, entry)| entry.session.stalled_since().unwrap_or(Tick::NEVER));
        slowest.map(|(key, _)| key)
    }

    // ## CatchingUp => Live
    pub(crate) fn join_live(&mut self, key: SessionKey, counters: &Counters) {
        let Some(entry) = self.entries.get_mut(key.index as usize) else { return };
        let slot = self.groups[entry.group as usize].join(key);
        entry.session.join(slot);
        counters.sessions_live.add(1);
    }

    // ## Live => *
    pub(crate) fn leave_live(&mut self, key: SessionKey, slot: u32, counters: &Counters) {
        let Some(entry) = self.entries.get(key.index as usize) else { return };
        counters.sessions_live.subtract(1);
        if let Some(moved) = self.groups[entry.group as usize].leave(slot)
            && let Some(moved) = self.get(moved)
        {
            moved.session.set_slot(slot);
        }
    }

    /// Takes a session out, and its group if it was the last of it.
    pub(crate) fn remove(&mut self, key: SessionKey, counters: &Counters) -> Option<Leaver> {
        let slot = self.get(key)?.session.slot();
        if let Some(slot) = slot {
            self.leave_live(key, slot, counters);
        }
        let Entry { group: group_key, session, way, rights, lease, companion, permit, turn, .. } =
            self.entries.remove(key.index as usize);
        self.rights.give_back(rights);
        let group = group_key as usize;
        if self.groups[group].exit() {
            let spec = self.groups.remove(group).spec;
            counters.subscribed_topics.subtract(spec.selectors.len() as u64);
            self.index.remove(&spec.selectors, group_key);
            self.inbox.interest.remove(&spec.selectors);
            self.by_spec.remove(&spec);
        }
        if self.entries.is_empty() {
            self.give_back_room();
        }
        Some(Leaver { session, way, group: group_key, lease, turn, _given_back: (companion, permit) })
    }

    fn group_for(&mut self, spec: GroupSpec, counters: &Counters) -> u32 {
        if let Some(group) = self.by_spec.get(&spec) {
            return *group;
        }
        let group = narrow(self.groups.insert(Group::new(spec.clone())));
        self.index.insert(&spec.selectors, group);
        self.inbox.interest.add(&spec.selectors);
        counters.subscribed_topics.add(spec.selectors.len() as u64);
        self.is_wider = true;
        self.by_spec.insert(spec, group);
        group
    }

    /// Do the groups want more topics than when this was asked last?
    pub(crate) fn take_is_wider(&mut self) -> bool {
        std::mem::take(&mut self.is_wider)
    }

    /// After a crowd has left, nothing of it stays.
    fn give_back_room(&mut self) {
        self.entries = Slab::new();
        self.groups = Slab::new();
        self.by_spec = HashMap::new();
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("connections are limited to fewer than 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What docs/limits.md says of an idle subscriber is mostly this.
    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 184, "{} bytes", size_of::<Entry>());
    }
}
