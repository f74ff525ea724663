//! The log of a hub: to stderr, as text or JSON.

use std::io;

use clap::{Args, ValueEnum};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How and how much is logged.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogFlags {
    /// How the log on stderr is written
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// How much is logged: off, error, warn, info, debug or trace; also by part, as in
    /// `info,tidings_http=debug`
    ///
    /// Cost: from debug on, lines for each connection.
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
    const EXPECTED: &str =
        "expected off, error, warn, info, debug or trace, or these by part as in `info,tidings_http=debug`";
    // A word alone would be taken for the name of a part: a misspelt level must not silence the log.
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    if let Some(word) = raw.split(',').find(|word| !word.contains('=') && !is_level(word)) {
        return Err(format!("{word:?} is no level; {EXPECTED}"));
    }
    raw.parse().map_err(|error| format!("{error}; {EXPECTED}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, is_good: bool) {
        assert_eq!(parse_level(raw).is_ok(), is_good, "{raw:?}: {:?}", parse_level(raw));
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        check("info", true);
        check("off", true);
        check("info,tidings_http=debug", true);
        check("tidings=trace", true);
        check("inof", false);
        check("", false);
        check("warn,nonsense", false);
        check("tidings=loud", false);
    }
}
