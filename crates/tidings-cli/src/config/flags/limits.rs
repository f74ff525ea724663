//! How much of everything there may be.

use std::time::Duration;

use clap::Args;

use crate::config::count::{parse_count, parse_rate};
use crate::config::duration::{parse_duration, parse_some_duration};
use crate::config::size::{parse_size, parse_some_size};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitFlags {
    /// Most connections of all kinds; a new one beyond them is told to come back later [default: the file descriptors
    /// the system grants less 500]
    ///
    /// Cost: for each an idle stream's memory, and 2 to 4 KiB of the kernel's; up to 512 KiB while its reader is slow.
    #[arg(long, env = "TIDINGS_MAX_CONNECTIONS", value_name = "N", value_parser = parse_count)]
    pub(crate) max_connections: Option<usize>,

    /// Most connections from one address, of IPv6 from one /64; a new one beyond them is told to come back later [default: no
    /// limit]
    ///
    /// Cost: about 100 bytes for each address that is connected.
    #[arg(
        long,
        env = "TIDINGS_MAX_CONNECTIONS_PER_IP",
        value_name = "N",
        value_parser = parse_count
    )]
    pub(crate) max_connections_per_ip: Option<usize>,

    /// Most streams of one subject of tokens (`sub`); a new one beyond them is told to come back later [default: no limit]
    ///
    /// Cost: about 100 bytes for each subject that is connected.
    #[arg(
        long,
        env = "TIDINGS_MAX_CONNECTIONS_PER_SUBJECT",
        value_name = "N",
        value_parser = parse_count
    )]
    pub(crate) max_connections_per_subject: Option<usize>,

    /// Most bytes of an event's data
    ///
    /// Cost: held once while it is read, once in the history.
    #[arg(
        long,
        env = "TIDINGS_MAX_EVENT_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = parse_some_size
    )]
    pub(crate) max_event_bytes: usize,

    /// Most topics and patterns that one connection listens to
    ///
    /// Cost: about 53 bytes for a topic and up to 160 for a pattern, shared by all who listen to it.
    #[arg(
        long,
        env = "TIDINGS_MAX_TOPICS_PER_CONNECTION",
        value_name = "N",
        default_value = "1000",
        value_parser = parse_count
    )]
    pub(crate) max_topics_per_connection: usize,

    /// Most topics and patterns that are listened to, in all; a new stream beyond them is told to come back later
    ///
    /// Cost: 53 to 160 bytes for each, and 600 for each set of topics that somebody listens to.
    #[arg(
        long,
        env = "TIDINGS_MAX_SUBSCRIBED_TOPICS",
        value_name = "N",
        default_value = "1000000",
        value_parser = parse_count
    )]
    pub(crate) max_subscribed_topics: usize,

    /// Most topics with history, with --memory; a publish to a new one beyond them is refused
    ///
    /// Cost: about 200 bytes and twice the name for each in memory, when they are there.
    #[arg(
        long,
        env = "TIDINGS_MAX_TOPICS",
        value_name = "N",
        default_value = "1000000",
        value_parser = parse_count
    )]
    pub(crate) max_topics: usize,

    /// Most idempotency keys that are kept, each for 10 minutes; a publish with a new one beyond them is refused
    ///
    /// Cost: about 200 bytes for each, when they are there.
    #[arg(
        long,
        env = "TIDINGS_MAX_IDEMPOTENCY_KEYS",
        value_name = "N",
        default_value = "100000",
        value_parser = parse_count
    )]
    pub(crate) max_idempotency_keys: usize,

    /// Most events of one publisher in a second, as a mean: of a subject of tokens, else of an address. It may publish ten
    /// seconds' worth at once [default: no limit]
    ///
    /// Cost: about 150 bytes for each publisher of the last seconds.
    #[arg(
        long,
        env = "TIDINGS_MAX_PUBLISH_EVENTS_PER_SECOND",
        value_name = "N",
        value_parser = parse_rate
    )]
    pub(crate) max_publish_events_per_second: Option<u32>,

    /// Most bytes of data of one publisher in a second, as --max-publish-events-per-second [default: no limit]
    ///
    /// Cost: as --max-publish-events-per-second.
    #[arg(
        long,
        env = "TIDINGS_MAX_PUBLISH_BYTES_PER_SECOND",
        value_name = "SIZE",
        value_parser = parse_some_size
    )]
    pub(crate) max_publish_bytes_per_second: Option<usize>,

    /// Most bytes of a request's head
    ///
    /// Cost: so much for each connection until its head is whole.
    #[arg(
        long,
        env = "TIDINGS_MAX_HEAD_BYTES",
        value_name = "SIZE",
        default_value = "16KiB",
        value_parser = parse_some_size
    )]
    pub(crate) max_head_bytes: usize,

    /// How long a request's head may take before its connection is closed
    ///
    /// Cost: a connection that sends nothing has its place for so long.
    #[arg(
        long,
        env = "TIDINGS_HEAD_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = parse_some_duration
    )]
    pub(crate) head_timeout: Duration,

    /// Most bytes of bodies that are being read or wait for the history, in all; the first 16 KiB of each do not count
    ///
    /// Cost: so much memory. At the limit a longer publication is refused (503).
    #[arg(
        long,
        env = "TIDINGS_MAX_INCOMING_BYTES",
        value_name = "SIZE",
        default_value = "256MiB",
        value_parser = parse_some_size
    )]
    pub(crate) max_incoming_bytes: usize,

    /// How long a request's body may go without a byte
    ///
    /// Cost: a publisher that stalls keeps its connection for so long.
    #[arg(
        long,
        env = "TIDINGS_BODY_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = parse_some_duration
    )]
    pub(crate) body_timeout: Duration,

    /// How long a reader may take no byte while there is something for it, before it is disconnected; 0 for ever
    ///
    /// Cost: up to 512 KiB of the kernel's memory for each such reader until then.
    #[arg(
        long,
        env = "TIDINGS_SLOW_CLIENT_TIMEOUT",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = parse_duration
    )]
    pub(crate) slow_client_timeout: Duration,

    /// Most bytes of events that a connected reader may be behind before it is disconnected; it comes back where it was
    /// [default: as far as history goes]
    ///
    /// Cost: none; a reader that is behind holds no memory.
    #[arg(
        long,
        env = "TIDINGS_MAX_LAG_BYTES",
        value_name = "SIZE",
        value_parser = parse_some_size
    )]
    pub(crate) max_lag_bytes: Option<usize>,

    /// Most bytes that half-written buffers hold for slow readers, in all; beyond them the slowest is disconnected
    ///
    /// Cost: so much memory.
    #[arg(
        long,
        env = "TIDINGS_MAX_BUFFERED_BYTES",
        value_name = "SIZE",
        default_value = "256MiB",
        value_parser = parse_some_size
    )]
    pub(crate) max_buffered_bytes: usize,

    /// Most readers that are replayed history at a time; others wait for their turn
    ///
    /// Cost: none of its own; what a reader does not take is part of --max-buffered-bytes.
    #[arg(
        long,
        env = "TIDINGS_MAX_REPLAYS",
        value_name = "N",
        default_value = "10000",
        value_parser = parse_count
    )]
    pub(crate) max_replays: usize,

    /// Most bytes a shard replays in one turn before it looks at live events again; 0 for no bound
    ///
    /// Cost: live events wait for one such turn at most.
    #[arg(
        long,
        env = "TIDINGS_CATCH_UP_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = parse_size
    )]
    pub(crate) catch_up_bytes: usize,

    /// How long a stream may live, less up to 10 % so that they do not end together; 0 for ever
    ///
    /// Cost: one more connection of each reader in that time.
    #[arg(
        long,
        env = "TIDINGS_CONNECTION_LIFETIME",
        value_name = "DURATION",
        default_value = "0",
        value_parser = parse_duration
    )]
    pub(crate) connection_lifetime: Duration,
}
