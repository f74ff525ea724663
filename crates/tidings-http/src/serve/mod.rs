//! Connections: who reads their first bytes, who speaks HTTP with them, and how a socket changes hands.
//!
//! The door (`tidings-fanout`) accepts. A plain subscribe goes from there to a shard by [`porter`]; everything else is
//! served by hyper in [`connection`], which gives its socket to a shard too when a later request is a plain subscribe.

mod connection;
mod deputy;
mod io;
mod porter;
mod server;
mod workers;

pub use server::Server;
