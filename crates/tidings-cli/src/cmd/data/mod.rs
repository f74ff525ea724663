//! `tidings data`: what an operator does with a data directory that no hub has open.
//!
//! Here are the flags and the exit codes. `report` is what people read, `json` what programs read, `bar` the progress.
//! What is done is in `tidings-store`.

mod bar;
mod json;
mod report;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::Value;
use tidings_store::OpenError;
use tidings_store::operate::{Damage, compact, inspect, verify};

use crate::exit::Failure;
use crate::say;
use crate::store::cannot_open;
use crate::units::some;
use bar::Bar;

/// Look into a data directory that no hub has open, or compact it
///
/// A hub has its directory for itself while it runs: stop it first. While it runs, its metrics tell how much there is.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Tell what is in it: how much, from when to when, and which topics take most
    Inspect {
        #[command(flatten)]
        of: Directory,
        /// How many of the largest topics to name
        #[arg(long, value_name = "N", default_value = "10")]
        topics: usize,
    },
    /// Read all of it and tell what is damaged, and where
    Verify {
        #[command(flatten)]
        of: Directory,
    },
    /// Free the room of what is no longer replayed; needs room for one more log file meanwhile
    ///
    /// A running hub frees it by itself, in time. What is replayed, and every id, stays as it is.
    Compact {
        #[command(flatten)]
        of: Directory,
    },
}

#[derive(Args, Debug)]
struct Directory {
    /// The directory, as given to `serve --data`
    #[arg(value_name = "DIR")]
    path: PathBuf,

    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
}

impl Data {
    /// Looks or compacts, and prints what there is.
    ///
    /// # Errors
    /// A [`Failure`] when the directory is none of a hub's, cannot be had, or is damaged.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let begun = Instant::now();
        match self.command {
            DataCommand::Inspect { of: Directory { path, json }, topics } => {
                let found = inspect(&path, topics).map_err(|error| refused(&error))?;
                tell(json, || json::inspection(&found), || report::inspection(&path, &found, Timestamp::now()));
                verdict(&path, &found.damage, false)
            }
            DataCommand::Verify { of: Directory { path, json } } => {
                let found = with_bar(|progress| verify(&path, progress))?;
                tell(json, || json::verification(&found), || report::verification(&path, &found, begun.elapsed()));
                verdict(&path, &found.damage, found.has_more_damage)
            }
            DataCommand::Compact { of: Directory { path, json } } => {
                let done = with_bar(|progress| compact(&path, progress))?;
                tell(json, || json::compaction(&done), || report::compaction(&path, &done, begun.elapsed()));
                verdict(&path, &done.damage, false)
            }
        }
    }
}

/// Works with a bar on the terminal, which is gone when there is something to be told.
fn with_bar<T>(work: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, OpenError>) -> Result<T, Failure> {
    let mut bar = Bar::default();
    work(&mut |done, total| bar.show(done, total)).map_err(|error| refused(&error))
}

fn tell(json: bool, object: impl FnOnce() -> Value, table: impl FnOnce() -> String) {
    if json {
        say::result(object());
    } else {
        say::result(table().trim_end());
    }
}

/// Damage was told already; here it decides how the program ends.
fn verdict(directory: &Path, damage: &[Damage], has_more: bool) -> Result<(), Failure> {
    if damage.is_empty() {
        return Ok(());
    }
    let more = if has_more { " and more" } else { "" };
    let places = some(damage.len() as u64, "place");
    Err(Failure::running(format!("{} is damaged in {places}{more}", directory.display())))
}

/// A directory that is none of a hub's was named by mistake; all else is its state.
fn refused(error: &OpenError) -> Failure {
    match error {
        OpenError::Io { source, .. } if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Failure::usage(format!("{error}; expected a directory that was given to `tidings serve --data`"))
        }
        OpenError::InUse { .. } => Failure::running(format!("{error}; stop that hub first")),
        _ => Failure::running(cannot_open(error)),
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings data inspect ./tidings-data
  tidings data inspect ./tidings-data --topics 50 --json
  tidings data verify ./tidings-data
  tidings data compact ./tidings-data

Exit codes: 0 all is well, 1 it is damaged or cannot be read, 2 it is no data directory.";
