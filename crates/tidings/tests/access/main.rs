//! Who may do what, from outside: hubs with keys on real sockets, tokens, tickets and renewals.
//!
//! Every scenario of a stream runs over both ways out. Nothing here sleeps: a test waits for what it expects, and fails at
//! its deadline.

mod codes;
mod gates;
mod key_set;
mod pages;
mod renewals;
mod secrets;
mod streams;
mod support;
mod tickets;
