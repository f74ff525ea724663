//! What others tell a shard, and how they wake it if it sleeps.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mio::Waker;
use tidings_core::CommitListener;

use crate::permit::Permit;
use crate::way::Way;
use crate::fanout::Subscription;

/// A session's name in its shard: its place and, since places are used again, which use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// What a shard is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// A new session.
    Join(Box<Joining>),
    /// The reader of an outbox has taken all of it.
    Writable(SessionKey),
    /// The reader of an outbox has left.
    Gone(SessionKey),
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
    pub(crate) permit: Option<Permit>,
}

/// A shard's inbox.
///
/// Its bound: a session is one `Join` once, and has at most one `Writable` (it is asked for one at a time) and one
/// `Gone` under way; sessions are bounded by the connection limit.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: Mutex<Vec<Message>>,
    waker: Waker,
    is_asleep: AtomicBool,
}

impl Inbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { messages: Mutex::default(), waker, is_asleep: AtomicBool::new(false) }
    }

    pub(crate) fn send(&self, message: Message) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        self.wake();
    }

    pub(crate) fn take(&self, out: &mut Vec<Message>) {
        std::mem::swap(out, &mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The shard says that it is about to sleep. It must look for work once more after this and before it sleeps:
    /// whoever brought some before saw it awake.
    pub(crate) fn fall_asleep(&self) {
        self.is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with the one in `wake`
    }

    /// The shard is awake and looks for work by itself.
    pub(crate) fn stay_awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    fn wake(&self) {
        // Either the shard sees what was brought when it looks the last time, or we see here that it sleeps: the two
        // fences have an order. One system call for each sleep, whoever comes first; none while the shard is awake.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed)
            && self.is_asleep.swap(false, Ordering::Relaxed)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a shard cannot be woken");
        }
    }
}

impl CommitListener for Inbox {
    fn on_commit(&self) {
        self.wake();
    }
}
