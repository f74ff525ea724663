//! What the threads of a store have in common.
//!
//! Locks, in their order: the turn, the front of trimming, the state. None is held while a disk is written; under the turn
//! and the front a disk may be read.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tidings_core::engine::Listeners;
use tidings_core::{EngineError, Epoch, Kind, Record, Sequence, Timestamp};
use tidings_topic::{SelectorSet, Topic};
use tokio::sync::Semaphore;

use crate::front::read_front;
use crate::health::Health;
use crate::keeper::Keeper;
use crate::layout::Layout;
use crate::lock::DirectoryLock;
use crate::log::SyncedFile;
use crate::options::StoreOptions;
use crate::queue::Queue;
use crate::readers::Readers;
use crate::segment::{Entry, Sealed, SegmentError, TopicEntry};
use crate::state::{State, Trimmed, Weight};

/// One store, as its threads see it.
pub(crate) struct Shared {
    pub options: StoreOptions,
    pub layout: Layout,
    pub epoch: Epoch,
    pub queue: Queue,
    /// What may wait in the queue, in KiB and a little for each publication.
    pub room: Arc<Semaphore>,
    pub health: Health,
    pub keeper: Keeper,
    pub readers: Readers,
    pub has_unsynced: AtomicBool,
    /// The log has its end, and the checkpoint is written.
    pub is_finished: AtomicBool,
    state: RwLock<State>,
    tail: AtomicU64,
    /// Held from when a commit has its time until readers see it.
    turn: Mutex<()>,
    /// Whoever trims has it, so that the front is read once.
    trimming: Mutex<()>,
    pub listeners: Listeners,
    active_file: Mutex<Arc<SyncedFile>>,
    /// Given back with the last of the threads.
    _lock: DirectoryLock,
}

/// So much may wait for the commit thread. Unit: KiB. A publication counts for its data and one more.
pub(crate) const WAITING_KIB_MAX: usize = 64 * 1024;

/// Topics of segments that are counted one by one. Cost: two reads each.
const TOPICS_COUNTED_MAX: u64 = 10_000;

/// Entries looked at together when a topic is weighed.
const WEIGHED_AT_ONCE: u32 = 4096;

