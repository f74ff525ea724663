//! A start: what stands in the directory becomes the state again, and what a crash left half done is put right.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidings_core::history::{Bounded, Claim, Mark};
use tidings_core::{Appended, Epoch, Kind, Position, Record, Sequence, Timestamp};

use crate::checkpoint::Checkpoint;
use crate::commit::Committer;
use crate::frame::{FORMAT_VERSION, Frame, SegmentHeader, StoredKey};
use crate::layout::{self, Layout};
use crate::lock::DirectoryLock;
use crate::log::ActiveLog;
use crate::options::{Durability, OpenError, StoreOptions};
use crate::recent::Recent;
use crate::reserve::{self, Reserve};
use crate::segment::{self, Entry, LogScan, ScanEnd, Sealed, SegmentError, Step};
use crate::shared::Shared;
use crate::state::State;

/// What the newest log file held.
struct Newest {
    path: PathBuf,
    /// Its good frames, one after the other.
    frames: Vec<Frame>,
    /// Where they end in the file.
    len: u64,
    /// Frames before these are lost: the file is damaged, and these are to be written anew.
    damaged_through: Option<Sequence>,
}

/// Opens the history in a directory, or begins one there.
pub(crate) fn recover(options: StoreOptions) -> Result<(Arc<Shared>, Committer), OpenError> {
    let began = Instant::now();
    let layout = Layout::new(&options.directory);
    fs::create_dir_all(layout.segments()).map_err(OpenError::io("cannot create", layout.segments()))?;
    let lock = DirectoryLock::take(layout.root())?;
    segment::remove_leftovers(&layout.segments())?;
    let logs = segment::list_logs(&layout.segments())?;
    let checkpoint = Checkpoint::read(&layout.checkpoint())?;
    let epoch = epoch_of(&layout, &logs, checkpoint.as_ref())?.or(options.new_epoch).unwrap_or_else(epoch_of_now);

    let (full, newest) = match logs.split_last() {
        Some((newest, full)) => (full, Some(newest)),
        None => (&[][..], None),
    };
    let mut sealed = Vec::new();
    let mut damaged_through = Sequence::ZERO;
    for (nth, log) in full.iter().enumerate() {
        match open_full(log, epoch, &options) {
            Ok(Some(segment)) => sealed.push(Arc::new(segment)),
            Ok(None) => {}
            Err(error) => {
                // Its frames cannot be told from what is missing, so nothing before the next file is replayed.
                tracing::error!(%error, "a log file is damaged: the history begins after it");
                let next = logs.get(nth + 1).and_then(|next| header_of(next).ok());
                damaged_through = next.map_or(damaged_through, |next| next.first.previous());
                put_aside(&layout, log)?;
            }
        }
    }
    let newest = newest.map(|log| read_newest(log, epoch)).transpose()?.flatten();

    // Memory begins where the newest log file does.
    let newest_first = newest.as_ref().and_then(|newest| newest.frames.first()).map(|frame| frame.sequence.previous());
    let checkpoint_tail = checkpoint.as_ref().and_then(Checkpoint::head).map_or(Sequence::ZERO, |(_, tail)| tail);
    let sealed_tail = sealed.last().map_or(Sequence::ZERO, |segment| segment.summary().last);
    let recent_start = newest_first.unwrap_or_else(|| sealed_tail.max(checkpoint_tail));
    let mut state = State::new(&options.history, recent_start);
    state.retained_after = sealed.first().map_or(recent_start, |first| first.summary().begins_at.previous());
    for segment in &sealed {
        state.segments.add_sealed(Arc::clone(segment));
    }
    let (is_restored, state) = restore(state, checkpoint.as_ref(), epoch, &options, recent_start, &sealed);
    let mut state = state;
    damaged_through = damaged_through.max(newest.as_ref().and_then(|newest| newest.damaged_through).unwrap_or_default());
    if damaged_through > state.damaged_through {
        state.damaged_through = damaged_through;
        state.retained_after = state.retained_after.max(damaged_through.min(state.tail()));
        state.marks.raise_floor(Mark { sequence: damaged_through, at: state.times.latest() });
    }
    let applied_through = if is_restored { checkpoint_tail } else { Sequence::ZERO };

    let log = match &newest {
        Some(newest) => reopen(&layout, epoch, newest, &options)?,
        None => create(&layout, epoch, recent_start.next(), &options)?,
    };
    let log_first = newest.as_ref().map_or(recent_start.next(), |newest| header_first(newest, recent_start));
    state.segments.begin(log.path().to_owned(), log_first);
    let shared = Shared::new(options, layout, epoch, state, Arc::clone(log.file()), lock);
    restore_bounded(&shared, &sealed, applied_through)?;
    for segment in sealed.iter().filter(|segment| segment.summary().last > applied_through) {
        replay_sealed(&shared, segment.log(), applied_through)?;
    }
    for frame in newest.into_iter().flat_map(|newest| newest.frames) {
        let is_applied = frame.sequence <= applied_through;
        apply(&shared, frame, is_applied, true)?;
    }
    shared.set_tail(shared.state().tail());

    let log = pass_over_the_lost(&shared, log, checkpoint_tail)?;
    let reserve = begin_reserve(&shared)?;
    {
        let state = shared.state();
        tracing::info!(
            directory = %shared.layout.root().display(), %epoch, events = state.events, bytes = state.bytes,
            tail = %state.tail(), ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "history opened"
        );
    }
    let shared = Arc::new(shared);
    Ok((Arc::clone(&shared), Committer { shared, log, reserve }))
}

