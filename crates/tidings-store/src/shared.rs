//! What the threads of a store have in common.
//!
//! Locks, in their order: the committer, for which nobody ever waits, the turn, the front of trimming, that of checkpoints,
//! the state. Under that of checkpoints and by who commits a disk is written; under the turn and the front it may be read.

use std::collections::HashSet;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use tidings_core::engine::{DiskUsage, Listeners};
use tidings_core::{EngineError, Epoch, Kind, Position, Rarely, Sequence, Timestamp};
use tidings_topic::{SelectorSet, Topic};
use tokio::sync::Semaphore;

use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::front::read_front;
use crate::health::Health;
use crate::keeper::Keeper;
use crate::layout::Layout;
use crate::lock::DirectoryLock;
use crate::log::SyncedFile;
use crate::options::StoreOptions;
use crate::queue::Queue;
use crate::readers::Readers;
use crate::segment::{Entry, Sealed, SegmentError, TopicEntry, TopicNames};
use crate::state::{State, Trimmed, Weighed, Weight};

/// One store, as its threads see it.
pub(crate) struct Shared {
    pub options: StoreOptions,
    pub layout: Layout,
    pub epoch: Epoch,
    pub queue: Queue,
    /// What may wait in the queue, in KiB and a little for each publication.
    pub room: Arc<Semaphore>,
    pub health: Health,
    pub disk: Disk,
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
    /// Whoever writes a checkpoint has it: the file in its making has one name, and a newer one must not give way to an
    /// older. For nothing else, so it may be held while the disk is written.
    checkpointing: Mutex<()>,
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
            disk: Disk::default(),
            keeper: Keeper::default(),
            readers: Readers::default(),
            has_unsynced: AtomicBool::new(false),
            is_finished: AtomicBool::new(false),
            state: RwLock::new(state),
            tail: AtomicU64::new(tail.0),
            turn: Mutex::new(()),
            trimming: Mutex::new(()),
            checkpointing: Mutex::new(()),
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

    /// Tells on disk what is known now, once all of it is safe there. Answers the place after which all is retained by that.
    ///
    /// # Errors
    /// What the system says; the checkpoint before is still there then.
    pub(crate) fn write_checkpoint(&self) -> io::Result<Sequence> {
        let _checkpointing = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        let (checkpoint, retained_after) = {
            let state = self.state();
            (Checkpoint::of(&state, self.epoch), state.retained_after)
        };
        if self.has_unsynced.load(Ordering::Acquire) {
            self.active_file().sync()?;
        }
        checkpoint.write(&self.layout.checkpoint())?;
        Ok(retained_after)
    }

    /// Tells of a commit. `topics`: each once. A single one may be delivered on this thread, if nobody waits behind it.
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
                Trimmed::NeedsAlternates(place) => {
                    let alternates = self.alternates_at(place);
                    self.state_mut().trim_pending(alternates.as_deref(), now);
                }
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