impl Shared {
    pub(crate) fn new(
        options: StoreOptions,
        layout: Layout,
        epoch: Epoch,
        state: State,
        active: Arc<SyncedFile>,
        lock: DirectoryLock,
    ) -> Self {
        let tail = state.tail();
        Self {
            options,
            layout,
            epoch,
            queue: Queue::default(),
            room: Arc::new(Semaphore::new(WAITING_KIB_MAX)),
            health: Health::default(),
            keeper: Keeper::default(),
            readers: Readers::default(),
            has_unsynced: AtomicBool::new(false),
            is_finished: AtomicBool::new(false),
            state: RwLock::new(state),
            tail: AtomicU64::new(tail.0),
            turn: Mutex::new(()),
            trimming: Mutex::new(()),
            listeners: Listeners::default(),
            active_file: Mutex::new(active),
            _lock: lock,
        }
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tail(&self) -> Sequence {
        Sequence(self.tail.load(Ordering::Acquire))
    }

    pub(crate) fn set_tail(&self, tail: Sequence) {
        self.tail.store(tail.0, Ordering::Release);
    }

    pub(crate) fn active_file(&self) -> Arc<SyncedFile> {
        Arc::clone(&self.active_file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_active_file(&self, file: Arc<SyncedFile>) {
        *self.active_file.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    /// Tells of a commit. `topics`: each once. A single one may be delivered on this thread, for nobody waits behind it.
    pub(crate) fn tell_listeners(&self, topics: &[Topic], is_alone: bool) {
        let tail = self.tail();
        for listener in self.listeners.all().iter() {
            match topics {
                [topic] if is_alone => listener.on_commit(topic, tail),
                topics => listener.on_group_commit(topics, tail),
            }
        }
    }

    /// Trims until the bounds of history are kept at `now`. May read a disk, in small pieces.
    pub(crate) fn trim(&self, now: Timestamp) {
        if !self.state().is_over_bounds(now) {
            return;
        }
        let _trimming = self.trimming.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let trimmed = self.state_mut().trim(now);
            match trimmed {
                Trimmed::Enough => break,
                Trimmed::More => {}
                Trimmed::NeedsFront => self.fill_front(),
            }
        }
        let state = self.state();
        if state.segments.sealed().first().is_some_and(|first| first.summary().last <= state.retained_after) {
            self.keeper.wake();
        }
    }

    /// When the oldest retained event was committed.
    pub(crate) fn oldest_at(&self, now: Timestamp) -> Option<Timestamp> {
        let _trimming = self.trimming.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            {
                let mut state = self.state_mut();
                if state.pass_dead_front(now) == Trimmed::Enough {
                    return state.front_time();
                }
            }
            self.fill_front();
        }
    }

    /// How many topics have records. Beyond a number of them, at least so many.
    pub(crate) fn count_topics(&self) -> usize {
        let (segments, mut topics): (_, HashSet<Topic>) = {
            let state = self.state();
            (state.sealed(), state.recent.topics.names().cloned().collect())
        };
        let listed: u64 = segments.iter().map(|segment| u64::from(segment.summary().topics)).sum();
        if listed > TOPICS_COUNTED_MAX {
            let largest = segments.iter().map(|segment| segment.summary().topics as usize).max();
            return topics.len().max(largest.unwrap_or_default());
        }
        for segment in segments.iter() {
            for found in segment.directory().unwrap_or_default() {
                if !topics.contains(&found.topic) && self.has_retained(segment, &found) {
                    topics.insert(found.topic);
                }
            }
        }
        topics.len()
    }

    fn has_retained(&self, segment: &Sealed, topic: &TopicEntry) -> bool {
        let last = segment.postings(topic, topic.records - 1..topic.records).and_then(|last| segment.entries_at(&last));
        let state = self.state();
        last.is_ok_and(|last| last.first().is_some_and(|last| state.is_retained(&topic.topic, last.sequence)))
    }

    fn fill_front(&self) {
        let (segments, place) = {
            let state = self.state();
            (state.sealed(), state.retained_after)
        };
        match read_front(&segments, place) {
            Ok(entries) => self.state_mut().front.fill(entries),
            Err(error) => {
                let segment = segments.iter().find(|segment| segment.summary().last > place);
                if let Some(segment) = segment {
                    self.on_lost_segment(segment, &error);
                }
            }
        }
    }

    /// Nothing of a segment can be read, not even what is in it: the history begins after it.
    fn on_lost_segment(&self, segment: &Sealed, error: &SegmentError) {
        tracing::error!(%error, "a part of the history cannot be read: what is in it and before it is replayed no more");
        self.state_mut().skip_through(segment.summary());
    }

    /// What the retained records of a topic up to `through` count for, segment by segment, each with a place in it. `None`:
    /// there are none, and no end either.
    pub(crate) fn weigh(
        &self,
        topic: &Topic,
        through: Sequence,
    ) -> Result<Option<Vec<(Sequence, Weight)>>, EngineError> {
        let mut weights = Vec::new();
        // What memory has and what the segments have is asked at one moment, for records go from the one to the others.
        let (segments, floor, has_end) = {
            let state = self.state();
            let dropped = state.dropped.get(topic).map_or(Sequence::ZERO, |(through, ())| *through);
            let floor = state.retained_after.max(dropped);
            let selected = SelectorSet::one(topic.clone());
            let places = state.recent.topics.select(&selected);
            let places = places.after(state.segments.sealed_through().max(floor));
            for record in places.take_while(|place| *place <= through).filter_map(|place| state.recent.get(place)) {
                let events = u64::from(record.kind == Kind::Event);
                let bytes = state.history.cost_bytes(record) as u64;
                weights.push((record.sequence, Weight { events, bytes }));
            }
            (state.sealed(), floor, state.ended.contains(topic))
        };
        for segment in segments.iter().filter(|segment| segment.summary().last > floor) {
            let weight = weigh_in(segment, topic, floor, through).map_err(|error| cannot_read(&error))?;
            weights.extend(weight.map(|weight| (segment.summary().begins_at, weight)));
        }
        Ok((has_end || !weights.is_empty()).then_some(weights))
    }

    /// Where the earliest retained event on disk with this id of a publisher's stands.
    pub(crate) fn find_sealed_id(&self, raw: &str) -> Result<Option<Sequence>, EngineError> {
        let segments = self.state().sealed();
        for segment in segments.iter() {
            match self.find_id_in(segment, raw) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => return Err(cannot_read(&error)),
            }
        }
        Ok(None)
    }

    fn find_id_in(&self, segment: &Sealed, raw: &str) -> Result<Option<Sequence>, SegmentError> {
        if !segment.may_have_id(raw)? {
            return Ok(None);
        }
        let entries = segment.entries_at(&segment.find_id(raw)?)?;
        let retained_after = self.state().retained_after;
        for entry in entries.iter().filter(|entry| entry.sequence > retained_after) {
            let records = segment.read(std::slice::from_ref(entry))?;
            let state = self.state();
            let is_it =
                |record: &&Arc<Record>| record.id.as_str() == raw && state.is_retained(&record.topic, record.sequence);
            if let Some(record) = records.iter().find(is_it) {
                return Ok(Some(record.sequence));
            }
        }
        Ok(None)
    }

    /// The frame of an entry is not as it was written: nothing of its topic up to it is replayed from now on.
    pub(crate) fn on_damaged_frame(&self, segment: &Sealed, entry: &Entry, error: &SegmentError) {
        let topic = match segment.topic_numbered(entry.topic) {
            Ok(found) => found.topic,
            Err(error) => return self.on_lost_segment(segment, &error),
        };
        tracing::error!(%error, %topic, sequence = %entry.sequence, "an event is damaged: it and those before it on its topic are replayed no more");
        let weight = self.weigh(&topic, entry.sequence).ok().flatten().unwrap_or_default();
        self.state_mut().drop_damaged(&topic, entry.sequence, entry.committed_at, &weight);
    }
}

/// A disk could not be read. It stays so until somebody looks at it; what is in memory goes on.
pub(crate) fn cannot_read(error: &SegmentError) -> EngineError {
    tracing::error!(%error, "a part of the history cannot be read; `tidings data verify` says more");
    EngineError::Failed { cause: error.to_string().into() }
}

/// What the records of a topic after `floor` and up to `through` count for in one segment; `None` when there are none.
fn weigh_in(
    segment: &Sealed,
    topic: &Topic,
    floor: Sequence,
    through: Sequence,
) -> Result<Option<Weight>, SegmentError> {
    let Some(entry) = segment.topic(topic)? else { return Ok(None) };
    let mut from = segment.posting_from(&entry, segment.position_after(floor)?)?;
    let mut weight = None;
    while from < entry.records {
        let to = from.saturating_add(WEIGHED_AT_ONCE).min(entry.records);
        for entry in segment.entries_at(&segment.postings(&entry, from..to)?)? {
            if entry.kind == Kind::Deleted || entry.sequence > through {
                continue;
            }
            let weight: &mut Weight = weight.get_or_insert_default();
            weight.events += u64::from(entry.kind == Kind::Event);
            weight.bytes += u64::from(entry.cost_bytes);
        }
        from = to;
    }
    Ok(weight)
}
