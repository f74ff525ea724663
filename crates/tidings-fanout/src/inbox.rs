//! What others tell a shard, and how they wake it if it sleeps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::{Token, Waker};
use tidings_core::{EngineError, Rarely, Read, Sequence};
use tokio::sync::oneshot;

use crate::fanout::Subscription;
use crate::interest::{Interest, TopicHash};
use crate::lease::Hold;
use crate::look::{Ending, Look, LookRequest};
use crate::permit::Permit;
use crate::shard::FetchNumber;
use crate::way::Way;

/// So many commits that concern nobody in a shard may gather before it is woken all the same: it passes them over while
/// they are still in the window, and a thousand at once for the price of one wake-up.
const COMMITS_UNSEEN_MAX: u64 = 1024;

/// A session's name in its shard: its place and, since places are used again, which use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl SessionKey {
    /// As a poll knows it. Both halves: an event of a session that is gone must not be taken for its successor's.
    pub(crate) fn to_token(self) -> Token {
        Token((self.generation as usize) << u32::BITS | self.index as usize)
    }

    pub(crate) fn of_token(Token(token): Token) -> Self {
        let half = |bits: usize| u32::try_from(bits & u32::MAX as usize).expect("the upper half is masked");
        Self { index: half(token), generation: half(token >> u32::BITS) }
    }
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a poll's token holds a session's place and its generation: 64 bits");

/// What a shard is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// A new session.
    Join(Box<Joining>),
    /// The reader of an outbox has taken all of it.
    Writable(SessionKey),
    /// The reader of an outbox has left.
    Gone(SessionKey),
    /// The lease of a session has changed.
    Lease(SessionKey),
    /// The engine has answered a fetch.
    Fetched(FetchNumber, Result<Read, EngineError>),
    /// Tell an operator of the sessions; the number of the shard is for their names.
    Look(u32, LookRequest, oneshot::Sender<Look>),
    /// End some sessions and tell how many that were.
    End(Ending, oneshot::Sender<usize>),
    /// End all sessions, spread over so long, and every one that comes from now on.
    Drain(Duration),
    /// End now.
    Stop,
}

/// A session that is not in a shard yet.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) way: Way,
    /// The bytes that go out first, as this way wants them.
    pub(crate) opening: bytes::Bytes,
    pub(crate) subscription: Subscription,
    pub(crate) lease: Option<Hold>,
    pub(crate) permit: Option<Permit>,
}

/// A shard's inbox.
///
/// Its bound: a session is one `Join` once, and has at most one `Writable` (it is asked for one at a time), one
/// `Lease` and one `Gone` under way; sessions are bounded by the connection limit. A fetch is answered once, and a shard has few of them
/// at a time, with their pages bounded in bytes (`shard::elsewhere`). `Drain` and `Stop` are said once for a hub.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// `None` once the shard has ended: what is sent then is dropped.
    messages: Mutex<Option<Vec<Message>>>,
    waker: Waker,
    is_asleep: AtomicBool,
    /// It sleeps only for a moment, and looks for what was committed by itself.
    is_resting: AtomicBool,
    /// Something was committed that may concern a reader of this shard.
    has_news: AtomicBool,
    /// It concerns so many, or may, that only the shard's own thread is to write to them.
    has_big_news: AtomicBool,
    /// A publisher works for the shard and looks for news once more before it leaves.
    is_tended: AtomicBool,
    /// What the shard's readers want.
    pub(crate) interest: Interest,
    /// The shard has carried all up to here.
    carried: AtomicU64,
}

