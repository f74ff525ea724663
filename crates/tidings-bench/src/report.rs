//! What was measured. Serialised as it stands: `tidings bench --json` prints it.

use serde::{Deserialize, Serialize};

/// What was measured. A part that was not measured is `None`, and `null` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `fanout`, `idle` or `storm`.
    pub mode: String,
    /// How many subscribers were connected.
    pub subscribers: u64,
    /// How many topics there were.
    pub topics: u64,
    /// What connecting cost.
    pub connect: ConnectReport,
    /// What was published while it was measured.
    pub publish: Option<PublishReport>,
    /// What was delivered while it was measured; in a storm to all, from its beginning to the end.
    pub deliveries: Option<DeliveryReport>,
    /// What the deliveries cost the server. Needs its process id.
    pub server: Option<ServerReport>,
    /// What the decoder said, if it was asked for.
    pub verify: Option<VerifyReport>,
    /// What waiting costs.
    pub idle: Option<IdleReport>,
    /// How all came back.
    pub storm: Option<StormReport>,
}

/// What connecting cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectReport {
    /// From the first connection to the last answer.
    pub seconds: f64,
    /// The server's CPU for each subscriber, in microseconds.
    pub cpu_us_per_subscriber: Option<f64>,
    /// How much the server's memory (PSS) grew for each subscriber. What the kernel keeps for a socket is not in it.
    pub pss_bytes_per_subscriber: Option<f64>,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishReport {
    /// How many connections published.
    pub publishers: u64,
    /// How many bytes each payload had.
    pub payload_bytes: u64,
    /// The rate asked for; none at full speed.
    pub rate: Option<f64>,
    /// Answered with a status of 200 to 299.
    pub accepted: u64,
    /// Answered otherwise, or not at all.
    pub refused: u64,
    /// How the first refusal begins.
    pub first_refusal: Option<String>,
    /// From the first to the last.
    pub seconds: f64,
    /// Accepted ones.
    pub per_second: f64,
    /// Until the answer.
    pub latency_ms: Option<LatencyMs>,
}

/// What was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// Accepted events times the subscribers of their topics.
    pub expected: u64,
    /// All that came, duplicates too.
    pub received: u64,
    /// Accepted and never delivered, since the subscribers connected.
    pub lost: u64,
    /// Delivered once more.
    pub duplicated: u64,
    /// Delivered after a later one of the same publisher and topic.
    pub out_of_order: u64,
    /// Streams that ended before the measurement did.
    pub closed: u64,
    /// From the beginning of the measurement to the last delivery.
    pub seconds: f64,
    /// How many deliveries there were in a second.
    pub per_second: f64,
    /// All bytes that were read, divided by the deliveries.
    pub wire_bytes_per_delivery: f64,
    /// Until it was read here. With a rate from the time an event was due; in a storm that of the live readers.
    pub latency_ms: Option<LatencyMs>,
}

/// Milliseconds; the percentiles of a histogram with three digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyMs {
    /// Half of them took no longer.
    pub p50: f64,
    /// 90 % took no longer.
    pub p90: f64,
    /// 99 % took no longer.
    pub p99: f64,
    /// 99.9 % took no longer.
    pub p999: f64,
    /// The longest one.
    pub max: f64,
}

/// What the deliveries cost the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its processes, children included.
    pub pids: Vec<u32>,
    /// User and system time of the measurement.
    pub cpu_seconds: f64,
    /// The same for each delivery, in microseconds. Publishing is in it.
    pub cpu_us_per_delivery: f64,
    /// Memory (PSS) at the end.
    pub pss_bytes: Option<u64>,
}

/// What the decoder said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Events with a payload of this run that were decoded.
    pub events: u64,
    /// Events with more than one payload: the server joined messages.
    pub joined: u64,
    /// Events without an id.
    pub without_id: u64,
    /// Deliveries of an event under another id than before.
    pub id_changed: u64,
    /// Events that share their id with another one.
    pub id_shared: u64,
    /// Streams that the decoder gave up on.
    pub undecodable: u64,
}

/// What waiting costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdleReport {
    /// How long was watched.
    pub seconds: f64,
    /// The server's CPU meanwhile, in percent of one core.
    pub cpu_percent: Option<f64>,
    /// The server's memory (PSS) with all subscribers.
    pub pss_bytes: Option<u64>,
    /// Streams that ended meanwhile.
    pub closed: u64,
}

/// How all came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StormReport {
    /// How many came back.
    pub clients: u64,
    /// How many events each had missed.
    pub events_behind: u64,
    /// How many have caught up before the time was over.
    pub caught_up: u64,
    /// From the beginning of the storm until the last client had all it had missed; until the time was over if one had not.
    pub seconds: f64,
    /// How long the clients took, each from the beginning of the storm.
    pub catch_up_ms: Option<LatencyMs>,
    /// Attempts to come back that were refused or broke, and were repeated.
    pub retries: u64,
    /// Latency of the live readers before the storm.
    pub live_before_ms: Option<LatencyMs>,
    /// Latency of the live readers while the clients caught up.
    pub live_during_ms: Option<LatencyMs>,
}
