//! The hub at a glance, for `tidings top` and the page of the admin listener: what is open, what comes and goes, which
//! topics are busy, who is slow.
//!
//! Nothing is counted for it while nobody looks: totals are those of the metrics, busy topics are those of the last events
//! in history, slow sessions are asked of the shards.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings_core::engine::Behind;
use tidings_core::record::Kind;
use tidings_core::{CloseReason, Limit, Record, Sequence, Timestamp};
use tidings_fanout::{Look, LookRequest, SessionLook};
use tidings_topic::Topic;

use super::health;
use super::process::Process;
use crate::state::HttpState;

/// The hub at one time. Times are in seconds unless their name says otherwise.
///
/// What one of another version does not tell is nothing or 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Picture {
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: u64,
    /// The version of the hub.
    pub version: String,
    /// As `/readyz` has it: `ready`, or why not.
    pub state: String,
    /// Who is connected.
    pub connections: Connections,
    /// Counted since the hub began.
    pub totals: Totals,
    /// For each second since the picture before; nothing in the first one.
    pub rates: Option<Rates>,
    /// What is kept.
    pub history: History,
    /// What the system gives to the hub, where it tells.
    pub process: Option<ProcessPicture>,
    /// The busiest topics of the last ten seconds, the busiest first.
    pub topics: Vec<TopicPicture>,
    /// The sessions that are furthest behind, the furthest first.
    pub sessions: Vec<SessionPicture>,
    /// Limits that were ever reached, and how often.
    pub limits_reached: BTreeMap<String, u64>,
    /// Why sessions ended, and how many.
    pub closed: BTreeMap<String, u64>,
}

/// Who is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connections {
    /// Of all kinds.
    pub open: u64,
    /// As many as there may be.
    pub max: u64,
    /// Sessions whose socket a shard owns.
    pub direct: u64,
    /// Sessions by HTTP/2, TLS and others.
    pub body: u64,
    /// Sessions that have all there is.
    pub live: u64,
    /// Sessions that are given history.
    pub replaying: u64,
}

/// Counted since the hub began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Events published.
    pub events_in: u64,
    /// Bytes of data in them.
    pub bytes_in: u64,
    /// Events times readers.
    pub events_out: u64,
    /// Bytes that readers took.
    pub bytes_out: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Sessions that began.
    pub joined: u64,
}

/// The same for each second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Events published.
    pub events_in: f64,
    /// Bytes of data in them.
    pub bytes_in: f64,
    /// Events times readers.
    pub events_out: f64,
    /// Bytes that readers took.
    pub bytes_out: f64,
    /// Requests that were refused.
    pub refused: f64,
    /// Sessions that began.
    pub joined: f64,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Events.
    pub events: u64,
    /// Bytes that count against the limit.
    pub bytes: u64,
    /// Topics that have events.
    pub topics: u64,
    /// Age of the oldest event.
    pub oldest_age: Option<f64>,
    /// Bytes of its files, if it is on a disk.
    pub disk_bytes: Option<u64>,
    /// Bytes that are free there.
    pub disk_free_bytes: Option<u64>,
}

/// What the system gives to the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessPicture {
    /// Memory.
    pub resident_bytes: u64,
    /// File descriptors that are open.
    pub open_fds: u64,
    /// File descriptors that may be open.
    pub max_fds: u64,
    /// CPU time since it began.
    pub cpu: f64,
}

/// A busy topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicPicture {
    /// Its name.
    pub topic: String,
    /// Events for each second.
    pub events: f64,
    /// Encoded bytes for each second.
    pub bytes: f64,
    /// Sessions that listen to it, by its name or by a pattern.
    pub readers: u64,
}

/// A slow session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionPicture {
    /// Its name, by which it can be ended.
    pub name: String,
    /// From where it came; nothing for one within the program.
    pub address: Option<String>,
    /// `live`, `behind`, `reading`, `blocked` or `ending`.
    pub state: String,
    /// Its first topics and patterns.
    pub selectors: Vec<String>,
    /// How many it has beside these.
    pub selectors_more: u64,
    /// Events of the hub, of whatever topic, since its place.
    pub behind_events: u64,
    /// Bytes of half-written frames that are held for it.
    pub held_bytes: u64,
    /// For how long it has taken nothing though there was something for it.
    pub stalled: f64,
}

/// Rows of each list.
const ROWS_MAX: usize = 20;
/// How far back the rates of topics look.
const TOPICS_SPAN: Duration = Duration::from_secs(10);
/// So many of the last events stand for all.
const SAMPLE_EVENTS_MAX: u64 = 8192;
/// How long the shards may take to answer. One that hangs is not to hide the rest.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

