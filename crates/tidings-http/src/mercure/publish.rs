//! `POST` of a form: from a request to an update in the history, and its answer, which is the id alone.

use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use tidings_core::{AppendError, EngineError, Limits, Phase, Rarely};
use tidings_wire::EventId;

use crate::auth::Caller;
use crate::mercure::caller::{dialect_of, new_update_id};
use crate::mercure::form::is_form;
use crate::mercure::rejection::{Rejection, TEXT};
use crate::mercure::update::{Update, UpdateLimits};
use crate::publishers::{Publisher, check_rate, insert_left, spend};
use crate::state::HttpState;

/// Stores what the form says, if `caller` may publish on each of its topics.
pub(super) async fn publish(
    state: &HttpState,
    parts: &Parts,
    body: &mut Body,
    caller: &Caller,
) -> Result<Response, Rejection> {
    if state.phase.get() == Phase::Draining {
        return Err(Rejection::Draining);
    }
    check_not_encoded(&parts.headers)?;
    // A body of another kind has no fields.
    if !is_form(&parts.headers) {
        return Err(Rejection::NoTopic);
    }
    let publisher = Publisher::of(state, parts, caller);
    check_rate(state, &publisher)?;
    let limits = &state.limits();
    let form = read(body, limits).await?;
    let update_limits = UpdateLimits { topics_max: TOPICS_MAX, data_bytes_max: limits.event_bytes_max };
    let update = Update::parse(&form, dialect_of(caller).unwrap_or_default(), update_limits)?;
    for topic in &update.topics {
        caller.check_may_publish(topic.as_str())?;
    }
    let now = state.now();
    caller.check_not_expired(now)?; // it may have taken its time to send
    let data_bytes = update.data.len();
    let publication =
        update.into_publication(|| EventId::parse(&new_update_id(now)).expect("a UUID has only plain characters"));
    let left = spend(state, &publisher, data_bytes);
    let began = Instant::now();
    let appended = state.engine.append(publication, now).await?;
    state.counters.publish_time.observe(began.elapsed());
    state.counters.published.increment();
    state.counters.published_bytes.add(data_bytes as u64);
    let mut response = accepted(&appended.id);
    insert_left(response.headers_mut(), &left);
    Ok(response)
}

impl From<AppendError> for Rejection {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Engine(EngineError::Closed) => Self::Draining,
            AppendError::TopicEnded { .. } => Self::TopicEnded,
            AppendError::TopicsFull { .. } => Self::TopicsFull,
            error => {
                static SAID: Rarely = Rarely::new();
                if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                    tracing::warn!(%error, unsaid_before, "an update was not stored");
                }
                Self::NotStored
            }
        }
    }
}

fn accepted(id: &EventId) -> Response {
    let mut response = Response::new(Body::from(id.as_str().to_owned()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}

fn check_not_encoded(headers: &HeaderMap) -> Result<(), Rejection> {
    let is_plain = |value: &HeaderValue| value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(is_plain) { Ok(()) } else { Err(Rejection::Encoded) }
}

/// The body, limited while it is read. It may have room for the largest data with every byte escaped, and for the rest.
pub(super) async fn read(body: &mut Body, limits: &Limits) -> Result<Vec<u8>, Rejection> {
    let bytes_max = limits.event_bytes_max.saturating_mul(ESCAPED_BYTES).saturating_add(FIELDS_BYTES_MAX);
    let too_large = Rejection::TooLarge { bytes_max: limits.event_bytes_max };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    loop {
        let next = tokio::time::timeout(limits.body_timeout, body.frame()).await;
        let Some(frame) = next.map_err(|_| Rejection::Stalled)? else { return Ok(bytes) };
        let frame = frame.map_err(|_| Rejection::Malformed)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large);
        }
        bytes.extend_from_slice(&data);
    }
}

/// Most topics of an update.
const TOPICS_MAX: usize = 1000;
/// What one byte takes in a form at most: `%00`.
const ESCAPED_BYTES: usize = 3;
/// Room in a form for all but the data. A thousand topics of 250 bytes, escaped, find place in it.
const FIELDS_BYTES_MAX: usize = 1024 * 1024;
