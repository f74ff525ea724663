//! A little world for a scenario: one engine, a clock that stands still, and short words for what happens.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tidings_topic::{Selector, SelectorSet, Topic};
use tidings_wire::EventId;

use super::{MakeEngine, SuiteOptions};
use crate::engine::{AppendError, Appended, Engine, EngineUsage, Read, ReadLimit, ReadRequest};
use crate::grants::Grants;
use crate::limits::HistoryLimits;
use crate::position::{Position, Sequence};
use crate::publication::Publication;
use crate::record::Record;
use crate::resume::{OnReset, ResetReason, Resolution, ResumeFrom, ResumeRequest};
use crate::time::Timestamp;

/// An engine and the time.
pub(super) struct World {
    pub engine: Arc<dyn Engine>,
    pub now: Timestamp,
}

/// A page that holds everything.
pub(super) const NO_LIMIT: ReadLimit = ReadLimit { bytes_max: usize::MAX, scanned_max: usize::MAX };

/// When every world begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_795_464_000_000);

impl World {
    pub(super) fn new(make: MakeEngine<'_>) -> Self {
        Self::with_options(make, SuiteOptions::default())
    }

    pub(super) fn with_history(make: MakeEngine<'_>, history: HistoryLimits) -> Self {
        Self::with_options(make, SuiteOptions { history, ..SuiteOptions::default() })
    }

    pub(super) fn with_options(make: MakeEngine<'_>, options: SuiteOptions) -> Self {
        Self { engine: Arc::from(make(options)), now: START }
    }

    pub(super) fn advance(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
    }

    pub(super) fn append(&self, publication: Publication) -> Result<Appended, AppendError> {
        wait(self.engine.append(publication, self.now))
    }

    /// Publishes one event and answers its place.
    pub(super) fn publish(&self, raw_topic: &str) -> u64 {
        self.publish_with(raw_topic, |_| ())
    }

    pub(super) fn publish_with(&self, raw_topic: &str, change: impl FnOnce(&mut Publication)) -> u64 {
        let mut publication = publication(raw_topic);
        change(&mut publication);
        self.append(publication).expect("nothing speaks against it").position.sequence.0
    }

    /// Ends a topic without data and answers the place of its end.
    pub(super) fn end(&self, raw_topic: &str) -> u64 {
        self.publish_with(raw_topic, |publication| {
            publication.data.clear();
            publication.ends_topic = true;
        })
    }

    pub(super) fn delete(&self, raw_topic: &str) -> bool {
        wait(self.engine.delete(topic(raw_topic), self.now)).expect("the engine is open")
    }

    /// What the history takes. What its disk says may change while nothing happens: others write to it, and what waited for
    /// a commit has its room back a moment after its answer.
    pub(super) fn usage_but_of_disk(&self) -> EngineUsage {
        EngineUsage { disk: None, ..self.engine.usage(self.now) }
    }

    /// Everything that is at hand after `after`.
    pub(super) fn committed(&self, after: u64) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        let through = self.engine.committed(Sequence(after), usize::MAX, &mut records);
        assert_eq!(through, Ok(self.engine.tail()), "without a limit there is nothing left");
        records
    }

    pub(super) fn read(&self, selectors: &SelectorSet, after: Sequence, limit: ReadLimit) -> Read {
        let through = self.engine.tail();
        self.read_page(ReadRequest { selectors: selectors.clone(), after, through, now: self.now, limit })
    }

    /// The page, wherever it is.
    pub(super) fn read_page(&self, request: ReadRequest) -> Read {
        match self.engine.read(&request) {
            Read::Elsewhere => self.fetch(request),
            at_hand => at_hand,
        }
    }

    fn fetch(&self, request: ReadRequest) -> Read {
        let (sender, receiver) = mpsc::sync_channel(1); // one answer
        self.engine.fetch(request, Box::new(move |fetched| sender.send(fetched).expect("the suite waits for it")));
        receiver.recv().expect("each call is answered").expect("the engine is open")
    }

    pub(super) fn resolve(&self, selectors: &[&str], from: ResumeFrom) -> Resolution {
        self.resolve_as(selectors, from, Grants::Everything, OnReset::Oldest)
    }

    pub(super) fn resolve_as(
        &self,
        selectors: &[&str],
        from: ResumeFrom,
        grants: Grants,
        on_reset: OnReset,
    ) -> Resolution {
        let request = ResumeRequest { selectors: set(selectors), grants, from, on_reset };
        wait(self.engine.resolve(request, self.now)).expect("the engine is open")
    }

    /// What a reader is told and given that comes with `from`: a verdict, and the places of the records.
    pub(super) fn replay(&self, selectors: &[&str], from: ResumeFrom) -> (Option<ResetReason>, Vec<u64>) {
        let resolution = self.resolve(selectors, from);
        let reason = resolution.reset.map(|reset| reset.reason);
        (reason, places(&self.read(&set(selectors), resolution.cursor, NO_LIMIT)))
    }

    /// The id of the hub's own for a place.
    pub(super) fn id(&self, place: u64) -> ResumeFrom {
        let position = Position { epoch: self.engine.epoch(), sequence: Sequence(place) };
        ResumeFrom::EventId(position.to_string().into())
    }
}

/// The places of the records of a page.
///
/// # Panics
/// When the answer is that there is none: a reader was sent to a place that it cannot read from.
pub(super) fn places(read: &Read) -> Vec<u64> {
    match read {
        Read::Page(page) => page.records.iter().map(|record| record.sequence.0).collect(),
        Read::Expired => panic!("the place to go on from is no longer kept"),
        Read::Elsewhere => panic!("a page that was fetched is there"),
    }
}

pub(super) fn topic(raw: &str) -> Topic {
    Topic::parse(raw).expect("the suite's topics are topics")
}

pub(super) fn set(raw: &[&str]) -> SelectorSet {
    let selectors = raw.iter().map(|raw| Selector::parse(raw).expect("the suite's selectors are selectors"));
    SelectorSet::new(selectors).expect("the suite's sets are not empty")
}

pub(super) fn event_id(raw: &str) -> EventId {
    EventId::parse(raw).expect("the suite's ids are ids")
}

pub(super) fn from_id(raw: &str) -> ResumeFrom {
    ResumeFrom::EventId(raw.into())
}

pub(super) fn publication(raw_topic: &str) -> Publication {
    Publication::new(topic(raw_topic), "data")
}

/// Waits for a future on this thread, however the engine wakes it.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
