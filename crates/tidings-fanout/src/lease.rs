//! A lease: what binds a session to the token it came with, for whoever holds the token's other end.
//!
//! Keeps what is agreed, and tells the session's shard when that changes. Does not look at a clock, nor write to anybody:
//! see `shard::leases`. It knows no tokens either: whoever makes it does.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::{CloseReason, Grants, Timestamp};

use crate::inbox::{Inbox, Message, SessionKey};

/// So many different grants, each narrowing those before, one session may have had. One more ends it: the reader comes
/// back with its newest token.
pub(crate) const GRANTS_MAX: usize = 8;

/// Something that is dropped when the session is gone.
pub type Companion = Box<dyn Any + Send + Sync>;

/// Makes the frame of a [`Notice`] from its lease and the time that is left: `text/event-stream` bytes of whole frames,
/// without chunk framing. It is called under a shard's lock, and so may be its drop: both must be quick and must not panic.
pub type NoticeFrame = Box<dyn Fn(&Arc<Lease>, Duration) -> Bytes + Send + Sync>;

/// What a [`Lease`] begins with.
#[derive(Default)]
pub struct LeaseTerms {
    /// The session is closed then (`token_ended`), between two frames; `None`: it may go on. Wall-clock time, as tokens tell
    /// it: a shard takes it over into its own clock when the session joins and at each renewal, to a step of 16 ms, and a
    /// wall clock that is set meanwhile makes no difference.
    pub ends_at: Option<Timestamp>,
    /// What the reader is told before; `None`: nothing.
    pub notice: Option<Notice>,
    /// Dropped when the session is gone, however it ended, also if it never joined. That is on a thread of the fan-out or
    /// of whoever brought the session, under no lock of the fan-out; it must be quick and must not panic.
    pub companion: Option<Companion>,
}

/// A frame that goes out once before each end that a lease has had, between two frames. Plain streams only: those of Mercure
/// show none.
pub struct Notice {
    /// How long before the end. One that is nearer already is told at once, after the opening.
    pub before: Duration,
    /// The frame.
    pub frame: NoticeFrame,
}

/// Binds one session to the token it came with.
///
/// Whoever keeps it beside its [`crate::Subscription`], so that the session can be renewed or ended, may keep it for as long
/// as it likes: what the session has is given back when that is gone. A subscription that is dropped before it was given to
/// a [`crate::FanoutHandle`] gives nothing back but with the last clone of its lease: keep a [`std::sync::Weak`] until then.
///
/// Cost: about 200 bytes for each session that has one, the companion and the notice's frame beside; none for the others.
pub struct Lease {
    pub(crate) notice: Option<Notice>,
    terms: Mutex<Terms>,
    /// There is something in `terms.narrower`: asked for each private event, so without the lock.
    is_narrowed: AtomicBool,
}

struct Terms {
    place: Place,
    ends_at: Option<Timestamp>,
    /// Grants that narrow those of the session, which it has not taken over yet. `narrower.len() <= GRANTS_MAX`
    narrower: Vec<Grants>,
    /// It was told to end, and why.
    end: Option<CloseReason>,
    companion: Option<Companion>,
}

/// Where the session is.
enum Place {
    /// On its way; nobody has taken the lease up.
    Coming,
    /// On its way to a shard.
    Held,
    /// In a shard. `is_told`: word of a change is under way to it, so that there is at most one.
    Joined { inbox: Arc<Inbox>, key: SessionKey, is_told: bool },
    /// Ended.
    Gone,
}

/// What a shard is told of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) end: Option<CloseReason>,
}

impl Lease {
    /// A lease for one session.
    pub fn new(terms: LeaseTerms) -> Arc<Self> {
        let LeaseTerms { ends_at, notice, companion } = terms;
        let terms = Terms { place: Place::Coming, ends_at, narrower: Vec::new(), end: None, companion };
        Arc::new(Self { notice, terms: Mutex::new(terms), is_narrowed: AtomicBool::new(false) })
    }

