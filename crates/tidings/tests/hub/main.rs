//! The library from outside: hubs on real sockets, readers that are cut, slow, gone or wrong.
//!
//! One binary, so that the helpers in [`support`] are built once. Every scenario runs over both ways out: see
//! [`support::over_both_ways`]. Nothing here sleeps: a test waits for what it expects, and fails at its deadline.
//!
//! A randomised test prints its seed when it fails; `TIDINGS_SEED=<seed>` repeats its choices.

mod announce;
mod cuts;
mod far;
mod grants;
mod lease;
mod library;
mod quiet;
mod refuse;
mod slow;
mod support;
mod vanish;

/// Knows how much is allocated, to the byte.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);