impl Inbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            messages: Mutex::new(Some(Vec::new())),
            waker,
            is_asleep: AtomicBool::new(false),
            is_resting: AtomicBool::new(false),
            has_news: AtomicBool::new(false),
            has_big_news: AtomicBool::new(false),
            is_tended: AtomicBool::new(false),
            interest: Interest::default(),
            carried: AtomicU64::new(0),
        }
    }

    pub(crate) fn send(&self, message: Message) {
        match &mut *self.lock() {
            Some(messages) => messages.push(message),
            None => return,
        }
        fence(Ordering::SeqCst);
        self.wake();
    }

    /// Records of `topics` are committed, and with them all up to `tail`: does that concern the shard?
    pub(crate) fn concerns(&self, topics: &[TopicHash], tail: Sequence) -> bool {
        // A shard whose first reader of the topic comes in this moment looks at the tail itself before it sleeps: the
        // fences here and in `fall_asleep` have an order, so one of the two sees the other.
        fence(Ordering::SeqCst);
        let unseen = tail.0.saturating_sub(self.carried.load(Ordering::Relaxed));
        unseen > COMMITS_UNSEEN_MAX || self.interest.covers_any(topics)
    }

    /// Something was committed that concerns the shard.
    pub(crate) fn tell_news(&self) {
        self.has_news.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with that of `stop_tending`: one of the two sees the other
        if !self.is_tended.load(Ordering::Relaxed) {
            self.wake_for_news();
        }
    }

    /// Something was committed that is for the shard's own thread to write: it concerns many readers, or more than one
    /// topic, or the shard has other work to do first.
    pub(crate) fn tell_big_news(&self) {
        self.has_big_news.store(true, Ordering::Relaxed);
        self.has_news.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.wake_for_news();
    }

    /// Is there nothing for the shard but commits that concern few of its readers?
    pub(crate) fn has_only_small_news(&self) -> bool {
        !self.has_big_news() && self.has_no_messages()
    }

    /// Is there something for the shard's own thread to write?
    pub(crate) fn has_big_news(&self) -> bool {
        self.has_big_news.load(Ordering::Relaxed)
    }

    /// Whoever calls this looks at the tail after it, and delivers up to there.
    pub(crate) fn take_news(&self) {
        self.has_big_news.store(false, Ordering::Relaxed);
        self.has_news.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// A publisher works for the shard: others need not wake it.
    pub(crate) fn start_tending(&self) {
        self.is_tended.store(true, Ordering::Relaxed);
    }

    /// It is done. Answers whether there is nothing new.
    pub(crate) fn stop_tending(&self) -> bool {
        self.is_tended.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !self.has_news.load(Ordering::Relaxed)
    }

    /// The shard has carried all up to `position`.
    pub(crate) fn set_carried(&self, position: Sequence) {
        self.carried.store(position.0, Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> Vec<Message> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The shard has ended. What it had not taken is not to be dropped under a lock: a session that never joined may tell
    /// us that it has gone.
    pub(crate) fn close(&self) -> Option<Vec<Message>> {
        self.lock().take()
    }

    /// Is there something that the shard has not taken?
    pub(crate) fn has_work(&self) -> bool {
        self.has_news.load(Ordering::Relaxed) || !self.has_no_messages()
    }

    fn has_no_messages(&self) -> bool {
        self.lock().as_ref().is_some_and(Vec::is_empty)
    }

    /// The shard says that it is about to sleep. It must look for work once more after this and before it sleeps:
    /// whoever brought some before saw it awake.
    pub(crate) fn fall_asleep(&self) {
        self.is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with those of whoever brings work
    }

    /// The shard is about to rest: what is committed does not wake it, what it is sent does. Answers whether it was sent
    /// something already.
    pub(crate) fn fall_asleep_for_a_rest(&self) -> bool {
        self.is_resting.store(true, Ordering::Relaxed);
        self.fall_asleep();
        !self.has_no_messages()
    }

    /// The shard is awake and looks for work by itself.
    pub(crate) fn stay_awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
        self.is_resting.store(false, Ordering::Relaxed);
        self.is_tended.store(false, Ordering::Relaxed); // its owner has the lock, so nobody else works for it
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Message>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_for_news(&self) {
        // Seen late, it costs a wake-up too many or a rest: the flag falls after the rest, and then the shard looks.
        if !self.is_resting.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Wakes the shard if it sleeps.
    pub(crate) fn wake(&self) {
        // Either the shard sees what was brought when it looks the last time, or we see here that it sleeps: the fences
        // before have an order. One system call for each sleep, whoever comes first; none while the shard is awake.
        if self.is_asleep.load(Ordering::Relaxed)
            && self.is_asleep.swap(false, Ordering::Relaxed)
            && let Err(error) = self.waker.wake()
        {
            static SAID: Rarely = Rarely::new();
            if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                tracing::error!(%error, unsaid_before, "a shard cannot be woken");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_token() {
        for key in [(0, 0), (1, 0), (0, 1), (u32::MAX, 7), (7, u32::MAX)] {
            let key = SessionKey { index: key.0, generation: key.1 };
            assert_eq!(SessionKey::of_token(key.to_token()), key);
        }
    }
}
