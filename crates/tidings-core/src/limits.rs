//! Everything that can grow, how far, and what happens then. Each field is a flag, a metric and a line of docs.

use std::time::Duration;

use tidings_topic::Selector;

use crate::record::{RECORD_OVERHEAD_BYTES, Record};

/// A binary kilobyte.
pub const KIB: usize = 1024;
/// A binary megabyte.
pub const MIB: usize = 1024 * KIB;

/// How much history is kept; whichever bound is reached first counts, for the whole hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Most events kept. Default: no limit of its own.
    pub events_max: Option<u64>,
    /// Most bytes kept: encoded events and [`HistoryLimits::record_overhead_bytes`] for each. Default in memory: 64 MiB.
    pub bytes_max: usize,
    /// What a record counts for beside its encoded bytes: its entries in the indices. Default: what it is in memory.
    pub record_overhead_bytes: usize,
    /// Whether names longer than usual count as well, as in memory they must. Default: yes.
    pub counts_long_names: bool,
    /// How long an event is kept. Default in memory: no limit of its own.
    pub age_max: Option<Duration>,
    /// Narrower bounds for some topics. The first whose selector selects a topic holds for it, and for each such topic by
    /// itself; they are kept first, then those of the hub. Default: none. Cost: about 32 bytes for each event kept under
    /// one of them and 200 for each such topic, and for each publish a match with each pattern.
    pub topic_bounds: Vec<TopicBounds>,
    /// Most bytes of events beyond these bounds, those of topics included, that stay at hand for readers that are just being
    /// given them live; nobody is replayed them. Beyond it they are freed. Default: 4 MiB, so that a burst passes through a
    /// short history whole.
    pub trimmed_bytes_max: usize,
    /// Most topics of which the last trimmed place is remembered. Beyond it the oldest is folded into a floor for all
    /// topics, which can only make a verdict more careful. Default: 100,000. Cost: about 120 bytes and the name for each.
    pub marks_max: usize,
    /// Most topics remembered as ended, each with its end, which outlives the history. Beyond it the one that ended first is open again. Default: 100,000.
    pub ended_topics_max: usize,
    /// Most idempotency keys kept. At the limit a publish with a new key is refused: 503. Default: 100,000.
    pub idempotency_keys_max: usize,
    /// How long an idempotency key is kept. Default: 10 minutes.
    pub idempotency_window: Duration,
    /// Most topics with at least one event kept, in memory. At the limit a publish to a new one is refused: 503. Default:
    /// 1,000,000. Cost: about 200 bytes and twice the name for each. An engine on disk has only the topics of recent events
    /// in memory, and no need of it.
    pub topics_max: usize,
}

impl HistoryLimits {
    /// What a record counts for against the history's bytes: its encoded bytes, the overhead, its alternate topics, and
    /// its names where they are long.
    pub fn cost_bytes(&self, record: &Record) -> usize {
        let names = if self.counts_long_names { record.long_names_bytes() } else { 0 };
        record.chunk.wire().len() + self.record_overhead_bytes + record.alternates_bytes() + names
    }
}

/// How much of each of some topics is kept: a `[[history]]` table. `None`: no bound of its own; a table without any exempts
/// its topics from the tables after it. Events beyond a bound are not replayed, and whoever was before them is told so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicBounds {
    /// The topics that it holds for.
    pub topics: Selector,
    /// Most events kept of each. The end of a topic is none.
    pub events_max: Option<u64>,
    /// Most bytes kept of each, counted as in [`HistoryLimits::bytes_max`].
    pub bytes_max: Option<usize>,
    /// How long their events are kept; an event's own age may be shorter.
    pub age_max: Option<Duration>,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            events_max: None,
            bytes_max: 64 * MIB,
            record_overhead_bytes: RECORD_OVERHEAD_BYTES,
            counts_long_names: true,
            age_max: None,
            topic_bounds: Vec::new(),
            trimmed_bytes_max: 4 * MIB,
            marks_max: 100_000,
            ended_topics_max: 100_000,
            idempotency_keys_max: 100_000,
            idempotency_window: Duration::from_mins(10),
            topics_max: 1_000_000,
        }
    }
}

