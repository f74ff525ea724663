//! `/metrics`: every counter of the hub as Prometheus text. (Exposition format 0.0.4)
//!
//! Written by hand: the numbers are the core's own atomics, and a registry would only be a second place to keep them.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tidings_core::engine::{DiskUsage, EngineUsage};
use tidings_core::histogram::{BUCKETS_SECONDS, HistogramCounts};
use tidings_core::{CloseReason, Counters, Limit, Phase, ResetReason};

use crate::admin::process::Process;
use crate::state::HttpState;

pub(super) fn answer(state: &HttpState) -> Response {
    let now = state.now();
    let usage = state.engine.usage(now);
    let oldest_age = usage.oldest_at.map(|oldest_at| now.since(oldest_at));
    let mut page = Page(String::with_capacity(8 * 1024));
    page.sessions(&state.counters);
    page.delivery(&state.counters);
    page.requests(&state.counters);
    page.history(&usage, oldest_age, state.engine.tail().0);
    page.disk(usage.disk.as_ref());
    page.limits(state, &usage);
    let is_ready = state.phase.get() == Phase::Ready && state.engine.health().is_ok();
    page.program(is_ready);
    page.process();
    page.mercure(&state.counters);

    let mut response = Response::new(Body::from(page.0));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Page(String);

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge};

impl Page {
    fn sessions(&mut self, counters: &Counters) {
        self.single("tidings_connections", Gauge, "Connections now, of all kinds.", counters.connections.get());
        let help = "Topics and patterns that are listened to, those of one group of readers once for each shard.";
        self.single("tidings_subscribed_topics", Gauge, help, counters.subscribed_topics.get());
        let by_way = [("direct", counters.sessions_direct.get()), ("body", counters.sessions_body.get())];
        self.family("tidings_sessions", Gauge, "Sessions now, by their way out.", "way", by_way);
        let by_way = [("direct", counters.joined_direct.get()), ("body", counters.joined_body.get())];
        self.family(
            "tidings_sessions_joined_total",
            Counter,
            "Sessions that ever began, by their way out.",
            "way",
            by_way,
        );
        let by_reason = CloseReason::ALL.iter().map(|reason| (reason.label(), counters.closed(*reason).get()));
        self.family("tidings_sessions_closed_total", Counter, "Sessions that ended, by reason.", "reason", by_reason);
        let by_reason = ResetReason::ALL.iter().map(|reason| (reason.label(), counters.reset(*reason).get()));
        self.family("tidings_resets_total", Counter, "Resumes that could not be kept, by reason.", "reason", by_reason);
        let sessions = counters.sessions_direct.get() + counters.sessions_body.get();
        let lagging = sessions.saturating_sub(counters.sessions_live.get());
        self.single("tidings_sessions_lagging", Gauge, "Sessions that are behind: replaying, or slow.", lagging);
        let by_state = [("replaying", counters.replays.get()), ("waiting", counters.replays_waiting.get())];
        self.family(
            "tidings_replays",
            Gauge,
            "Sessions that are given history, and that wait to be.",
            "state",
            by_state,
        );
        let help = "Bytes of history that readers took.";
        self.single("tidings_replayed_bytes_total", Counter, help, counters.replayed_bytes.get());
        let help = "Times that a live session could not be written to and fell back to its cursor.";
        self.single("tidings_sessions_lagged_total", Counter, help, counters.fall_backs.get());
    }

    fn delivery(&mut self, counters: &Counters) {
        let by_source = [("live", counters.delivered_live.get()), ("replay", counters.delivered_replay.get())];
        self.family(
            "tidings_events_delivered_total",
            Counter,
            "Events times readers, by where they came from.",
            "from",
            by_source,
        );
        self.single(
            "tidings_writes_total",
            Counter,
            "Writes to readers, each of one or many events.",
            counters.writes.get(),
        );
        self.single("tidings_sent_bytes_total", Counter, "Bytes that readers took.", counters.bytes_out.get());
        self.single(
            "tidings_pinned_bytes",
            Gauge,
            "Bytes pinned by half-written buffers.",
            counters.pinned_bytes.get(),
        );
        self.single("tidings_heartbeats_total", Counter, "Heartbeats.", counters.heartbeats.get());
        let help = "Readers that were told that their token ends.";
        self.single("tidings_expiry_notices_total", Counter, help, counters.notices.get());
        let help = "Times that a stream was prolonged by a fresh token.";
        self.single("tidings_renewals_total", Counter, help, counters.renewals.get());
        let help =
            "Time from the commit of events to their first write to readers, sampled: one for each turn of a shard.";
        self.histogram("tidings_delivery_seconds", help, &counters.delivery_time.counts());
    }

