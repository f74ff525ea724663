//! The contract of an engine: it decides the order of events, keeps them, and finds a reader's place again.
//!
//! Memory is the first engine ([`crate::MemoryEngine`]); every one passes the same suite ([`crate::suite`]).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use thiserror::Error;
use tidings_topic::{SelectorSet, Topic};
use tidings_wire::EventId;

use crate::histogram::HistogramCounts;
use crate::limits::HistoryLimits;
use crate::position::{Epoch, Position, Sequence};
use crate::publication::Publication;
use crate::record::Record;
use crate::resume::{Resolution, ResumeRequest};
use crate::time::Timestamp;

/// What an engine promises for later. It borrows nothing but the engine.
pub type EngineFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The history of a hub, and its only source of order.
///
/// The order in which `append` is answered, in which [`Engine::committed`] hands out and in which
/// [`Engine::read`] replays is one and the same.
pub trait Engine: Send + Sync + 'static {
    /// The epoch of all positions that it makes.
    fn epoch(&self) -> Epoch;

    /// The place of the last committed event. Cost: one atomic load.
    fn tail(&self) -> Sequence;

    /// Stores a publication; answers when it is as durable as configured and readers can be given it.
    ///
    /// # Errors
    /// See [`AppendError`]; after one, nothing was stored.
    fn append(&self, publication: Publication, now: Timestamp) -> EngineFuture<'_, Result<Appended, AppendError>>;

    /// Puts the committed records after `after` into `out`, in order and without a gap, until their encoded bytes
    /// reach `bytes_max`; always at least one if there is one. Never blocks on a disk.
    ///
    /// Answers the place to go on after: all there is up to and with it is in `out`. It may be past the last record
    /// handed out, for what a deletion dropped has a place but no record.
    ///
    /// # Errors
    /// [`Behind`] when records after `after` are no longer at hand: they must be read by [`Engine::read`].
    fn committed(&self, after: Sequence, bytes_max: usize, out: &mut Vec<Arc<Record>>) -> Result<Sequence, Behind>;

    /// Reads a page of history for some topics. Never blocks on a disk: what is not at hand is [`Read::Elsewhere`].
    fn read(&self, request: &ReadRequest) -> Read;

    /// Reads a page of history that is not at hand, and calls `done` with it, never with [`Read::Elsewhere`]: at once, or
    /// later on a thread of the engine's. Each call is answered once, also when the engine ends meanwhile.
    fn fetch(&self, request: ReadRequest, done: Fetched);

    /// Finds where a reader goes on from.
    ///
    /// # Errors
    /// [`EngineError`] when the history cannot be asked now.
    fn resolve(&self, request: ResumeRequest, now: Timestamp) -> EngineFuture<'_, Result<Resolution, EngineError>>;

    /// Drops the history of a topic and lets it begin anew. Answers whether there was anything to drop: the events whose
    /// canonical topic it is. Those of which it is an alternate one stay; and who reads a dropped event under an alternate
    /// topic is told as if it were trimmed.
    ///
    /// # Errors
    /// [`EngineError`] when the history cannot be changed now.
    fn delete(&self, topic: Topic, now: Timestamp) -> EngineFuture<'_, Result<bool, EngineError>>;

    /// The place of the end of the topic that ended last, if all topics of these selectors have ended.
    fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence>;

    /// A time that is later than that of every event so far and not later than that of any event to come, so that an
    /// id made from it finds its place again. Near `now`.
    fn time_mark(&self, now: Timestamp) -> (Timestamp, Sequence);

    /// From now on `listener` is told after each commit.
    fn listen(&self, listener: Arc<dyn CommitListener>);

    /// How full it is at `now`.
    fn usage(&self, now: Timestamp) -> EngineUsage;

    /// How a thread commits by itself what it publishes, where that is quicker than to wake another one for it.
    /// `None`: nothing is ever left to those who publish.
    fn self_commit(&self) -> Option<&dyn SelfCommit> {
        None
    }

    /// How far its history may grow, where it is itself that sees to it.
    fn limits(&self) -> Option<&HistoryLimits> {
        None
    }

    /// Can it take publications now?
    ///
    /// # Errors
    /// [`EngineError`] says why not.
    fn health(&self) -> Result<(), EngineError>;

    /// Takes no more, and answers once all that it took is as safe as it will be. What comes after is refused with
    /// [`EngineError::Closed`]; what is at hand can still be read.
    fn close(&self) -> EngineFuture<'_, ()>;
}

