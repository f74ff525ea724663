//! Carries events to their readers: shards are threads that own sockets, groups, heartbeats and deadlines.
//!
//! Does not decide who may read what, nor what an event looks like: it is given a [`Subscription`] whose place is
//! resolved, and writes the chunks that an engine made. The only crate with raw sockets.

mod door;
mod fanout;
mod heads;
mod inbox;
mod interest;
mod lease;
mod look;
mod outbox;
mod permit;
mod shard;
mod shares;
mod socket;
mod way;

pub use door::{Admission, Admitted, Arrival, Door, Porter, has_empty_line};
pub use fanout::{Fanout, FanoutHandle, FanoutOptions, Subscription};
pub use lease::{Companion, Lease, LeaseTerms, Notice, NoticeFrame};
pub use look::{Look, LookRequest, NotASessionName, SessionLook, SessionName, SessionState};
pub use outbox::EventStream;
pub use permit::{ConnectionGate, Permit};
pub use shares::{AddressBlock, Network, Share, Shares};
