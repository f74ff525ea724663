//! `POST /events` with one JSON object a line: many publications in one request, answered while it is read.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use serde::Serialize;
use tidings_core::limits::KIB;
use tidings_core::{Appended, IdempotencyKey, Limit, Limits, Publication, Timestamp};
use tidings_topic::Topic;
use tokio::time::{Sleep, sleep};

use crate::auth::Caller;
use crate::channel::answers::{AnswerWriter, Room, answers};
use crate::channel::fields::single_topic;
use crate::channel::in_order::{InOrder, Refused, Settled};
use crate::channel::lines::{Line, Lines};
use crate::channel::ndjson::parse_line;
use crate::channel::publish::{Parameters, append_json_text, count};
use crate::incoming::{Held, OWN_BYTES};
use crate::problem::{Fault, Problem};
use crate::publishers::{Publisher, check_rate, spend};
use crate::state::HttpState;

/// What holds for all lines of a body.
pub(super) struct Options {
    caller: Caller,
    publisher: Publisher,
    default_topic: Topic,
    wants_summary: bool,
}

impl Options {
    /// # Errors
    /// A [`Fault`] for a parameter that has its place in each line: to ignore `?private` would be a leak.
    pub(super) fn new(
        parameters: &Parameters<'_>,
        key: Option<&IdempotencyKey>,
        caller: Caller,
        publisher: Publisher,
    ) -> Result<Self, Fault> {
        let misplaced = [
            ("type", parameters.event_type.is_some()),
            ("id", parameters.id.is_some()),
            ("retry", parameters.retry_ms.is_some()),
            ("ttl", parameters.ttl.is_some()),
            ("private", parameters.private.is_some()),
            ("end", parameters.end.is_some()),
            ("idempotency-key", key.is_some()),
        ];
        if let Some((name, _)) = misplaced.iter().find(|(_, is_given)| *is_given) {
            return Err(Fault::new(*name, "a body of many lines takes it in each line", "a key of the JSON objects"));
        }
        Ok(Self {
            caller,
            publisher,
            default_topic: single_topic(None, parameters.topic.as_deref())?,
            wants_summary: parameters.summary.unwrap_or(false),
        })
    }
}

