//! Where a hub is in its life: one latch that readiness, the doors and the drain read.

use std::sync::atomic::{AtomicU8, Ordering};

/// The phases of a hub, in their only order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Not yet serving.
    Starting,
    /// Serving.
    Ready,
    /// Ending its streams; takes nothing new.
    Draining,
}

/// The phase of one hub, shared by all its parts. It only ever moves forward.
#[derive(Debug, Default)]
pub struct PhaseLatch(AtomicU8);

impl PhaseLatch {
    /// The phase now.
    pub fn get(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Moves on to `phase`; a phase that is already past stays past.
    pub fn advance(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::AcqRel);
    }
}
