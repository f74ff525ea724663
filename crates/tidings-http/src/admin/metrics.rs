//! `/metrics`: every counter of the hub as Prometheus text. Each family is a row of docs/metrics.md.
//!
//! Written by hand: the numbers are the core's own atomics, and a registry would only be a second place to keep them.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tidings_auth::{KeySet, Tickets};
use tidings_core::engine::{DiskUsage, EngineUsage};
use tidings_core::{CloseReason, Counters, HistoryLimits, Limit, ResetReason, Timestamp};

use crate::admin::exposition::Exposition;
use crate::admin::exposition::Kind::{Counter, Gauge};
use crate::admin::health;
use crate::admin::process::Process;
use crate::state::HttpState;

/// Roughly what a page takes.
const PAGE_BYTES: usize = 24 * 1024;

pub(super) fn answer(state: &HttpState) -> Response {
    let mut response = Response::new(Body::from(page(state)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn page(state: &HttpState) -> String {
    let now = state.now();
    let usage = state.engine.usage(now);
    let counters = &state.counters;
    let mut page = Exposition::with_capacity(PAGE_BYTES);
    program(&mut page, health::word(state));
    sessions(&mut page, counters);
    behind(&mut page, counters);
    delivery(&mut page, counters);
    publishing(&mut page, counters);
    refusals(&mut page, counters);
    history(&mut page, &usage, now, state.engine.tail().0);
    if let Some(limits) = state.engine.limits() {
        history_bounds(&mut page, limits);
    }
    if let Some(disk) = &usage.disk {
        this_disk(&mut page, disk);
    }
    limits(&mut page, state, &usage, now);
    access(&mut page, state);
    if let Some(process) = Process::now() {
        this_process(&mut page, &process);
    }
    mercure(&mut page, counters);
    page.into_text()
}

fn program(page: &mut Exposition, word: &str) {
    page.single("tidings_ready", Gauge, "1 while the hub is to be sent readers.", u64::from(word == health::READY));
    let states = health::WORDS.iter().map(|state| (*state, u64::from(*state == word)));
    page.family("tidings_state", Gauge, "1 for the state that /readyz answers.", "state", states);
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    page.family("tidings_build_info", Gauge, "The version of the program.", "version", version);
}

fn sessions(page: &mut Exposition, counters: &Counters) {
    page.single("tidings_connections", Gauge, "Connections now, of all kinds.", counters.connections.get());
    let by_way = [("direct", counters.sessions_direct.get()), ("body", counters.sessions_body.get())];
    page.family("tidings_sessions", Gauge, "Sessions now, by their way out.", "way", by_way);
    let by_way = [("direct", counters.joined_direct.get()), ("body", counters.joined_body.get())];
    let help = "Sessions that ever began, by their way out.";
    page.family("tidings_sessions_joined_total", Counter, help, "way", by_way);
    let by_reason = CloseReason::ALL.iter().map(|reason| (reason.label(), counters.closed(*reason).get()));
    page.family("tidings_sessions_closed_total", Counter, "Sessions that ended, by reason.", "reason", by_reason);
    let by_reason = ResetReason::ALL.iter().map(|reason| (reason.label(), counters.reset(*reason).get()));
    page.family("tidings_resets_total", Counter, "Resumes that could not be kept, by reason.", "reason", by_reason);
    let help = "Topics and patterns that are listened to, those of one group of readers once for each shard.";
    page.single("tidings_subscribed_topics", Gauge, help, counters.subscribed_topics.get());
}

/// Sessions that are not at the tail: replays and slow readers.
fn behind(page: &mut Exposition, counters: &Counters) {
    let (all, live) = (sessions_now(counters), counters.sessions_live.get());
    page.single("tidings_sessions_live", Gauge, "Sessions that have all there is.", live);
    let help = "Sessions that are behind: replaying, or slow.";
    page.single("tidings_sessions_lagging", Gauge, help, all.saturating_sub(live));
    let help = "Times that a live session could not be written to and fell back to its cursor.";
    page.single("tidings_sessions_lagged_total", Counter, help, counters.fall_backs.get());
    let help = "How far sessions are behind, sampled: the age of the oldest event after a session's place, 0 for none.";
    page.histogram("tidings_session_lag_seconds", help, &counters.session_lag.counts());
    let by_state = [("replaying", counters.replays.get()), ("waiting", counters.replays_waiting.get())];
    let help = "Sessions that are given history, and that wait to be.";
    page.family("tidings_replays", Gauge, help, "state", by_state);
    let help = "Bytes of history that readers took.";
    page.single("tidings_replayed_bytes_total", Counter, help, counters.replayed_bytes.get());
    let help = "Bytes pinned by half-written buffers.";
    page.single("tidings_pinned_bytes", Gauge, help, counters.pinned_bytes.get());
}

fn delivery(page: &mut Exposition, counters: &Counters) {
    let by_source = [("live", counters.delivered_live.get()), ("replay", counters.delivered_replay.get())];
    let help = "Events times readers, by where they came from.";
    page.family("tidings_events_delivered_total", Counter, help, "from", by_source);
    let help = "Writes to readers, each of one or many events.";
    page.single("tidings_writes_total", Counter, help, counters.writes.get());
    page.single("tidings_sent_bytes_total", Counter, "Bytes that readers took.", counters.bytes_out.get());
    page.single("tidings_heartbeats_total", Counter, "Heartbeats.", counters.heartbeats.get());
    let help = "Time from the commit of events to their first write to readers, sampled: one for each turn of a shard.";
    page.histogram("tidings_delivery_seconds", help, &counters.delivery_time.counts());
}

fn publishing(page: &mut Exposition, counters: &Counters) {
    page.single("tidings_events_published_total", Counter, "Events that were stored.", counters.published.get());
    page.single("tidings_published_bytes_total", Counter, "Bytes of data in them.", counters.published_bytes.get());
    let help = "Publications that were a repeat under an idempotency key.";
    page.single("tidings_publish_repeats_total", Counter, help, counters.published_repeats.get());
    let help = "Time from the whole body of a publication to its answer.";
    page.histogram("tidings_publish_seconds", help, &counters.publish_time.counts());
}

fn refusals(page: &mut Exposition, counters: &Counters) {
    let by_cause = [("request", counters.refused_requests.get()), ("limit", counters.refused_limits.get())];
    let help = "Requests refused, by what was at fault.";
    page.family("tidings_requests_refused_total", Counter, help, "cause", by_cause);
    let by_limit = Limit::ALL.iter().map(|limit| (limit.label(), counters.reached(*limit)));
    let help = "Times that somebody was refused, closed or made to wait because a limit was reached.";
    page.family("tidings_limit_reached_total", Counter, help, "limit", by_limit);
    let help = "Connections whose request head was too long, too slow or not HTTP, or whose TLS handshake failed.";
    page.single("tidings_bad_heads_total", Counter, help, counters.bad_heads.get());
}

fn history(page: &mut Exposition, usage: &EngineUsage, now: Timestamp, tail: u64) {
    page.single("tidings_history_events", Gauge, "Events kept.", usage.events);
    page.single("tidings_history_bytes", Gauge, "Bytes that count against the limit.", usage.bytes);
    page.single("tidings_history_topics", Gauge, "Topics with at least one event kept.", usage.topics);
    let oldest_age = usage.oldest_at.map(|oldest_at| now.since(oldest_at)).unwrap_or_default();
    let help = "Age of the oldest event kept; 0 if there is none.";
    page.single("tidings_history_oldest_age_seconds", Gauge, help, oldest_age.as_secs());
    let help = "Topics whose last trimmed place is remembered.";
    page.single("tidings_history_marks", Gauge, help, usage.marks);
    page.single("tidings_idempotency_keys", Gauge, "Idempotency keys kept.", usage.idempotency_keys);
    page.single("tidings_history_sequence", Gauge, "Place of the last event in its epoch.", tail);
}

/// Of the whole hub, where there are any: `[[history]]` tables have none here.
fn history_bounds(page: &mut Exposition, limits: &HistoryLimits) {
    page.single("tidings_history_max_bytes", Gauge, "Most bytes of history.", limits.bytes_max);
    if let Some(events) = limits.events_max {
        page.single("tidings_history_max_events", Gauge, "Most events of history.", events);
    }
    if let Some(age) = limits.age_max {
        page.single("tidings_history_max_age_seconds", Gauge, "How long an event is kept.", age.as_secs_f64());
    }
}

/// Of a history on disk.
fn this_disk(page: &mut Exposition, disk: &DiskUsage) {
    page.single("tidings_disk_bytes", Gauge, "Bytes of the files of the history.", disk.bytes);
    page.single("tidings_disk_files", Gauge, "Files of the history.", disk.files);
    page.single("tidings_disk_free_bytes", Gauge, "Bytes that are free on its disk.", disk.free_bytes);
    page.single("tidings_disk_size_bytes", Gauge, "Bytes of its disk in all.", disk.size_bytes);
    page.single("tidings_commit_waiting_bytes", Gauge, "Bytes of publications that wait for it.", disk.waiting_bytes);
    let help = "Most bytes of publications that may wait for it; more publishers wait before that.";
    page.single("tidings_commit_waiting_max_bytes", Gauge, help, disk.waiting_bytes_max);
    let help = "Time that writing and syncing a group of events took.";
    page.histogram("tidings_commit_seconds", help, &disk.commit_time);
}

/// How far each limit goes, where there is one, and how much of it is used, where it is a number of things.
fn limits(page: &mut Exposition, state: &HttpState, usage: &EngineUsage, now: Timestamp) {
    let (limits, counters) = (state.limits(), &state.counters);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    // An engine on a disk has no need of a limit of topics.
    let topics_max = state.engine.limits().filter(|_| usage.disk.is_none()).map(|history| count(history.topics_max));
    let configured = [
        (Limit::Connections, Some(count(limits.connections_max))),
        (Limit::ConnectionsPerIp, limits.connections_per_ip_max.map(count)),
        (Limit::ConnectionsPerSubject, limits.connections_per_subject_max.map(count)),
        (Limit::TopicsPerConnection, Some(count(limits.topics_per_connection_max))),
        (Limit::SubscribedTopics, Some(count(limits.subscribed_topics_max))),
        (Limit::Topics, topics_max),
        (Limit::EventBytes, Some(count(limits.event_bytes_max))),
        (Limit::IncomingBytes, Some(count(limits.incoming_bytes_max))),
        (Limit::HeadBytes, Some(count(limits.head_bytes_max))),
        (Limit::PublishEvents, limits.publish_events_per_second_max.map(u64::from)),
        (Limit::PublishBytes, limits.publish_bytes_per_second_max.map(count)),
        (Limit::IdempotencyKeys, state.engine.limits().map(|history| count(history.idempotency_keys_max))),
        (Limit::Tickets, Some(count(Tickets::<()>::COUNT_MAX))),
        (Limit::LagBytes, limits.lag_bytes_max.map(count)),
        (Limit::BufferedBytes, Some(count(limits.buffered_bytes_max))),
        (Limit::Replays, Some(count(limits.replays_max))),
    ];
    let configured = configured.iter().filter_map(|(limit, max)| Some((limit.label(), (*max)?)));
    page.family("tidings_limit", Gauge, "How far a limit goes, where there is one.", "limit", configured);
    let tickets = {
        let mut tickets = state.auth.tickets();
        tickets.sweep(now);
        tickets.len()
    };
    let used = [
        (Limit::Connections, counters.connections.get()),
        (Limit::SubscribedTopics, counters.subscribed_topics.get()),
        (Limit::Topics, count(usage.topics)),
        (Limit::IdempotencyKeys, count(usage.idempotency_keys)),
        (Limit::Tickets, count(tickets)),
        (Limit::IncomingBytes, count(state.incoming.bytes())),
        (Limit::BufferedBytes, counters.pinned_bytes.get()),
        (Limit::Replays, counters.replays.get()),
    ];
    let used = used.iter().map(|(limit, used)| (limit.label(), *used));
    page.family("tidings_limit_use", Gauge, "How much of a limit is used, where that is a number.", "limit", used);
}

/// Tokens: their keys, and the streams that they end or prolong.
fn access(page: &mut Exposition, state: &HttpState) {
    let counters = &state.counters;
    let help = "Readers that were told that their token ends.";
    page.single("tidings_expiry_notices_total", Counter, help, counters.notices.get());
    let help = "Times that a stream was prolonged by a fresh token.";
    page.single("tidings_renewals_total", Counter, help, counters.renewals.get());
    let authority = state.auth.authority();
    let key_set = authority.as_ref().and_then(|authority| authority.key_set());
    let Some(counts) = key_set.map(KeySet::counts) else { return };
    let help = "Times that the key set was asked for, since the keys were read.";
    page.single("tidings_key_set_fetches_total", Counter, help, counts.fetches_total);
    let help = "Those that failed; the keys of before stayed.";
    page.single("tidings_key_set_failures_total", Counter, help, counts.failures_total);
    page.single("tidings_key_set_keys", Gauge, "Keys of the set that are used.", counts.keys);
    let help = "Keys of the set that are not used: of another purpose, an unknown kind, secret, or broken.";
    page.single("tidings_key_set_ignored_keys", Gauge, help, counts.keys_ignored);
    if let Some(age) = counts.age {
        let help = "How long ago the key set was fetched.";
        page.single("tidings_key_set_age_seconds", Gauge, help, age.as_secs_f64());
    }
}

/// The names that every process is watched by. Where the system does not tell, they are not there.
fn this_process(page: &mut Exposition, process: &Process) {
    let help = "Memory that the process holds.";
    page.single("process_resident_memory_bytes", Gauge, help, process.resident_bytes);
    page.single("process_open_fds", Gauge, "File descriptors that are open.", process.open_fds);
    page.single("process_max_fds", Gauge, "File descriptors that may be open.", process.max_fds);
    page.single("process_threads", Gauge, "Threads.", process.threads);
    let help = "CPU time, of the program and of the kernel for it.";
    page.single("process_cpu_seconds_total", Counter, help, process.cpu_seconds);
    let help = "When the process began, in seconds since 1970.";
    page.single("process_start_time_seconds", Gauge, help, process.start_time_seconds);
}

/// The names that dashboards for Mercure's hubs look for. Both endpoints are one hub, so they count for both.
fn mercure(page: &mut Exposition, counters: &Counters) {
    let ever = counters.joined_direct.get() + counters.joined_body.get();
    let help = "Sessions now, as tidings_sessions.";
    page.single("mercure_subscribers_connected", Gauge, help, sessions_now(counters));
    let help = "Sessions that ever began, as tidings_sessions_joined_total.";
    page.single("mercure_subscribers_total", Counter, help, ever);
    let help = "Events that were stored, as tidings_events_published_total.";
    page.single("mercure_updates_total", Counter, help, counters.published.get());
}

fn sessions_now(counters: &Counters) -> u64 {
    counters.sessions_direct.get() + counters.sessions_body.get()
}
