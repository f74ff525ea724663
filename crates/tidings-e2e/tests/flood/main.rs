//! Floods: clients that want the hub's places, memory or time. It goes on serving others, loses nothing, and takes no
//! more memory than docs/limits.md computes.

mod drips;
mod memory;
mod others;
mod support;