/// The limits of a hub's connections and requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections, of all kinds. At the limit a new one is refused, none is evicted. Default: the file descriptors
    /// of the process less 500.
    pub connections_max: usize,
    /// Most connections from one address; of IPv6, from one /64. At the limit a new one is refused: 429. Default: `None`,
    /// no limit. Cost: about 100 bytes for each address.
    pub connections_per_ip_max: Option<usize>,
    /// Most streams of one subject of tokens (`sub`). At the limit a new one is refused: 429. Default: `None`, no limit.
    /// Cost: about 100 bytes for each subject.
    pub connections_per_subject_max: Option<usize>,
    /// Most topics and patterns that are listened to, in all: those that many readers share in one group count once. At
    /// the limit a new stream is refused: 503. Default: 1,000,000. Cost: 53 to 160 bytes for each.
    pub subscribed_topics_max: usize,
    /// Most events of one publisher in a second, as a mean: of a subject of tokens, else of an address. A publisher that
    /// was quiet may publish ten seconds' worth at once. Beyond it: 429. Default: `None`, no limit.
    pub publish_events_per_second_max: Option<u32>,
    /// Most bytes of data of one publisher in a second, as [`Limits::publish_events_per_second_max`].
    pub publish_bytes_per_second_max: Option<usize>,
    /// Most bytes of an event's data. A longer one is refused with 413 while it is read. Default: 1 MiB.
    pub event_bytes_max: usize,
    /// Most bytes of request bodies in memory, in all: those that are being read, or wait for the history. The first
    /// 16 KiB of each do not count. At the limit a longer one is refused: 503. Default: 256 MiB.
    pub incoming_bytes_max: usize,
    /// Most topics and patterns of one connection. Default: 1,000.
    pub topics_per_connection_max: usize,
    /// Most bytes of a request's head. Default: 16 KiB.
    pub head_bytes_max: usize,
    /// How long a request's head may take. Default: 10 s.
    pub head_timeout: Duration,
    /// How long a request's body may go without a byte. Default: 30 s.
    pub body_timeout: Duration,
    /// Most bytes that one write to a group carries; a larger single event goes alone. Default: 64 KiB.
    pub batch_bytes_max: usize,
    /// Most bytes held by half-written buffers and by bodies that their readers have not taken, in all; each shard has
    /// its part. At the limit the session that has taken nothing for longest is closed (`lagged`). Default: 256 MiB.
    pub buffered_bytes_max: usize,
    /// Most bytes of events that a connected reader may be behind, as they came in since it fell behind. One that is
    /// further is closed (`lagged`). Default: `None`: as far as history goes.
    pub lag_bytes_max: Option<usize>,
    /// Most readers that are replayed history at a time; each shard has its part, at least one. Others wait for their
    /// turn, with heartbeats. Default: 10,000: readers of a group at one place share what is read, so a crowd that comes
    /// back together is better served together.
    pub replays_max: usize,
    /// Most bytes a shard replays in one turn before it looks at live events again. Default: 1 MiB.
    pub catch_up_bytes_per_turn: usize,
    /// Send buffer of a direct connection, as asked of the kernel, which doubles it. Default: 256 KiB.
    pub socket_send_buffer_bytes: usize,
    /// How long a reader may take no byte while there is something for it. Default: 60 s; `None`: for ever.
    pub slow_client_timeout: Option<Duration>,
    /// How long a stream may live; spread by up to 10 % less, so that they do not end together. Default: `None`, for ever.
    pub connection_lifetime: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 500,
            connections_per_ip_max: None,
            connections_per_subject_max: None,
            subscribed_topics_max: 1_000_000,
            publish_events_per_second_max: None,
            publish_bytes_per_second_max: None,
            event_bytes_max: MIB,
            incoming_bytes_max: 256 * MIB,
            topics_per_connection_max: 1000,
            head_bytes_max: 16 * KIB,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            batch_bytes_max: 64 * KIB,
            buffered_bytes_max: 256 * MIB,
            lag_bytes_max: None,
            replays_max: 10_000,
            catch_up_bytes_per_turn: MIB,
            socket_send_buffer_bytes: 256 * KIB,
            slow_client_timeout: Some(Duration::from_mins(1)),
            connection_lifetime: None,
        }
    }
}