impl Picture {
    /// Takes one of the hub now; `before` is the last one, if there is one. Cost: a look at every session and at the last
    /// 8,192 events, some milliseconds for 100,000 sessions.
    pub async fn take(state: &HttpState, before: Option<&Self>) -> Self {
        let now = state.now();
        let mut topics = busiest(&last_records(state), now);
        let names = topics.iter().filter_map(|topic| Topic::parse(&topic.topic).ok()).collect();
        let request = LookRequest { sessions_max: ROWS_MAX, topics: names };
        let look = tokio::time::timeout(LOOK_TIMEOUT, state.fanout.look(&request)).await;
        let Look { sessions, readers } = look.unwrap_or_default();
        for (topic, readers) in topics.iter_mut().zip(readers) {
            topic.readers = readers as u64;
        }
        let mut picture = Self {
            at_ms: now.as_millis(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: health::word(state).to_owned(),
            connections: Connections::now(state),
            totals: Totals::now(state),
            rates: None,
            history: History::now(state, now),
            process: Process::now().map(Into::into),
            topics,
            sessions: sessions.into_iter().map(Into::into).collect(),
            limits_reached: nonzero(Limit::ALL.iter().map(|&limit| (limit.label(), state.counters.reached(limit)))),
            closed: nonzero(
                CloseReason::ALL.iter().map(|&reason| (reason.label(), state.counters.closed(reason).get())),
            ),
        };
        picture.rates = before.and_then(|before| Rates::between(before, &picture));
        picture
    }

    /// As it is told.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("its keys are texts, and no number of it is refused")
    }
}

impl Connections {
    fn now(state: &HttpState) -> Self {
        let counters = &state.counters;
        Self {
            open: counters.connections.get(),
            max: state.limits().connections_max as u64,
            direct: counters.sessions_direct.get(),
            body: counters.sessions_body.get(),
            live: counters.sessions_live.get(),
            replaying: counters.replays.get(),
        }
    }
}

impl Totals {
    fn now(state: &HttpState) -> Self {
        let counters = &state.counters;
        Self {
            events_in: counters.published.get(),
            bytes_in: counters.published_bytes.get(),
            events_out: counters.delivered_live.get() + counters.delivered_replay.get(),
            bytes_out: counters.bytes_out.get(),
            refused: counters.refused_requests.get() + counters.refused_limits.get(),
            joined: counters.joined_direct.get() + counters.joined_body.get(),
        }
    }
}

impl Rates {
    /// Nothing if no time has passed.
    fn between(before: &Picture, after: &Picture) -> Option<Self> {
        let time = after.at_ms.checked_sub(before.at_ms).filter(|&ms| ms > 0)?;
        let of = |count: fn(&Totals) -> u64| {
            per_second(count(&after.totals).saturating_sub(count(&before.totals)), Duration::from_millis(time))
        };
        Some(Self {
            events_in: of(|totals| totals.events_in),
            bytes_in: of(|totals| totals.bytes_in),
            events_out: of(|totals| totals.events_out),
            bytes_out: of(|totals| totals.bytes_out),
            refused: of(|totals| totals.refused),
            joined: of(|totals| totals.joined),
        })
    }
}

impl History {
    fn now(state: &HttpState, now: Timestamp) -> Self {
        let usage = state.engine.usage(now);
        Self {
            events: usage.events,
            bytes: usage.bytes as u64,
            topics: usage.topics as u64,
            oldest_age: usage.oldest_at.map(|oldest_at| now.since(oldest_at).as_secs_f64()),
            disk_bytes: usage.disk.map(|disk| disk.bytes),
            disk_free_bytes: usage.disk.map(|disk| disk.free_bytes),
        }
    }
}

impl From<Process> for ProcessPicture {
    fn from(process: Process) -> Self {
        let Process { resident_bytes, open_fds, max_fds, cpu_seconds, .. } = process;
        Self { resident_bytes, open_fds, max_fds, cpu: cpu_seconds }
    }
}

impl From<SessionLook> for SessionPicture {
    fn from(session: SessionLook) -> Self {
        let SessionLook { name, address, state, selectors, selector_count, behind_events, held_bytes, stalled } =
            session;
        Self {
            name: name.to_string(),
            address: address.map(|address| address.to_string()),
            state: state.label().to_owned(),
            selectors_more: (selector_count - selectors.len()) as u64,
            selectors,
            behind_events,
            held_bytes: held_bytes as u64,
            stalled: stalled.as_secs_f64(),
        }
    }
}

