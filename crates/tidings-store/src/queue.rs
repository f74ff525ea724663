//! What publishers ask of whoever commits, in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tidings_core::{AppendError, Appended, EngineError, Publication, Timestamp};
use tidings_topic::Topic;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Something to commit.
#[derive(Debug)]
pub(crate) enum Request {
    /// A publication. Its permit is its share of what may wait.
    Append {
        publication: Box<Publication>,
        now: Timestamp,
        answer: oneshot::Sender<Result<Appended, AppendError>>,
        permit: OwnedSemaphorePermit,
    },
    /// A topic to delete.
    Delete { topic: Topic, now: Timestamp, answer: oneshot::Sender<Result<bool, EngineError>> },
    /// The end: what came before is committed, nothing after.
    Close { answer: oneshot::Sender<()> },
}

impl Request {
    /// The data that it brings into the log. Unit: bytes.
    pub(crate) fn data_bytes(&self) -> usize {
        match self {
            Self::Append { publication, .. } => publication.data.len(),
            Self::Delete { .. } | Self::Close { .. } => 0,
        }
    }
}

/// The queue of what is to be committed. Bounded by the permits of its publications; deletions and the end are one each for
/// whoever waits for it.
///
/// One at a time commits: the commit thread, or a thread to which a publication was left because it was alone.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    has_work: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Request>,
    turn: Turn,
    is_closed: bool,
    /// The commit thread sleeps, and nobody has woken it yet.
    is_thread_asleep: bool,
}

/// Whose turn it is to commit.
#[derive(Debug, Default, PartialEq, Eq)]
enum Turn {
    /// The commit thread's, once there is anything.
    #[default]
    CommitThread,
    /// The only request is left to the thread that published it.
    Publisher,
    /// Somebody has taken some, and looks for more afterwards.
    Taken,
}

impl Queue {
    /// Adds a request; gives it back when the queue is closed. `may_leave`: it may be left to this thread, which is said
    /// by the answer.
    pub(crate) fn push(&self, request: Request, may_leave: bool) -> Result<bool, Request> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(request);
        }
        let is_alone = waiting.requests.is_empty();
        waiting.requests.push_back(request);
        if waiting.turn != Turn::Taken {
            waiting.turn = if is_alone && may_leave { Turn::Publisher } else { Turn::CommitThread };
        }
        let is_left = waiting.turn == Turn::Publisher;
        self.wake_thread(waiting);
        Ok(is_left)
    }

    /// For the commit thread: takes all that has gathered, waits while there is nothing. `None` once the queue is closed
    /// and empty.
    pub(crate) fn take(&self) -> Option<Taken<'_>> {
        let mut waiting = self.lock();
        while waiting.turn == Turn::Taken || (waiting.requests.is_empty() && !waiting.is_closed) {
            waiting.is_thread_asleep = true;
            waiting = self.has_work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.is_thread_asleep = false;
        (!waiting.requests.is_empty()).then(|| self.give(&mut waiting))
    }

    /// Takes the publication that was left, if it still is.
    pub(crate) fn take_left(&self) -> Option<Taken<'_>> {
        let mut waiting = self.lock();
        (waiting.turn == Turn::Publisher).then(|| self.give(&mut waiting))
    }

    /// Nothing more is taken in.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        if waiting.turn == Turn::Publisher {
            waiting.turn = Turn::CommitThread;
        }
        self.wake_thread(waiting);
    }

    fn give(&self, waiting: &mut Waiting) -> Taken<'_> {
        waiting.turn = Turn::Taken;
        Taken { queue: self, requests: std::mem::take(&mut waiting.requests) }
    }

    /// Wakes the commit thread if it is its turn.
    fn wake_thread(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let has_work = !waiting.requests.is_empty() || waiting.is_closed;
        if waiting.turn == Turn::CommitThread && has_work && waiting.is_thread_asleep {
            waiting.is_thread_asleep = false;
            drop(waiting); // it would only queue behind us
            self.has_work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that whoever has this commits, and nobody else meanwhile. What is left of them when it is dropped is the commit
/// thread's.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    queue: &'a Queue,
    pub requests: VecDeque<Request>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.turn = Turn::CommitThread;
        if !self.requests.is_empty() {
            self.requests.append(&mut waiting.requests);
            std::mem::swap(&mut self.requests, &mut waiting.requests);
        }
        self.queue.wake_thread(waiting);
    }
}
