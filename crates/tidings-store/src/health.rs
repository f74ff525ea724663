//! Whether the store can take publications, and what is said when it cannot.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidings_core::EngineError;

/// The state of the disk as the last write left it.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Option<EngineError>>);

impl Health {
    /// # Errors
    /// Why nothing can be taken. A lack of room is none: the next write may find some.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        match &*self.lock() {
            Some(failed @ EngineError::Failed { .. }) => Err(failed.clone()),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// Why nothing can be taken now, as far as is known.
    pub(crate) fn report(&self) -> Result<(), EngineError> {
        self.lock().clone().map_or(Ok(()), Err)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.check().is_err()
    }

    /// The last write found no room.
    pub(crate) fn lacks_room(&self) -> bool {
        matches!(&*self.lock(), Some(EngineError::NoRoom { .. }))
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
        let mut health = self.lock();
        if health.is_none() {
            tracing::error!(%error, "cannot {doing}: publishing is refused until there is room; make some, or keep less history");
            *health = Some(refusal.clone());
        }
        refusal
    }

    /// Something failed after which nothing can be relied on.
    pub(crate) fn fail(&self, error: &io::Error, doing: &str) -> EngineError {
        let failure = EngineError::Failed { cause: format!("cannot {doing}: {error}").into() };
        let mut health = self.lock();
        if !matches!(&*health, Some(EngineError::Failed { .. })) {
            tracing::error!(%error, "cannot {doing}: publishing stops here; look at the disk, then start the hub anew");
            *health = Some(failure.clone());
        }
        failure
    }

    /// A write went well.
    pub(crate) fn is_well(&self) {
        let mut health = self.lock();
        if matches!(&*health, Some(EngineError::NoRoom { .. })) {
            tracing::info!("there is room again: publishing goes on");
            *health = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<EngineError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
}
