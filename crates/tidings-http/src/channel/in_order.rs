//! Publications on their way into the history: several at once, so that they share one commit, answered in their order.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use tidings_core::engine::EngineFuture;
use tidings_core::{AppendError, Appended};

use crate::problem::Fault;

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
pub(super) struct InOrder<'a> {
    entries: VecDeque<Entry<'a>>,
    /// Bytes of the data that the history has not taken yet.
    waiting_bytes: usize,
}

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
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= UNDER_WAY_MAX
    }

    /// Bytes of the data that the history has not taken yet.
    pub(super) fn bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// One line more, which the history is to take.
    pub(super) fn append(
        &mut self,
        line: u64,
        data_bytes: usize,
        future: EngineFuture<'a, Result<Appended, AppendError>>,
    ) {
        self.waiting_bytes += data_bytes;
        self.entries.push_back(Entry { line, data_bytes, state: State::Appending(future) });
    }

    /// One line more, which was refused already.
    pub(super) fn refuse(&mut self, line: u64, fault: Fault) {
        self.entries.push_back(Entry { line, data_bytes: 0, state: State::Done(Err(Refused::Line(fault))) });
    }

    /// The next line in order, once it is settled. Pending when there is none.
    ///
    /// All are polled, first to last: an engine orders publications by when it is first asked.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        if !self.front_is_done() {
            for entry in &mut self.entries {
                if let State::Appending(future) = &mut entry.state
                    && let Poll::Ready(outcome) = future.as_mut().poll(cx)
                {
                    self.waiting_bytes -= entry.data_bytes;
                    entry.state = State::Done(outcome.map_err(Refused::Append));
                }
            }
        }
        match self.entries.pop_front() {
            Some(Entry { line, data_bytes, state: State::Done(outcome) }) => {
                Poll::Ready(Settled { line, data_bytes, outcome })
            }
            Some(unsettled) => {
                self.entries.push_front(unsettled);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    fn front_is_done(&self) -> bool {
        matches!(self.entries.front(), Some(Entry { state: State::Done(_), .. }))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use tidings_core::{EngineError, Epoch, Position, Sequence};

    use super::*;

    /// An engine whose appends are done when the test says so.
    #[derive(Default)]
    struct SlowEngine {
        asked: Mutex<Vec<u64>>,
        done: Mutex<Vec<u64>>,
    }

    impl SlowEngine {
        fn append(self: &Arc<Self>, line: u64) -> EngineFuture<'static, Result<Appended, AppendError>> {
            let engine = Arc::clone(self);
            let mut is_new = true;
            Box::pin(poll_fn(move |_| {
                if std::mem::take(&mut is_new) {
                    engine.asked.lock().expect("no test panics with it").push(line);
                }
                if !engine.done.lock().expect("no test panics with it").contains(&line) {
                    return Poll::Pending;
                }
                let position = Position { epoch: Epoch::from_unix_micros(0), sequence: Sequence(line) };
                Poll::Ready(Ok(Appended { position, id: position.to_event_id(), is_repeat: false }))
            }))
        }

        fn finish(&self, line: u64) {
            self.done.lock().expect("no test panics with it").push(line);
        }
    }

    fn next(lines: &mut InOrder<'_>) -> Option<(u64, bool)> {
        match lines.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(settled) => Some((settled.line, settled.outcome.is_ok())),
            Poll::Pending => None,
        }
    }

    #[test]
    fn lines_are_asked_together_and_answered_in_order() {
        let engine = Arc::new(SlowEngine::default());
        let mut lines = InOrder::default();
        lines.append(1, 0, engine.append(1));
        lines.refuse(2, Fault::new("data", "is missing", "some"));
        lines.append(3, 0, engine.append(3));
        assert_eq!(next(&mut lines), None);
        assert_eq!(*engine.asked.lock().expect("no test panics with it"), [1, 3]);
        engine.finish(3);
        assert_eq!(next(&mut lines), None, "the first is not settled");
        engine.finish(1);
        assert_eq!(
            [next(&mut lines), next(&mut lines), next(&mut lines)],
            [Some((1, true)), Some((2, false)), Some((3, true))]
        );
        assert!(lines.is_empty() && next(&mut lines).is_none());
    }

    #[test]
    fn an_error_of_the_history_takes_its_turn_too() {
        let mut lines = InOrder::default();
        lines.append(1, 0, Box::pin(std::future::ready(Err(AppendError::Engine(EngineError::Closed)))));
        assert_eq!(next(&mut lines), Some((1, false)));
    }
}
