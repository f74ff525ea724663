//! The keeper thread: whatever need not hold up a commit. It seals log files that are full, writes checkpoints, removes
//! what was trimmed, syncs in `relaxed`, and looks for room where there was none.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidings_core::{EngineError, Rarely, Sequence};

use crate::aside;
use crate::compact;
use crate::segment::{Sealed, SegmentError};
use crate::shared::Shared;

/// How the keeper is told of work, and tells of it.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    signal: Mutex<Signal>,
    has_work: Condvar,
    has_sealed: Condvar,
}

#[derive(Debug, Default)]
struct Signal {
    is_awake: bool,
    is_over: bool,
    /// Why a log file cannot be sealed, if that was tried last.
    trouble: Option<Arc<str>>,
}

/// In `relaxed`, what was written is synced after so long: with the time that a sync takes, within 100 ms.
const SYNC_INTERVAL: Duration = Duration::from_millis(50);
/// How often something that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// So many full log files may wait for their index: what they hold is in memory.
const TO_SEAL_MAX: usize = 4;

impl Keeper {
    /// There is work.
    pub(crate) fn wake(&self) {
        self.lock().is_awake = true;
        self.has_work.notify_one();
    }

    /// There is no more to come.
    pub(crate) fn end(&self) {
        self.lock().is_over = true;
        self.has_work.notify_one();
        self.has_sealed.notify_all();
    }

    /// Holds the commit thread up while too much waits to be sealed.
    ///
    /// # Errors
    /// When sealing does not get on.
    pub(crate) fn wait_until_sealed(&self, shared: &Shared) -> Result<(), EngineError> {
        loop {
            if shared.state().segments.to_seal_count() < TO_SEAL_MAX {
                return Ok(());
            }
            let signal = self.lock();
            if let Some(cause) = &signal.trouble {
                return Err(EngineError::NoRoom { cause: Arc::clone(cause) });
            }
            if signal.is_over {
                return Err(EngineError::Closed);
            }
            drop(self.has_sealed.wait_timeout(signal, RETRY_INTERVAL));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Signal> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work, or for `due`. Answers whether there may be more to come.
    fn wait(&self, due: Option<Instant>) -> bool {
        let mut signal = self.lock();
        while !signal.is_awake && !signal.is_over {
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            signal = match left {
                Some(Duration::ZERO) => break,
                Some(left) => self.has_work.wait_timeout(signal, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.has_work.wait(signal).unwrap_or_else(PoisonError::into_inner),
            };
        }
        signal.is_awake = false;
        !signal.is_over
    }

    fn set_trouble(&self, trouble: Option<Arc<str>>) {
        self.lock().trouble = trouble;
        self.has_sealed.notify_all();
    }
}

/// Keeps the store in order until it ends.
pub(crate) fn run(shared: &Shared) {
    let mut sync_due: Option<Instant> = None;
    loop {
        let has_trouble =
            shared.health.lacks_room() || shared.health.has_unsaid() || shared.keeper.lock().trouble.is_some();
        let retry = has_trouble.then(|| Instant::now() + RETRY_INTERVAL);
        let due = [sync_due, retry].into_iter().flatten().min();
        if !shared.keeper.wait(due) {
            return;
        }
        let now = Instant::now();
        if shared.has_unsynced.load(Ordering::Acquire) && sync_due.is_none() {
            sync_due = Some(now + SYNC_INTERVAL);
        }
        if sync_due.is_some_and(|due| due <= now) {
            sync_due = None;
            sync(shared);
        }
        if shared.is_finished.load(Ordering::Acquire) {
            continue; // the commit thread has left all as it is to be
        }
        shared.disk.probe_if_asked(shared.layout.root());
        look_for_room(shared);
        shared.health.say_the_rest(now);
        match keep(shared) {
            Ok(()) => shared.keeper.set_trouble(None),
            Err(error) => {
                static SAID: Rarely = Rarely::new();
                if shared.keeper.lock().trouble.is_none()
                    && let Some(unsaid_before) = SAID.admit(now)
                {
                    tracing::error!(%error, unsaid_before, "the store cannot be kept in order; it is tried again each second");
                }
                shared.keeper.set_trouble(Some(error.to_string().into()));
            }
        }
    }
}

fn sync(shared: &Shared) {
    shared.has_unsynced.store(false, Ordering::Release);
    if let Err(error) = shared.active_file().sync() {
        shared.health.fail(&error, "sync the log");
    }
}

/// A hub without room is not ready, and gets no publications by which it could find that there is some.
fn look_for_room(shared: &Shared) {
    if shared.health.lacks_room() {
        let probe = shared.layout.root().join("room.probe");
        let has_room =
            std::fs::write(&probe, vec![0; 64 * 1024]).and_then(|()| std::fs::File::open(&probe)?.sync_all());
        drop(std::fs::remove_file(&probe)); // it is not there where it could not be made
        if has_room.is_ok() {
            shared.health.is_well();
        }
    }
}

fn keep(shared: &Shared) -> Result<(), SegmentError> {
    while let Some(log) = {
        let state = shared.state();
        state.segments.to_seal().cloned()
    } {
        let sealed = Arc::new(Sealed::seal(&log, shared.epoch, &shared.options.history)?);
        {
            let mut state = shared.state_mut();
            state.segments.on_sealed(sealed);
            state.shrink_recent(shared.options.window_bytes_max);
        }
        shared.keeper.has_sealed.notify_all();
        checkpoint(shared)?;
        // Also here: under a load that fills files as fast as they are sealed this loop does not end.
        make_room(shared)?;
    }
    make_room(shared)
}

/// Removes what nobody will read any more; of what is to be written anew the worst.
fn make_room(shared: &Shared) -> Result<(), SegmentError> {
    remove_trimmed(shared)?;
    compact::compact_worst(shared)
}

/// Writes what is remembered, and makes sure that the log holds all that it tells of.
/// Answers from which place on history is retained, as it says.
pub(crate) fn checkpoint(shared: &Shared) -> Result<Sequence, SegmentError> {
    shared.write_checkpoint().map_err(SegmentError::io(&shared.layout.checkpoint()))
}

/// Removes the segments of which nothing is retained.
pub(crate) fn remove_trimmed(shared: &Shared) -> Result<(), SegmentError> {
    let (floor, is_due) = {
        let state = shared.state();
        let floor = state.retained_after;
        (floor, state.segments.sealed().first().is_some_and(|first| first.summary().last <= floor))
    };
    if !is_due {
        return Ok(());
    }
    checkpoint(shared)?; // what it does not tell must still be in the log
    let (trimmed, damaged_through) = {
        let mut state = shared.state_mut();
        (state.segments.take_through(floor), state.damaged_through)
    };
    for segment in trimmed {
        if segment.summary().last <= damaged_through {
            aside::put(&shared.layout, segment.log()).map_err(SegmentError::io(segment.log()))?;
        } else {
            segment.remove()?;
        }
    }
    Ok(())
}
