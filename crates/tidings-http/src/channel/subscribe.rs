//! `GET /events`: from a request to a stream that is ready to join. One logic for both ways out.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use tidings_auth::{Action, Identity};
use tidings_core::{
    CloseReason, Dialect, GroupSpec, Phase, Position, Reset, Resolution, ResumeFrom, ResumeRequest, Sequence,
    Timestamp, TypeFilter,
};
use tidings_fanout::{Lease, Subscription};
use tidings_topic::Topic;
use tidings_wire::EventId;

use crate::auth::{self, AuthProblem, Caller, Endpoint, authenticate};
use crate::body::EventBody;
use crate::channel::admission::admit;
use crate::channel::opening::{FirstFrame, Greeting, Opening, jittered_ms};
use crate::channel::question::Question;
use crate::channel::refusal::{Refusal, refusal};
use crate::channel::tickets::Shown;
use crate::client_address::client_address;
use crate::config::Delivery;
use crate::header_text::{accepts_event_stream, is_browser};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::takeover::{Takeover, prefix_of};
use crate::{cors, guard};

/// What becomes of a request for a stream.
pub enum Prepared {
    /// A stream that is ready to join.
    Stream {
        /// All headers of its response but framing and date. The status is 200.
        headers: HeaderMap,
        /// What it joins with.
        subscription: Subscription,
    },
    /// Another answer.
    Answer(Response),
}

/// Decides about a request for a stream: guard, CORS, topics, the place to go on from, the first bytes. Needs no body.
/// An answer that is not sent leaves no trace: ask again when and where it is.
///
/// `parts` are those of a GET or a HEAD to a path of a plain channel.
pub(crate) async fn prepare(state: &HttpState, parts: &Parts) -> Prepared {
    prepare_and(state, parts, |_problem| {}).await
}

/// The same; a reader who is refused is told of by `tell`.
async fn prepare_and(state: &HttpState, parts: &Parts, tell: impl Fn(&Problem)) -> Prepared {
    let mut prepared = match decide(state, parts).await {
        Ok(prepared) => prepared,
        Err(problem) => {
            tell(&problem);
            Prepared::Answer(problem.answer(parts.version))
        }
    };
    let headers = match &mut prepared {
        Prepared::Stream { headers, .. } => headers,
        Prepared::Answer(response) => response.headers_mut(),
    };
    cors::apply(&state.config.cors, &parts.headers, headers);
    prepared
}

/// The verdict that a reader within the program is told first; nothing when its resume is good.
pub fn reset_frame(state: &HttpState, resolution: &Resolution) -> Bytes {
    let Some(reset) = &resolution.reset else { return Bytes::new() };
    state.counters.reset(reset.reason).increment();
    first_frame(state, resolution.cursor, Some(reset)).encode_alone()
}

/// Answers a request for a stream: gives it to the owner of the connection if that one takes it, else as a body.
/// In the first case the future never ends; the owner drops it.
pub(crate) async fn subscribe(state: &HttpState, parts: &Parts) -> Response {
    let log = |problem: &Problem| match problem {
        Problem::Denied(problem) => state.auth.complaints.write(problem),
        Problem::NoSuchTicket => state.auth.complaints.write(&"its ticket is not known"),
        _ => {}
    };
    stream(state, parts, prepare_and(state, parts, log).await).await
}

/// Answers with what was prepared, as [`subscribe`] does.
pub(crate) async fn stream(state: &HttpState, parts: &Parts, prepared: Prepared) -> Response {
    let (headers, subscription) = match prepared {
        Prepared::Answer(response) => return response,
        Prepared::Stream { headers, subscription } => (headers, subscription),
    };
    let Some((headers, subscription)) = offer(state, parts, headers, subscription) else {
        return std::future::pending().await;
    };
    let mut response =
        Response::new(Body::new(EventBody(state.fanout.join_body(subscription, client_address(state, parts)))));
    *response.headers_mut() = headers;
    response
}

fn offer(
    state: &HttpState,
    parts: &Parts,
    headers: HeaderMap,
    subscription: Subscription,
) -> Option<(HeaderMap, Subscription)> {
    let may_be_taken = parts.version == Version::HTTP_11 && state.config.delivery != Delivery::Body;
    match parts.extensions.get::<Takeover>() {
        Some(Takeover(connection)) if may_be_taken => connection.take(headers, subscription),
        _ => Some((headers, subscription)),
    }
}

