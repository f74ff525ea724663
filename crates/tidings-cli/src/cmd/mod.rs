//! The commands, one file each.

mod bench;
mod config;
mod data;
mod demo;
mod publish;
mod remote;
mod serve;
mod tail;
mod token;
mod top;

use clap::{Parser, Subcommand};

use bench::Bench;
use config::Config;
use data::Data;
use demo::Demo;
use publish::Publish;
use serve::Serve;
use tail::Tail;
use token::Token;
use top::Top;

/// A server-sent-events hub: publish with a POST, listen with an EventSource, lose nothing between two connections
#[derive(Debug, Parser)]
#[command(name = "tidings", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Serve),
    Demo(Demo),
    Publish(Publish),
    Tail(Tail),
    Top(Top),
    Token(Token),
    Bench(Box<Bench>),
    Config(Config),
    Data(Data),
}

const EXAMPLES: &str = "\
Examples:
  tidings demo                              a hub with a clock, in memory
  tidings serve                             a hub with its history in ./tidings-data
  tidings tail default                      follow a topic of it, in another terminal
  tidings publish default 'Good news'       publish to it
  tidings config default                    a configuration file with every key
  tidings data inspect ./tidings-data       what is stored there
  tidings top                               who listens, what is busy, who is slow, with --admin-listen
  tidings bench                             measure it, or any other server of event streams
  curl -N http://127.0.0.1:3000/events      follow without this program
  curl -d 'Good news' http://127.0.0.1:3000/events

The hub's page is at http://127.0.0.1:3000/.
Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.
`tidings help COMMAND` tells all of a command.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_examples() {
        let program = Arguments::command();
        for command in program.get_subcommands() {
            let name = command.get_name();
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains(&format!("tidings {name}")), "{name}: {examples}");
            assert!(command.get_about().is_some(), "{name}");
        }
    }

    /// The examples of the help are command lines that parse.
    #[test]
    fn every_example_is_a_good_command() {
        let program = Arguments::command();
        let texts = program.get_subcommands().map(|command| command.get_after_help());
        let texts = texts.chain([program.get_after_help()]).flatten().map(ToString::to_string);
        let mut count = 0;
        for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            // `… | tidings publish` too; what comes after two spaces, a pipe or a redirection is not ours.
            let Some(at) = line.find("tidings ").filter(|_| line.starts_with("  ")) else { continue };
            let command = line[at..].split("  ").next().unwrap_or_default();
            let command = command.split([';', '|', '<', '>']).next().unwrap_or_default();
            // Every other part stands between single quotes and is one word.
            let parts = command.split('\'').enumerate();
            let words = parts.flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            if let Err(error) = Arguments::try_parse_from(words) {
                assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{line}: {error}");
            }
            count += 1;
        }
        assert!(count > 10, "only {count} examples were found");
    }

    fn refused(words: &[&str]) -> clap::Error {
        let error = Arguments::try_parse_from(words).expect_err("a bad command");
        assert_eq!(error.exit_code(), 2, "{words:?}");
        error
    }

    #[test]
    fn wrong_usage_says_what_came_and_what_is_expected() {
        for (words, wants) in [
            (&["tidings", "sevre"][..], &["sevre", "serve"][..]),
            (&["tidings", "serve", "--memroy"], &["--memroy", "--memory"]),
            (&["tidings", "serve", "--heartbeat=15"], &["15", "--heartbeat", "expected", "15s"]),
            (&["tidings", "serve", "--history-bytes=1MB"], &["1MB", "--history-bytes", "MiB"]),
            (&["tidings", "serve", "--listen=:3000"], &[":3000", "--listen", "127.0.0.1:3000"]),
            (
                &["tidings", "serve", "--cors-origin=https://a/b"],
                &["https://a/b", "--cors-origin", "https://app.example"],
            ),
            (&["tidings", "serve", "--delivery=fast"], &["fast", "auto", "direct", "body"]),
            (&["tidings", "publish"], &["<TOPIC>"]),
            (&["tidings", "publish", "", "x"], &["<TOPIC>", "expected 1 to 4096 bytes"]),
            (&["tidings", "publish", "t", "x", "--hub=ftp://hub.example"], &["--hub", "ftp", "http://"]),
            (&["tidings", "publish", "t", "x", "--lines"], &["--lines", "[DATA]"]),
            (&["tidings", "publish", "t", "--lines", "--id=7"], &["--lines", "--id"]),
            (&["tidings", "tail"], &["<TOPIC|URL>"]),
            (&["tidings", "tail", "t", "--count=0"], &["--count", "from 1"]),
        ] {
            let error = refused(words).to_string();
            for want in wants {
                assert!(error.contains(want), "{words:?}: expected {want:?} in: {error}");
            }
        }
    }
}
