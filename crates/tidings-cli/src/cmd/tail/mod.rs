//! `tidings tail`: follows topics, or the event stream of any server, and comes back by itself.
//!
//! Here is the command. `source` is what is followed, `follow` the loop over what it says, `show` what an event looks
//! like and `pretty` its JSON, `save` the place that is kept on disk, `run` the command for each event. How a stream is
//! asked for, resumed and read is `tidings-client`.

mod follow;
mod pretty;
mod run;
mod save;
mod show;
mod source;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::remote::{RemoteFlags, with_causes};
use crate::config::{parse_count, parse_duration};
use crate::exit::Failure;
use crate::signals::StopSignals;
use follow::{Follower, Until};
use run::Runner;
use save::SaveFile;
use show::{Form, Shower};

/// Follow topics, or any event stream, and come back where it broke
///
/// It goes on after the last event it saw, and says so when the server no longer has what comes next. It ends when the
/// topics have ended, after --count events or --timeout, or with Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tail {
    /// Topics and patterns of the hub (* is one segment, ** any number), or one URL of any event stream
    #[arg(required = true, value_name = "TOPIC|URL")]
    topics: Vec<String>,

    #[command(flatten)]
    remote: RemoteFlags,

    #[command(flatten)]
    beginning: BeginningFlags,

    #[command(flatten)]
    end: EndFlags,

    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Beginning")]
struct BeginningFlags {
    /// Begin after the event with this id
    #[arg(long, value_name = "ID", value_parser = source::parse_last_event_id)]
    last_event_id: Option<String>,

    /// Begin with what the hub kept since: `earliest`, a time such as 2026-11-23T20:00:00Z, or a duration such as 10m
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,

    /// Keep the last id in this file, after its event was written or its command has succeeded, and begin there the next
    /// time. --last-event-id counts before what is in it, and what is in it before --since
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "End")]
struct EndFlags {
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = parse_count)]
    count: Option<usize>,

    /// End after so long. With --count it has then failed: fewer events came
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Make the connection anew when no byte came for so long: three heartbeats are a good measure
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    idle_timeout: Option<Duration>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct OutputFlags {
    /// Print one JSON object a line: type, data, lastEventId and origin
    #[arg(long)]
    json: bool,

    /// Print all else that the stream says too: `retry`, comments, ids without an event, and the hub's own frames
    #[arg(long)]
    raw: bool,

    /// Run this in a shell for each event, one after the other: its data on stdin, the rest in `TIDINGS_EVENT_TYPE`,
    /// `TIDINGS_EVENT_ID` and `TIDINGS_EVENT_ORIGIN`. Events are then printed with --json or --raw alone
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,

    /// Go on after a command has failed
    #[arg(long, requires = "exec")]
    keep_going: bool,
}

impl Tail {
    /// Follows until there is nothing more to follow, or somebody asks it to stop.
    ///
    /// # Errors
    /// A [`Failure`] when the arguments do not go together, the server refuses for good, or a command fails.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Self { topics, remote, beginning, end, output } = self;
        let save = beginning.save.map(SaveFile::open).transpose()?;
        let saved = save.as_ref().and_then(SaveFile::last_event_id);
        let last_event_id = beginning.last_event_id.as_deref().or(saved);
        let mut source = source::of(&topics, beginning.since.as_deref(), &remote)?;
        source = source.last_event_id(last_event_id.unwrap_or_default());
        if let Some(after) = end.idle_timeout.filter(|after| !after.is_zero()) {
            source = source.idle_timeout(after);
        }
        let events = source.build().map_err(|error| Failure::usage(with_causes(&error)))?;

        let runner = output.exec.map(|command| Runner { command, keeps_going: output.keep_going });
        let form = match (&runner, output.json) {
            (_, true) => Form::Json,
            (Some(_), false) if !output.raw => Form::Nothing,
            (_, false) => Form::for_people(),
        };
        let until = Until::new(StopSignals::listen()?, end.timeout, end.count);
        Follower { events, shower: Shower::new(form, output.raw), save, runner, until, has_failed: false }
            .follow()
            .await
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings tail default
  tidings tail 'chat/*' news                two topics, one of them a pattern
  tidings tail orders --since 10m
  tidings tail orders --since earliest --json --count 100
  tidings tail orders --since earliest --save orders.id --exec ./handle-order
  tidings tail https://stream.wikimedia.org/v2/stream/recentchange   any server that sends text/event-stream

Connections that break are made again, at first after the time that the server asks for, then less and less often, up to \
30 s apart. What happens to them is told on stderr.
TIDINGS_HUB and TIDINGS_TOKEN stand for --hub and --token.";
