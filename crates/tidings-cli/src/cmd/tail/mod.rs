//! `tidings tail`: follows topics, or the event stream of any server, and comes back by itself.
//!
//! Here is the command. `follow` is the loop over connections, `stream` one connection, `backoff` the time between two,
//! `show` what an event looks like.

mod backoff;
mod follow;
mod show;
mod source;
mod stream;

use clap::Args;

use super::remote::RemoteFlags;
use crate::config::parse_count;
use crate::exit::Failure;
use crate::signals::StopSignals;
use follow::Follower;
use show::{Form, Shower};
use source::Source;

/// Follow topics, or any event stream, and come back where it broke
///
/// It goes on after the last event it saw, and says so when the server no longer has what comes next. It ends when the
/// topics have ended, after --count events, or with Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tail {
    /// Topics and patterns of the hub (* is one segment, ** any number), or one URL of any event stream
    #[arg(required = true, value_name = "TOPIC|URL")]
    topics: Vec<String>,

    #[command(flatten)]
    remote: RemoteFlags,

    /// Begin after the event with this id
    #[arg(long, value_name = "ID", help_heading = "Beginning", value_parser = source::parse_last_event_id)]
    last_event_id: Option<String>,

    /// Begin with what the hub kept since: `earliest`, a time such as 2026-11-23T20:00:00Z, or a duration such as 10m
    #[arg(long, value_name = "WHEN", help_heading = "Beginning")]
    since: Option<String>,

    /// Print one JSON object a line: type, data, lastEventId and origin
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// End after so many events
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = parse_count)]
    count: Option<usize>,
}

impl Tail {
    /// Follows until there is nothing more to follow, or somebody asks it to stop.
    ///
    /// # Errors
    /// A [`Failure`] when the arguments do not go together, or the server refuses for good.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let source = Source::of(&self.topics, self.since.as_deref(), &self.remote)?;
        let form = if self.json { Form::Json { origin: source.url.origin() } } else { Form::for_people() };
        let shower = Shower::new(form, self.count);
        let mut signals = StopSignals::listen()?;
        tokio::select! {
            ended = Follower::new(source, self.last_event_id, shower).follow() => ended,
            () = signals.next() => Ok(()),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings tail default
  tidings tail 'chat/*' news                two topics, one of them a pattern
  tidings tail orders --since 10m
  tidings tail orders --since earliest --json --count 100
  tidings tail http://127.0.0.1:8080/stream   any server that sends text/event-stream

Connections that break are made again, at first after the time that the server asks for, then less and less often, up to \
30 s apart. What happens to them is told on stderr.
TIDINGS_HUB and TIDINGS_TOKEN stand for --hub and --token.";
