//! The engine that keeps its history in memory: what `tidings demo` and `serve --memory` run on.
//!
//! | file | what lives there |
//! |---|---|
//! | `engine.rs` | [`MemoryEngine`]: publishers take turns, readers read beside them |
//! | `log.rs` | the history and its indices (`crate::history`), kept in step |
//! | `read.rs`, `resolve.rs` | the two questions to it: a page, and where a reader goes on |
//!
//! Nothing here survives the process: a new one begins a new epoch.

mod engine;
mod log;
mod read;
mod resolve;

pub use engine::{MemoryEngine, MemoryOptions};
