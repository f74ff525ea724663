//! Plain channels as their users see them: requests go in, bytes come out. The history and the shards are the real ones.

mod access;
mod batch;
mod bodies;
mod lingering;
mod program;
mod publish;
mod refuse;
mod subscribe;
mod versions;
mod world;
