//! One reader's stream: a cursor, and what became of the last write.
//!
//! Decides what a session does next. Owns no socket: whoever does tells it how much was taken, and when.

use std::time::Duration;

use bytes::Bytes;

use crate::close::CloseReason;
use crate::position::Sequence;

/// Monotonic time of a shard. Unit: milliseconds since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u64);

impl Tick {
    /// The end of time: what never comes due.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time so long after the shard began.
    pub fn of(since_began: Duration) -> Self {
        Self::default().after(since_began)
    }

    /// This much later; [`Tick::NEVER`] rather than wrap.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This much earlier; the beginning rather than wrap.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where a session is. New, resuming, slow and catching up are one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its cursor is behind the shard's position (or it cannot be written to now).
    CatchingUp,
    /// Its cursor is the shard's position; it has this slot in its group.
    Live { slot: u32 },
    /// It gets what is pending, and the end.
    Closing { reason: CloseReason },
}

/// How much of a write was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it.
    All,
    /// So many bytes of it, fewer than all and more than none.
    Part(usize),
    /// Nothing: it would have blocked.
    Nothing,
}

/// What a session is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait until it can be written to, or until what it reads next was fetched.
    Wait,
    /// Write what is pending.
    Flush,
    /// Read on after this place.
    Read(Sequence),
    /// It has met the shard's position: make it a live member.
    Join,
    /// Nothing: it is live.
    Live,
    /// All is written: close it.
    Close(CloseReason),
}

/// What has come due for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// A heartbeat.
    Heartbeat,
    /// The frame that tells of the end of its term.
    Notice,
    /// Its end.
    Close(CloseReason),
}

/// The times that hold for every session of a hub.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A heartbeat this long after the last byte.
    pub heartbeat: Option<Duration>,
    /// The end for one that takes no byte for so long.
    pub slow_client_timeout: Option<Duration>,
}

/// How long a session may go on with the token that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// It ends then; [`Tick::NEVER`]: it does not.
    pub ends_at: Tick,
    /// It is told of that then, once; [`Tick::NEVER`]: it is not, or it was.
    pub notice_at: Tick,
}

impl Term {
    /// For a session whose rights do not end.
    pub const ENDLESS: Self = Self { ends_at: Tick::NEVER, notice_at: Tick::NEVER };
}

/// One reader's stream.
#[derive(Debug)]
pub struct Session {
    state: State,
    /// All up to and with this place was written or is pending. `cursor <= the shard's position`; for a live session
    /// the shard's position holds in its stead.
    cursor: Sequence,
    /// What is left of a half-written buffer: it goes out before anything else, and nothing goes in between.
    pending: Option<Box<Bytes>>,
    /// The other side takes no byte now.
    is_blocked: bool,
    /// What it reads next is being fetched. It can be written to meanwhile, so its heartbeats go on.
    awaits_page: bool,
    last_byte_at: Tick,
    /// Since when it has taken no byte while there was something for it.
    stalled_since: Option<Tick>,
    /// When it ends, whatever happens, and why.
    ends_at: Option<(Tick, CloseReason)>,
    /// The same by its token, which may be prolonged; `None`: it is endless. Few sessions have one.
    term: Option<Box<Term>>,
}

impl Session {
    /// A session that goes on after `cursor`, at `now`.
    pub fn new(cursor: Sequence, ends_at: Option<(Tick, CloseReason)>, now: Tick) -> Self {
        Self {
            state: State::CatchingUp,
            cursor,
            pending: None,
            is_blocked: false,
            awaits_page: false,
            last_byte_at: now,
            stalled_since: None,
            ends_at,
            term: None,
        }
    }

    /// All up to and with this place was written or is pending, in a shard that is at `position`.
    pub fn cursor(&self, position: Sequence) -> Sequence {
        if self.slot().is_some() { position } else { self.cursor }
    }

    /// Its slot in its group, if it is live.
    pub fn slot(&self) -> Option<u32> {
        match self.state {
            State::Live { slot } => Some(slot),
            State::CatchingUp | State::Closing { .. } => None,
        }
    }

    /// It has moved to another slot of its group.
    pub fn set_slot(&mut self, slot: u32) {
        debug_assert!(self.slot().is_some(), "only a live session has a slot");
        self.state = State::Live { slot };
    }