/// The epoch of what is there.
fn epoch_of(layout: &Layout, logs: &[PathBuf], checkpoint: Option<&Checkpoint>) -> Result<Option<Epoch>, OpenError> {
    let from_checkpoint = checkpoint.and_then(Checkpoint::head).map(|(epoch, _)| epoch);
    let mut epoch = from_checkpoint;
    for log in logs {
        match header_of(log) {
            Ok(header) if epoch.is_some_and(|epoch| epoch != header.epoch) => {
                let what = "it belongs to another history than the rest of the directory".to_owned();
                return Err(OpenError::Damaged { path: log.clone(), what });
            }
            Ok(header) => epoch = Some(header.epoch),
            Err(SegmentError::Version { path, found, known }) => return Err(OpenError::Version { path, found, known }),
            Err(SegmentError::Io { path, source }) => return Err(OpenError::io("cannot read", path)(source)),
            Err(_) => {} // looked at when it is read whole
        }
    }
    if epoch.is_none() && !logs.is_empty() {
        let what = "no log file has a head that can be read".to_owned();
        return Err(OpenError::Damaged { path: layout.segments(), what });
    }
    Ok(epoch)
}

fn epoch_of_now() -> Epoch {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Epoch::from_unix_micros(u64::try_from(began.as_micros()).unwrap_or(u64::MAX))
}

fn header_of(log: &Path) -> Result<SegmentHeader, SegmentError> {
    LogScan::open(log).map(|scan| scan.header())
}

