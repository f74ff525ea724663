//! The log of a hub: to stderr, as text or JSON.

use std::io;

use clap::{Args, ValueEnum};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How and how much is logged.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogFlags {
    /// How the log on stderr is written
    #[arg(long, env = "TIDINGS_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// How much is logged: off, error, warn, info, debug or trace; also by part, as in
    /// `info,tidings_http=debug`
    #[arg(
        long,
        env = "TIDINGS_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        value_parser = parse_level
    )]
    pub(crate) log_level: Targets,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One object a line, for programs
    Json,
}

/// Logs from now on.
pub(crate) fn start(flags: &LogFlags) {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(io::stderr);
    let lines = match flags.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(flags.log_level.clone())).init();
}

fn parse_level(raw: &str) -> Result<Targets, String> {
    raw.parse().map_err(|error| {
        format!(
            "{error}; expected off, error, warn, info, debug or trace, or these by part as in `info,tidings_http=debug`"
        )
    })
}
