//! The engine in memory: publishers take turns, readers read beside them.

use std::future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tidings_topic::{SelectorSet, Topic};

use super::log::Log;
use super::resolve::ResolveContext;
use crate::engine::{
    AppendError, Appended, Behind, CommitListener, Engine, EngineError, EngineFuture, EngineUsage, Fetched, Listeners,
    Read, ReadRequest, check_id,
};
use crate::history::{Claim, IdempotencyKeys};
use crate::limits::HistoryLimits;
use crate::position::{Epoch, Position, Sequence};
use crate::publication::Publication;
use crate::record::Record;
use crate::resume::{Resolution, ResumeRequest};
use crate::time::Timestamp;

/// How a [`MemoryEngine`] keeps its history.
#[derive(Clone, Debug, Default)]
pub struct MemoryOptions {
    /// How much is kept.
    pub history: HistoryLimits,
    /// An id of 10 to 16 digits that no retained event has is taken for milliseconds since 1970, and the reader goes on
    /// with all that was committed from then on. For the clock of `tidings demo`. Default: no.
    pub ids_resolve_by_time: bool,
}

/// A history in memory. It ends with the process.
///
/// Cost of an append: the encoding of the event and well under 1 µs; publishers take turns for that long.
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use tidings_core::{Engine, Epoch, MemoryEngine, MemoryOptions, Publication, Timestamp};
/// use tidings_topic::Topic;
///
/// let engine = MemoryEngine::new(Epoch::from_unix_micros(1_795_464_000_000_000), MemoryOptions::default());
/// let publication = Publication::new(Topic::parse("news")?, "hello");
/// let mut appended = engine.append(publication, Timestamp::from_millis(1_795_464_000_000));
/// let Poll::Ready(answer) = appended.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
///     panic!("memory needs no waiting");
/// };
/// assert_eq!(answer?.position.sequence, engine.tail());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryEngine {
    epoch: Epoch,
    ids_resolve_by_time: bool,
    limits: HistoryLimits,
    /// `tail = log.window.tail()`, stored while the log is locked.
    tail: AtomicU64,
    /// Whose turn it is to publish: only who holds this lock adds to the log. Order of locks: turn → log.
    turn: Mutex<IdempotencyKeys>,
    log: RwLock<Log>,
    listeners: Listeners,
}

impl MemoryEngine {
    /// An empty history that begins `epoch`.
    pub fn new(epoch: Epoch, options: MemoryOptions) -> Self {
        let MemoryOptions { history, ids_resolve_by_time } = options;
        Self {
            epoch,
            ids_resolve_by_time,
            tail: AtomicU64::new(Sequence::ZERO.0),
            turn: Mutex::new(IdempotencyKeys::new(&history)),
            log: RwLock::new(Log::new(&history)),
            listeners: Listeners::default(),
            limits: history,
        }
    }

    fn append_now(&self, mut publication: Publication, now: Timestamp) -> Result<Appended, AppendError> {
        check_id(&publication)?;
        publication.tidy();
        let claim = Claim::of(&publication);

        let mut keys = self.take_turn();
        keys.forget(now);
        if let Some(claim) = &claim
            && let Some(first_answer) = keys.find(claim)?
        {
            return Ok(first_answer);
        }
        let at = {
            let log = self.log_at(now);
            log.admit(&publication)?;
            log.times.of_commit(now)
        };
        if claim.is_some() {
            keys.check_room(now)?;
        }
        let (first, end) = self.records(publication, at);
        let position = Position { epoch: self.epoch, sequence: first.sequence };
        let answer = Appended { position, id: first.id.clone(), is_repeat: false };
        {
            let mut log = self.log_mut();
            self.commit(&mut log, [Some(Arc::clone(&first)), end].into_iter().flatten(), now);
        }
        if let Some(claim) = claim {
            keys.keep(claim, answer.clone(), now);
        }
        drop(keys);

        // After the turn is over: woken readers would only queue behind us.
        self.tell_listeners(&first);
        Ok(answer)
    }

    /// The record that `publication` becomes, and the end of its topic if that is another one. Encodes them, so no reader
    /// is kept waiting meanwhile: the turn is taken, the log is not locked.
    fn records(&self, publication: Publication, at: Timestamp) -> (Arc<Record>, Option<Arc<Record>>) {
        let position = self.next_position();
        if !publication.ends_topic {
            return (Arc::new(Record::event(position, publication, at)), None);
        }
        let topic = publication.topic.clone();
        if publication.data.is_empty() {
            return (Arc::new(Record::end(position, topic, at)), None);
        }
        let end = Record::end(Position { sequence: position.sequence.next(), ..position }, topic, at);
        (Arc::new(Record::event(position, publication, at)), Some(Arc::new(end)))
    }

