//! Who sends a request, and what that one may do: on plain channels and on the Mercure endpoint.
//!
//! Here: where the hub's authority is kept ([`Auth`]), [`authenticate()`], and what becomes of a stream when its token nears
//! its end (`lease`, `renewals`). Not here: keys and tokens themselves (see `tidings-auth`), and which status an
//! [`AuthProblem`] has (see `respond` for plain channels, and Mercure's own table).

mod authenticate;
mod caller;
mod complaints;
mod desk;
mod lease;
mod problem;
mod renewals;

pub(crate) use authenticate::{Endpoint, authenticate};
pub(crate) use caller::Caller;
pub use desk::Auth;
pub(crate) use lease::{RENEW_PATH, lease};
pub(crate) use problem::AuthProblem;
pub(crate) use renewals::Renewed;
