//! The hub's HTTP side: what a request means, what is answered, and with which status.
//!
//! Here: plain channels and the Mercure endpoint ([`router`], [`prepare`]), the page, health and metrics
//! ([`admin_router`]). Not here: who gets an event and when (see `tidings-fanout`), what is kept (see `tidings-core`), ports and signals (see `tidings-cli`).

mod admin;
mod auth;
mod body;
mod channel;
mod client_address;
mod config;
mod cors;
mod drip;
mod guard;
mod header_text;
mod incoming;
mod mercure;
mod page;
mod problem;
mod publishers;
mod query;
mod respond;
mod router;
mod serve;
mod state;
mod takeover;
mod time_text;
mod tls;
mod whole_body;

pub use admin::{
    Connections, History, Picture, ProcessPicture, Rates, SessionPicture, TopicPicture, Totals, admin_router,
};
pub use auth::Auth;
pub use channel::{Prepared, Refusal, refuse, reset_frame};
pub use config::{Access, Cors, Delivery, HttpConfig, MercureRules, TokenRules, Welcome};
pub use drip::Dripping;
pub use incoming::Incoming;
pub use mercure::ActiveSubscriptions;
pub use publishers::Publishers;
pub use router::{answer, is_stream_path, prepare, router};
pub use serve::Server;
pub use state::{HttpState, StreamShares};
pub use takeover::{TakeOver, Takeover};
pub use tls::{Tls, TlsError, TlsIdentity};
