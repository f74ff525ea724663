//! A start: what stands in the directory becomes the state again, and what a crash left half done is put right.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidings_core::history::{Bounded, Claim, Mark};
use tidings_core::{Appended, Epoch, Kind, Position, Record, Sequence, Timestamp};

use crate::aside;
use crate::checkpoint::Checkpoint;
use crate::commit::Committer;
use crate::frame::{Frame, StoredKey};
use crate::header::{FORMAT_VERSION, SegmentHeader};
use crate::layout::Layout;
use crate::lock::DirectoryLock;
use crate::lost::{Lost, create_log, recount, write_checkpoint};
use crate::newest::Newest;
use crate::options::{Durability, OpenError, StoreOptions};
use crate::reserve::{self, Reserve};
use crate::segment::{self, Entry, LogScan, Sealed, SegmentError, Step};
use crate::shared::Shared;
use crate::state::{State, Weighed};

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
        // Nothing is written into a file that was written anew: its records have places that are not one after the other.
        Some((newest, full)) if header_of(newest).is_ok_and(|header| header.ends_at.is_none()) => (full, Some(newest)),
        _ => (&*logs, None),
    };
    let mut sealed = Vec::new();
    let (mut damaged_logs, mut damaged_through, mut has_lost_end) = (Vec::new(), Sequence::ZERO, false);
    for (nth, log) in full.iter().enumerate() {
        match open_full(log, epoch, &options) {
            Ok(Some(segment)) => sealed.push(Arc::new(segment)),
            Ok(None) => {}
            Err(error @ SegmentError::Damaged { .. }) => {
                // Its frames cannot be told from what is missing, so nothing before the next file is replayed.
                tracing::error!(%error, "a log file is damaged: the history begins after it");
                if let Some(next) = logs.get(nth + 1).and_then(|next| header_of(next).ok()) {
                    damaged_through = next.first.previous();
                    damaged_logs.push(log.clone());
                } else {
                    has_lost_end = true;
                    put_aside(&layout, log)?; // a log that is begun may have its name
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    let safe_through = checkpoint.as_ref().and_then(Checkpoint::head).map_or(Sequence::ZERO, |(_, tail)| tail);
    let newest = newest.map(|log| Newest::read(log, epoch, safe_through)).transpose()?.flatten();

    // Memory begins where the newest log file does.
    let sealed_through = sealed.last().map_or(Sequence::ZERO, |segment| segment.summary().ends_at);
    let recent_start = newest.as_ref().map_or(sealed_through, |newest| newest.begins_after().max(sealed_through));
    let mut state = State::new(&options.history, recent_start);
    state.retained_after = sealed.first().map_or(recent_start, |first| first.summary().begins_at.previous());
    for segment in &sealed {
        state.segments.add_sealed(Arc::clone(segment));
    }
    let (is_restored, mut state) = restore(state, checkpoint.as_ref(), epoch, &options, recent_start, &sealed);
    let damaged_in_newest = newest.as_ref().and_then(|newest| newest.damaged_through);
    damaged_through = damaged_through.max(damaged_in_newest.unwrap_or_default());
    if damaged_through > state.damaged_through {
        state.begin_after_damage(damaged_through);
    }
    let applied_through = if is_restored { safe_through } else { Sequence::ZERO };
    has_lost_end |= newest.as_ref().is_some_and(|newest| newest.has_lost_end);

    let log = match &newest {
        Some(newest) => newest.reopen(&layout, &options)?,
        None => create_log(&layout, epoch, recent_start.next(), &options)?,
    };
    state.segments.begin(log.path().to_owned(), recent_start.next());
    damaged_logs.extend(newest.as_ref().map(|newest| newest.path.clone()).filter(|path| path != log.path()));
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

    if damaged_through > Sequence::ZERO {
        recount(&shared, &sealed)?;
        write_checkpoint(&shared)?; // once the damaged files are gone, nothing else tells of the damage
        damaged_logs.iter().try_for_each(|log| put_aside(&shared.layout, log))?;
    }
    let log = Lost::find(&shared, safe_through, has_lost_end).pass_over(&shared, log, &sealed)?;
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
        Ok(sealed) if sealed.summary().records > 0 => Ok(Some(sealed)),
        Ok(sealed) => sealed.remove().map(|()| None),
        Err(SegmentError::Blank { path }) => {
            fs::remove_file(&path).map_err(SegmentError::io(&path))?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn put_aside(layout: &Layout, log: &Path) -> Result<(), OpenError> {
    aside::put(layout, log).map_err(OpenError::io("cannot put aside", log))
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
                let is_its_own = entry.topic == topic.number;
                if is_its_own && entry.sequence <= applied_through && state.is_retained(&topic.topic, entry.sequence) {
                    let Entry { sequence, committed_at, expires_at, cost_bytes, kind, has_alternates, .. } = entry;
                    let bounded = Bounded::new(sequence, committed_at, expires_at, cost_bytes, kind);
                    state.bounded.restore(&topic.topic, Bounded { has_alternates, ..bounded });
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
            let weighed = shared
                .weigh(&record.topic, record.sequence)
                .map_err(|error| OpenError::Damaged { path: shared.layout.segments(), what: error.to_string() })?;
            let weighed = weighed.unwrap_or_else(|| Weighed::new(0));
            shared.state_mut().delete(&record.topic, record.sequence, &weighed);
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

// 1 was never released: its directories are refused.
const _: () = assert!(FORMAT_VERSION == 2, "a new version needs a way from the old one");
