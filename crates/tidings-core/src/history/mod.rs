//! What engines remember beside the records themselves. Each part is bounded by [`crate::HistoryLimits`].
//!
//! | file | what lives there |
//! |---|---|
//! | `topics.rs`, `ids.rs` | topic → places, publisher's id → place |
//! | `marks.rs`, `ended.rs` | what is remembered of topics beyond their events, over `places.rs` |
//! | `bounds.rs`, `tables.rs` | what of single topics is beyond the bounds of their table, and which table that is |
//! | `idempotency.rs` | the keys of publishers |
//! | `times.rs` | the times of commits |
//!
//! How records are kept, and what survives a restart, is each engine's own affair.

mod bounds;
mod ended;
mod idempotency;
mod ids;
mod marks;
mod places;
mod tables;
mod times;
mod topics;

pub use bounds::{Bounded, BoundedTopics, Trimmed};
pub use ended::EndedTopics;
pub use idempotency::{Claim, IdempotencyKeys};
pub use ids::PublisherIds;
pub use marks::{Mark, Marks};
pub use places::Places;
pub use times::CommitTimes;
pub use topics::{Selected, TopicIndex};
