//! History that is not at hand: sessions wait while the engine fetches their page, and cost nothing meanwhile.
//!
//! A page is fetched when a session has taken the one before it, and is dropped once all who waited have taken it: each
//! reads at its own pace, and one that is blocked has no page held for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings_core::session::{Sent, Session, Tick};
use tidings_core::{CloseReason, EngineError, Limits, Read};

use super::Shard;
use super::fetches::{FetchNumber, Outcome, PageStart};
use crate::inbox::{Inbox, Message, SessionKey};

/// Most bytes of fetched pages in a shard, on their way or here. A page is at most one write and one event more, so this
/// says how many are fetched at a time.
const FETCHED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// And no more than so many: an engine reads with a few threads, and the rest would only wait there in place of here.
const FETCHES_MAX: usize = 32;
/// The log tells of pages that could not be read once in so long: a disk that fails does so for every reader.
const FAILURES_LOGGED_EVERY: Duration = tidings_core::rarely::QUIET_TIME;

/// How many pages a shard fetches at a time.
pub(super) fn fetches_max(limits: &Limits) -> usize {
    let page_bytes_max = limits.batch_bytes_max.saturating_add(limits.event_bytes_max).max(1);
    (FETCHED_BYTES_MAX / page_bytes_max).clamp(1, FETCHES_MAX)
}

/// Pages that could not be read, as the log has been told of them.
#[derive(Default)]
pub(super) struct Failures {
    silent_until: Tick,
    unsaid: u64,
}

impl Shard {
    /// Has a session wait with others for the same page, if there are some. Answers whether there are.
    pub(super) fn wait_with_others(&mut self, key: SessionKey, start: PageStart) -> bool {
        let is_fetched = self.fetches.covers(start, &self.roster.groups[start.group as usize].spec);
        if is_fetched {
            self.wait_for_page(key, start);
        }
        is_fetched
    }

    /// Has a session wait for a page that is not at hand.
    pub(super) fn wait_for_page(&mut self, key: SessionKey, start: PageStart) {
        let Some(entry) = self.roster.get(key) else { return };
        if !entry.way.has_room() {
            // It would be fetched in vain: the reader has not taken the page before it.
            let (cursor, now) = (start.cursor, self.now);
            return self.update(key, |session| session.on_sent(&Bytes::new(), cursor, cursor, Sent::Nothing, now));
        }
        self.update(key, Session::await_page);
        let is_here = self.fetches.wait(start, &self.roster.groups[start.group as usize].spec, key);
        if is_here {
            self.make_runnable(key);
        }
    }

    /// Gives a session the page that it waits for, if that is here.
    pub(super) fn take_fetched(&mut self, key: SessionKey) -> Option<Outcome> {
        let position = self.position;
        let entry = self.roster.get(key)?;
        let start = PageStart { group: entry.group, cursor: entry.session.cursor(position) };
        let outcome = self.fetches.take(start, key)?;
        entry.session.end_wait();
        Some(outcome)
    }

    /// Asks the engine for what is waited for, as far as there is room.
    pub(super) fn start_fetches(&mut self) {
        while let Some((number, selectors, cursor)) = self.fetches.begin_next() {
            let reply = Reply { number, inbox: Some(Arc::clone(&self.inbox)) };
            let request = self.read_request(selectors, cursor);
            self.engine.fetch(request, Box::new(move |answer| reply.give(answer)));
        }
    }

    /// The engine has answered.
    pub(super) fn on_fetched(&mut self, number: FetchNumber, answer: Result<Read, EngineError>) {
        let Some(spec) = self.fetches.waited_for_by(number).cloned() else { return self.fetches.end(number) };
        let outcome = match answer {
            Ok(Read::Page(page)) => Outcome::Page(Arc::new(self.share(&spec, page))),
            Ok(Read::Expired) => Outcome::Over(CloseReason::Lagged),
            Ok(Read::Elsewhere) => self.on_failed_fetch(&no_answer("the engine answered a fetch by another question")),
            Err(EngineError::Closed) => Outcome::Over(CloseReason::Drain),
            Err(error) => self.on_failed_fetch(&error),
        };
        for key in self.fetches.arrive(number, outcome) {
            let Some(entry) = self.roster.get(key) else { continue };
            if entry.session.is_blocked() {
                // No page is held for it: it asks again when it can be written to.
                self.take_fetched(key);
            } else {
                self.make_runnable(key);
            }
        }
    }

    fn on_failed_fetch(&mut self, error: &EngineError) -> Outcome {
        let Failures { silent_until, unsaid } = &mut self.failures;
        if self.now < *silent_until {
            *unsaid += 1;
        } else {
            tracing::error!(%error, unsaid_before = *unsaid, "history could not be read: its readers are ended");
            *silent_until = self.now.after(FAILURES_LOGGED_EVERY);
            *unsaid = 0;
        }
        Outcome::Over(CloseReason::StoreFailed)
    }
}

fn no_answer(cause: &str) -> EngineError {
    EngineError::Failed { cause: cause.into() }
}

/// Brings the answer of a fetch into the inbox; also when the engine drops the question, or nobody would ever know.
struct Reply {
    number: FetchNumber,
    /// `None` once it is answered.
    inbox: Option<Arc<Inbox>>,
}

impl Reply {
    fn give(mut self, answer: Result<Read, EngineError>) {
        self.send(answer);
    }

    fn send(&mut self, answer: Result<Read, EngineError>) {
        if let Some(inbox) = self.inbox.take() {
            inbox.send(Message::Fetched(self.number, answer));
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.send(Err(no_answer("the engine dropped a fetch without an answer")));
    }
}
