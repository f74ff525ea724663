//! What a person decides about a hub: flags, variables and a file, checked and turned into settings.
//!
//! `flags` says what can be given, `duration`, `size`, `count` and `origin` what a value may look like, `settings` is all
//! of it as a table. `file` reads a configuration file, `given` decides what counts, and `plan` (with `place`) what it
//! means together. `default_file` writes the settings down, each value as `written` says. Opens nothing but that file, and
//! reads no clock.

mod count;
mod default_file;
mod duration;
mod file;
mod flags;
mod given;
mod origin;
#[cfg(test)]
mod page;
mod place;
mod plan;
mod settings;
mod size;
mod written;

pub(crate) use count::parse_count;
pub(crate) use default_file::default_file;
pub(crate) use duration::parse_duration;
pub(crate) use file::ConfigFile;
pub(crate) use flags::DurabilityMode;
pub(crate) use given::Given;
pub(crate) use place::Place;
pub(crate) use plan::{Plan, Purpose};
pub(crate) use size::parse_size;