    fn requests(&mut self, counters: &Counters) {
        self.single("tidings_events_published_total", Counter, "Events that were stored.", counters.published.get());
        self.single("tidings_published_bytes_total", Counter, "Bytes of data in them.", counters.published_bytes.get());
        let help = "Publications that were a repeat under an idempotency key.";
        self.single("tidings_publish_repeats_total", Counter, help, counters.published_repeats.get());
        let help = "Time from the whole body of a publication to its answer.";
        self.histogram("tidings_publish_seconds", help, &counters.publish_time.counts());
        let by_cause = [("request", counters.refused_requests.get()), ("limit", counters.refused_limits.get())];
        self.family(
            "tidings_requests_refused_total",
            Counter,
            "Requests refused, by what was at fault.",
            "cause",
            by_cause,
        );
        let help = "Connections whose request head was too long, too slow or not HTTP.";
        let by_limit = Limit::ALL.iter().map(|limit| (limit.label(), counters.reached(*limit)));
        let by_limit_help = "Times that somebody was refused, closed or made to wait because a limit was reached.";
        self.family("tidings_limit_reached_total", Counter, by_limit_help, "limit", by_limit);
        self.single("tidings_bad_heads_total", Counter, help, counters.bad_heads.get());
    }

    fn history(&mut self, usage: &EngineUsage, oldest_age: Option<Duration>, tail: u64) {
        self.single("tidings_history_events", Gauge, "Events kept.", usage.events);
        self.single("tidings_history_bytes", Gauge, "Bytes that count against the limit.", usage.bytes as u64);
        self.single("tidings_history_topics", Gauge, "Topics with at least one event kept.", usage.topics as u64);
        let oldest_secs = oldest_age.unwrap_or_default().as_secs();
        self.single(
            "tidings_history_oldest_age_seconds",
            Gauge,
            "Age of the oldest event kept; 0 if there is none.",
            oldest_secs,
        );
        let help = "Topics whose last trimmed place is remembered.";
        self.single("tidings_history_marks", Gauge, help, usage.marks as u64);
        self.single("tidings_idempotency_keys", Gauge, "Idempotency keys kept.", usage.idempotency_keys as u64);
        self.single("tidings_history_sequence", Gauge, "Place of the last event in its epoch.", tail);
    }

    fn program(&mut self, is_ready: bool) {
        self.single("tidings_ready", Gauge, "1 while the hub is to be sent readers.", u64::from(is_ready));
        self.family(
            "tidings_build_info",
            Gauge,
            "The version of the program.",
            "version",
            [(env!("CARGO_PKG_VERSION"), 1)],
        );
    }

    /// Of a history on disk.
    fn disk(&mut self, disk: Option<&DiskUsage>) {
        let Some(disk) = disk else { return };
        self.single("tidings_disk_bytes", Gauge, "Bytes of the files of the history.", disk.bytes);
        self.single("tidings_disk_files", Gauge, "Files of the history.", disk.files as u64);
        self.single("tidings_disk_free_bytes", Gauge, "Bytes that are free on its disk.", disk.free_bytes);
        let help = "Time that writing and syncing a group of events took.";
        self.histogram("tidings_commit_seconds", help, &disk.commit_time);
    }

    /// How far each limit goes, where there is one, and how much of it is used, where it is a number of things.
    fn limits(&mut self, state: &HttpState, usage: &EngineUsage) {
        let (limits, counters) = (state.limits(), &state.counters);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let configured = [
            (Limit::Connections, Some(count(limits.connections_max))),
            (Limit::ConnectionsPerIp, limits.connections_per_ip_max.map(count)),
            (Limit::ConnectionsPerSubject, limits.connections_per_subject_max.map(count)),
            (Limit::TopicsPerConnection, Some(count(limits.topics_per_connection_max))),
            (Limit::SubscribedTopics, Some(count(limits.subscribed_topics_max))),
            (Limit::EventBytes, Some(count(limits.event_bytes_max))),
            (Limit::HeadBytes, Some(count(limits.head_bytes_max))),
            (Limit::PublishEvents, limits.publish_events_per_second_max.map(u64::from)),
            (Limit::PublishBytes, limits.publish_bytes_per_second_max.map(count)),
            (Limit::LagBytes, limits.lag_bytes_max.map(count)),
            (Limit::BufferedBytes, Some(count(limits.buffered_bytes_max))),
            (Limit::Replays, Some(count(limits.replays_max))),
        ];
        let configured = configured.iter().filter_map(|(limit, max)| Some((limit.label(), (*max)?)));
        self.family("tidings_limit", Gauge, "How far a limit goes, where there is one.", "limit", configured);
        let used = [
            (Limit::Connections, counters.connections.get()),
            (Limit::SubscribedTopics, counters.subscribed_topics.get()),
            (Limit::Topics, usage.topics as u64),
            (Limit::IdempotencyKeys, usage.idempotency_keys as u64),
            (Limit::BufferedBytes, counters.pinned_bytes.get()),
            (Limit::Replays, counters.replays.get()),
        ];
        let used = used.iter().map(|(limit, used)| (limit.label(), *used));
        self.family("tidings_limit_use", Gauge, "How much of a limit is used, where that is a number.", "limit", used);
    }