/// The last events that are at hand.
fn last_records(state: &HttpState) -> Vec<Arc<Record>> {
    let after = Sequence(state.engine.tail().0.saturating_sub(SAMPLE_EVENTS_MAX));
    let mut records = Vec::new();
    if let Err(Behind { window_start }) = state.engine.committed(after, usize::MAX, &mut records) {
        // Trimmed in the meantime: then it shows what it can.
        let _ = state.engine.committed(window_start, usize::MAX, &mut records);
    }
    records
}

/// The topics with the most events of the last seconds. Where the sample does not reach so far back, the time that it
/// reaches counts.
fn busiest(records: &[Arc<Record>], now: Timestamp) -> Vec<TopicPicture> {
    let is_recent = |record: &&Arc<Record>| record.kind == Kind::Event && now.since(record.committed_at) <= TOPICS_SPAN;
    let recent: Vec<_> = records.iter().filter(is_recent).collect();
    let is_cut = records.len() as u64 >= SAMPLE_EVENTS_MAX && recent.len() == records.len();
    let oldest = recent.first().filter(|_| is_cut).map(|record| now.since(record.committed_at));
    let span = oldest.unwrap_or(TOPICS_SPAN).max(Duration::from_millis(1));

    let mut counted: HashMap<&str, (u64, u64)> = HashMap::new();
    for record in recent {
        let (events, bytes) = counted.entry(record.topic.as_str()).or_default();
        *events += 1;
        *bytes += record.chunk.wire().len() as u64;
    }
    let mut busiest: Vec<_> = counted.into_iter().collect();
    busiest.sort_by(|(a, most_a), (b, most_b)| most_b.cmp(most_a).then(a.cmp(b)));
    busiest.truncate(ROWS_MAX);
    let picture = |(topic, (events, bytes)): (&str, (u64, u64))| TopicPicture {
        topic: topic.to_owned(),
        events: per_second(events, span),
        bytes: per_second(bytes, span),
        readers: 0,
    };
    busiest.into_iter().map(picture).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a rate that is shown needs no 53 bits")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn nonzero(counts: impl Iterator<Item = (&'static str, u64)>) -> BTreeMap<String, u64> {
    counts.filter(|&(_, count)| count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
}

#[cfg(test)]
mod tests {
    use tidings_core::{Epoch, Position, Publication};

    use super::*;

    fn record(sequence: u64, topic: &str, at_ms: u64) -> Arc<Record> {
        let position = Position { epoch: Epoch::from_unix_micros(0), sequence: Sequence(sequence) };
        let publication = Publication::new(Topic::parse(topic).expect("a good topic"), "x");
        Arc::new(Record::event(position, publication, Timestamp::from_millis(at_ms)))
    }

    fn shown(records: &[Arc<Record>], now_ms: u64) -> Vec<String> {
        let topics = busiest(records, Timestamp::from_millis(now_ms));
        topics.into_iter().map(|topic| format!("{} {:.1}/s", topic.topic, topic.events)).collect()
    }

    #[test]
    fn the_busiest_topics_are_those_of_the_last_seconds() {
        let records = [(1, "old", 0), (2, "b", 15_000), (3, "a", 16_000), (4, "b", 17_000), (5, "c", 18_000)];
        let records: Vec<_> = records.into_iter().map(|(sequence, topic, at)| record(sequence, topic, at)).collect();
        assert_eq!(shown(&records, 20_000), ["b 0.2/s", "a 0.1/s", "c 0.1/s"]);
        assert!(shown(&records, 60_000).is_empty() && shown(&[], 0).is_empty());
    }

    #[test]
    fn a_sample_that_is_full_counts_for_the_time_it_covers() {
        let records: Vec<_> = (0..SAMPLE_EVENTS_MAX).map(|at| record(at, "a", 100_000 + at / 8)).collect();
        let topics = busiest(&records, Timestamp::from_millis(101_024));
        assert!((topics[0].events - 8000.0).abs() < 1.0, "{topics:?}");
    }

    #[test]
    fn rates_are_what_came_between_two_pictures() {
        let picture = |at_ms, events_in| Picture {
            at_ms,
            totals: Totals { events_in, ..Totals::default() },
            ..Picture::default()
        };
        let rates = Rates::between(&picture(1000, 10), &picture(3000, 50)).expect("time has passed");
        assert!((rates.events_in - 20.0).abs() < 1e-9, "{rates:?}");
        assert_eq!(Rates::between(&picture(1000, 10), &picture(1000, 50)), None);
        assert_eq!(Rates::between(&picture(1000, 10), &picture(900, 50)), None);
    }
}
