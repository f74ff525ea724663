//! The engine that keeps its history in memory: what `tidings demo` and `serve --memory` run on.
//!
//! | file | what lives there |
//! |---|---|
//! | `engine.rs` | [`MemoryEngine`]: publishers take turns, readers read beside them |
//! | `log.rs` | the history and its indices, kept in step |
//! | `read.rs`, `resolve.rs` | the two questions to it: a page, and where a reader goes on |
//! | `topics.rs`, `ids.rs` | topic → places, publisher's id → place |
//! | `marks.rs`, `ended.rs` | what is remembered of topics beyond their events, over `places.rs` |
//! | `idempotency.rs` | the keys of publishers |
//!
//! Nothing here survives the process: a new one begins a new epoch.

mod ended;
mod engine;
mod idempotency;
mod ids;
mod log;
mod marks;
mod places;
mod read;
mod resolve;
mod topics;

pub use engine::{MemoryEngine, MemoryOptions};
