//! `tidings config`: a configuration file before a hub starts with it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::{ConfigFile, Given, HubSettings, Plan, Purpose, default_file};
use crate::exit::Failure;
use crate::keys;
use crate::say;

/// Check a configuration file, or print one with all defaults
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Tell all that is wrong with a file; ends with 2 if anything is
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a file with every key, its default, its unit and what it costs
    Default,
}

impl Config {
    /// Does it.
    ///
    /// # Errors
    /// A [`Failure`] with all that is wrong with the file.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            ConfigCommand::Check { file } => {
                let good = ConfigFile::read(&file).map_err(Failure::usage)?;
                let (keys, tables) = (good.values.len(), good.topic_bounds.len());
                let settings = Given::by_file_alone(good)?;
                say::result(format_args!("{} is good: {}", file.display(), summary(keys, tables)));
                // Settings that do not go together by themselves may with a flag, as `--open` does; and the keys that the file
                // names may be on another machine.
                if let Err(reason) = would_start(&settings) {
                    say::note(format_args!("note: with no other flags `tidings serve` would not start: {reason}"));
                }
            }
            ConfigCommand::Default => say::result(default_file().trim_end()),
        }
        Ok(())
    }
}

/// Would a hub start with these settings alone?
///
/// # Errors
/// Why not.
fn would_start(settings: &HubSettings) -> Result<(), String> {
    let plan = Plan::of(settings, Purpose::Serve).map_err(|error| error.to_string())?;
    keys::authority(&plan.keys).map(drop).map_err(|error| error.to_string())
}

fn summary(keys: usize, tables: usize) -> String {
    let keys = if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") };
    match tables {
        0 => keys,
        1 => format!("{keys}, 1 [[history]] table"),
        tables => format!("{keys}, {tables} [[history]] tables"),
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings config default > tidings.toml
  tidings config check tidings.toml
  tidings serve --config tidings.toml

Every key of the file is a flag of `serve` and a variable too. A flag counts before its variable, a variable before the \
file, the file before the default.";