    /// The bytes that it pins beside the history.
    pub fn pinned_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |bytes| bytes.len())
    }

    /// Since when it has taken no byte while there was something for it.
    pub fn stalled_since(&self) -> Option<Tick> {
        self.stalled_since
    }

    /// What is to be written before anything else.
    pub fn pending(&self) -> Option<&Bytes> {
        self.pending.as_deref()
    }

    /// Is it on its way out?
    pub fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// What to do next, in a shard that is at `position`.
    pub fn next(&self, position: Sequence) -> Next {
        if self.is_blocked {
            return Next::Wait;
        }
        match self.state {
            _ if self.pending.is_some() => Next::Flush,
            State::Closing { reason } => Next::Close(reason),
            State::Live { .. } => Next::Live,
            State::CatchingUp if self.awaits_page => Next::Wait,
            State::CatchingUp if self.cursor >= position => Next::Join,
            State::CatchingUp => Next::Read(self.cursor),
        }
    }

    // ## CatchingUp => Live   (the cursor has met the shard's position, on the shard's thread)
    /// It is a live member from now on.
    pub fn join(&mut self, slot: u32) {
        debug_assert!(self.is_free(), "a session that waits cannot be live");
        self.state = State::Live { slot };
    }

    // ## Live | CatchingUp => CatchingUp   (a write was not taken whole)
    /// `bytes`, which hold all of its events after `before` up to `through`, were written as far as `sent` says.
    pub fn on_sent(&mut self, bytes: &Bytes, before: Sequence, through: Sequence, sent: Sent, now: Tick) {
        match sent {
            Sent::All => {
                self.cursor = through;
                self.last_byte_at = now;
                self.stalled_since = None;
            }
            Sent::Part(taken) => {
                self.cursor = through;
                self.pending = Some(Box::new(bytes.slice(taken..)));
                self.last_byte_at = now;
                self.stalled_since = Some(now);
                self.block();
            }
            Sent::Nothing => {
                self.cursor = before;
                self.stalled_since.get_or_insert(now);
                self.block();
            }
        }
    }

    /// It owes its reader `bytes` before anything else: the head and the opening of its stream.
    pub fn owe(&mut self, bytes: Bytes) {
        debug_assert!(self.pending.is_none(), "only a new session owes");
        self.pending = (!bytes.is_empty()).then(|| Box::new(bytes));
    }

    /// The pending bytes were written as far as `sent` says.
    pub fn on_pending_sent(&mut self, sent: Sent, now: Tick) {
        match sent {
            Sent::All => {
                self.pending = None;
                self.stalled_since = None;
                self.last_byte_at = now;
            }
            Sent::Part(taken) => {
                if let Some(pending) = &mut self.pending {
                    **pending = pending.slice(taken..);
                }
                self.last_byte_at = now;
                self.stalled_since = Some(now);
                self.is_blocked = true;
            }
            Sent::Nothing => {
                self.stalled_since.get_or_insert(now);
                self.is_blocked = true;
            }
        }
    }

    /// Nothing was to be written up to `through`: its page held no event for it.
    pub fn skip_to(&mut self, through: Sequence) {
        self.cursor = through;
    }

    /// What it reads next is not at hand: it waits until that was fetched. Its cursor stays where it is meanwhile.
    pub fn await_page(&mut self) {
        debug_assert!(self.is_free() && self.slot().is_none(), "only a session that would read waits for a page");
        self.awaits_page = true;
        self.stalled_since = None; // it can be written to: from now on it is not the reader who is slow
    }

    /// What it waited for is there, or is not for it any more.
    pub fn end_wait(&mut self) {
        self.awaits_page = false;
    }

    /// Does it wait for a page, or did it when it was closed?
    pub fn awaits_page(&self) -> bool {
        self.awaits_page
    }

    /// The shard passes `position` without it: a live session that gets no more live events goes on from there.
    // ## Live => CatchingUp   (the shard fell out of the window)
    pub fn fall_back(&mut self, position: Sequence) {
        self.cursor = position;
        if self.slot().is_some() {
            self.state = State::CatchingUp;
        }
    }

    /// The other side takes bytes again.
    pub fn on_writable(&mut self) {
        self.is_blocked = false;
        if self.awaits_page && self.pending.is_none() {
            self.stalled_since = None; // there is nothing for it until the page is there
        }
    }

    /// Can something new be written to it?
    fn is_free(&self) -> bool {
        !self.is_blocked && self.pending.is_none()
    }

    /// Is it waiting for the other side to take bytes?
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    // ## * => Closing   (what is pending goes out first, then `farewell`)
    /// It ends: after what is pending goes `farewell`, then nothing.
    pub fn close(&mut self, reason: CloseReason, farewell: &Bytes) {
        if self.is_closing() {
            return;
        }
        self.state = State::Closing { reason };
        let pending = match self.pending.take() {
            Some(pending) => [&pending[..], &farewell[..]].concat().into(),
            None => farewell.clone(),
        };
        self.pending = (!pending.is_empty()).then(|| Box::new(pending));
    }

    /// It is to end at `at` if it does not end before.
    pub fn end_by(&mut self, at: Tick, reason: CloseReason) {
        if self.ends_at.is_none_or(|(earlier, _)| at < earlier) {
            self.ends_at = Some((at, reason));
        }
    }

    /// Its token is good for `term` from now on.
    pub fn set_term(&mut self, term: Term) {
        self.term = (term != Term::ENDLESS).then(|| Box::new(term));
    }

    /// How long it may go on with its token.
    pub fn term(&self) -> Term {
        self.term.as_deref().copied().unwrap_or(Term::ENDLESS)
    }

    /// It was told of the end of its term, or half of that: nothing is told twice.
    pub fn on_notice_sent(&mut self) {
        if let Some(term) = &mut self.term {
            term.notice_at = Tick::NEVER;
        }
    }

    /// When it ends if nothing changes, and why.
    fn end(&self) -> (Tick, CloseReason) {
        let by_token = self.term().ends_at;
        match self.ends_at {
            Some((at, reason)) if at <= by_token => (at, reason),
            _ => (by_token, CloseReason::TokenEnded),
        }
    }

    /// When it must be looked at next.
    pub fn due_at(&self, pace: &Pace) -> Tick {
        // Not while bytes are owed: they may be the second half of a frame.
        let may_be_told = self.is_free() && !self.is_closing();
        let beat = match pace.heartbeat {
            Some(interval) if may_be_told => self.last_byte_at.after(interval),
            _ => Tick::NEVER,
        };
        let notice = if may_be_told { self.term().notice_at } else { Tick::NEVER };
        let stall = match (self.stalled_since, pace.slow_client_timeout) {
            (Some(since), Some(timeout)) => since.after(timeout),
            _ => Tick::NEVER,
        };
        if self.is_closing() { stall } else { self.end().0.min(notice).min(beat).min(stall) }
    }

    /// What has come due at `now`.
    pub fn on_deadline(&self, now: Tick, pace: &Pace) -> Due {
        if self.due_at(pace) > now {
            return Due::Nothing;
        }
        if let (Some(since), Some(timeout)) = (self.stalled_since, pace.slow_client_timeout)
            && since.after(timeout) <= now
        {
            return Due::Close(CloseReason::Slow);
        }
        match self.end() {
            (at, reason) if at <= now && !self.is_closing() => Due::Close(reason),
            // A heartbeat that is due as well is not needed: the notice is as good.
            _ if self.term().notice_at <= now && self.is_free() => Due::Notice,
            _ => Due::Heartbeat,
        }
    }

    fn block(&mut self) {
        self.is_blocked = true;
        if !self.is_closing() {
            self.state = State::CatchingUp;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace =
        Pace { heartbeat: Some(Duration::from_secs(15)), slow_client_timeout: Some(Duration::from_mins(1)) };

    fn secs(secs: u64) -> Tick {
        Tick(secs * 1000)
    }

    fn session(cursor: u64) -> Session {
        Session::new(Sequence(cursor), None, Tick(0))
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn a_new_session_reads_until_it_meets_the_shard_and_joins() {
        let mut session = session(3);
        assert_eq!(session.next(Sequence(5)), Next::Read(Sequence(3)));
        session.on_sent(&bytes("45"), Sequence(3), Sequence(5), Sent::All, Tick(1));
        assert_eq!(session.next(Sequence(5)), Next::Join);
        session.join(7);
        assert_eq!(session.next(Sequence(5)), Next::Live);
        assert_eq!(session.slot(), Some(7));
    }

    #[test]
    fn a_live_session_that_blocks_goes_on_from_before_the_batch() {
        let mut session = session(5);
        session.join(0);
        session.on_sent(&bytes("678"), Sequence(5), Sequence(8), Sent::Nothing, Tick(1));
        assert_eq!((session.slot(), session.next(Sequence(8))), (None, Next::Wait));
        session.on_writable();
        assert_eq!(session.next(Sequence(9)), Next::Read(Sequence(5)));
    }

    #[test]
    fn a_half_written_batch_ends_with_exactly_its_bytes() {
        let mut session = session(5);
        session.join(0);
        session.on_sent(&bytes("abcdef"), Sequence(5), Sequence(8), Sent::Part(2), Tick(1));
        assert_eq!((session.pending().map(|b| &b[..]), session.pinned_bytes()), (Some(&b"cdef"[..]), 4));
        session.on_writable();
        assert_eq!(session.next(Sequence(9)), Next::Flush, "nothing goes in between");
        session.on_pending_sent(Sent::Part(3), Tick(2));
        assert_eq!(session.pending().map(|b| &b[..]), Some(&b"f"[..]));
        session.on_writable();
        session.on_pending_sent(Sent::All, Tick(3));
        assert_eq!(session.next(Sequence(9)), Next::Read(Sequence(8)));
    }

    #[test]
    fn a_heartbeat_comes_one_interval_after_the_last_byte() {
        let mut session = session(0);
        assert_eq!(session.due_at(&PACE), secs(15));
        session.on_sent(&bytes("x"), Sequence(0), Sequence(1), Sent::All, secs(10));
        assert_eq!(session.on_deadline(secs(15), &PACE), Due::Nothing);
        assert_eq!(session.on_deadline(secs(25), &PACE), Due::Heartbeat);
    }

    #[test]
    fn a_reader_that_takes_nothing_gets_no_heartbeat_and_is_ended() {
        let mut session = session(0);
        session.on_sent(&bytes("x"), Sequence(0), Sequence(1), Sent::Nothing, secs(1));
        session.on_sent(&bytes("x"), Sequence(0), Sequence(1), Sent::Nothing, secs(30));
        assert_eq!(session.on_deadline(secs(60), &PACE), Due::Nothing);
        assert_eq!(session.on_deadline(secs(61), &PACE), Due::Close(CloseReason::Slow));
    }

    #[test]
    fn a_session_that_waits_for_a_page_beats_on_and_reads_on() {
        let mut session = session(3);
        session.await_page();
        assert_eq!(session.next(Sequence(5)), Next::Wait);
        assert_eq!(session.on_deadline(secs(15), &PACE), Due::Heartbeat);
        session.on_sent(&bytes(":"), Sequence(3), Sequence(3), Sent::All, secs(15));
        assert_eq!(session.due_at(&PACE), secs(30));
        session.end_wait();
        assert_eq!(session.next(Sequence(5)), Next::Read(Sequence(3)));
    }

    #[test]
    fn a_slow_store_does_not_make_a_slow_reader() {
        let mut session = session(3);
        session.on_sent(&bytes("45"), Sequence(3), Sequence(5), Sent::Nothing, secs(1));
        session.on_writable();
        session.await_page();
        assert_eq!(session.on_deadline(secs(70), &PACE), Due::Heartbeat);
        session.on_sent(&bytes(":"), Sequence(3), Sequence(3), Sent::Nothing, secs(70));
        assert_eq!(session.on_deadline(secs(130), &PACE), Due::Close(CloseReason::Slow), "now it is the reader");
        session.on_writable();
        assert_eq!(session.on_deadline(secs(130), &PACE), Due::Heartbeat, "and now it is not");
    }

    #[test]
    fn a_session_that_waits_for_a_page_can_be_closed() {
        let mut session = session(3);
        session.await_page();
        session.close(CloseReason::Drain, &bytes("bye"));
        assert_eq!((session.next(Sequence(5)), session.awaits_page()), (Next::Flush, true));
        session.on_pending_sent(Sent::All, secs(1));
        assert_eq!(session.next(Sequence(5)), Next::Close(CloseReason::Drain));
    }

    #[test]
    fn no_heartbeat_goes_into_a_half_written_frame() {
        let mut session = session(0);
        session.on_sent(&bytes("frame"), Sequence(0), Sequence(1), Sent::Part(2), secs(1));
        session.on_writable(); // there is room again, but it has not had its turn yet
        assert_eq!(session.on_deadline(secs(59), &PACE), Due::Nothing);
        session.on_pending_sent(Sent::All, secs(59));
        assert_eq!(session.on_deadline(secs(74), &PACE), Due::Heartbeat);
    }

    #[test]
    fn a_closing_session_ends_its_frame_and_then_says_farewell() {
        let mut session = session(0);
        session.on_sent(&bytes("frame"), Sequence(0), Sequence(1), Sent::Part(2), secs(1));
        session.close(CloseReason::Drain, &bytes("|bye"));
        assert_eq!(session.pending().map(|b| &b[..]), Some(&b"ame|bye"[..]));
        session.on_writable();
        session.on_pending_sent(Sent::All, secs(2));
        assert_eq!(session.next(Sequence(9)), Next::Close(CloseReason::Drain));
    }

    #[test]
    fn the_earliest_end_counts() {
        let mut session = session(0);
        session.end_by(secs(9), CloseReason::Lifetime);
        session.end_by(secs(5), CloseReason::Drain);
        session.end_by(secs(7), CloseReason::Lifetime);
        assert_eq!(session.due_at(&PACE), secs(5));
        assert_eq!(session.on_deadline(secs(5), &PACE), Due::Close(CloseReason::Drain));
    }

    #[test]
    fn a_term_is_told_of_once_and_then_ends() {
        let mut session = session(0);
        let term = |notice_at, ends_at| Term { notice_at: secs(notice_at), ends_at: secs(ends_at) };
        session.set_term(term(5, 10));
        assert_eq!((session.due_at(&PACE), session.on_deadline(secs(4), &PACE)), (secs(5), Due::Nothing));
        assert_eq!(session.on_deadline(secs(5), &PACE), Due::Notice);
        session.on_sent(&bytes("notice"), Sequence(0), Sequence(0), Sent::All, secs(5));
        session.on_notice_sent();
        assert_eq!((session.due_at(&PACE), session.on_deadline(secs(9), &PACE)), (secs(10), Due::Nothing));
        assert_eq!(session.on_deadline(secs(10), &PACE), Due::Close(CloseReason::TokenEnded));

        session.set_term(term(15, 40)); // prolonged: told again
        assert_eq!(session.on_deadline(secs(10), &PACE), Due::Nothing);
        assert_eq!(session.on_deadline(secs(20), &PACE), Due::Notice, "in place of the heartbeat of the same time");
        session.set_term(Term::ENDLESS);
        assert_eq!(session.on_deadline(secs(20), &PACE), Due::Heartbeat);
    }

    #[test]
    fn no_notice_goes_into_a_half_written_frame_nor_to_one_that_ends() {
        let mut session = session(0);
        session.set_term(Term { notice_at: secs(5), ends_at: secs(50) });
        session.on_sent(&bytes("frame"), Sequence(0), Sequence(1), Sent::Part(2), secs(1));
        session.on_writable();
        assert_eq!(session.on_deadline(secs(49), &PACE), Due::Nothing);
        session.on_pending_sent(Sent::All, secs(49));
        assert_eq!(session.on_deadline(secs(49), &PACE), Due::Notice);
        session.close(CloseReason::Drain, &bytes("bye"));
        session.on_pending_sent(Sent::All, secs(50));
        assert_eq!(session.on_deadline(secs(50), &PACE), Due::Nothing);
    }

    #[test]
    fn the_end_of_a_token_and_another_end_are_the_earlier_of_both() {
        for (other, token, want) in [(5, 9, CloseReason::Lifetime), (9, 5, CloseReason::TokenEnded)] {
            let mut session = Session::new(Sequence(0), Some((secs(other), CloseReason::Lifetime)), Tick(0));
            session.set_term(Term { notice_at: Tick::NEVER, ends_at: secs(token) });
            assert_eq!(session.on_deadline(secs(5), &PACE), Due::Close(want));
            assert_eq!(session.on_deadline(secs(12), &PACE), Due::Close(want), "whenever it is asked");
        }
    }

    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 88, "{} bytes", size_of::<Session>());
    }
}
