//! Whether the store can take publications, and what is said when it cannot.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidings_core::EngineError;

/// The state of the disk as the last write left it.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    trouble: Option<EngineError>,
    /// Whether the log said last that there is no room, and when it said so or the opposite.
    is_said_to_lack_room: bool,
    said_at: Option<Instant>,
}

/// A disk on the brink has room for little and none for much, again and again: the log tells so often which.
const QUIET_TIME: Duration = Duration::from_secs(10);

impl Health {
    /// # Errors
    /// Why nothing can be taken. A lack of room is none: the next write may find some.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        match &self.lock().trouble {
            Some(failed @ EngineError::Failed { .. }) => Err(failed.clone()),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// Why nothing can be taken now, as far as is known.
    pub(crate) fn report(&self) -> Result<(), EngineError> {
        self.lock().trouble.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.check().is_err()
    }

    /// The last write found no room.
    pub(crate) fn lacks_room(&self) -> bool {
        self.lock().lacks_room()
    }

    /// A write was refused, and nothing of it is there: the next one may do better, if it was for want of room.
    pub(crate) fn refuse(&self, error: &io::Error, doing: &str) -> EngineError {
        let is_for_room = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if !is_for_room {
            return self.fail(error, doing);
        }
        let refusal = EngineError::NoRoom { cause: format!("cannot {doing}: {error}").into() };
        let mut state = self.lock();
        if state.trouble.is_none() {
            state.trouble = Some(refusal.clone());
            state.say(Instant::now());
        }
        refusal
    }

    /// Something failed after which nothing can be relied on.
    pub(crate) fn fail(&self, error: &io::Error, doing: &str) -> EngineError {
        let failure = EngineError::Failed { cause: format!("cannot {doing}: {error}").into() };
        let mut state = self.lock();
        if !matches!(&state.trouble, Some(EngineError::Failed { .. })) {
            tracing::error!(%error, "cannot {doing}: publishing stops here; look at the disk, then start the hub anew");
            state.trouble = Some(failure.clone());
        }
        failure
    }

    /// A write went well.
    pub(crate) fn is_well(&self) {
        let mut state = self.lock();
        if state.lacks_room() {
            state.trouble = None;
            state.say(Instant::now());
        }
    }

    /// Has the log still to be told of the last change? Whoever asks sees to [`Health::say_the_rest`].
    pub(crate) fn has_unsaid(&self) -> bool {
        self.lock().has_unsaid()
    }

    /// Tells the log of the last change, if that was too soon after the one before.
    pub(crate) fn say_the_rest(&self, now: Instant) {
        self.lock().say(now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lacks_room(&self) -> bool {
        matches!(self.trouble, Some(EngineError::NoRoom { .. }))
    }

    /// A failure is said when it happens, and is the last word.
    fn has_unsaid(&self) -> bool {
        let is_failed = matches!(self.trouble, Some(EngineError::Failed { .. }));
        !is_failed && self.lacks_room() != self.is_said_to_lack_room
    }

    fn say(&mut self, now: Instant) {
        if !self.has_unsaid() || self.said_at.is_some_and(|at| now.saturating_duration_since(at) < QUIET_TIME) {
            return;
        }
        self.said_at = Some(now);
        self.is_said_to_lack_room = self.lacks_room();
        if let Some(EngineError::NoRoom { cause }) = &self.trouble {
            tracing::error!(%cause, "publishing is refused until there is room; make some, or keep less history");
        } else {
            tracing::info!("there is room again: publishing goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_room_passes_and_a_failure_does_not() {
        let health = Health::default();
        health.refuse(&io::ErrorKind::StorageFull.into(), "write");
        assert!(health.report().is_err() && health.lacks_room());
        assert_eq!(health.check(), Ok(()), "the next one may try");
        health.is_well();
        assert_eq!(health.report(), Ok(()));
        health.refuse(&io::ErrorKind::PermissionDenied.into(), "write");
        health.is_well();
        assert!(health.check().is_err() && health.has_failed());
    }

    #[test]
    fn a_disk_on_the_brink_does_not_fill_the_log_and_its_last_state_is_told() {
        let health = Health::default();
        let said = || health.lock().is_said_to_lack_room;
        health.refuse(&io::ErrorKind::StorageFull.into(), "write");
        assert!(said() && !health.has_unsaid());
        health.is_well();
        assert!(said() && health.has_unsaid(), "too soon");
        health.refuse(&io::ErrorKind::StorageFull.into(), "write");
        assert!(!health.has_unsaid(), "as it was said");
        health.is_well();
        health.say_the_rest(Instant::now() + QUIET_TIME);
        assert!(!said() && !health.has_unsaid());
    }
}
