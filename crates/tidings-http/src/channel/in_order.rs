//! Publications on their way into the history: several at once, so that they share one commit, answered in their order.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use tidings_core::engine::EngineFuture;
use tidings_core::{AppendError, Appended};

use crate::respond::Fault;

/// What became of one line.
pub(super) struct Settled {
    pub(super) line: u64,
    pub(super) data_bytes: usize,
    pub(super) outcome: Result<Appended, Refused>,
}

/// Why a line was not published.
#[derive(Debug)]
pub(super) enum Refused {
    Line(Fault),
    Append(AppendError),
}

/// The lines under way. `'a` is the engine's.
#[derive(Default)]
pub(super) struct InOrder<'a>(VecDeque<Entry<'a>>);

struct Entry<'a> {
    line: u64,
    data_bytes: usize,
    state: State<'a>,
}

enum State<'a> {
    Appending(EngineFuture<'a, Result<Appended, AppendError>>),
    Done(Result<Appended, Refused>),
}

/// Most lines under way at once: as many as one commit gains from.
pub(super) const UNDER_WAY_MAX: usize = 64;

impl<'a> InOrder<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= UNDER_WAY_MAX
    }

    /// One line more, which the history is to take.
    pub(super) fn append(
        &mut self,
        line: u64,
        data_bytes: usize,
        future: EngineFuture<'a, Result<Appended, AppendError>>,
    ) {
        self.0.push_back(Entry { line, data_bytes, state: State::Appending(future) });
    }

    /// One line more, which was refused already.
    pub(super) fn refuse(&mut self, line: u64, fault: Fault) {
        self.0.push_back(Entry { line, data_bytes: 0, state: State::Done(Err(Refused::Line(fault))) });
    }

    /// The next line in order, once it is settled. Pending when there is none.
    ///
    /// All are polled, first to last: an engine orders publications by when it is first asked.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        if !self.front_is_done() {
            for entry in &mut self.0 {
                if let State::Appending(future) = &mut entry.state
                    && let Poll::Ready(outcome) = future.as_mut().poll(cx)
                {
                    entry.state = State::Done(outcome.map_err(Refused::Append));
                }
            }
        }
        match self.0.pop_front() {
            Some(Entry { line, data_bytes, state: State::Done(outcome) }) => {
                Poll::Ready(Settled { line, data_bytes, outcome })
            }
            Some(unsettled) => {
                self.0.push_front(unsettled);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    fn front_is_done(&self) -> bool {
        matches!(self.0.front(), Some(Entry { state: State::Done(_), .. }))
    }
}
