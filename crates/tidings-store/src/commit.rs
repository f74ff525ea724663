//! Committing: what decides the order and writes the log. All that waits is written and synced at once, by the commit
//! thread; a publication that comes alone may be left to the thread that published it, which is spared two changes of
//! thread then.
//!
//! ```text
//! queue → staged: admitted, numbered, encoded → written → (synced) → seen by readers → acknowledged → listeners told
//! ```

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tidings_core::engine::check_id;
use tidings_core::history::Claim;
use tidings_core::{
    AppendError, Appended, EngineError, Epoch, IdempotencyKey, Kind, Position, Publication, Record, Sequence, Timestamp,
};
use tidings_topic::Topic;
use tidings_wire::EventId;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::frame::{Frame, StoredKey};
use crate::log::ActiveLog;
use crate::options::Durability;
use crate::queue::Request;
use crate::reserve::{self, Reserve};
use crate::shared::Shared;

/// So much is written at once; more waits for the next sync, so that the first are not kept waiting by the last.
const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// What a frame takes beside its data, for most.
const FRAME_BYTES_GUESSED: usize = 4096;

/// What whoever commits needs. Who has taken requests from the queue has it for as long: nobody waits for its lock.
pub(crate) struct Committer {
    pub shared: Arc<Shared>,
    pub log: ActiveLog,
    /// In `relaxed`: which sequences may be given out.
    pub reserve: Option<Reserve>,
}

/// A group of publications that is written at once.
#[derive(Default)]
struct Group {
    frames: Vec<u8>,
    /// So much before them in the log is perhaps not synced. Unit: bytes.
    unsynced_bytes: u64,
    records: Vec<Arc<Record>>,
    waiting: Vec<Staged>,
    /// What a later publication of the same group could run into: it waits for the next group.
    ids: HashSet<EventId>,
    ended: HashSet<Topic>,
    keys: HashSet<(Topic, IdempotencyKey)>,
    now: Timestamp,
    at: Timestamp,
}

/// A publication whose frames are in the group.
struct Staged {
    appended: Appended,
    claim: Option<(Claim, Timestamp)>,
    answer: oneshot::Sender<Result<Appended, AppendError>>,
    _permit: OwnedSemaphorePermit,
}

/// A group that readers can be given. Nobody has been told yet.
pub(crate) struct Committed {
    waiting: Vec<Staged>,
    /// Each once.
    topics: Vec<Topic>,
}

/// What becomes of a publication that asks to be in the group.
enum Admission {
    Staged(Option<Claim>),
    /// It depends on what is in the group already.
    NextGroup,
    /// It is answered at once.
    Answered(Result<Appended, AppendError>),
}

impl Committer {
    /// The commit thread: commits what the queue brings until it is closed.
    pub(crate) fn run(committer: &Mutex<Self>, shared: &Shared) {
        while let Some(mut taken) = shared.queue.take() {
            while !taken.requests.is_empty() && !shared.is_finished.load(Ordering::Acquire) {
                let group = lock(committer).commit_some(&mut taken.requests);
                if let Some(group) = group {
                    group.announce(shared); // which may come to a shard, so no lock is held
                }
            }
            taken.requests.clear(); // after the end nobody is answered
        }
        lock(committer).finish();
    }

    /// Commits what was left to this thread, but for what takes its time in any case.
    pub(crate) fn commit_left(committer: &Mutex<Self>, shared: &Shared) -> Option<Committed> {
        let mut taken = shared.queue.take_left()?;
        let mut committer = lock(committer);
        if committer.has_room_for(&taken.requests) { committer.commit_some(&mut taken.requests) } else { None }
    }

    /// Can these go into the log file that there is? As far as can be told before they are encoded.
    fn has_room_for(&self, requests: &VecDeque<Request>) -> bool {
        let bytes: usize = requests.iter().map(Request::data_bytes).sum();
        self.log.len() + (bytes + FRAME_BYTES_GUESSED) as u64 <= self.shared.options.segment_bytes as u64
    }

    /// Commits what can be one group, or does the one thing that stands for itself.
    fn commit_some(&mut self, requests: &mut VecDeque<Request>) -> Option<Committed> {
        let shared = Arc::clone(&self.shared);
        let _turn = shared.take_turn();
        let mut group = Group { unsynced_bytes: self.log.unsynced_bytes(), ..Group::default() };
        while group.frames.len() < GROUP_BYTES_MAX {
            if !matches!(requests.front(), Some(Request::Append { .. })) {
                break; // the others stand for themselves
            }
            let Some(Request::Append { publication, now, answer, permit }) = requests.pop_front() else { break };
            match self.admit(&publication, now, &group) {
                Admission::Answered(result) => drop(answer.send(result)),
                Admission::Staged(claim) => {
                    let claim = claim.map(|claim| (claim, now));
                    self.stage(*publication, now, claim, (answer, permit), &mut group);
                }
                Admission::NextGroup => {
                    requests.push_front(Request::Append { publication, now, answer, permit });
                    break;
                }
            }
        }
        if !group.waiting.is_empty() {
            return self.commit_group(group);
        }
        match requests.pop_front() {
            Some(Request::Delete { topic, now, answer }) => drop(answer.send(self.delete(topic, now))),
            Some(Request::Close { answer }) => {
                shared.queue.close();
                self.finish();
                let _ = answer.send(()); // nobody may wait any more
            }
            Some(append @ Request::Append { .. }) => requests.push_front(append),
            None => {}
        }
        None
    }