/// Answers at once, and then line by line as the body is read.
pub(super) fn answer(state: Arc<HttpState>, body: Body, options: Options) -> Response {
    let (writer, answer_body) = answers(&state.incoming);
    // Its owner is the response: when that is dropped, the writer has no room any more and the task ends.
    tokio::spawn(async move { Batch::new(&state, body, options, writer).run().await });
    let mut response = Response::new(Body::new(answer_body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

struct Batch<'a> {
    state: &'a HttpState,
    body: Body,
    lines: Lines,
    under_way: InOrder<'a>,
    report: Report,
    caller: Caller,
    publisher: Publisher,
    default_topic: Topic,
    has_read_all: bool,
    /// Until the publisher's rate lets it go on: nothing is read meanwhile, and nothing refused.
    pause: Option<Pin<Box<Sleep>>>,
    /// The line that waits for it.
    held: Option<Line>,
    /// What the lines hold of what all bodies may.
    share: Held,
    /// There has been no room for more since then, and nothing is read.
    crowded_since: Option<Instant>,
    /// A line that has no room of its own has been unfinished since then.
    long_line_since: Option<Instant>,
}

/// How long until a batch that found no room looks again.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);

/// What happens next.
enum Step {
    GoOn,
    Settled(Settled),
    Read(Option<Result<Bytes, axum::Error>>),
    Gone,
}

impl<'a> Batch<'a> {
    fn new(state: &'a HttpState, body: Body, options: Options, writer: AnswerWriter) -> Self {
        Self {
            state,
            body,
            lines: Lines::new(line_bytes_max(&state.limits())),
            under_way: InOrder::default(),
            report: Report { writer, summary: options.wants_summary.then(Summary::default) },
            caller: options.caller,
            publisher: options.publisher,
            default_topic: options.default_topic,
            has_read_all: false,
            pause: None,
            held: None,
            share: state.incoming.begin(),
            crowded_since: None,
            long_line_since: None,
        }
    }

    async fn run(mut self) {
        loop {
            self.take_lines();
            self.charge();
            if self.has_read_all && self.under_way.is_empty() && self.pause.is_none() {
                return self.report.finish();
            }
            let step = match self.patience() {
                Some(patience) => tokio::time::timeout(patience, poll_fn(|cx| self.poll_step(cx))).await,
                None => Ok(poll_fn(|cx| self.poll_step(cx)).await),
            };
            match step {
                Ok(Step::GoOn) => {}
                Ok(Step::Settled(settled)) => self.settle(settled),
                Ok(Step::Read(Some(Ok(bytes)))) => self.lines.push(&bytes),
                Ok(Step::Read(None)) => self.has_read_all = true,
                Ok(Step::Read(Some(Err(_)))) => self.give_up(Fault::new("body", "the body broke off", "a whole body")),
                Ok(Step::Gone) => return,
                Err(_elapsed) if self.crowded_since.is_some() => {}
                Err(_elapsed) if self.report.writer.is_full() => return,
                Err(_elapsed) => {
                    let timeout = self.state.limits().body_timeout;
                    self.give_up(Problem::BodyTimeout { timeout }.to_fault());
                }
            }
        }
    }

    /// Puts the lines at hand on their way, as many as may be at once.
    fn take_lines(&mut self) {
        while self.pause.is_none() && !self.under_way.is_full() {
            let next = self
                .held
                .take()
                .or_else(|| self.lines.next())
                .or_else(|| if self.has_read_all { self.lines.finish() } else { None });
            let Some(line) = next else { return };
            if let Err(too_fast) = check_rate(self.state, &self.publisher) {
                self.held = Some(line);
                self.pause = Some(Box::pin(sleep(too_fast.retry_after)));
                return;
            }
            let Line { number, text } = line;
            let limits = &self.state.limits();
            let parsed = match text {
                Some(text) => parse_line(&text, &self.default_topic, limits.event_bytes_max),
                None => Err(too_long(limits)),
            };
            let now = self.state.now();
            match parsed.and_then(|publication| self.permitted(publication, now)) {
                Ok(publication) => {
                    let data_bytes = publication.data.len();
                    spend(self.state, &self.publisher, data_bytes);
                    self.under_way.append(number, data_bytes, self.state.engine.append(publication, now));
                }
                Err(fault) => self.under_way.refuse(number, fault),
            }
        }
    }

    fn may_read(&self) -> bool {
        !self.has_read_all && !self.under_way.is_full() && self.pause.is_none() && self.crowded_since.is_none()
    }

    /// Asks for room for what is in memory. Without it nothing more is read, and a line that needs it is given up: what
    /// is there of it would keep the room from others.
    fn charge(&mut self) {
        let limits = self.state.limits();
        let is_long = self.lines.len() > OWN_BYTES;
        let began = if is_long { Some(*self.long_line_since.get_or_insert_with(Instant::now)) } else { None };
        self.long_line_since = began;
        let mut has_room = self.resize(limits.incoming_bytes_max);
        let is_late = began.is_some_and(|began| began.elapsed() >= limits.body_timeout)
            && self.state.incoming.is_crowded(limits.incoming_bytes_max);
        if is_long && (is_late || !has_room) {
            let line = self.lines.skip();
            let timeout = limits.body_timeout;
            let problem = if is_late { Problem::BodyTimeout { timeout } } else { Problem::IncomingFull };
            self.under_way.refuse(line, problem.to_fault());
            has_room = self.resize(limits.incoming_bytes_max);
        }
        if has_room {
            self.crowded_since = None;
        } else if self.crowded_since.get_or_insert_with(Instant::now).elapsed() >= limits.body_timeout
            && !self.has_read_all
        {
            self.give_up(Problem::IncomingFull.to_fault());
        }
    }

    /// Answers whether there is room for the lines and their answers.
    fn resize(&mut self, bytes_max: usize) -> bool {
        let waiting = self.held.as_ref().and_then(|line| line.text.as_ref()).map_or(0, Bytes::len);
        let unfinished = if self.lines.len() > OWN_BYTES { self.lines.room() } else { self.lines.len() };
        let lines = self.share.resize(waiting + unfinished + self.under_way.bytes(), bytes_max);
        self.report.writer.charge(bytes_max).and(lines).is_ok()
    }

    /// `publication` in its publisher's name, if that one may publish it. Its token may end while it still sends.
    fn permitted(&self, mut publication: Publication, now: Timestamp) -> Result<Publication, Fault> {
        let may = self.caller.check_not_expired(now);
        let may = may.and_then(|()| self.caller.check_may_publish(publication.topic.as_str()));
        may.map_err(|problem| Problem::from(problem).to_fault())?;
        if let Some(key) = &mut publication.idempotency {
            key.subject = self.caller.subject();
        }
        Ok(publication)
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Poll::Ready(settled) = self.under_way.poll_next(cx) {
            return Poll::Ready(Step::Settled(settled));
        }
        if let Some(pause) = &mut self.pause
            && pause.as_mut().poll(cx).is_ready()
        {
            self.pause = None;
            return Poll::Ready(Step::GoOn);
        }
        match self.report.writer.poll_room(cx) {
            Room::Gone => return Poll::Ready(Step::Gone),
            Room::Free if self.may_read() => {
                while let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
                    match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                        None => return Poll::Ready(Step::Read(None)),
                        Some(Ok(Ok(bytes))) => return Poll::Ready(Step::Read(Some(Ok(bytes)))),
                        Some(Ok(Err(_trailers))) => {}
                        Some(Err(error)) => return Poll::Ready(Step::Read(Some(Err(error)))),
                    }
                }
            }
            Room::Free | Room::Full => {}
        }
        // Only now, before it waits: answers that came together leave together.
        self.report.writer.flush();
        Poll::Pending
    }

    /// How long the other side may do nothing: send, or take its answers. The history takes the time it needs.
    fn patience(&self) -> Option<Duration> {
        let limits = &self.state.limits();
        match () {
            () if !self.under_way.is_empty() || self.pause.is_some() => None,
            () if self.crowded_since.is_some() => Some(CROWDED_PAUSE),
            () if self.report.writer.is_full() => limits.slow_client_timeout,
            () => Some(limits.body_timeout),
        }
    }

    fn settle(&mut self, Settled { line, data_bytes, outcome }: Settled) {
        match outcome {
            Ok(appended) => {
                count(self.state, &appended, data_bytes);
                self.report.accepted(&appended);
            }
            Err(Refused::Line(fault)) => self.rejected(line, fault),
            Err(Refused::Append(error)) => self.rejected(line, Problem::from(error).to_fault()),
        }
    }

    fn rejected(&mut self, line: u64, fault: Fault) {
        if let Some(limit) = fault.limit {
            self.state.counters.reach(limit);
        }
        self.report.rejected(line, fault);
    }

    /// No more will come. Half a line is not published, even if it could be read.
    fn give_up(&mut self, fault: Fault) {
        let line = self.lines.abandon();
        self.under_way.refuse(line, fault);
        self.has_read_all = true;
    }
}

