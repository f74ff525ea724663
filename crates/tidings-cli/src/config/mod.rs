//! What a person decides about a hub: flags, variables and a file, checked and turned into settings.
//!
//! `flags` says what can be given, `duration`, `size`, `count`, `origin` and `secret` what a value may look like,
//! `settings` is all of it as a table. `file` reads a configuration file, `given` decides what counts (`mercure`: what
//! users of that one bring along), and `plan` (with `place` and `keys`) what it means together. `default_file` writes the
//! settings down, each value as `written` says. Opens nothing but files that were named, and reads no clock.

mod count;
mod default_file;
mod duration;
mod file;
mod flags;
mod given;
mod keys;
mod mercure;
mod origin;
#[cfg(test)]
mod page;
mod place;
mod plan;
mod secret;
mod settings;
mod size;
mod written;

pub(crate) use count::parse_count;
pub(crate) use default_file::default_file;
pub(crate) use duration::parse_duration;
pub(crate) use file::ConfigFile;
pub(crate) use flags::DurabilityMode;
pub(crate) use given::{Given, HubSettings};
pub(crate) use keys::{Key, Keys};
pub(crate) use place::Place;
pub(crate) use plan::{Plan, Purpose};
pub(crate) use secret::Secret;
pub(crate) use settings::table_of;
pub(crate) use size::parse_size;