    fn admit(&self, publication: &Publication, now: Timestamp, group: &Group) -> Admission {
        match self.try_admit(publication, now, group) {
            Ok(admission) => admission,
            Err(error) => Admission::Answered(Err(error)),
        }
    }

    fn try_admit(&self, publication: &Publication, now: Timestamp, group: &Group) -> Result<Admission, AppendError> {
        check_id(publication)?;
        let claim = Claim::of(publication);
        if group.conflicts_with(publication) {
            return Ok(Admission::NextGroup);
        }
        if let Some(claim) = &claim {
            let mut state = self.shared.state_mut();
            state.keys.forget(now);
            if let Some(first_answer) = state.keys.find(claim)? {
                return Ok(Admission::Answered(Ok(first_answer)));
            }
        }
        self.shared.trim(now); // an id of an event that is too old is free
        {
            let state = self.shared.state();
            state.admit(publication)?;
            if claim.is_some() {
                state.keys.check_room(now)?;
                if state.keys.count() + group.keys.len() >= state.history.idempotency_keys_max {
                    return Ok(Admission::NextGroup); // then it is known whether there is room
                }
            }
        }
        if let Some(id) = publication.id.as_ref().filter(|_| !publication.takes_any_id)
            && self.shared.find_sealed_id(id.as_str())?.is_some()
        {
            return Err(AppendError::IdTaken { id: id.clone() });
        }
        self.shared.health.check()?;
        Ok(Admission::Staged(claim))
    }

    /// Gives the publication its place and puts its frames into the group.
    fn stage(
        &self,
        publication: Publication,
        now: Timestamp,
        claim: Option<(Claim, Timestamp)>,
        (answer, permit): (oneshot::Sender<Result<Appended, AppendError>>, OwnedSemaphorePermit),
        group: &mut Group,
    ) {
        group.now = group.now.max(now);
        group.at = self.shared.state().times.of_commit(now).max(group.at);
        group.ids.extend(publication.id.clone());
        group.keys.extend(publication.idempotency.clone().map(|key| (publication.topic.clone(), key)));
        let staged_before = group.records.len();
        let first = group.records.last().map_or(self.shared.tail().next(), |record| record.sequence.next());
        let fingerprint = claim.as_ref().map(|(claim, _)| claim.fingerprint());
        let (topic, ends) = (publication.topic.clone(), publication.ends_topic);
        if ends {
            group.ended.insert(topic.clone());
        }
        if ends && publication.data.is_empty() {
            let key = publication.idempotency.zip(fingerprint);
            let key = key.map(|(key, fingerprint)| StoredKey { key, fingerprint });
            group.put(Frame::of_topic(Kind::End, first, group.at, topic, key), self.shared.epoch);
        } else {
            group.put(Frame::event(first, group.at, publication, fingerprint), self.shared.epoch);
            if ends {
                let end = Frame::of_topic(Kind::End, first.next(), group.at, topic, None);
                group.put(end, self.shared.epoch);
            }
        }
        let id = group.records[staged_before].id.clone();
        let position = Position { epoch: self.shared.epoch, sequence: first };
        group.waiting.push(Staged {
            appended: Appended { position, id, is_repeat: false },
            claim,
            answer,
            _permit: permit,
        });
    }

    fn commit_group(&mut self, mut group: Group) -> Option<Committed> {
        if let Err(error) = self.write(&mut group.frames, &group.records) {
            for Staged { answer, .. } in group.waiting {
                drop(answer.send(Err(AppendError::Engine(error.clone()))));
            }
            return None;
        }
        let mut topics: Vec<Topic> = group.records.iter().flat_map(|record| record.topics().cloned()).collect();
        {
            let mut state = self.shared.state_mut();
            for record in group.records {
                state.push(record);
            }
            for Staged { appended, claim, .. } in &group.waiting {
                if let Some((claim, now)) = claim.clone() {
                    state.keys.keep(claim, appended.clone(), now);
                }
            }
            self.shared.set_tail(state.tail());
        }
        self.shared.trim(group.now);
        topics.sort_unstable();
        topics.dedup();
        Some(Committed { waiting: group.waiting, topics })
    }

    fn delete(&mut self, topic: Topic, now: Timestamp) -> Result<bool, EngineError> {
        self.shared.health.check()?;
        self.shared.trim(now);
        let Some(weight) = self.shared.weigh(&topic, self.shared.tail())? else { return Ok(false) };
        self.shared.state().check_room_for_deletion()?;
        let (place, at) = (self.shared.tail().next(), self.shared.state().times.of_commit(now));
        let mut frames = Vec::new();
        let mut frame = Frame::of_topic(Kind::Deleted, place, at, topic.clone(), None);
        frame.unsynced_bytes = self.log.unsynced_bytes();
        frame.encode(&mut frames);
        let record = Arc::new(frame.into_record(self.shared.epoch));
        self.write(&mut frames, std::slice::from_ref(&record))?;
        {
            let mut state = self.shared.state_mut();
            state.delete(&topic, place, &weight);
            state.push(record);
            self.shared.set_tail(state.tail());
        }
        self.shared.trim(now);
        self.shared.tell_listeners(&[topic], true);
        Ok(true)
    }

