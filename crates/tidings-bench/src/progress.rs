//! How far a run is, for whoever waits for it.

/// How far a run is. Told about ten times a second, and at the beginning of each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// How much of it is done.
    pub done: u64,
    /// How much there is; `None` where that is not known.
    pub total: Option<u64>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Subscribers connect; counted in connections.
    Connecting,
    /// The server comes to rest; counted in milliseconds.
    Settling,
    /// Events are delivered that are not measured; counted in deliveries.
    WarmingUp,
    /// Events are delivered; counted in deliveries.
    Delivering,
    /// Nothing happens; counted in milliseconds.
    Holding,
    /// Events are published that the subscribers will have missed; counted in events.
    FallingBehind,
    /// All come back at once; counted in subscribers that have caught up.
    CatchingUp,
}

impl Phase {
    /// The phase in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Settling => "settling",
            Self::WarmingUp => "warming up",
            Self::Delivering => "delivering",
            Self::Holding => "holding",
            Self::FallingBehind => "falling behind",
            Self::CatchingUp => "catching up",
        }
    }

    /// What is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Connecting | Self::CatchingUp => "subscribers",
            Self::Settling | Self::Holding => "ms",
            Self::WarmingUp | Self::Delivering => "deliveries",
            Self::FallingBehind => "events",
        }
    }
}
