//! How a store is opened, and why it cannot be.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use tidings_core::limits::MIB;
use tidings_core::{Epoch, HistoryLimits};

/// What a record takes on disk beside its encoded bytes: the head of its frame and its entries in the index. Measured with
/// events of 100 bytes on a topic of 10; it counts against [`HistoryLimits::bytes_max`]. Unit: bytes.
pub const RECORD_OVERHEAD_BYTES: usize = 64;

/// When a publication is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on the disk: it survives the loss of power.
    #[default]
    Sync,
    /// Once the system has it, which syncs it within 100 ms: it survives the end of the process, not the loss of power.
    /// No id is ever used twice all the same.
    Relaxed,
}

/// How a [`crate::Store`] is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The directory; made if it is not there. One process at a time has it.
    pub directory: PathBuf,
    /// When a publication is acknowledged. Default: [`Durability::Sync`].
    pub durability: Durability,
    /// How much is kept. Default: 1 GiB and 7 days.
    pub history: HistoryLimits,
    /// As [`tidings_core::MemoryOptions::ids_resolve_by_time`]. Default: no.
    pub ids_resolve_by_time: bool,
    /// How large a log file grows before the next one is begun; history is freed in such pieces. Unit: bytes. Default:
    /// a 64th of the history, between 1 MiB and 64 MiB. Cost: about three times as much memory with events of 100 bytes,
    /// for the newest file is kept in memory.
    pub segment_bytes: usize,
    /// Most bytes of recent records that are kept in memory beyond the newest file, so that readers who are a little
    /// behind need no disk. Counted as a history in memory is. Default: 32 MiB.
    pub window_bytes_max: usize,
    /// The epoch of a history that is begun, where the directory has none. Default: that of this moment.
    pub new_epoch: Option<Epoch>,
    /// Threads that read older history. Default: 2.
    pub readers: usize,
    /// What tells one run of the machine from the next, so that a loss of power is noticed. Default: the system's boot
    /// id, where there is one. A test that plays a loss of power gives its own.
    pub boot_id: Option<String>,
}

impl StoreOptions {
    /// The defaults, for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let history = HistoryLimits {
            bytes_max: 1024 * MIB,
            age_max: Some(std::time::Duration::from_hours(7 * 24)),
            record_overhead_bytes: RECORD_OVERHEAD_BYTES,
            counts_long_names: false,
            ..HistoryLimits::default()
        };
        Self::with_history(directory, history)
    }

    /// The defaults, for a directory and a history.
    pub fn with_history(directory: impl Into<PathBuf>, history: HistoryLimits) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::default(),
            segment_bytes: (history.bytes_max / SEGMENTS_WANTED).clamp(MIB, SEGMENT_BYTES_DEFAULT_MAX),
            history,
            ids_resolve_by_time: false,
            window_bytes_max: 32 * MIB,
            new_epoch: None,
            readers: 2,
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned()),
        }
    }
}

/// Into so many files a history is divided, so that it is freed in small pieces.
const SEGMENTS_WANTED: usize = 64;
const SEGMENT_BYTES_DEFAULT_MAX: usize = 64 * MIB;

/// Why a store cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data directory {} is in use by {holder}; one hub at a time can have it", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// It was written by another version of the program.
    #[error(
        "{} has format version {found}; this program knows version {known} only. Start the version of tidings that wrote \
         it, or give another --data directory",
        path.display()
    )]
    Version {
        /// The file that says so.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Something in it cannot be what it should be.
    #[error("{} is damaged: {what}. `tidings data verify` says more", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system refused something.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot create".
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