    fn delete_now(&self, topic: &Topic, now: Timestamp) -> bool {
        let turn = self.take_turn();
        let mut log = self.log_mut();
        log.trim(now);
        let position = self.next_position();
        if !log.delete(topic, position.sequence) {
            return false;
        }
        let deleted = Record::deleted(position, topic.clone(), log.times.of_commit(now));
        let deleted = Arc::new(deleted);
        self.commit(&mut log, [Arc::clone(&deleted)], now);
        drop(log);
        drop(turn);
        self.tell_listeners(&deleted);
        true
    }

    /// Adds records to the log, so that readers see all of them at once.
    fn commit(&self, log: &mut Log, records: impl IntoIterator<Item = Arc<Record>>, now: Timestamp) {
        for record in records {
            log.push(record);
        }
        log.trim(now);
        self.tail.store(log.window.tail().0, Ordering::Release);
    }

    /// Where the next record will stand, if the caller has the turn.
    fn next_position(&self) -> Position {
        Position { epoch: self.epoch, sequence: self.tail().next() }
    }

    fn tell_listeners(&self, record: &Record) {
        let topics: Vec<Topic> = if record.has_alternates() { record.topics().cloned().collect() } else { Vec::new() };
        for listener in self.listeners.all().iter() {
            if topics.is_empty() {
                listener.on_commit(&record.topic, self.tail());
            } else {
                listener.on_group_commit(&topics, self.tail());
            }
        }
    }

    fn take_turn(&self) -> MutexGuard<'_, IdempotencyKeys> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_mut(&self) -> RwLockWriteGuard<'_, Log> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log without what is beyond the bounds of history at `now`.
    fn log_at(&self, now: Timestamp) -> RwLockReadGuard<'_, Log> {
        let log = self.log();
        if !log.is_over_bounds(now) {
            return log;
        }
        drop(log);
        let mut log = self.log_mut();
        log.trim(now);
        RwLockWriteGuard::downgrade(log)
    }
}

impl Engine for MemoryEngine {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn tail(&self) -> Sequence {
        Sequence(self.tail.load(Ordering::Acquire))
    }

    fn append(&self, publication: Publication, now: Timestamp) -> EngineFuture<'_, Result<Appended, AppendError>> {
        Box::pin(future::ready(self.append_now(publication, now)))
    }

    fn committed(&self, after: Sequence, bytes_max: usize, out: &mut Vec<Arc<Record>>) -> Result<Sequence, Behind> {
        let log = self.log();
        let mut bytes = 0;
        for record in log.window.after(after)? {
            bytes += record.chunk.wire().len();
            out.push(Arc::clone(record));
            if bytes >= bytes_max {
                return Ok(record.sequence);
            }
        }
        Ok(log.window.tail().max(after))
    }

    fn read(&self, request: &ReadRequest) -> Read {
        self.log_at(request.now).page(request)
    }

    fn fetch(&self, request: ReadRequest, done: Fetched) {
        done(Ok(self.read(&request)));
    }

    fn resolve(&self, request: ResumeRequest, now: Timestamp) -> EngineFuture<'_, Result<Resolution, EngineError>> {
        let context = ResolveContext { epoch: self.epoch, now, ids_resolve_by_time: self.ids_resolve_by_time };
        let resolution = self.log_at(now).resolve(&request, context);
        Box::pin(future::ready(Ok(resolution)))
    }

    fn delete(&self, topic: Topic, now: Timestamp) -> EngineFuture<'_, Result<bool, EngineError>> {
        Box::pin(future::ready(Ok(self.delete_now(&topic, now))))
    }

    fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        self.log().ended.through(selectors)
    }

    fn time_mark(&self, now: Timestamp) -> (Timestamp, Sequence) {
        // The turn first: a publisher that has its time already must have committed before the mark is made.
        let _turn = self.take_turn();
        let mut log = self.log_mut();
        (log.times.mark(now), log.window.tail())
    }

    fn listen(&self, listener: Arc<dyn CommitListener>) {
        self.listeners.add(listener);
    }

    fn usage(&self, now: Timestamp) -> EngineUsage {
        let idempotency_keys = {
            let mut keys = self.take_turn();
            keys.forget(now);
            keys.count()
        };
        let log = self.log_at(now);
        EngineUsage {
            events: log.window.events(),
            bytes: log.window.bytes(),
            topics: log.topics.count(),
            oldest_at: log.window.oldest_at(),
            marks: log.marks.count(),
            idempotency_keys,
            disk: None,
        }
    }

    fn limits(&self) -> Option<&HistoryLimits> {
        Some(&self.limits)
    }

    fn health(&self) -> Result<(), EngineError> {
        Ok(())
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        Box::pin(future::ready(())) // nothing of it outlives the process
    }
}