    /// The session goes on until `ends_at`, with a notice of its own before that, and from the next event on it sees of
    /// private ones only what `grants` allow too: its rights never grow. Answers whether there is a session to prolong, now or
    /// still to come; not when it is gone or was told to end.
    pub fn prolong(&self, ends_at: Option<Timestamp>, grants: Grants) -> bool {
        let mut terms = self.lock();
        if matches!(terms.place, Place::Gone) || terms.end.is_some() {
            return false;
        }
        terms.ends_at = ends_at;
        if !terms.narrower.contains(&grants) {
            if terms.narrower.len() == GRANTS_MAX {
                return terms.end_for(CloseReason::TokenEnded).send_after(terms, false);
            }
            terms.narrower.push(grants);
        }
        self.is_narrowed.store(true, Ordering::Release);
        terms.tell().send_after(terms, true)
    }

    /// Ends the session soon, between two frames; one that is still to join, when it joins. The first reason counts.
    pub fn end(&self, reason: CloseReason) {
        let mut terms = self.lock();
        terms.end_for(reason).send_after(terms, ());
    }

    /// Is its session gone, or told to end?
    pub fn is_over(&self) -> bool {
        let terms = self.lock();
        matches!(terms.place, Place::Gone) || terms.end.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Terms> {
        // Nothing under this lock can panic half-way, so what a poisoned one holds is whole.
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terms {
    /// What is to be sent to the session's shard, if it does not hear of a change already.
    fn tell(&mut self) -> Telling {
        match &mut self.place {
            Place::Joined { inbox, key, is_told } if !*is_told => {
                *is_told = true;
                Telling(Some((Arc::clone(inbox), *key)))
            }
            _ => Telling(None),
        }
    }

    fn end_for(&mut self, reason: CloseReason) -> Telling {
        if self.end.is_some() {
            return Telling(None);
        }
        self.end = Some(reason);
        self.tell()
    }
}

/// Word to a shard, which is sent once the lease's lock is left.
struct Telling(Option<(Arc<Inbox>, SessionKey)>);

impl Telling {
    fn send_after<T>(self, terms: MutexGuard<'_, Terms>, answer: T) -> T {
        drop(terms);
        if let Some((inbox, key)) = self.0 {
            inbox.send(Message::Lease(key));
        }
        answer
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = self.lock();
        let Terms { ends_at, end, .. } = &*terms;
        f.debug_struct("Lease").field("ends_at", ends_at).field("end", end).finish_non_exhaustive()
    }
}

/// The session's end of a lease. Dropping it says that the session is gone.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Lease>);

impl Hold {
    /// Takes a lease up for the one session that it is for; `None` when it has one already, or had.
    pub(crate) fn of(lease: Arc<Lease>) -> Option<Self> {
        let mut terms = lease.lock();
        if !matches!(terms.place, Place::Coming) {
            return None;
        }
        terms.place = Place::Held;
        drop(terms);
        Some(Self(lease))
    }

    /// The session is called `key` from now on, in the shard that listens at `inbox`.
    pub(crate) fn attach(&self, inbox: &Arc<Inbox>, key: SessionKey) -> Word {
        let mut terms = self.0.lock();
        terms.place = Place::Joined { inbox: Arc::clone(inbox), key, is_told: false };
        Word { ends_at: terms.ends_at, end: terms.end }
    }

    /// What has changed, as the shard was told to ask.
    pub(crate) fn hear(&self) -> Word {
        let mut terms = self.0.lock();
        if let Place::Joined { is_told, .. } = &mut terms.place {
            *is_told = false;
        }
        Word { ends_at: terms.ends_at, end: terms.end }
    }

    /// The frame of its notice, if it gives one.
    pub(crate) fn notice_frame(&self, left: Duration) -> Option<Bytes> {
        self.0.notice.as_ref().map(|notice| (notice.frame)(&self.0, left))
    }

    /// Grants that narrow those of the session and that it has not taken over yet. Cost without any: one atomic load.
    pub(crate) fn take_narrower(&self) -> Vec<Grants> {
        if !self.0.is_narrowed.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut terms = self.0.lock();
        self.0.is_narrowed.store(false, Ordering::Relaxed);
        std::mem::take(&mut terms.narrower)
    }

    /// Has its session ended soon.
    pub(crate) fn end(&self, reason: CloseReason) {
        self.0.end(reason);
    }

    pub(crate) fn notice(&self) -> Option<&Notice> {
        self.0.notice.as_ref()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut terms = self.0.lock();
        terms.place = Place::Gone;
        let companion = terms.companion.take();
        drop(terms);
        drop(companion); // not under the lock: it may do as it likes
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Waker};

    use super::*;
    use crate::shard::WAKER_TOKEN;

    const KEY: SessionKey = SessionKey { index: 1, generation: 7 };

    fn inbox() -> Arc<Inbox> {
        let poll = Poll::new().expect("the system has a poll more");
        Arc::new(Inbox::new(Waker::new(poll.registry(), WAKER_TOKEN).expect("a new poll takes a waker")))
    }

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn told(inbox: &Inbox) -> usize {
        let is_ours = |message: &Message| matches!(message, Message::Lease(KEY));
        inbox.take().iter().filter(|message| is_ours(message)).count()
    }

    #[test]
    fn a_shard_is_told_of_changes_once_until_it_asks() {
        let (inbox, lease) = (inbox(), Lease::new(LeaseTerms { ends_at: Some(at(1)), ..LeaseTerms::default() }));
        assert!(lease.prolong(Some(at(2)), Grants::Everything), "its session is on its way");
        let hold = Hold::of(Arc::clone(&lease)).expect("nobody has it");
        assert!(lease.prolong(Some(at(3)), Grants::Everything));
        assert_eq!(hold.attach(&inbox, KEY), Word { ends_at: Some(at(3)), end: None });
        assert_eq!(told(&inbox), 0);
        assert!(lease.prolong(Some(at(4)), Grants::Everything) && lease.prolong(Some(at(5)), Grants::Anonymous));
        assert_eq!(told(&inbox), 1);
        assert_eq!(hold.hear(), Word { ends_at: Some(at(5)), end: None });
        assert_eq!(hold.take_narrower(), [Grants::Everything, Grants::Anonymous]);
        assert_eq!(hold.take_narrower(), []);
        lease.end(CloseReason::Replaced);
        lease.end(CloseReason::Drain);
        assert_eq!((told(&inbox), hold.hear().end), (1, Some(CloseReason::Replaced)));
    }

    #[test]
    fn nothing_is_kept_for_a_session_that_is_gone() {
        let (inbox, lease) = (inbox(), Lease::new(LeaseTerms::default()));
        let hold = Hold::of(Arc::clone(&lease)).expect("nobody has it");
        hold.attach(&inbox, KEY);
        drop(hold);
        assert!(lease.is_over() && !lease.prolong(Some(at(9)), Grants::Everything));
        lease.end(CloseReason::Replaced);
        assert_eq!(told(&inbox), 0);
        assert_eq!(Arc::strong_count(&inbox), 1, "nor does it keep its shard");
        assert!(Hold::of(lease).is_none(), "it was for one session");
    }

    #[test]
    fn a_lease_keeps_few_grants() {
        let lease = Lease::new(LeaseTerms::default());
        let set = |number: usize| Grants::Only(tidings_topic::SelectorSet::one(topic(&number.to_string())));
        assert!((0..GRANTS_MAX).all(|number| lease.prolong(None, set(number)) && lease.prolong(None, set(number))));
        assert!(!lease.prolong(None, set(GRANTS_MAX)) && lease.is_over());
    }

    fn topic(raw: &str) -> tidings_topic::Topic {
        tidings_topic::Topic::parse(raw).expect("a good topic")
    }
}
