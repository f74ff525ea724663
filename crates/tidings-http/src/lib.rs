//! The hub's HTTP side: what a request means, what is answered, and with which status.
//!
//! Here: plain channels ([`router`], [`prepare`]), the page, health and metrics ([`admin_router`]). Not here: who gets an
//! event and when (see `tidings-fanout`), what is kept (see `tidings-core`), ports and signals (see `tidings-cli`).

mod admin;
mod body;
mod channel;
mod config;
mod cors;
mod guard;
mod header_text;
mod page;
mod problem;
mod query;
mod respond;
mod router;
mod serve;
mod state;
mod takeover;
mod time_text;

pub use admin::admin_router;
pub use channel::{Prepared, Refusal, prepare, refuse, refuse_for_limit, reset_frame};
pub use config::{Access, Cors, Delivery, HttpConfig, Welcome};
pub use router::{answer, is_channel_path, router};
pub use serve::Server;
pub use state::HttpState;
pub use takeover::{TakeOver, Takeover};
