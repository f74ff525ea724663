//! What an operator asks of a data directory that no hub has open.
//!
//! Here: [`inspect()`] (what is in it), [`verify()`] (what is wrong with it) and [`compact()`] (nothing in it that is not
//! replayed). The first two change nothing. All work on a damaged directory, for that is when they are needed, and all
//! refuse one that a hub has open. Printing is not here.

mod compact;
mod inspect;
#[cfg(test)]
mod tests;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

pub use compact::{Compaction, compact};
pub use inspect::{Amount, Inspection, Stamp, TopicSize, inspect};
pub use verify::{Verification, verify};

use tidings_core::HistoryLimits;

use crate::layout::Layout;
use crate::lock::DirectoryLock;
use crate::options::{OpenError, RECORD_OVERHEAD_BYTES};
use crate::segment::{self, Fault};

/// Something in a data directory that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it. Unit: bytes.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl From<Fault> for Damage {
    fn from(fault: Fault) -> Self {
        let Fault { path, offset, what } = fault;
        Self { file: path, offset, what }
    }
}

/// A data directory, for as long as nobody else may have it.
struct Directory {
    layout: Layout,
    logs: Vec<PathBuf>,
    _lock: DirectoryLock,
}

impl Directory {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let layout = Layout::new(path);
        // Before the lock, which would make a file in a directory that is none of ours.
        fs::metadata(layout.segments())
            .map_err(OpenError::io("there is no history: cannot read", layout.segments()))?;
        let lock = DirectoryLock::take(path)?;
        let logs = segment::list_logs(&layout.segments())?;
        Ok(Self { layout, logs, _lock: lock })
    }

    /// What all files of the history take. Unit: bytes.
    fn file_bytes(&self) -> u64 {
        let of_segments = self.logs.iter().map(|log| file_bytes(log) + file_bytes(&segment::index_path(log)));
        of_segments.sum::<u64>() + file_bytes(&self.layout.checkpoint())
    }
}

/// What a checkpoint holds is within the limits of the hub that wrote it, which are not known here.
fn unlimited() -> HistoryLimits {
    HistoryLimits {
        marks_max: usize::MAX,
        ended_topics_max: usize::MAX,
        idempotency_keys_max: usize::MAX,
        record_overhead_bytes: RECORD_OVERHEAD_BYTES,
        counts_long_names: false,
        ..HistoryLimits::default()
    }
}

/// How long a file is; nothing when it is not there. Unit: bytes.
fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
