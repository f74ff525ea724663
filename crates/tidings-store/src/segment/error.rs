//! Why a segment cannot be read or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tidings_core::Epoch;

/// What went wrong with a file of a segment.
#[derive(Debug, Error)]
pub(crate) enum SegmentError {
    /// The system's fault, or that of the disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What stands there is not what was written.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file: a log, or an index, which can be made again from its log.
        path: PathBuf,
        /// Where in the file. Unit: bytes.
        offset: u64,
        /// What was expected there.
        what: &'static str,
    },
    /// Another program wrote it.
    #[error("{} has version {found} of the format; this program reads version {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The one that this program knows.
        known: u32,
    },
    /// It belongs to another history.
    #[error("{} belongs to the epoch {found}; expected {expected}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its epoch.
        found: Epoch,
        /// That of the history.
        expected: Epoch,
    },
    /// A log file that was made and never written to: all of it is zeros, or it is shorter than its head.
    #[error("{} was never written to", path.display())]
    Blank {
        /// The file.
        path: PathBuf,
    },
    /// There is no index for this log file, or none that can be used: the segment is to be sealed again.
    #[error("the index {} cannot be used: {what}", path.display())]
    BadIndex {
        /// The index file.
        path: PathBuf,
        /// Why not.
        what: &'static str,
    },
}

impl SegmentError {
    /// An error of the system's, with the file that it is about.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Something is wrong at `offset`.
    pub(crate) fn damaged(path: &Path, offset: u64, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), offset, what }
    }

    /// An index that is of no use.
    pub(crate) fn bad_index(path: &Path, what: &'static str) -> Self {
        Self::BadIndex { path: path.to_owned(), what }
    }
}
