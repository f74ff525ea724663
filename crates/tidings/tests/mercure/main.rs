//! The Mercure endpoint over real sockets: what Mercure's own hubs were seen to answer, line by line, in both dialects.
//!
//! Tables of a request and its exact answer. Streams run over both ways out; nothing here sleeps.

mod access;
mod active;
mod endpoint;
mod pages;
mod publish;
mod resume;
mod subscribe;
#[expect(dead_code, reason = "the library's own tests use all of it, these a part")]
#[expect(unused_macros, unused_imports, reason = "the same")]
#[path = "../hub/support/mod.rs"]
mod support;
mod world;

/// What the helpers ask of the allocator they ask of this one.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);