    /// What its directory takes of the disk. What cannot be asked now is 0.
    pub(crate) fn disk_usage(&self) -> DiskUsage {
        let files = std::fs::read_dir(self.layout.segments()).into_iter().flatten().flatten();
        let lengths: Vec<u64> = files.filter_map(|file| Some(file.metadata().ok()?.len())).collect();
        let (free_bytes, size_bytes) = rustix::fs::statvfs(self.layout.root()).map_or((0, 0), |disk| {
            (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize))
        });
        DiskUsage {
            bytes: lengths.iter().sum(),
            files: lengths.len(),
            free_bytes,
            size_bytes,
            waiting_bytes: 1024 * (WAITING_KIB_MAX - self.room.available_permits().min(WAITING_KIB_MAX)) as u64,
            waiting_bytes_max: 1024 * WAITING_KIB_MAX as u64,
            commit_time: self.disk.commit_time.counts(),
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

    /// Is a record found under this topic? Mostly the last one tells; some of those of which it is an alternate topic may have
    /// gone with their own.
    fn has_retained(&self, segment: &Sealed, topic: &TopicEntry) -> bool {
        let mut topics = TopicNames::of(segment);
        let mut end = topic.records;
        while end > 0 {
            let from = if end == topic.records { end - 1 } else { end.saturating_sub(WEIGHED_AT_ONCE) };
            let entries = segment.postings(topic, from..end).and_then(|indices| segment.entries_at(&indices));
            for entry in entries.unwrap_or_default().iter().rev() {
                let Ok(canonical) = topics.name(entry.topic) else { return false };
                let state = self.state();
                if state.is_retained(canonical, entry.sequence) {
                    return true;
                }
                if entry.sequence <= state.retained_after {
                    return false;
                }
            }
            end = from;
        }
        false
    }

    /// The other topics of the record at `place`, which is on disk; `None` when they cannot be known.
    fn alternates_at(&self, place: Sequence) -> Option<Box<[Topic]>> {
        let segments = self.state().sealed();
        let find = || -> Result<Option<Box<[Topic]>>, SegmentError> {
            let Some(segment) = segments.iter().find(|segment| segment.summary().last >= place) else {
                return Ok(None);
            };
            let index = segment.position_after(place.previous())?;
            let entries = segment.entries(index..index.saturating_add(1))?;
            match entries.first().filter(|entry| entry.sequence == place) {
                Some(entry) => segment.alternates_of(entry).map(Some),
                None => Ok(None),
            }
        };
        find().unwrap_or_else(|error| {
            static SAID: Rarely = Rarely::new();
            if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                tracing::error!(%error, sequence = %place, unsaid_before, "the topics of an event that is trimmed cannot be read: readers of all topics are told");
            }
            None
        })
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
        static SAID: Rarely = Rarely::new();
        if let Some(unsaid_before) = SAID.admit(Instant::now()) {
            tracing::error!(%error, unsaid_before, "a part of the history cannot be read: what is in it and before it is replayed no more");
        }
        self.state_mut().skip_through(segment.summary());
    }

    /// What the retained records up to `through` count for whose canonical topic this is. `None`: there are none, and no end
    /// either.
    pub(crate) fn weigh(&self, topic: &Topic, through: Sequence) -> Result<Option<Weighed>, EngineError> {
        let mut weighed = Weighed::new(self.options.history.marks_max);
        // What memory has and what the segments have is asked at one moment, for records go from the one to the others.
        let (segments, floor, has_end) = {
            let state = self.state();
            let dropped = state.dropped.get(topic).map_or(Sequence::ZERO, |(through, ())| *through);
            let floor = state.retained_after.max(dropped);
            let selected = SelectorSet::one(topic.clone());
            let places = state.recent.topics.select(&selected);
            let places = places.after(state.segments.sealed_through().max(floor));
            let records = places.take_while(|place| *place <= through).filter_map(|place| state.recent.get(place));
            for record in records.filter(|record| record.topic == *topic) {
                let events = u64::from(record.kind == Kind::Event);
                let bytes = state.history.cost_bytes(record) as u64;
                weighed.parts.push((record.sequence, Weight { events, bytes }));
                weighed.add_alternates(&record.alternates, record.sequence);
            }
            (state.sealed(), floor, state.ended.contains(topic))
        };
        for segment in segments.iter().filter(|segment| segment.summary().last > floor) {
            let weight =
                weigh_in(segment, topic, floor..=through, &mut weighed).map_err(|error| cannot_read(&error))?;
            weighed.parts.extend(weight.map(|weight| (segment.summary().begins_at, weight)));
        }
        Ok((has_end || !weighed.parts.is_empty()).then_some(weighed))
    }

