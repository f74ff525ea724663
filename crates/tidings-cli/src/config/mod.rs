//! What a person decides about a hub: flags and variables, checked and turned into settings.
//!
//! `flags` says what can be given, `duration`, `size`, `count` and `origin` what a value may look like, and `plan` what
//! it means together. Opens nothing and reads no clock.

mod count;
mod duration;
mod flags;
mod origin;
mod plan;
mod size;

pub(crate) use count::parse_count;
pub(crate) use duration::parse_duration;
pub(crate) use flags::HubFlags;
pub(crate) use plan::{Plan, Purpose};
pub(crate) use size::parse_size;