async fn decide(state: &HttpState, parts: &Parts) -> Result<Prepared, Problem> {
    guard::check(parts, &state.config)?;
    let ticket = Shown::of(state, parts)?;
    let caller = match &ticket {
        Some(ticket) => ticket.caller.clone(),
        None => match authenticate(state, parts, Action::Subscribe, Endpoint::Plain).await {
            // The token may be good a little later: a browser must not take that for the end of its stream.
            Err(AuthProblem::BadToken(error)) if error.is_temporary() && is_browser(&parts.headers) => {
                return Ok(Prepared::Answer(refusal(parts, Refusal::NoKeys)));
            }
            known => known?,
        },
    };
    if !accepts_event_stream(&parts.headers) {
        return Err(Problem::NotAcceptable { accept: header_text(&parts.headers, &ACCEPT) });
    }
    if state.phase.get() == Phase::Draining {
        return Ok(Prepared::Answer(refusal(parts, Refusal::Draining)));
    }
    let now = state.now();
    let mut question = Question::parse(parts, now, state.limits().topics_per_connection_max)?;
    if let Some(ticket) = &ticket {
        question.selectors = ticket.topics.clone();
    }
    let request = ResumeRequest {
        selectors: question.selectors.clone(),
        grants: caller.grants(),
        from: question.from.clone(),
        on_reset: question.on_reset,
    };
    let resolution = match state.engine.resolve(request, now).await {
        Ok(resolution) => resolution,
        // The history closes when the hub does: a browser must not take that for the end of all streams.
        Err(_closed) => return Ok(Prepared::Answer(refusal(parts, Refusal::Draining))),
    };
    if resolution.is_over {
        return Ok(Prepared::Answer(no_more()));
    }
    let headers = stream_headers(parts.version);
    if parts.method == Method::HEAD {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = headers;
        return Ok(Prepared::Answer(response));
    }
    let companion = match admit(state, parts, &caller, question.selectors.len()) {
        Ok(companion) => companion,
        Err(sent_away) => return Ok(Prepared::Answer(sent_away.answer(parts))),
    };
    if let Some(reset) = &resolution.reset {
        state.counters.reset(reset.reason).increment();
    }
    let lease = bind(state, parts, &caller, ticket.as_ref())?;
    let subscription = Subscription { lease, companion, ..open(state, parts, question, &caller, &resolution, now) };
    Ok(Prepared::Stream { headers, subscription })
}

fn open(
    state: &HttpState,
    parts: &Parts,
    question: Question,
    caller: &Caller,
    resolution: &Resolution,
    now: Timestamp,
) -> Subscription {
    let (greeting, cursor) = greet(state, &question, resolution.cursor, now);
    let wants_frame = question.prime.unwrap_or_else(|| is_browser(&parts.headers));
    let reset = resolution.reset.as_ref();
    let frame = (wants_frame || reset.is_some()).then(|| first_frame(state, cursor, reset));
    let opening = Opening { retry_ms: jittered_ms(state.config.retry), frame, greeting };
    let Question { selectors, types, announces, .. } = question;
    let group = GroupSpec { selectors, types, dialect: Dialect::Plain, announces };
    Subscription { group, grants: caller.grants(), cursor, opening: opening.encode(), lease: None, companion: None }
}

/// What binds the stream to its token. A ticket is used here: the stream that had it is ended.
fn bind(
    state: &HttpState,
    parts: &Parts,
    caller: &Caller,
    ticket: Option<&Shown>,
) -> Result<Option<Arc<Lease>>, Problem> {
    // A token without an end binds to nothing.
    let binds = |identity: &&Arc<Identity>| identity.expires_at.is_some() || ticket.is_some();
    let Some(identity) = caller.identity().filter(binds) else { return Ok(None) };
    let lease = auth::lease(state, identity, ticket.map(|ticket| ticket.id), prefix_of(parts));
    if let Some(ticket) = ticket {
        let connected = state.auth.tickets().connect(&ticket.id, Arc::downgrade(&lease), state.now());
        let replaced = connected.map_err(|_unknown| Problem::NoSuchTicket)?.replaced;
        if let Some(older) = replaced.and_then(|older| older.upgrade()) {
            older.end(CloseReason::Replaced);
        }
    }
    Ok(Some(lease))
}

fn first_frame<'a>(state: &HttpState, cursor: Sequence, reset: Option<&'a Reset>) -> FirstFrame<'a> {
    FirstFrame { position: Position { epoch: state.engine.epoch(), sequence: cursor }, reset }
}

/// The demo's greeting, if this reader gets one, and the place from which its stream goes on.
fn greet<'a>(
    state: &'a HttpState,
    question: &Question,
    cursor: Sequence,
    now: Timestamp,
) -> (Option<Greeting<'a>>, Sequence) {
    let is_for_default = question.selectors.single_exact().map(Topic::as_str) == Some("default");
    let takes_messages = question.types.as_ref().is_none_or(|types: &TypeFilter| types.allows(None));
    match &state.config.demo {
        Some(welcome) if is_for_default && takes_messages => {
            if question.from != ResumeFrom::Live {
                // An id here would say that all before it was seen, while the replay is still to come.
                return (Some(Greeting { data: &welcome.data, id: None }), cursor);
            }
            let (at, mark) = state.engine.time_mark(now);
            let id = EventId::parse(&at.as_millis().to_string()).expect("digits");
            (Some(Greeting { data: &welcome.data, id: Some(id) }), mark)
        }
        _ => (None, cursor),
    }
}

/// The headers of every event stream, refusals in its form included.
pub(super) fn stream_headers(version: Version) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8); // these, CORS and a date
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // no-transform: a proxy that compresses holds events back until its block is full.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    match version {
        Version::HTTP_11 => headers.insert(CONNECTION, HeaderValue::from_static("keep-alive")),
        Version::HTTP_10 | Version::HTTP_09 => headers.insert(CONNECTION, HeaderValue::from_static("close")),
        _ => None, // HTTP/2 has no such header
    };
    headers
}

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// 204 stops an `EventSource` for good: all of its topics have ended, and it knows.
fn no_more() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}
