//! Who may be replayed history now, and who waits for a turn: so many at a time, first come, first served.
//!
//! A session has its turn from its first read until it is live, or its reader takes no more: a slow reader keeps nobody
//! waiting. While it waits it can be written to, so its heartbeats go on.

use std::collections::VecDeque;

use tidings_core::Limit;

use super::Shard;
use crate::inbox::SessionKey;

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It needs no turn, or did not ask yet.
    #[default]
    None,
    /// It is being replayed.
    Has,
    /// It stands in line.
    Waits,
}

/// The turns of a shard.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: usize,
    /// Those in line, and some who have left it.
    line: VecDeque<SessionKey>,
}

/// The line is tidied when it is so much longer than there are sessions.
const LINE_SPARE_MAX: usize = 1024;

impl Shard {
    /// May this session read now? If not, it stands in line and becomes runnable when its turn comes.
    pub(super) fn takes_turn(&mut self, key: SessionKey) -> bool {
        let replays_max = (self.limits.replays_max / self.options.shards.max(1)).max(1);
        let has_room = self.turns.taken < replays_max;
        let Some(entry) = self.roster.get(key) else { return false };
        match entry.turn {
            Turn::Has => true,
            Turn::Waits => false,
            Turn::None if has_room => {
                entry.turn = Turn::Has;
                self.turns.taken += 1;
                self.counters.replays.add(1);
                true
            }
            Turn::None => {
                entry.turn = Turn::Waits;
                self.turns.line.push_back(key);
                self.counters.replays_waiting.add(1);
                self.counters.reach(Limit::Replays);
                self.tidy_line();
                false
            }
        }
    }

    /// The session reads no more for now: the next in line is let in.
    pub(super) fn gives_turn_back(&mut self, key: SessionKey) {
        if let Some(entry) = self.roster.get(key) {
            let turn = std::mem::take(&mut entry.turn);
            self.turn_is_over(turn);
        }
    }

    /// The same, of a session that may be gone.
    pub(super) fn turn_is_over(&mut self, turn: Turn) {
        match turn {
            Turn::None => return,
            Turn::Waits => return self.counters.replays_waiting.subtract(1),
            Turn::Has => {
                self.turns.taken -= 1;
                self.counters.replays.subtract(1);
            }
        }
        // Given on at once, so that nobody who comes meanwhile gets in before the line.
        while let Some(next) = self.turns.line.pop_front() {
            if let Some(entry) = self.roster.get(next)
                && entry.turn == Turn::Waits
            {
                entry.turn = Turn::Has;
                self.turns.taken += 1;
                self.counters.replays.add(1);
                self.counters.replays_waiting.subtract(1);
                return self.make_runnable(next);
            }
        }
    }

    /// Forgets those who have left the line, before they are more than the sessions.
    fn tidy_line(&mut self) {
        if self.turns.line.len() > self.roster.len() + LINE_SPARE_MAX {
            let roster = &mut self.roster;
            self.turns.line.retain(|key| roster.get(*key).is_some_and(|entry| entry.turn == Turn::Waits));
        }
    }
}