    /// Writes frames, as durable as configured. After an error none of them is there.
    fn write(&mut self, frames: &mut [u8], records: &[Arc<Record>]) -> Result<(), EngineError> {
        self.shared.disk.begin_commit(Instant::now());
        let written = self.try_to_write(frames, records);
        self.shared.disk.end_commit(Instant::now());
        if written.is_err() {
            self.shared.keeper.wake(); // it looks for room from now on
        }
        written
    }

    fn try_to_write(&mut self, frames: &mut [u8], records: &[Arc<Record>]) -> Result<(), EngineError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        self.shared.keeper.wait_until_sealed(&self.shared)?;
        if let Some(reserve) = &mut self.reserve {
            reserve.cover(last.sequence).map_err(|error| self.shared.health.refuse(&error, "reserve sequences"))?;
        }
        let is_full = self.log.len() + frames.len() as u64 > self.shared.options.segment_bytes as u64;
        if is_full && !self.log.is_empty() {
            self.begin_log(first.sequence)?;
        }
        if let Err(error) = self.log.write(frames) {
            let refusal = self.shared.health.refuse(&error, "write to the log");
            if self.log.is_broken() {
                return Err(self.shared.health.fail(&error, "take back what was written of a log"));
            }
            return Err(refusal);
        }
        match self.shared.options.durability {
            Durability::Sync => {
                // What a failed sync left on disk nobody can know, also not by another sync.
                self.log.sync().map_err(|error| self.shared.health.fail(&error, "sync the log"))?;
            }
            Durability::Relaxed => {
                if !self.shared.has_unsynced.swap(true, Ordering::AcqRel) {
                    self.shared.keeper.wake();
                }
            }
        }
        self.shared.health.is_well();
        Ok(())
    }

    /// The log file is full: begins the next one.
    fn begin_log(&mut self, first: Sequence) -> Result<(), EngineError> {
        let shared = &self.shared;
        let begin = || -> io::Result<ActiveLog> {
            if shared.options.durability == Durability::Relaxed {
                self.log.sync()?; // it is synced no more once another one is written
            }
            ActiveLog::create(&shared.layout, shared.epoch, first, shared.options.segment_bytes)
        };
        let log = begin().map_err(|error| shared.health.refuse(&error, "begin a log file"))?;
        let full = std::mem::replace(&mut self.log, log);
        if let Err(error) = full.finish() {
            tracing::warn!(%error, log = %full.path().display(), "the room taken ahead in a full log file stays taken");
        }
        shared.set_active_file(Arc::clone(self.log.file()));
        shared.state_mut().segments.begin(self.log.path().to_owned(), first);
        shared.keeper.wake();
        Ok(())
    }

    /// Leaves the directory as a start finds it quickest.
    pub(crate) fn finish(&mut self) {
        if self.shared.is_finished.swap(true, Ordering::AcqRel) {
            return;
        }
        if self.shared.health.has_failed() {
            return tracing::error!("the store has failed before, and is left as it is");
        }
        let end = || -> io::Result<()> {
            self.log.finish()?;
            self.shared.write_checkpoint()?;
            reserve::clear(&self.shared.layout.reserve())
        };
        if let Err(error) = end() {
            tracing::warn!(%error, "the store did not end in order: the next start reads its log again");
        }
    }
}

impl Committed {
    /// Answers the publishers and tells the listeners.
    pub(crate) fn announce(self, shared: &Shared) {
        let is_alone = self.waiting.len() == 1;
        // Publishers first: while they wake up, the shards are told and the next group gathers.
        for Staged { appended, answer, .. } in self.waiting {
            drop(answer.send(Ok(appended)));
        }
        shared.tell_listeners(&self.topics, is_alone);
    }
}

impl Group {
    fn conflicts_with(&self, publication: &Publication) -> bool {
        let key = |key: &IdempotencyKey| (publication.topic.clone(), key.clone());
        publication.id.as_ref().is_some_and(|id| !publication.takes_any_id && self.ids.contains(id))
            || publication.topics().any(|topic| self.ended.contains(topic))
            || publication.idempotency.as_ref().map(key).is_some_and(|key| self.keys.contains(&key))
    }

    fn put(&mut self, mut frame: Frame, epoch: Epoch) {
        // Where these frames begin the next file this is too much, and all before them there is synced in any case.
        frame.unsynced_bytes = self.unsynced_bytes + self.frames.len() as u64;
        frame.encode(&mut self.frames);
        self.records.push(Arc::new(frame.into_record(epoch)));
    }
}

fn lock(committer: &Mutex<Committer>) -> MutexGuard<'_, Committer> {
    committer.lock().unwrap_or_else(PoisonError::into_inner)
}
