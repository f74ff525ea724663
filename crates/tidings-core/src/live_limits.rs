//! The limits of a running hub: read on every request and turn, replaced when its operator changes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::limits::Limits;

/// [`Limits`] that may be replaced while they are used.
#[derive(Debug, Default)]
pub struct LiveLimits {
    limits: ArcSwap<Limits>,
    version: AtomicU64,
}

impl LiveLimits {
    /// These, until they are replaced.
    pub fn new(limits: Limits) -> Self {
        Self { limits: ArcSwap::from_pointee(limits), version: AtomicU64::new(0) }
    }

    /// Those that hold now. Cost: no lock; a few nanoseconds.
    pub fn get(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// From now on these hold, for what comes: nobody is sent away who is within.
    pub fn replace(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Changes with each replacement: for who keeps a copy. Cost: one atomic load.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

impl From<Limits> for LiveLimits {
    fn from(limits: Limits) -> Self {
        Self::new(limits)
    }
}
