//! The proof that nothing is lost: what publishers and readers of a hub recorded, and a judge of it.
//!
//! Publishers write down what they asked for and what was answered; readers write down what they saw, connection by
//! connection. [`check`] proves from that alone that there is **one order** which agrees with the hub's own ids, with
//! what each reader saw, with each publisher's order and with time; that no reader saw anything twice, damaged, refused,
//! of another topic or made up; and that nothing which was acknowledged, or seen by anybody, is missing at a reader that
//! was not told so by a verdict.
//!
//! It knows nothing of a hub's insides. The feature `recorders` brings clients which write a history while they work;
//! without it the crate is pure.
//!
//! ```
//! use tidings_history::{History, check, sentences};
//!
//! // As the recorders write it. Reader r0 came back after 3vq8k0aa-1, but 3vq8k0aa-2 never came.
//! let history = History::parse(br#"
//!     {"entry":"listens","reader":"r0","interest":{"selectors":["chat/*"]}}
//!     {"entry":"connecting","place":"r0/1","from":"earliest"}
//!     {"entry":"opened","place":"r0/1","status":200}
//!     {"entry":"asked","publication":"p0/1","topic":"chat/42","data":"p0/1 one"}
//!     {"entry":"answered","publication":"p0/1","outcome":{"accepted":"3vq8k0aa-1"}}
//!     {"entry":"saw","place":"r0/1","id":"3vq8k0aa-1","event_type":"message","data":"p0/1 one"}
//!     {"entry":"ended","place":"r0/1","end":"cut"}
//!     {"entry":"asked","publication":"p0/2","topic":"chat/42","data":"p0/2 two"}
//!     {"entry":"answered","publication":"p0/2","outcome":{"accepted":"3vq8k0aa-2"}}
//!     {"entry":"connecting","place":"r0/2","from":{"after":"3vq8k0aa-1"}}
//!     {"entry":"opened","place":"r0/2","status":200}
//!     {"entry":"asked","publication":"p0/3","topic":"chat/42","data":"p0/3 three"}
//!     {"entry":"answered","publication":"p0/3","outcome":{"accepted":"3vq8k0aa-3"}}
//!     {"entry":"saw","place":"r0/2","id":"3vq8k0aa-3","event_type":"message","data":"p0/3 three"}
//! "#)?;
//! let faults = check(&history).expect_err("an event is missing");
//! assert_eq!(
//!     sentences(&faults),
//!     "r0/2: saw 3vq8k0aa-3 (p0/3), but never 3vq8k0aa-2 (p0/2), which comes before it and after the reader's start"
//! );
//! # Ok::<(), tidings_history::ReadHistoryError>(())
//! ```

mod check;
mod entry;
mod fault;
mod history;
mod interest;
mod name;
mod position;
#[cfg(feature = "recorders")]
pub mod recorders;

pub use check::{FAULTS_MAX, Summary, check};
pub use entry::{Asked, End, Entry, Outcome, Saw, StartFrom};
pub use fault::{Fault, OrderPoint, OrderReason, OrderStep, VerdictFault, sentences};
pub use history::{History, ReadHistoryError};
pub use interest::Interest;
pub use name::{NameError, Place, PublicationName, ReaderName};
pub use position::HubPosition;
