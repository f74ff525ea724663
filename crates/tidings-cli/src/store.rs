//! From a plan to the history of its hub: in memory, or opened in its directory.

use std::io::ErrorKind;
use std::sync::Arc;

use tidings::{Engine, HistoryLimits};
use tidings_store::{Durability, OpenError, Store, StoreOptions};

use crate::config::{DurabilityMode, Place};
use crate::exit::Failure;

/// The engine of a history on disk; nothing for one in memory, which the hub makes itself.
///
/// # Errors
/// A [`Failure`] that says why the directory cannot be had, and what to do.
pub(crate) fn open(
    place: &Place,
    history: &HistoryLimits,
    ids_resolve_by_time: bool,
) -> Result<Option<Arc<dyn Engine>>, Failure> {
    let Place::Disk { directory, durability } = place else { return Ok(None) };
    let options = StoreOptions {
        durability: match durability {
            DurabilityMode::Sync => Durability::Sync,
            DurabilityMode::Relaxed => Durability::Relaxed,
        },
        ids_resolve_by_time,
        ..StoreOptions::with_history(directory, history.clone())
    };
    // It logs what it found, and how long that took.
    let store = Store::open(options).map_err(|error| Failure::running(cannot_open(&error)))?;
    Ok(Some(Arc::new(store)))
}

/// Why a directory cannot be had, and what to do about it.
pub(crate) fn cannot_open(error: &OpenError) -> String {
    let advice = match error {
        OpenError::InUse { .. } => "stop that hub, or give another directory by --data",
        // It tells what to do by itself.
        OpenError::Version { .. } | OpenError::Damaged { .. } => return error.to_string(),
        OpenError::Io { source, .. } => match source.kind() {
            ErrorKind::PermissionDenied => {
                "let the user whom the hub runs as write there, or give another directory by --data"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on that disk, or give a directory on another one by --data"
            }
            ErrorKind::ReadOnlyFilesystem => "give a directory on a disk that can be written by --data",
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "a file stands in the way; give a directory by --data"
            }
            _ => "give another directory by --data, or keep the history in memory by --memory",
        },
    };
    format!("{error}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_have_a_directory_is_told_what_to_do() {
        let io = |kind: ErrorKind| OpenError::Io { doing: "cannot create", path: "/d".into(), source: kind.into() };
        for (error, wants) in [
            (OpenError::InUse { path: "/d".into(), holder: "process 7".to_owned() }, ["process 7", "stop that hub"]),
            (OpenError::Version { path: "/d".into(), found: 9, known: 1 }, ["version 9", "another --data directory"]),
            (OpenError::Damaged { path: "/d".into(), what: "no end".to_owned() }, ["no end", "tidings data verify"]),
            (io(ErrorKind::PermissionDenied), ["cannot create /d", "write there"]),
            (io(ErrorKind::StorageFull), ["cannot create /d", "make room"]),
            (io(ErrorKind::NotADirectory), ["cannot create /d", "stands in the way"]),
            (io(ErrorKind::Other), ["cannot create /d", "--memory"]),
        ] {
            let told = cannot_open(&error);
            for want in wants {
                assert!(told.contains(want), "{want:?} in {told}");
            }
        }
    }
}
