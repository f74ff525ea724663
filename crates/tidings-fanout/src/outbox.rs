//! The second way out: what a shard hands to a body that somebody else polls (HTTP/2, TLS, a program that embeds us).
//!
//! Holds at most one batch. Full is what would-block is for a socket: the session goes on from its cursor later.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tidings_core::session::Sent;

use crate::inbox::{Inbox, Message, SessionKey};

/// The shard's end.
#[derive(Debug)]
pub(crate) struct Outbox(Arc<Shared>);

/// The reader's end: a stream of `text/event-stream` bytes, each item whole frames. Dropping it ends the session.
#[derive(Debug)]
pub struct EventStream(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inbox: Arc<Inbox>,
    /// From where its reader came.
    address: Option<IpAddr>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Bytes>,
    bytes: usize,
    /// The session's name in its shard, once it has one.
    key: Option<SessionKey>,
    reader: Option<Waker>,
    /// The shard found it full and wants to hear when there is room.
    is_awaited: bool,
    is_ended: bool,
    is_gone: bool,
}

/// Both ends of a new outbox whose shard listens at `inbox`, and whose reader came from `address`.
pub(crate) fn outbox(inbox: Arc<Inbox>, address: Option<IpAddr>) -> (Outbox, EventStream) {
    let shared = Arc::new(Shared { inbox, address, queue: Mutex::default() });
    (Outbox(Arc::clone(&shared)), EventStream(shared))
}

impl Outbox {
    /// The session is called `key` from now on. Answers whether its reader is still there.
    pub(crate) fn attach(&self, key: SessionKey) -> bool {
        let mut queue = self.0.lock();
        queue.key = Some(key);
        !queue.is_gone
    }

    /// Puts `payload` in unless that would be more than `bytes_max` for a reader that has not taken what is there.
    pub(crate) fn send(&self, payload: Bytes, bytes_max: usize) -> Sent {
        let mut queue = self.0.lock();
        if !queue.items.is_empty() && queue.bytes + payload.len() > bytes_max {
            queue.is_awaited = true;
            return Sent::Nothing;
        }
        queue.bytes += payload.len();
        queue.items.push_back(payload);
        let reader = queue.reader.take();
        drop(queue);
        wake(reader);
        Sent::All
    }

    /// Is there nothing in it? If there is, the shard hears when its reader has taken it.
    pub(crate) fn is_empty_or_awaited(&self) -> bool {
        let mut queue = self.0.lock();
        queue.is_awaited = !queue.items.is_empty();
        !queue.is_awaited
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// After what is in it comes the end.
    pub(crate) fn end(&self) {
        let mut queue = self.0.lock();
        queue.is_ended = true;
        let reader = queue.reader.take();
        drop(queue);
        wake(reader);
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.end();
    }
}

impl EventStream {
    /// The next bytes; `None` at the end of the stream.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut queue = self.0.lock();
        if let Some(payload) = queue.items.pop_front() {
            queue.bytes -= payload.len();
            // Room is told only when all is taken: one wake-up of the shard for each batch, not for each event.
            let awaiting =
                (queue.items.is_empty() && std::mem::take(&mut queue.is_awaited)).then_some(queue.key).flatten();
            drop(queue);
            if let Some(key) = awaiting {
                self.0.inbox.send(Message::Writable(key));
            }
            return Poll::Ready(Some(payload));
        }
        if queue.is_ended {
            return Poll::Ready(None);
        }
        queue.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.is_gone = true;
        let key = queue.key.filter(|_| !queue.is_ended);
        drop(queue);
        if let Some(key) = key {
            self.0.inbox.send(Message::Gone(key));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing under this lock can panic half-way, so what a poisoned one holds is whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}
