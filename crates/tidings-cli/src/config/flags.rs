//! The settings of a hub: the one place that names them. Each is a flag, a variable (`--history-bytes` is
//! `TIDINGS_HISTORY_BYTES`) and a key of the file, in the table that its help heading names.
//!
//! Says what can be given, what a value looks like and what it costs; the default file and docs/configuration.md are made
//! from it. What the values mean together is in `plan`.

mod access;
mod limits;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use tidings::Network;

use super::count::parse_number;
use super::duration::parse_duration;
use super::secret::Secret;
use super::size::parse_size;
use crate::logs::LogFlags;

pub(crate) use self::access::AccessFlags;
pub(crate) use self::limits::LimitFlags;

/// All that can be decided about a hub.
#[derive(Args, Clone, Debug)]
pub(crate) struct HubFlags {
    #[command(flatten)]
    pub(crate) listening: ListenFlags,
    #[command(flatten)]
    pub(crate) store: StoreFlags,
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
    ///
    /// Cost: one file descriptor each.
    #[arg(
        long,
        env = "TIDINGS_LISTEN",
        value_name = "ADDR",
        value_delimiter = ',',
        default_value = "127.0.0.1:3000",
        value_parser = parse_address
    )]
    pub(crate) listen: Vec<SocketAddr>,

    /// Address and port for metrics and health, apart from the readers [default: off]
    ///
    /// Cost: one file descriptor.
    #[arg(long, env = "TIDINGS_ADMIN_LISTEN", value_name = "ADDR", value_parser = parse_address)]
    pub(crate) admin_listen: Option<SocketAddr>,

    /// What operators bring to the admin listener to end streams, at least 16 characters; or `file:///…` with it [default:
    /// none, nobody may]
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) admin_token: Option<Secret>,

    /// Proxy that is believed when it says for whom it asks, by `X-Forwarded-For` or `Forwarded`: an address, or a block of
    /// them as in 10.0.0.0/8; repeat it for more. Limits for an address then hold for those behind it [default: none]
    ///
    /// Cost: none; name only proxies that write these headers themselves.
    #[arg(long, env = "TIDINGS_TRUSTED_PROXY", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<Network>,

    /// Certificate chain in PEM, the hub's own certificate first; with it --listen speaks HTTPS and nothing else [default:
    /// none, plain HTTP]
    ///
    /// Cost: about 30 KB for each connection, and no stream takes the direct way.
    #[arg(long, env = "TIDINGS_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM, without a passphrase [default: none]
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// After SIGTERM or SIGINT, how long to spread the ends of the streams, so that readers do not come back all at once
    ///
    /// Cost: a restart takes so much longer while readers are connected.
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
#[command(next_help_heading = "Store")]
pub(crate) struct StoreFlags {
    /// Directory to keep the history in, made if it is not there; one hub at a time has it. Not with --memory
    /// [default: ./tidings-data]
    ///
    /// Cost: disk space, a little more than --history-bytes says.
    #[arg(long, env = "TIDINGS_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Keep the history in memory; it is lost when the hub stops, and readers that come back are told so
    ///
    /// Cost: memory, up to what --history-bytes says.
    #[arg(long, env = "TIDINGS_MEMORY", value_parser = BoolishValueParser::new())]
    pub(crate) memory: bool,

    /// What an accepted event survives, with --data
    ///
    /// Cost: with sync each publish waits for the disk, together with all that wait at that moment. With relaxed none
    /// waits, and a power loss may take the last 100 ms; readers are told so.
    #[arg(long, env = "TIDINGS_DURABILITY", value_name = "MODE", default_value = "sync")]
    pub(crate) durability: DurabilityMode,

    /// Most events that are kept, of all topics together [default: no limit of its own]
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_HISTORY_EVENTS", value_name = "N", value_parser = parse_number)]
    pub(crate) history_events: Option<u64>,

    /// Most bytes that are kept, of all topics together; an event counts as it is sent, and a little more
    /// [default: 1GiB with --data, 64MiB with --memory]
    ///
    /// Cost: so much disk, or memory.
    #[arg(long, env = "TIDINGS_HISTORY_BYTES", value_name = "SIZE", value_parser = parse_size)]
    pub(crate) history_bytes: Option<usize>,

    /// How long an event is kept [default: 7d with --data, no limit of its own with --memory]
    ///
    /// Cost: none.
    #[arg(
        long,
        env = "TIDINGS_HISTORY_AGE",
        value_name = "DURATION",
        value_parser = parse_duration
    )]
    pub(crate) history_age: Option<Duration>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Streams")]
pub(crate) struct StreamFlags {
    /// How long after its last byte a quiet stream gets a comment, so that no proxy takes it for dead; 0 for never
    ///
    /// Cost: one packet for each quiet stream and interval.
    #[arg(
        long,
        env = "TIDINGS_HEARTBEAT",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = parse_duration
    )]
    pub(crate) heartbeat: Duration,

    /// How long readers are told to wait before they come back; each gets up to a quarter more or less
    ///
    /// Cost: a short one brings all readers back in a short time when the hub restarts.
    #[arg(
        long,
        env = "TIDINGS_RETRY",
        value_name = "DURATION",
        default_value = "2s",
        value_parser = parse_duration
    )]
    pub(crate) retry: Duration,

    /// Which way out plain HTTP/1.1 takes
    ///
    /// Cost: about 210 bytes for an idle stream, with body about 14,500.
    #[arg(long, env = "TIDINGS_DELIVERY", value_name = "WAY", default_value = "auto")]
    pub(crate) delivery: Way,
}

/// What an accepted event survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityMode {
    /// The death of the program and a power loss
    Sync,
    /// The death of the program, and a power loss but for the last 100 ms
    Relaxed,
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
    fn every_flag_has_a_group_and_a_line_of_help_and_says_what_it_costs() {
        let command = HubFlags::augment_args(Command::new("serve"));
        let is_bare = |flag: &&Arg| {
            let long_help = flag.get_long_help().map(ToString::to_string).unwrap_or_default();
            flag.get_help_heading().is_none() || flag.get_help().is_none() || !long_help.contains("\n\nCost: ")
        };
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
