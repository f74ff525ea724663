//! What comes due in a shard: heartbeats, readers that take nothing, ends of streams.

use bytes::Bytes;
use tidings_core::session::{Due, Sent, Tick};
use tidings_core::wheel::Wheel;
use tidings_core::{CloseReason, Limit};

use super::Shard;
use crate::inbox::SessionKey;

/// Sessions looked at in one turn: 100,000 that are due at once never hold up an event.
const DUE_PER_TURN_MAX: usize = 1024;

/// One entry of the wheel. Only the newest of a session counts.
#[derive(Clone, Copy, Debug)]
struct Timer {
    key: SessionKey,
    number: u32,
}

pub(crate) struct Timers {
    wheel: Wheel<Timer>,
    due: Vec<Timer>,
    has_more_due: bool,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { wheel: Wheel::new(), due: Vec::new(), has_more_due: false }
    }

    /// The last turn left some that were due.
    pub(crate) fn has_more_due(&self) -> bool {
        self.has_more_due
    }

    pub(crate) fn next_due(&self) -> Option<Tick> {
        self.wheel.next_due()
    }
}

impl Shard {
    /// Has a session come up in time, if it does not already.
    pub(super) fn schedule(&mut self, key: SessionKey) {
        let Some(entry) = self.roster.get(key) else { return };
        let due = entry.session.due_at(&self.pace);
        if due < entry.scheduled_at {
            entry.scheduled_at = due;
            entry.timer = entry.timer.wrapping_add(1);
            let timer = Timer { key, number: entry.timer };
            self.timers.wheel.insert(timer, due);
        }
    }

    pub(super) fn on_deadlines(&mut self) {
        let mut due = std::mem::take(&mut self.timers.due);
        self.timers.has_more_due = !self.timers.wheel.take_due(self.now, DUE_PER_TURN_MAX, &mut due);
        for timer in due.drain(..) {
            self.on_timer(timer);
        }
        self.timers.due = due;
    }

    fn on_timer(&mut self, timer: Timer) {
        let key = timer.key;
        let Some(entry) = self.roster.get(key) else { return };
        if entry.timer != timer.number {
            return; // an earlier one has taken its place
        }
        entry.scheduled_at = Tick::NEVER;
        match entry.session.on_deadline(self.now, &self.pace) {
            Due::Nothing => self.schedule(key),
            Due::Heartbeat => self.beat(key),
            Due::Notice => self.give_notice(key),
            // It takes no byte, so there is nothing to wait for.
            Due::Close(reason @ CloseReason::Slow) => {
                self.counters.reach(Limit::SlowClient);
                self.remove(key, reason);
            }
            Due::Close(reason) => self.close(key, reason),
        }
    }

    fn beat(&mut self, key: SessionKey) {
        let Some(entry) = self.roster.get(key) else { return };
        let bytes = entry.way.bytes_of(&self.heartbeat);
        if self.say(key, &bytes).is_some() {
            self.counters.heartbeats.increment();
        }
    }

    /// Writes to a session that owes nothing what is no event: it stays where it is. Answers how much was taken, if it is
    /// still there.
    pub(super) fn say(&mut self, key: SessionKey, bytes: &Bytes) -> Option<Sent> {
        let (now, position, outbox_bytes_max) = (self.now, self.position, self.limits.batch_bytes_max);
        let Ok(sent) = self.roster.get(key)?.way.send(bytes, outbox_bytes_max) else {
            self.remove(key, CloseReason::Broken);
            return None;
        };
        self.update(key, |session| {
            let cursor = session.cursor(position);
            session.on_sent(bytes, cursor, cursor, sent, now);
        });
        Some(sent)
    }
}
