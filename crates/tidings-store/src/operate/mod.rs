//! What an operator asks of a data directory that no hub has open.
//!
//! Here: [`inspect`] (what is in it) and [`verify`] (what is wrong with it). Neither changes anything. Both work on a
//! damaged directory, for that is when they are needed, and both refuse one that a hub has open. Printing is not here.

mod inspect;
#[cfg(test)]
mod tests;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

pub use inspect::{Amount, Inspection, Stamp, TopicSize, inspect};
pub use verify::{Verification, verify};

use crate::layout::Layout;
use crate::lock::DirectoryLock;
use crate::options::OpenError;
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
}

/// How long a file is; nothing when it is not there. Unit: bytes.
fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