/// A log file that is full: as it was sealed, or sealed now. Nothing when it holds nothing.
fn open_full(log: &Path, epoch: Epoch, options: &StoreOptions) -> Result<Option<Sealed>, SegmentError> {
    match Sealed::open(log) {
        Ok(sealed) => return Ok(Some(sealed)),
        Err(SegmentError::BadIndex { .. } | SegmentError::Damaged { .. }) => {}
        Err(error) => return Err(error),
    }
    match Sealed::seal(log, epoch, &options.history) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(SegmentError::Blank { path }) => {
            fs::remove_file(&path).map_err(SegmentError::io(&path))?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads the newest log file. Nothing when it was never written to.
fn read_newest(log: &Path, epoch: Epoch) -> Result<Option<Newest>, OpenError> {
    let mut scan = match LogScan::open(log) {
        Ok(scan) => scan,
        Err(SegmentError::Blank { path }) => {
            fs::remove_file(&path).map_err(OpenError::io("cannot remove", &path))?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    if scan.header().epoch != epoch {
        let what = "it belongs to another history than the rest of the directory".to_owned();
        return Err(OpenError::Damaged { path: log.to_owned(), what });
    }
    let mut newest = Newest { path: log.to_owned(), frames: Vec::new(), len: 0, damaged_through: None };
    loop {
        match scan.step()? {
            Step::Frame(scanned) => newest.frames.push(scanned.frame),
            Step::End(ScanEnd::Clean { offset }) => {
                newest.len = offset;
                return Ok(Some(newest));
            }
            Step::End(ScanEnd::Torn { offset, bytes }) => {
                tracing::warn!(log = %log.display(), offset, bytes, "the last write was not finished and is cut off: it was never acknowledged");
                newest.len = offset;
                return Ok(Some(newest));
            }
            Step::End(ScanEnd::Damaged { offset, next_good: Some(good) }) => {
                tracing::error!(
                    log = %log.display(), offset, next = good.offset, next_sequence = %good.sequence,
                    "the log is damaged: the history begins after the damage"
                );
                newest.frames.clear();
                newest.damaged_through = Some(good.sequence.previous());
                scan.go_on_at(good);
            }
            Step::End(ScanEnd::Damaged { offset, next_good: None }) => {
                tracing::error!(log = %log.display(), offset, "the log is damaged at its end, which is cut off");
                newest.len = offset;
                newest.damaged_through.get_or_insert(Sequence::ZERO);
                return Ok(Some(newest));
            }
        }
    }
}

/// The state as the checkpoint has it; else as new, with all that is before the first log file gone.
fn restore(
    mut state: State,
    checkpoint: Option<&Checkpoint>,
    epoch: Epoch,
    options: &StoreOptions,
    recent_start: Sequence,
    sealed: &[Arc<Sealed>],
) -> (bool, State) {
    let Some(checkpoint) = checkpoint else {
        if state.retained_after > Sequence::ZERO {
            // Of what was before, nobody knows which topics it concerned.
            state.marks.raise_floor(Mark { sequence: state.retained_after, at: Timestamp::default() });
            state.marks.raise_deleted_floor(state.retained_after);
        }
        return (false, state);
    };
    if checkpoint.restore(&mut state, epoch).is_some() {
        return (true, state);
    }
    tracing::error!("the checkpoint cannot be used: the whole log is read instead");
    let mut fresh = State::new(&options.history, recent_start);
    fresh.retained_after = state.retained_after;
    for segment in sealed {
        fresh.segments.add_sealed(Arc::clone(segment));
    }
    restore(fresh, None, epoch, options, recent_start, sealed)
}

/// The newest log file, to be written on; its good frames in a file of their own where it is damaged.
fn reopen(layout: &Layout, epoch: Epoch, newest: &Newest, options: &StoreOptions) -> Result<ActiveLog, OpenError> {
    if newest.damaged_through.is_none() {
        return ActiveLog::resume(&newest.path, newest.len, options.segment_bytes)
            .map_err(OpenError::io("cannot write to", &newest.path));
    }
    let first = header_first(newest, Sequence::ZERO);
    put_aside(layout, &newest.path)?;
    let mut log = create(layout, epoch, first, options)?;
    let mut frames = Vec::new();
    newest.frames.iter().for_each(|frame| frame.encode(&mut frames));
    let written = log.write(&frames).and_then(|()| log.sync());
    written.map_err(OpenError::io("cannot write to", log.path()))?;
    Ok(log)
}

fn create(layout: &Layout, epoch: Epoch, first: Sequence, options: &StoreOptions) -> Result<ActiveLog, OpenError> {
    ActiveLog::create(layout, epoch, first, options.segment_bytes)
        .map_err(OpenError::io("cannot begin a log file", layout.log(first)))
}

fn header_first(newest: &Newest, otherwise: Sequence) -> Sequence {
    match newest.frames.first() {
        Some(first) => first.sequence,
        None => layout::first_of(&newest.path).unwrap_or(otherwise.next()),
    }
}

/// A damaged file is kept for whoever can make something of it.
fn put_aside(layout: &Layout, log: &Path) -> Result<(), OpenError> {
    let directory = layout.root().join("damaged");
    fs::create_dir_all(&directory).map_err(OpenError::io("cannot create", &directory))?;
    let aside = directory.join(log.file_name().unwrap_or_default());
    fs::rename(log, &aside).map_err(OpenError::io("cannot put aside", log))?;
    drop(fs::remove_file(segment::index_path(log))); // it may not be there, and is of no use
    tracing::warn!(log = %log.display(), aside = %aside.display(), "put aside; nothing cleans that directory up");
    Ok(())
}

/// What the checkpoint counts as kept under the bounds of single topics, from the indices of the sealed segments.
fn restore_bounded(shared: &Shared, sealed: &[Arc<Sealed>], applied_through: Sequence) -> Result<(), OpenError> {
    if shared.state().bounded.is_empty() {
        return Ok(());
    }
    for segment in sealed {
        let topics = {
            let state = shared.state();
            segment.topics_where(|topic| {
                tidings_topic::Topic::parse(topic).is_ok_and(|topic| state.bounded.bounds_of(&topic).is_some())
            })?
        };
        for topic in topics {
            let entries = segment.entries_at(&segment.postings(&topic, 0..topic.records)?)?;
            let mut state = shared.state_mut();
            for entry in entries {
                if entry.sequence <= applied_through && state.is_retained(&topic.topic, entry.sequence) {
                    let Entry { sequence, committed_at, expires_at, cost_bytes, kind, .. } = entry;
                    let bounded = Bounded::new(sequence, committed_at, expires_at, cost_bytes, kind);
                    state.bounded.restore(&topic.topic, bounded);
                }
            }
        }
    }
    Ok(())
}

/// The effects of a sealed segment's records that the checkpoint does not know.
fn replay_sealed(shared: &Shared, log: &Path, applied_through: Sequence) -> Result<(), OpenError> {
    let mut scan = LogScan::open(log)?;
    while let Step::Frame(scanned) = scan.step()? {
        if scanned.frame.sequence > applied_through {
            apply(shared, scanned.frame, false, false)?;
        }
    }
    Ok(())
}

/// Takes a record of the log into the state. `is_applied`: the checkpoint knows what it did.
fn apply(shared: &Shared, mut frame: Frame, is_applied: bool, is_recent: bool) -> Result<(), OpenError> {
    let (key, at) = (frame.key.take(), frame.committed_at);
    let record = Arc::new(frame.into_record(shared.epoch));
    if !is_applied {
        shared.trim(at); // as it was trimmed then: what is trimmed later depends on it
        if record.kind == Kind::Deleted {
            let weight = shared.weigh(&record.topic, record.sequence).map_err(|error| OpenError::Damaged {
                path: shared.layout.segments(),
                what: error.to_string(),
            })?;
            shared.state_mut().delete(&record.topic, record.sequence, &weight.unwrap_or_default());
        }
        if let Some(StoredKey { key, fingerprint }) = key {
            let position = Position { epoch: shared.epoch, sequence: record.sequence };
            let answer = Appended { position, id: record.id.clone(), is_repeat: false };
            shared.state_mut().keys.keep(Claim::stored(record.topic.clone(), key, fingerprint), answer, at);
        }
        shared.state_mut().account(&record);
    }
    remember(&mut shared.state_mut(), record, is_recent);
    if !is_applied {
        shared.trim(at);
    }
    Ok(())
}

/// Puts a record into what memory has of it, retained or not.
fn remember(state: &mut State, record: Arc<Record>, is_recent: bool) {
    let place = record.sequence;
    let is_retained = state.is_retained(&record.topic, place);
    if is_retained {
        let cost = state.history.cost_bytes(&record);
        state.bounded.push(&record, cost);
    }
    if is_recent {
        state.recent.push(record);
        if !is_retained {
            state.recent.retire(place);
        }
    }
}

/// Sequences that may have been given out and are not in the log are never used again.
fn pass_over_the_lost(shared: &Shared, log: ActiveLog, checkpoint_tail: Sequence) -> Result<ActiveLog, OpenError> {
    let tail = shared.tail();
    let boot_id = shared.options.boot_id.as_deref();
    let reserved = Reserve::left_behind(&shared.layout.reserve(), boot_id).unwrap_or_default();
    let through = reserved.max(checkpoint_tail);
    if through <= tail {
        return Ok(log);
    }
    if checkpoint_tail > tail {
        tracing::error!(log_ends = %tail, known = %checkpoint_tail, "events that were acknowledged are missing from the end of the log");
    } else {
        tracing::warn!(log_ends = %tail, reserved = %reserved, "the machine lost power in relaxed durability: the last events before that may be lost; readers that had them are told");
    }
    {
        let mut state = shared.state_mut();
        state.holes.add(tail.next(), through);
        if state.retained_after == tail {
            state.retained_after = through; // nothing is retained, and the hole is nothing
        }
    }
    let log = begin_anew(shared, log, through)?;
    let checkpoint = Checkpoint::of(&shared.state(), shared.epoch);
    let path = shared.layout.checkpoint();
    checkpoint.write(&path).map_err(OpenError::io("cannot write", &path))?;
    Ok(log)
}

/// Seals the log file that was written last, and begins one for what comes after `tail`.
pub(crate) fn begin_anew(shared: &Shared, full: ActiveLog, tail: Sequence) -> Result<ActiveLog, OpenError> {
    full.finish().map_err(OpenError::io("cannot write to", full.path()))?;
    let path = full.path().to_owned();
    if full.is_empty() {
        fs::remove_file(&path).map_err(OpenError::io("cannot remove", &path))?;
        shared.state_mut().segments.forget_open();
    } else {
        let sealed = Sealed::seal(&path, shared.epoch, &shared.options.history)?;
        shared.state_mut().segments.on_sealed(Arc::new(sealed));
    }
    let log = create(&shared.layout, shared.epoch, tail.next(), &shared.options)?;
    {
        let mut state = shared.state_mut();
        state.recent = Recent::after(tail);
        state.segments.begin(log.path().to_owned(), tail.next());
    }
    shared.set_tail(tail);
    shared.set_active_file(Arc::clone(log.file()));
    Ok(log)
}

fn begin_reserve(shared: &Shared) -> Result<Option<Reserve>, OpenError> {
    let path = shared.layout.reserve();
    match shared.options.durability {
        Durability::Sync => {
            reserve::clear(&path).map_err(OpenError::io("cannot remove", &path))?;
            Ok(None)
        }
        Durability::Relaxed => {
            let boot_id = shared.options.boot_id.clone();
            let reserve = Reserve::begin(path.clone(), boot_id, shared.tail());
            Ok(Some(reserve.map_err(OpenError::io("cannot write", &path))?))
        }
    }
}

impl From<SegmentError> for OpenError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Io { path, source } => Self::Io { doing: "cannot read", path, source },
            SegmentError::Version { path, found, known } => Self::Version { path, found, known },
            SegmentError::Damaged { path, offset, what } => {
                Self::Damaged { path, what: format!("at byte {offset}: {what}") }
            }
            SegmentError::BadIndex { path, what } => Self::Damaged { path, what: what.to_owned() },
            SegmentError::Blank { path } => Self::Damaged { path, what: "it was never written to".to_owned() },
            SegmentError::Foreign { path, found, expected } => {
                Self::Damaged { path, what: format!("it belongs to the epoch {found}, not {expected}") }
            }
        }
    }
}

const _: () = assert!(FORMAT_VERSION == 1, "a new version needs a way from the old one");
