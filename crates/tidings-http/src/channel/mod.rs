//! Plain channels: `/events` and `/events/TOPIC`. Publish with POST, listen with GET, drop with DELETE.
//!
//! Decides what a request asks for and what is answered first. Does not deliver events; see `tidings-fanout`.

mod admission;
mod answers;
mod batch;
mod delete;
mod fields;
mod in_order;
mod lines;
mod ndjson;
mod opening;
mod publish;
mod question;
mod refusal;
mod renew;
mod subscribe;
mod tickets;

pub(crate) use admission::admit;
pub(crate) use delete::delete;
pub(crate) use publish::publish;
pub use refusal::{Refusal, refuse};
pub(crate) use refusal::{refusal, refuse_for_limit};
pub(crate) use renew::renew;
pub use subscribe::{Prepared, reset_frame};
pub(crate) use subscribe::{prepare, stream, subscribe};
pub(crate) use tickets::issue_ticket;
