//! Sessions that are bound to a token: how long they go on, what they are told before the end, what they may see.

use std::time::Duration;

use tidings_core::session::{Sent, Session, Term, Tick};
use tidings_core::{CloseReason, Dialect, Timestamp};
use tidings_wire::Chunk;

use super::Shard;
use super::batch::{Batch, Part};
use crate::inbox::SessionKey;
use crate::lease::{Hold, Notice, Word};
use crate::way::Way;

impl Shard {
    /// What a session gets of a batch that is not the same for all.
    pub(super) fn part_for(&mut self, key: SessionKey, batch: &Batch) -> Part {
        self.roster.rights_of(key).map(|rights| batch.part_for(rights)).unwrap_or_default()
    }

    /// A session has joined: whatever its lease was told before holds from now on.
    pub(super) fn attach_lease(&mut self, key: SessionKey) {
        let Some(lease) = self.roster.get(key).and_then(|entry| entry.lease.as_ref()) else { return };
        let word = lease.attach(&self.inbox, key);
        self.apply(key, word);
    }

    /// The lease of a session has changed.
    pub(super) fn on_lease(&mut self, key: SessionKey) {
        let Some(lease) = self.roster.get(key).and_then(|entry| entry.lease.as_ref()) else { return };
        let word = lease.hear();
        self.counters.renewals.add(u64::from(word.end.is_none()));
        self.apply(key, word);
    }

    fn apply(&mut self, key: SessionKey, word: Word) {
        if let Some(reason) = word.end {
            return self.close(key, reason);
        }
        let dialect = self.roster.group_of(key).map(|group| group.spec.dialect);
        let Some(entry) = self.roster.get(key) else { return };
        let notice = entry.lease.as_ref().and_then(Hold::notice).filter(|_| dialect == Some(Dialect::Plain));
        let now = Tick::of(self.began.elapsed()); // not that of the turn: it may have taken a while
        let term = term(word.ends_at, notice, now, Self::wall_clock());
        if term.ends_at <= now {
            return self.close(key, CloseReason::TokenEnded);
        }
        self.update(key, |session| session.set_term(term));
    }

    /// Tells a session that its token ends.
    pub(super) fn give_notice(&mut self, key: SessionKey) {
        let Some(entry) = self.roster.get(key) else { return };
        let left = Duration::from_millis(entry.session.term().ends_at.0.saturating_sub(self.now.0));
        let Some(frame) = entry.lease.as_ref().and_then(|lease| lease.notice_frame(left)) else { return };
        let bytes = match entry.way {
            Way::Direct(_) => Chunk::build(frame.len(), |out| out.extend_from_slice(&frame)).wire().clone(),
            Way::Body(_) => frame,
        };
        if let Some(Sent::All | Sent::Part(_)) = self.say(key, &bytes) {
            self.counters.notices.increment();
            self.update(key, Session::on_notice_sent);
        }
    }
}

/// In a shard whose clock shows `now` while that on the wall shows `wall_clock`.
fn term(ends_at: Option<Timestamp>, notice: Option<&Notice>, now: Tick, wall_clock: Timestamp) -> Term {
    let Some(ends_at) = ends_at else { return Term::ENDLESS };
    let ends_at = now.after(ends_at.since(wall_clock));
    Term { ends_at, notice_at: notice.map_or(Tick::NEVER, |notice| ends_at.before(notice.before)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_that_of_the_wall_clock_in_the_time_of_the_shard() {
        let notice = |secs| Notice { before: Duration::from_secs(secs), frame: Box::new(|_, _| "".into()) };
        let check = |ends_at: Option<u64>, notice: Option<Notice>, want: (Tick, Tick)| {
            let ends_at = ends_at.map(Timestamp::from_millis);
            let got = term(ends_at, notice.as_ref(), Tick(500), Timestamp::from_millis(1_000_000));
            assert_eq!((got.ends_at, got.notice_at), want, "{ends_at:?}");
        };
        check(None, Some(notice(1)), (Tick::NEVER, Tick::NEVER));
        check(Some(1_009_000), None, (Tick(9_500), Tick::NEVER));
        check(Some(1_009_000), Some(notice(3)), (Tick(9_500), Tick(6_500)));
        check(Some(1_009_000), Some(notice(60)), (Tick(9_500), Tick(0)));
        check(Some(999_999), Some(notice(1)), (Tick(500), Tick(0)));
    }
}