/// A line may write each byte of its data as an escape of six, and has other keys beside them.
fn line_bytes_max(limits: &Limits) -> usize {
    limits.event_bytes_max.saturating_mul(6).saturating_add(16 * KIB)
}

fn too_long(limits: &Limits) -> Fault {
    Fault::new("line", "the line is too long", format!("at most {} bytes a line", line_bytes_max(limits)))
        .over(Limit::EventBytes)
}

/// What is answered: a line for each line, or one at the end.
struct Report {
    writer: AnswerWriter,
    summary: Option<Summary>,
}

#[derive(Default, Serialize)]
struct Summary {
    /// Stored now.
    accepted: u64,
    rejected: u64,
    /// Known under their idempotency keys, and not stored again.
    repeated: u64,
    /// The first of the rejected.
    errors: Vec<Rejection>,
}

#[derive(Serialize)]
struct Rejection {
    error: String,
    line: u64,
    field: String,
}

const SUMMARY_ERRORS_MAX: usize = 10;

impl Report {
    fn accepted(&mut self, appended: &Appended) {
        match &mut self.summary {
            Some(summary) if appended.is_repeat => summary.repeated += 1,
            Some(summary) => summary.accepted += 1,
            None => {
                let mut json = Vec::with_capacity(16 + appended.id.as_str().len());
                json.extend_from_slice(br#"{"id":"#);
                append_json_text(appended.id.as_str(), &mut json);
                json.extend_from_slice(b"}\n");
                self.writer.write(&json);
            }
        }
    }

    fn rejected(&mut self, line: u64, fault: Fault) {
        let rejection = Rejection {
            error: format!("{}; expected {}", fault.detail, fault.expected),
            line,
            field: fault.field.into_owned(),
        };
        match &mut self.summary {
            Some(summary) => {
                summary.rejected += 1;
                if summary.errors.len() < SUMMARY_ERRORS_MAX {
                    summary.errors.push(rejection);
                }
            }
            None => self.write_line(&rejection),
        }
    }

    fn finish(self) {
        if let Some(summary) = &self.summary {
            self.write_line(summary);
        }
    }

    fn write_line(&self, line: &impl Serialize) {
        let mut json = serde_json::to_vec(line).expect("texts and numbers are always JSON");
        json.push(b'\n');
        self.writer.write(&json);
    }
}