    /// The names that every process is watched by. Where the system does not tell, they are not there.
    fn process(&mut self) {
        let Some(process) = Process::now() else { return };
        let help = "Memory that the process holds.";
        self.single("process_resident_memory_bytes", Gauge, help, process.resident_bytes);
        self.single("process_open_fds", Gauge, "File descriptors that are open.", process.open_fds);
        self.single("process_max_fds", Gauge, "File descriptors that may be open.", process.max_fds);
        self.single("process_threads", Gauge, "Threads.", process.threads);
        self.head("process_cpu_seconds_total", Counter, "CPU time, of the program and of the kernel for it.");
        writeln!(self.0, "process_cpu_seconds_total {}", process.cpu_seconds).expect("a string takes every text");
        let help = "When the process began, in seconds since 1970.";
        self.single("process_start_time_seconds", Gauge, help, process.start_time_seconds);
    }

    /// The names that dashboards for Mercure's hubs look for. Both endpoints are one hub, so they count for both.
    fn mercure(&mut self, counters: &Counters) {
        let sessions = counters.sessions_direct.get() + counters.sessions_body.get();
        let ever = counters.joined_direct.get() + counters.joined_body.get();
        self.single("mercure_subscribers_connected", Gauge, "Sessions now, as tidings_sessions.", sessions);
        let help = "Sessions that ever began, as tidings_sessions_joined_total.";
        self.single("mercure_subscribers_total", Counter, help, ever);
        let help = "Events that were stored, as tidings_events_published_total.";
        self.single("mercure_updates_total", Counter, help, counters.published.get());
    }

    fn single(&mut self, name: &str, kind: Kind, help: &str, value: u64) {
        self.head(name, kind, help);
        writeln!(self.0, "{name} {value}").expect("a string takes every text");
    }

    /// A family told apart by one label. The values of our labels need no escaping.
    fn family<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, kind, help);
        for (of, value) in samples {
            writeln!(self.0, "{name}{{{label}=\"{of}\"}} {value}").expect("a string takes every text");
        }
    }

    /// Durations, in seconds.
    fn histogram(&mut self, name: &str, help: &str, counted: &HistogramCounts) {
        self.head(name, Kind::Histogram, help);
        let mut so_far = 0;
        for (bound, count) in BUCKETS_SECONDS.iter().zip(counted.counts) {
            so_far += count;
            writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {so_far}").expect("a string takes every text");
        }
        let total = counted.total();
        writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {total}").expect("a string takes every text");
        writeln!(self.0, "{name}_sum {}\n{name}_count {total}", counted.sum.as_secs_f64())
            .expect("a string takes every text");
    }

    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Counter => "counter",
            Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes every text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_stands_below_its_head() {
        let counters = Counters::default();
        counters.closed(CloseReason::Lagged).add(3);
        let mut page = Page(String::new());
        page.sessions(&counters);
        page.delivery(&counters);
        page.requests(&counters);
        page.history(&EngineUsage::default(), Some(Duration::from_secs(9)), 7);
        page.program(true);
        page.disk(Some(&DiskUsage::default()));
        page.process();
        page.mercure(&counters);

        let mut family = String::new();
        for line in page.0.lines() {
            match line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                Some((name, kind)) => {
                    assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
                    name.clone_into(&mut family);
                }
                None if line.starts_with("# HELP ") => {}
                None => {
                    let name = line.split(['{', ' ']).next().expect("a name comes first");
                    let parts = ["_bucket", "_sum", "_count"];
                    let is_part = parts.iter().any(|part| name.strip_suffix(part) == Some(&*family));
                    assert!(name == family || is_part, "{line}");
                }
            }
        }
        for line in [
            "tidings_sessions{way=\"direct\"} 0",
            "tidings_sessions_closed_total{reason=\"lagged\"} 3",
            "tidings_ready 1",
        ] {
            assert!(page.0.lines().any(|other| other == line), "{line}");
        }
    }
}
