//! `POST /events`: from a request to a publication, and its answer. A body of many is in `batch`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tidings_auth::Action;
use tidings_core::{Appended, IdempotencyKey, Phase, Publication};
use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};

use crate::auth::{Caller, Endpoint, authenticate};
use crate::channel::batch;
use crate::channel::fields::{
    RETRY_FORM, parse_id, parse_key, parse_published_type, parse_ttl, path_topic, single_topic,
};
use crate::incoming::Held;
use crate::problem::{Fault, Problem};
use crate::publishers::{Publisher, check_rate, insert_left, spend};
use crate::query::{parameters, parse_flag, parse_number, set_once};
use crate::state::HttpState;
use crate::whole_body::{BodyFault, read_whole};

/// Stores what the body says and answers with its id; a body of many lines is answered while it is read.
pub(crate) async fn publish(state: &Arc<HttpState>, parts: &Parts, body: &mut Body) -> Result<Response, Problem> {
    let caller = publisher(state, parts).await?;
    check_not_encoded(&parts.headers)?;
    let in_path = path_topic(parts.uri.path())?;
    let parameters = Parameters::parse(parts.uri.query())?;
    let key = idempotency_key(&parts.headers, &caller)?;
    let publisher = Publisher::of(state, parts, &caller);
    if in_path.is_none() && is_ndjson(&parts.headers) {
        let options = batch::Options::new(&parameters, key.as_ref(), caller, publisher)?;
        return Ok(batch::answer(Arc::clone(state), std::mem::take(body), options));
    }
    let topic = single_topic(in_path.as_deref(), parameters.topic.as_deref())?;
    caller.check_may_publish(topic.as_str())?;
    check_rate(state, &publisher)?;
    let (data, _held) = read_text(state, parts, body).await?;
    let publication = Publication {
        event_type: parameters.event_type,
        id: parameters.id,
        retry_ms: parameters.retry_ms,
        ttl: parameters.ttl,
        private: parameters.private.unwrap_or(false),
        ends_topic: parameters.end.unwrap_or(false),
        idempotency: key,
        ..Publication::new(topic.clone(), data)
    };
    let data_bytes = publication.data.len();
    let left = spend(state, &publisher, data_bytes);
    let began = Instant::now();
    let appended = state.engine.append(publication, state.now()).await?;
    state.counters.publish_time.observe(began.elapsed());
    count(state, &appended, data_bytes);
    let mut response = accepted(&appended.id, &topic);
    insert_left(response.headers_mut(), &left);
    Ok(response)
}

/// The parameters of a POST.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    pub(super) topic: Option<Cow<'a, str>>,
    pub(super) event_type: Option<EventType>,
    pub(super) id: Option<EventId>,
    pub(super) retry_ms: Option<u64>,
    pub(super) ttl: Option<Duration>,
    pub(super) private: Option<bool>,
    pub(super) end: Option<bool>,
    pub(super) summary: Option<bool>,
}

impl<'a> Parameters<'a> {
    fn parse(query: Option<&'a str>) -> Result<Self, Fault> {
        let mut all = Self::default();
        for parameter in parameters(query) {
            let (name, value) = parameter?;
            match &*name {
                "topic" => set_once(&mut all.topic, "topic", value)?,
                "type" => set_once(&mut all.event_type, "type", parse_published_type(&value)?)?,
                "id" => set_once(&mut all.id, "id", parse_id(&value)?)?,
                "retry" => set_once(&mut all.retry_ms, "retry", parse_number("retry", &value, RETRY_FORM)?)?,
                "ttl" => set_once(&mut all.ttl, "ttl", parse_ttl(&value)?)?,
                "private" => set_once(&mut all.private, "private", parse_flag("private", &value)?)?,
                "end" => set_once(&mut all.end, "end", parse_flag("end", &value)?)?,
                "summary" => set_once(&mut all.summary, "summary", parse_flag("summary", &value)?)?,
                _ => {}
            }
        }
        Ok(all)
    }
}

/// Who wants to change something, if anybody may now. Ask the answer for each topic.
pub(super) async fn publisher(state: &HttpState, parts: &Parts) -> Result<Caller, Problem> {
    let caller = authenticate(state, parts, Action::Publish, Endpoint::Plain).await?;
    if state.phase.get() == Phase::Draining {
        return Err(draining());
    }
    Ok(caller)
}

/// The hub takes nothing new.
pub(super) fn draining() -> Problem {
    Problem::Draining { retry_after: Duration::from_secs(fastrand::u64(4..=6)) }
}

/// Counts what the history took.
pub(super) fn count(state: &HttpState, appended: &Appended, data_bytes: usize) {
    if appended.is_repeat {
        state.counters.published_repeats.increment();
    } else {
        state.counters.published.increment();
        state.counters.published_bytes.add(data_bytes as u64);
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

fn idempotency_key(headers: &HeaderMap, caller: &Caller) -> Result<Option<IdempotencyKey>, Fault> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(Fault::new("idempotency-key", "the header is given more than once", "one header"));
    }
    let key = parse_key("idempotency-key", key.as_bytes())?;
    Ok(Some(IdempotencyKey { subject: caller.subject(), ..key }))
}

fn check_not_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &&HeaderValue| value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
    match headers.get_all(CONTENT_ENCODING).iter().find(|value| !is_plain(value)) {
        Some(value) => Err(Problem::Encoded { encoding: String::from_utf8_lossy(value.as_bytes()).into_owned() }),
        None => Ok(()),
    }
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-ndjson")
}

/// The body as text, limited while it is read, and what it holds until the history has it.
pub(super) async fn read_text(state: &HttpState, parts: &Parts, body: &mut Body) -> Result<(String, Held), Problem> {
    let limits = state.limits();
    let read = read_whole(state, parts, body, limits.event_bytes_max).await;
    let (bytes, held) = read.map_err(|fault| match fault {
        BodyFault::TooLarge => Problem::TooLarge { bytes_max: limits.event_bytes_max },
        BodyFault::Stalled => Problem::BodyTimeout { timeout: limits.body_timeout },
        BodyFault::BrokeOff => Fault::new("body", "the body broke off", "a whole body").into(),
        BodyFault::NoRoom => Problem::IncomingFull,
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let detail = format!("the data are not UTF-8 at byte {}", error.utf8_error().valid_up_to());
        Fault::new("body", detail, "UTF-8")
    })?;
    Ok((text, held))
}

fn accepted(id: &EventId, topic: &Topic) -> Response {
    let mut json = Vec::with_capacity(32 + id.as_str().len() + topic.as_str().len());
    json.extend_from_slice(br#"{"id":"#);
    append_json_text(id.as_str(), &mut json);
    json.extend_from_slice(br#","topic":"#);
    append_json_text(topic.as_str(), &mut json);
    json.push(b'}');
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Appends `text` as a JSON string, quotes included.
pub(super) fn append_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text is always JSON, and a vector takes all bytes");
}
