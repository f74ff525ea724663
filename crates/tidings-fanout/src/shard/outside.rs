//! What others do for a shard while it sleeps: waking a thread costs more than one or two writes.
//!
//! They have the shard's lock, which its thread leaves while it sleeps, so it is the same shard and the same order.

use std::sync::atomic::{Ordering, fence};

use tidings_core::session::Tick;
use tidings_topic::Topic;

use super::Shard;
use crate::inbox::Joining;

/// So many readers of a topic may be written to by its publisher's thread while the shard sleeps. More wake the shard.
const READERS_FROM_OUTSIDE_MAX: usize = 2;

/// And so often it looks again whether another publisher has come meanwhile.
const ROUNDS_FROM_OUTSIDE_MAX: usize = 3;

impl Shard {
    /// On another thread, while the shard sleeps: takes a session in.
    pub(crate) fn join_from_outside(&mut self, joining: Joining) {
        self.tick();
        self.deliver_through(self.engine.tail());
        self.on_join(joining);
        if self.roster.take_is_wider() {
            // As before a sleep: a publisher that committed before it could see the new topic has not told us.
            fence(Ordering::SeqCst);
            self.deliver_through(self.engine.tail());
        }
        self.wake_if_earlier();
    }

    /// On another thread, while the shard sleeps: delivers what was committed if that is little work. Answers whether it
    /// did.
    pub(crate) fn deliver_from_outside(&mut self, topic: &Topic) -> bool {
        let groups = self.roster.index.matching(topic.as_str());
        let readers: usize = groups.iter().map(|group| self.roster.groups[*group as usize].live().len()).sum();
        if readers > READERS_FROM_OUTSIDE_MAX {
            return false;
        }
        self.tick();
        for _ in 0..ROUNDS_FROM_OUTSIDE_MAX {
            self.inbox.start_tending();
            self.inbox.take_news();
            self.deliver_through(self.engine.tail());
            if self.inbox.stop_tending() {
                self.wake_if_earlier();
                return true;
            }
            if self.inbox.has_big_news() {
                break; // they are for the shard's own thread
            }
        }
        self.inbox.wake(); // others go on publishing: this one has done its part
        true
    }

    /// The shard's thread must not sleep longer than what was done for it allows. It also drops what sessions leave behind:
    /// a publisher that did so could find itself publishing again.
    fn wake_if_earlier(&self) {
        let due = self.timers.next_due().unwrap_or(Tick::NEVER);
        if due < self.sleeps_until || !self.runnable.is_empty() || !self.left.is_empty() {
            self.inbox.wake();
        }
    }
}
