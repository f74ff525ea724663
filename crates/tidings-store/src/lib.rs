//! The engine on disk: a log of checksummed frames in files, an index beside each file that is full, and a checkpoint of
//! what is remembered beyond the records.
//!
//! ```text
//! DIR/lock                      one process at a time
//! DIR/segments/<first>.log      frames, in order; the newest file is being written
//! DIR/segments/<first>.idx      the index of a file that is full: sealed
//! DIR/checkpoint                marks, ends, keys and accounts, as of one place
//! DIR/reserve                   in relaxed durability: the sequences that may have been given out
//! DIR/damaged/                  files that were put aside
//! ```
//!
//! | file | what lives there |
//! |---|---|
//! | `store.rs` | [`Store`]: the engine, and its threads |
//! | `shared.rs`, `state.rs` | what its threads have in common; what is known in memory, and how that changes |
//! | `offer.rs`, `queue.rs`, `commit.rs`, `log.rs` | from a publication to a durable frame |
//! | `recent.rs`, `front.rs`, `segments.rs`, `holes.rs` | parts of the state |
//! | `readers.rs`, `pages.rs`, `resolve.rs` | what readers ask |
//! | `keeper.rs`, `compact.rs` | sealing, trimming, syncing; log files written anew |
//! | `health.rs`, `reserve.rs` | the state of the disk |
//! | `frame.rs`, `header.rs`, `numbers.rs`, `checkpoint.rs`, `layout.rs`, `lock.rs` | what stands on disk |
//! | `recover.rs`, `newest.rs`, `lost.rs`, `aside.rs` | a start |
//! | `segment/` | files that are full, and their indices |
//! | `operate/` | what an operator asks of a directory that no hub has open |

mod aside;
mod checkpoint;
mod commit;
mod compact;
mod disk;
mod frame;
mod front;
mod header;
mod health;
mod holes;
mod keeper;
mod layout;
mod lock;
mod log;
mod lost;
mod newest;
mod numbers;
mod offer;
pub mod operate;
mod options;
mod pages;
mod queue;
mod readers;
mod recent;
mod recover;
mod reserve;
mod resolve;
mod segment;
mod segments;
mod shared;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use options::{Durability, OpenError, RECORD_OVERHEAD_BYTES, StoreOptions};
pub use store::Store;