    /// Where the earliest retained event on disk with this id of a publisher's stands.
    pub(crate) fn find_sealed_id(&self, raw: &str) -> Result<Option<Sequence>, EngineError> {
        let segments = self.state().sealed();
        let is_own_form = Position::parse(raw).is_some();
        for segment in segments.iter().filter(|segment| !is_own_form || segment.summary().has_own_form_ids) {
            match self.find_id_in(segment, raw) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => return Err(cannot_read(&error)),
            }
        }
        Ok(None)
    }

    fn find_id_in(&self, segment: &Sealed, raw: &str) -> Result<Option<Sequence>, SegmentError> {
        let mut topics = TopicNames::of(segment);
        segment.find_id(raw, |indices| {
            for entry in segment.entries_at(indices)? {
                let topic = topics.name(entry.topic)?;
                // Asked before and after: many that have the id may be gone, and it may go while it is read.
                let is_retained = || self.state().is_retained(topic, entry.sequence);
                if is_retained()
                    && segment.read(&[entry])?.iter().any(|record| record.id.as_str() == raw)
                    && is_retained()
                {
                    return Ok(Some(entry.sequence));
                }
            }
            Ok(None)
        })
    }

    /// The frame of an entry is not as it was written: nothing of its topic up to it is replayed from now on.
    pub(crate) fn on_damaged_frame(&self, segment: &Sealed, entry: &Entry, error: &SegmentError, now: Timestamp) {
        static SAID: Rarely = Rarely::new();
        let topic = match segment.topic_numbered(entry.topic) {
            Ok(found) => found.topic,
            Err(error) => return self.on_lost_segment(segment, &error),
        };
        if let Some(unsaid_before) = SAID.admit(Instant::now()) {
            tracing::error!(%error, %topic, sequence = %entry.sequence, unsaid_before, "an event is damaged: it and those before it on its topic are replayed no more");
        }
        let weighed = self.weigh(&topic, entry.sequence).ok().flatten().unwrap_or_else(|| Weighed::new(0));
        self.state_mut().drop_damaged(&topic, entry, &weighed);
        self.trim(now);
    }
}

/// A disk could not be read. It stays so until somebody looks at it; what is in memory goes on.
pub(crate) fn cannot_read(error: &SegmentError) -> EngineError {
    static SAID: Rarely = Rarely::new();
    if let Some(unsaid_before) = SAID.admit(Instant::now()) {
        tracing::error!(%error, unsaid_before, "a part of the history cannot be read; `tidings data verify` says more");
    }
    EngineError::Failed { cause: error.to_string().into() }
}

/// What the records of a topic after a place and up to another count for in one segment; `None` when there are none. Their
/// other topics go into `weighed`.
fn weigh_in(
    segment: &Sealed,
    topic: &Topic,
    places: RangeInclusive<Sequence>,
    weighed: &mut Weighed,
) -> Result<Option<Weight>, SegmentError> {
    let Some(topic) = segment.topic(topic)? else { return Ok(None) };
    let mut from = segment.posting_from(&topic, segment.position_after(*places.start())?)?;
    let mut weight = None;
    while from < topic.records {
        let to = from.saturating_add(WEIGHED_AT_ONCE).min(topic.records);
        let mut entries = segment.entries_at(&segment.postings(&topic, from..to)?)?;
        entries.retain(|entry| {
            entry.topic == topic.number && entry.kind != Kind::Deleted && entry.sequence <= *places.end()
        });
        match segment.alternates(&entries, |entry, alternates| weighed.add_alternates(&alternates, entry.sequence)) {
            Err(SegmentError::Damaged { .. }) => {
                let last = entries.last().map_or(Sequence::ZERO, |last| last.sequence);
                weighed.unknown_through = weighed.unknown_through.max(last);
            }
            read => read?,
        }
        for entry in entries {
            let weight: &mut Weight = weight.get_or_insert_default();
            weight.events += u64::from(entry.kind == Kind::Event);
            weight.bytes += u64::from(entry.cost_bytes);
        }
        from = to;
    }
    Ok(weight)
}
