//! Segments: files of history that are full, and an index beside each by which it is read without walking through it.
//!
//! | file | what lives there |
//! |---|---|
//! | `names.rs` | how the files of a segment are called, and how a file comes to its place |
//! | `scan.rs` | a walk through a log file from its start, and what is wrong where it stops |
//! | `sealed.rs`, `topics.rs`, `ids.rs` | a sealed segment: what is asked of it |
//! | `index.rs` | how an index file is made |
//! | `layout.rs` | what stands where in an index file |
//! | `blocks.rs` | files of checksummed blocks |
//! | `search.rs`, `bloom.rs` | finding a row with few reads |
//! | `frames.rs` | reading records from a log file |
//! | `check.rs` | reads all of a segment and tells what is wrong |
//! | `topic_names.rs` | the topics of a segment by their numbers, each read once |
//! | `rewrite.rs` | a segment without its dead records |
//!
//! The log file is the truth: its index is made from it and can be made again at any time. Writing frames is not here;
//! neither is what is kept in memory of records that are not yet sealed.

mod blocks;
mod bloom;
mod check;
mod error;
mod frames;
mod ids;
mod index;
mod layout;
mod names;
mod rewrite;
mod scan;
mod sealed;
mod search;
#[cfg(test)]
mod tests;
mod topic_names;
mod topics;

pub(crate) use check::{Checked, Fault, check};
pub(crate) use error::SegmentError;
pub(crate) use names::{index_path, list_logs, log_path, remove_leftovers, temporary};
pub(crate) use rewrite::rewrite;
pub(crate) use scan::{LogScan, ScanEnd, Scanned, Step};
pub(crate) use sealed::{Entry, Sealed, Summary};
pub(crate) use topic_names::TopicNames;
pub(crate) use topics::TopicEntry;