/// Committing on the thread that publishes. It is left only to a thread that has offered it by asking, and only what is
/// published on that thread.
pub trait SelfCommit {
    /// Is a publication left to this thread? Then it is to call [`SelfCommit::commit_left`] at once; else the waker is woken,
    /// on this thread, when one is. A thread that has asked once stands by its offer until it ends.
    fn poll_left(&self, context: &mut Context<'_>) -> Poll<()>;

    /// Commits what is left to this thread, if nobody else has done it meanwhile. Waits for the disk, so whatever the
    /// thread does beside publishing stands still for as long. What it gives back is to be called soon, on any thread.
    fn commit_left(&self) -> Option<Announcement>;
}

/// Answers the publisher of what was committed, and tells the listeners.
pub type Announcement = Box<dyn FnOnce() + Send>;

/// What is done with a page that was fetched.
pub type Fetched = Box<dyn FnOnce(Result<Read, EngineError>) + Send>;

/// Somebody who wants to know of commits: shards that may sleep.
pub trait CommitListener: Send + Sync {
    /// `topic` got a record, and all up to `tail` is committed. Must be quick: it runs before the publisher has its
    /// answer.
    fn on_commit(&self, topic: &Topic, tail: Sequence);

    /// These topics, each once, got records at once, and all up to `tail` is committed: others wait behind this commit,
    /// so nothing is to be delivered on this thread. Also for a single event that has several topics.
    fn on_group_commit(&self, topics: &[Topic], tail: Sequence);
}

/// The listeners of an engine. Replaced whole when one comes, so that they are told without a lock.
#[derive(Default)]
pub struct Listeners(Mutex<Arc<[Arc<dyn CommitListener>]>>);

impl Listeners {
    /// From now on `listener` is one of them.
    pub fn add(&self, listener: Arc<dyn CommitListener>) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *listeners = listeners.iter().cloned().chain([listener]).collect();
    }

    /// Those that there are now.
    pub fn all(&self) -> Arc<[Arc<dyn CommitListener>]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// May `publication` have the id that it brings, whatever is stored?
///
/// # Errors
/// [`AppendError::IdReserved`] when the id has the form of the hub's own, unless its publisher takes any.
pub fn check_id(publication: &Publication) -> Result<(), AppendError> {
    match &publication.id {
        Some(id) if !publication.takes_any_id && Position::parse(id.as_str()).is_some() => {
            Err(AppendError::IdReserved { id: id.clone() })
        }
        _ => Ok(()),
    }
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place.
    pub position: Position,
    /// The id under which readers see it.
    pub id: EventId,
    /// It was published before under the same idempotency key; nothing was stored now.
    pub is_repeat: bool,
}

/// Why a publication was not stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The publisher's fault: the id belongs to an event that is still kept.
    #[error("the id {id} is already used by a retained event")]
    IdTaken {
        /// That id.
        id: EventId,
    },
    /// The publisher's fault: the id has the form of the hub's own ids.
    #[error("the id {id} has the form of the hub's own ids")]
    IdReserved {
        /// That id.
        id: EventId,
    },
    /// The publisher's fault: the topic was ended.
    #[error("the topic {topic} has ended; delete it to let it begin anew")]
    TopicEnded {
        /// That topic.
        topic: Topic,
    },
    /// The publisher's fault: the key was used for another publication.
    #[error("the idempotency key was used for another body or other parameters on this topic")]
    KeyReused,
    /// Nobody's fault: all places for idempotency keys are taken.
    #[error("{keys_max} idempotency keys are kept, which is the limit; the oldest is free again in {retry_after:?}")]
    KeysFull {
        /// The limit.
        keys_max: usize,
        /// When the oldest is forgotten.
        retry_after: Duration,
    },
    /// Nobody's fault: as many topics have events as may.
    #[error("{topics_max} topics have events, which is the limit")]
    TopicsFull {
        /// The limit.
        topics_max: usize,
    },
    /// Ours: see [`EngineError`].
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why an engine cannot answer now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// It is being shut down.
    #[error("the hub is shutting down")]
    Closed,
    /// There is no room where the history is stored; what is stored stays readable, and publishing goes on once there is
    /// room again.
    #[error("there is no room to store events: {cause}")]
    NoRoom {
        /// What the system said.
        cause: Arc<str>,
    },
    /// The disk does not answer; publications wait for it.
    #[error("the disk has not answered for {} s", waiting.as_secs())]
    Stalled {
        /// For so long.
        waiting: Duration,
    },
    /// The store failed in a way after which nothing that is written can be relied on. It takes nothing more until it is
    /// opened anew.
    #[error("the store has failed and takes no more events: {cause}")]
    Failed {
        /// What failed, and with what.
        cause: Arc<str>,
    },
}

