//! The flags of `serve` and `demo`. Each is a variable too: `--history-bytes` is `TIDINGS_HISTORY_BYTES`.
//!
//! Says what can be given and what a value looks like. What the values mean together is in `plan`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::count::parse_count;
use super::duration::parse_duration;
use super::origin::{CorsOrigin, Origin};
use super::size::{parse_size, parse_some_size};
use crate::logs::LogFlags;

/// All that can be decided about a hub.
#[derive(Args, Clone, Debug)]
pub(crate) struct HubFlags {
    #[command(flatten)]
    pub(crate) listening: ListenFlags,
    #[command(flatten)]
    pub(crate) history: HistoryFlags,
    #[command(flatten)]
    pub(crate) access: AccessFlags,
    #[command(flatten)]
    pub(crate) streams: StreamFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    #[command(flatten)]
    pub(crate) logs: LogFlags,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub(crate) struct ListenFlags {
    /// Address and port to listen on; repeat it for more. Port 0 takes any free one, and the line on stdout says which
    #[arg(
        long,
        env = "TIDINGS_LISTEN",
        value_name = "ADDR",
        value_delimiter = ',',
        default_value = "127.0.0.1:3000",
        value_parser = parse_address
    )]
    pub(crate) listen: Vec<SocketAddr>,

    /// Address and port for metrics and health, apart from the readers; off unless given
    #[arg(long, env = "TIDINGS_ADMIN_LISTEN", value_name = "ADDR", value_parser = parse_address)]
    pub(crate) admin_listen: Option<SocketAddr>,

    /// After SIGTERM or SIGINT, how long to spread the ends of the streams, so that readers do not come back all at once
    #[arg(
        long,
        env = "TIDINGS_DRAIN",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = parse_duration
    )]
    pub(crate) drain: Duration,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "History")]
pub(crate) struct HistoryFlags {
    /// Keep the history in memory; it is lost when the hub stops, and readers that come back are told so
    #[arg(long, env = "TIDINGS_MEMORY", value_parser = BoolishValueParser::new())]
    pub(crate) memory: bool,

    /// Most events that are kept [default: no limit of its own]
    #[arg(long, env = "TIDINGS_HISTORY_EVENTS", value_name = "N")]
    pub(crate) history_events: Option<u64>,

    /// Most bytes that are kept [default: 64MiB in memory]
    #[arg(long, env = "TIDINGS_HISTORY_BYTES", value_name = "SIZE", value_parser = parse_size)]
    pub(crate) history_bytes: Option<usize>,

    /// How long an event is kept [default: no limit of its own in memory]
    #[arg(
        long,
        env = "TIDINGS_HISTORY_AGE",
        value_name = "DURATION",
        value_parser = parse_duration
    )]
    pub(crate) history_age: Option<Duration>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessFlags {
    /// Let everybody publish and listen, from other machines, through proxies and under any host name
    #[arg(long, env = "TIDINGS_OPEN", value_parser = BoolishValueParser::new())]
    pub(crate) open: bool,

    /// Origin whose pages may read answers, such as `https://app.example`, or `*` for all; repeat it for more. Pages of this
    /// machine may without it
    #[arg(long, env = "TIDINGS_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) cors_origin: Vec<CorsOrigin>,

    /// Origin whose pages may publish to a hub that is open on this machine only; repeat it for more. Pages of this
    /// machine may without it
    #[arg(long, env = "TIDINGS_PUBLISH_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) publish_origin: Vec<Origin>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Streams")]
pub(crate) struct StreamFlags {
    /// How long after its last byte a quiet stream gets a comment, so that no proxy takes it for dead; 0 for never
    #[arg(
        long,
        env = "TIDINGS_HEARTBEAT",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = parse_duration
    )]
    pub(crate) heartbeat: Duration,

    /// How long readers are told to wait before they come back; each gets up to a quarter more or less
    #[arg(
        long,
        env = "TIDINGS_RETRY",
        value_name = "DURATION",
        default_value = "2s",
        value_parser = parse_duration
    )]
    pub(crate) retry: Duration,

    /// Which way out plain HTTP/1.1 takes
    #[arg(long, env = "TIDINGS_DELIVERY", value_name = "WAY", default_value = "auto")]
    pub(crate) delivery: Way,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitFlags {
    /// Most connections of all kinds; a new one beyond them is told to come back later [default: the file descriptors
    /// the system grants less 500]
    #[arg(long, env = "TIDINGS_MAX_CONNECTIONS", value_name = "N", value_parser = parse_count)]
    pub(crate) max_connections: Option<usize>,

    /// Most bytes of an event's data
    #[arg(
        long,
        env = "TIDINGS_MAX_EVENT_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = parse_some_size
    )]
    pub(crate) max_event_bytes: usize,

    /// Most topics and patterns that one connection listens to
    #[arg(
        long,
        env = "TIDINGS_MAX_TOPICS_PER_CONNECTION",
        value_name = "N",
        default_value = "1000",
        value_parser = parse_count
    )]
    pub(crate) max_topics_per_connection: usize,

    /// How long a reader may take no byte while there is something for it, before it is disconnected; 0 for ever
    #[arg(
        long,
        env = "TIDINGS_SLOW_CLIENT_TIMEOUT",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = parse_duration
    )]
    pub(crate) slow_client_timeout: Duration,

    /// Most bytes a shard replays in one turn before it looks at live events again; 0 for no bound
    #[arg(
        long,
        env = "TIDINGS_CATCH_UP_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = parse_size
    )]
    pub(crate) catch_up_bytes: usize,

    /// How long a stream may live, less up to 10 % so that they do not end together; 0 for ever
    #[arg(
        long,
        env = "TIDINGS_CONNECTION_LIFETIME",
        value_name = "DURATION",
        default_value = "0",
        value_parser = parse_duration
    )]
    pub(crate) connection_lifetime: Duration,
}

/// Which way out plain HTTP/1.1 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// The one that suits this system
    Auto,
    /// The hub writes to the sockets itself
    Direct,
    /// The HTTP library writes, as it does for HTTP/2
    Body,
}

fn parse_address(raw: &str) -> Result<SocketAddr, String> {
    raw.parse()
        .map_err(|_| "expected an IP address and a port, as in 127.0.0.1:3000, [::1]:3000 or 0.0.0.0:3000".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn every_flag_is_a_variable_of_the_same_name() {
        let command = HubFlags::augment_args(Command::new("serve"));
        for flag in command.get_arguments() {
            let long = flag.get_long().expect("every flag of serve has a name");
            let want = format!("TIDINGS_{}", long.to_uppercase().replace('-', "_"));
            let got = flag.get_env().and_then(|name| name.to_str());
            assert_eq!(got, Some(&*want), "--{long}");
        }
    }

    #[test]
    fn every_flag_has_a_group_and_a_line_of_help() {
        let command = HubFlags::augment_args(Command::new("serve"));
        let is_bare = |flag: &&Arg| flag.get_help_heading().is_none() || flag.get_help().is_none();
        let bare: Vec<_> = command.get_arguments().filter(is_bare).collect();
        assert!(bare.is_empty(), "{bare:?}");
    }

    #[test]
    fn an_address_has_a_port() {
        for (raw, want) in [
            ("127.0.0.1:3000", true),
            ("[::1]:0", true),
            ("0.0.0.0:80", true),
            ("127.0.0.1", false),
            (":3000", false),
            ("3000", false),
            ("localhost:3000", false),
            ("127.0.0.1:65536", false),
        ] {
            let got = parse_address(raw);
            assert_eq!(got.is_ok(), want, "{raw:?}: {got:?}");
        }
    }
}
