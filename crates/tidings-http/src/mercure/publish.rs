//! `POST` of a form: from a request to an update in the history, and its answer, which is the id alone.

use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tidings_core::{AppendError, EngineError, Phase, Rarely};
use tidings_wire::EventId;

use crate::auth::Caller;
use crate::incoming::Held;
use crate::mercure::caller::{dialect_of, new_update_id};
use crate::mercure::form::is_form;
use crate::mercure::rejection::{Rejection, TEXT};
use crate::mercure::update::{Update, UpdateLimits};
use crate::publishers::{Publisher, check_rate, insert_left, spend};
use crate::state::HttpState;
use crate::whole_body::{BodyFault, read_whole};

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
    let (form, held) = read(state, parts, body).await?;
    let update_limits = UpdateLimits { topics_max: TOPICS_MAX, data_bytes_max: limits.event_bytes_max };
    let update = Update::parse(&form, dialect_of(caller).unwrap_or_default(), update_limits)?;
    for topic in &update.topics {
        caller.check_may_publish(topic.as_str())?;
    }
    let now = state.now();
    caller.check_not_expired(now)?; // it may have taken its time to send
    drop(form); // it may have to wait for the history, and has its data twice until then
    let data_bytes = update.data.len();
    let publication =
        update.into_publication(|| EventId::parse(&new_update_id(now)).expect("a UUID has only plain characters"));
    let left = spend(state, &publisher, data_bytes);
    let began = Instant::now();
    let appended = state.engine.append(publication, now).await?;
    drop(held);
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
pub(super) async fn read(state: &HttpState, parts: &Parts, body: &mut Body) -> Result<(Vec<u8>, Held), Rejection> {
    let event_bytes_max = state.limits().event_bytes_max;
    let bytes_max = event_bytes_max.saturating_mul(ESCAPED_BYTES).saturating_add(FIELDS_BYTES_MAX);
    read_whole(state, parts, body, bytes_max).await.map_err(|fault| match fault {
        BodyFault::TooLarge => Rejection::TooLarge { bytes_max: event_bytes_max },
        BodyFault::Stalled => Rejection::Stalled,
        BodyFault::BrokeOff => Rejection::Malformed,
        BodyFault::NoRoom => Rejection::IncomingFull,
    })
}

/// Most topics of an update.
const TOPICS_MAX: usize = 1000;
/// What one byte takes in a form at most: `%00`.
const ESCAPED_BYTES: usize = 3;
/// Room in a form for all but the data. A thousand topics of 250 bytes, escaped, find place in it.
const FIELDS_BYTES_MAX: usize = 1024 * 1024;
