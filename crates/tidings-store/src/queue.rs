//! What publishers ask of the commit thread, in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

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

/// The queue of the commit thread. Bounded by the permits of its publications; deletions and the end are one each for
/// whoever waits for it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    requests: Mutex<Waiting>,
    is_fuller: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Request>,
    is_closed: bool,
}

impl Queue {
    /// Adds a request; gives it back when the queue is closed.
    pub(crate) fn push(&self, request: Request) -> Result<(), Request> {
        let mut waiting = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_closed {
            return Err(request);
        }
        let was_empty = waiting.requests.is_empty();
        waiting.requests.push_back(request);
        drop(waiting);
        if was_empty {
            self.is_fuller.notify_one(); // after the lock: it would only queue behind us
        }
        Ok(())
    }

    /// Takes all that has gathered; waits while there is nothing. Nothing is left once the queue is closed and empty.
    pub(crate) fn take(&self) -> VecDeque<Request> {
        let mut waiting = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.requests.is_empty() && !waiting.is_closed {
            waiting = self.is_fuller.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut waiting.requests)
    }

    /// Nothing more is taken in.
    pub(crate) fn close(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.is_fuller.notify_all();
    }
}
