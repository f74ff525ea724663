//! Where a history is, and how much of it is kept there unless somebody decides otherwise.

use std::path::PathBuf;
use std::time::Duration;

use tidings::HistoryLimits;
use tidings_store::RECORD_OVERHEAD_BYTES;

use super::flags::{DurabilityMode, StoreFlags};
use super::plan::Purpose;

/// Where a history is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory.
    Memory,
    /// In a directory.
    Disk {
        /// Which one; it may not be there yet.
        directory: PathBuf,
        /// What an accepted event survives.
        durability: DurabilityMode,
    },
}

/// Where the history goes that nobody gave a place, with `serve`.
const DEFAULT_DIRECTORY: &str = "./tidings-data";

impl Place {
    /// Where the flags want it.
    pub(super) fn of(store: &StoreFlags, purpose: Purpose) -> Self {
        let on_disk = |directory: PathBuf| Self::Disk { directory, durability: store.durability };
        match (&store.data, purpose) {
            _ if store.memory => Self::Memory,
            (Some(directory), _) => on_disk(directory.clone()),
            (None, Purpose::Serve) => on_disk(DEFAULT_DIRECTORY.into()),
            (None, Purpose::Demo) => Self::Memory,
        }
    }

    /// How much is kept there. (CONTRACT.md, section 1: the defaults of the limits)
    pub(super) fn default_history(&self) -> HistoryLimits {
        match self {
            Self::Memory => HistoryLimits::default(),
            Self::Disk { .. } => HistoryLimits {
                bytes_max: 1 << 30,
                record_overhead_bytes: RECORD_OVERHEAD_BYTES,
                counts_long_names: false,
                age_max: Some(Duration::from_hours(7 * 24)),
                ..HistoryLimits::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(purpose: Purpose, store: &StoreFlags, want: Option<(&str, DurabilityMode)>) {
        let want = want
            .map_or(Place::Memory, |(directory, durability)| Place::Disk { directory: directory.into(), durability });
        assert_eq!(Place::of(store, purpose), want, "{purpose:?} {store:?}");
    }

    #[test]
    fn the_history_is_on_disk_unless_memory_is_asked_for() {
        let nothing = StoreFlags {
            data: None,
            memory: false,
            durability: DurabilityMode::Sync,
            history_events: None,
            history_bytes: None,
            history_age: None,
        };
        let relaxed = StoreFlags { durability: DurabilityMode::Relaxed, ..nothing.clone() };
        let memory = StoreFlags { memory: true, ..nothing.clone() };
        let data = StoreFlags { data: Some("/d".into()), ..nothing.clone() };
        check(Purpose::Serve, &nothing, Some(("./tidings-data", DurabilityMode::Sync)));
        check(Purpose::Serve, &relaxed, Some(("./tidings-data", DurabilityMode::Relaxed)));
        check(Purpose::Serve, &data, Some(("/d", DurabilityMode::Sync)));
        check(Purpose::Serve, &memory, None);
        check(Purpose::Demo, &nothing, None);
        check(Purpose::Demo, &memory, None);
        check(Purpose::Demo, &data, Some(("/d", DurabilityMode::Sync)));
    }
}