/// A reader of commits asked for records that are no longer at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the records asked for are no longer in the window, which begins after {window_start}")]
pub struct Behind {
    /// The records after this place are at hand.
    pub window_start: Sequence,
}

/// A question for a page of history.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The topics.
    pub selectors: SelectorSet,
    /// Only records after this place.
    pub after: Sequence,
    /// Only records up to and with this place.
    pub through: Sequence,
    /// Events that are past their age at this time are left out.
    pub now: Timestamp,
    /// How much to answer at once.
    pub limit: ReadLimit,
}

/// How much of history is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Stop once this many encoded bytes are read; always at least one record.
    pub bytes_max: usize,
    /// Stop once this many records were looked at.
    pub scanned_max: usize,
}

/// A page of history.
#[derive(Debug, Default)]
pub struct Page {
    /// The records of these topics, in order.
    pub records: Vec<Arc<Record>>,
    /// The page holds all of these topics up to and with this place; the next page goes on after it.
    pub through: Sequence,
}

/// The answer to a [`ReadRequest`].
#[derive(Debug)]
pub enum Read {
    /// Here it is.
    Page(Page),
    /// Something of these topics after the place was trimmed. (What a deletion dropped is left out without this: its
    /// publisher wanted nobody to read it.)
    Expired,
    /// It is not at hand: [`Engine::fetch`] reads it.
    Elsewhere,
}

/// How full an engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineUsage {
    /// Events kept.
    pub events: u64,
    /// Bytes that count against the limit.
    pub bytes: usize,
    /// Topics under which at least one record is found.
    pub topics: usize,
    /// When the oldest event kept was committed.
    pub oldest_at: Option<Timestamp>,
    /// Topics whose last trimmed place is remembered.
    pub marks: usize,
    /// Idempotency keys kept.
    pub idempotency_keys: usize,
    /// What it takes of a disk, if it is on one.
    pub disk: Option<DiskUsage>,
}

/// What an engine takes of its disk, and how that does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Bytes of its files.
    pub bytes: u64,
    /// Its files.
    pub files: usize,
    /// Bytes that are free on that disk for the user whom the program runs as.
    pub free_bytes: u64,
    /// Bytes of that disk in all.
    pub size_bytes: u64,
    /// Bytes of publications that wait for it, rounded up to whole KiB for each.
    pub waiting_bytes: u64,
    /// Most bytes that may.
    pub waiting_bytes_max: u64,
    /// How long writing and syncing a group of events took.
    pub commit_time: HistogramCounts,
}
