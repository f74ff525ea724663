//! The core of Tidings: what an event, a history, a group and a session are, and how they change.
//!
//! Everything here is pure: time and bytes are arguments, effects are return values. There is no clock, no socket, no
//! task and no disk in this crate; `tidings-fanout` owns the sockets, an [`Engine`] owns the history.

pub mod close;
pub mod counters;
pub mod engine;
pub mod grants;
pub mod group;
pub mod hash;
pub mod histogram;
pub mod history;
pub mod limit;
pub mod limits;
pub mod live_limits;
pub mod memory;
pub mod phase;
pub mod position;
pub mod publication;
pub mod rarely;
pub mod rate;
pub mod record;
pub mod resume;
pub mod session;
#[cfg(feature = "suite")]
pub mod suite;
pub mod time;
pub mod wheel;
pub mod window;

pub use close::CloseReason;
pub use counters::Counters;
pub use engine::{
    Announcement, AppendError, Appended, Behind, CommitListener, Engine, EngineError, EngineFuture, EngineUsage,
    Fetched, Page, Read, ReadLimit, ReadRequest, SelfCommit,
};
pub use grants::Grants;
pub use group::{Dialect, GroupSpec, TypeFilter};
pub use histogram::{Histogram, HistogramCounts};
pub use limit::Limit;
pub use limits::{HistoryLimits, Limits, TopicBounds};
pub use live_limits::LiveLimits;
pub use memory::{MemoryEngine, MemoryOptions};
pub use phase::Phase;
pub use position::{Epoch, Position, Sequence};
pub use publication::{IdempotencyKey, Publication};
pub use rarely::Rarely;
pub use record::{IdFrom, Kind, Record};
pub use resume::{OnReset, Reset, ResetReason, Resolution, ResumeFrom, ResumeRequest};
pub use time::Timestamp;
