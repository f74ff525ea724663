//! The only table of status codes: what went wrong becomes `application/problem+json` here and nowhere else. (RFC 9457)

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode, Version};
use serde::Serialize;
use tidings_core::rate::TooFast;
use tidings_core::{AppendError, Counters, EngineError, Limit};

use crate::auth::AuthProblem;
use crate::incoming;
use crate::problem::{Fault, OperatorProblem, Problem, cut};
use crate::publishers::insert_none_left;

impl Problem {
    /// The answer that says so. `version` is that of the request: after some problems an HTTP/1 connection must end.
    pub(crate) fn answer(&self, version: Version) -> Response {
        let row = self.row();
        let is_temporary = matches!(row.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let mut response = Response::new(Body::from(row.to_json()));
        *response.status_mut() = row.status;
        response.extensions_mut().insert(if is_temporary { Refused::ForNow } else { Refused::ForItsRequest });
        if let Some(limit) = self.limit() {
            response.extensions_mut().insert(Reached { limit, who: None });
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = row.retry_after {
            insert_retry_after(headers, after);
        }
        match self {
            Self::Method { allow, .. } => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::Denied(problem) => {
                if let Some(challenge) = challenge(problem) {
                    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                }
            }
            Self::Operator(OperatorProblem::NotTheToken) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooFast(too_fast) => insert_none_left(headers, *too_fast),
            // The rest of the body is still under way, so the next request could not be told from it.
            Self::TooLarge { .. } | Self::BodyTimeout { .. } | Self::IncomingFull if version < Version::HTTP_2 => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    /// The limit that was reached, if it tells of one.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::Invalid(fault) => fault.limit,
            Self::BodyTimeout { .. } => Some(Limit::BodyTime),
            Self::TooLarge { .. } => Some(Limit::EventBytes),
            Self::IncomingFull => Some(Limit::IncomingBytes),
            Self::Append(AppendError::KeysFull { .. }) => Some(Limit::IdempotencyKeys),
            Self::Append(AppendError::TopicsFull { .. }) => Some(Limit::Topics),
            Self::TicketsFull { .. } => Some(Limit::Tickets),
            _ => None,
        }
    }

    /// As one line of an NDJSON answer says it.
    pub(crate) fn to_fault(&self) -> Fault {
        let Row { field, value, detail, expected, .. } = self.row();
        Fault { field, value, detail, expected, limit: self.limit() }
    }

    // One row for each problem; nothing else in the crate names a status of refusal.
    fn row(&self) -> Row {
        match self {
            Self::Invalid(fault) => invalid_row(fault),
            Self::Denied(problem) => denied_row(problem),
            Self::Renewal(fault) => {
                Row::new(StatusCode::FORBIDDEN, "renewal", "The stream cannot go on by this token").of(fault)
            }
            Self::Operator(problem) => operator_row(problem),
            Self::NoSuchStream => Row::new(StatusCode::NOT_FOUND, "no-such-stream", "There is no such stream")
                .at("path", None)
                .says("no stream of this name is open; it may have ended", "the renew_url of an open stream"),
            Self::NoSuchTicket => Row::new(StatusCode::UNAUTHORIZED, "no-such-ticket", "There is no such ticket")
                .at("ticket", None)
                .says("the ticket was not used in time, its token has ended, or it never was", "a new ticket"),
            Self::Proxied { header } => Row::new(StatusCode::FORBIDDEN, "proxied", "A proxy would expose this hub")
                .at(header.clone(), None)
                .says(
                    format!("the header {header} shows a proxy, and this hub is open to whoever reaches it"),
                    "a request without a proxy, or a hub with keys or with --open",
                ),
            Self::ForeignOrigin { origin } => {
                Row::new(StatusCode::FORBIDDEN, "foreign-origin", "Another site may not publish here")
                    .at("origin", Some(origin))
                    .says(
                        "the page is of another site",
                        "a page of this machine, or an origin that --publish-origin names",
                    )
            }
            Self::NoSuchPath { path } => {
                Row::new(StatusCode::NOT_FOUND, "no-such-path", "There is nothing at this path")
                    .at("path", Some(path))
                    .says("the hub has no such path", "/events or /events/TOPIC")
            }
            Self::NoSuchTopic { topic } => {
                Row::new(StatusCode::NOT_FOUND, "no-such-topic", "There is nothing of this topic")
                    .at("topic", Some(topic))
                    .says("the topic has no history", "a topic with a retained event")
            }
            Self::Method { method, allow } => {
                Row::new(StatusCode::METHOD_NOT_ALLOWED, "method", "The path has no such method")
                    .at("method", Some(method.as_str()))
                    .says("the method means nothing here", *allow)
            }
            Self::NotAcceptable { accept } => {
                Row::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "There is only an event stream here")
                    .at("accept", Some(accept))
                    .says("the header accept excludes text/event-stream", "text/event-stream")
            }
            Self::BodyTimeout { timeout } => Row::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", "The body stalled")
                .at("body", None)
                .says(format!("no byte of the body came for {} s", timeout.as_secs_f32()), "a body that keeps coming"),
            Self::TooLarge { bytes_max } => {
                Row::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The data are too long")
                    .at("body", None)
                    .says("the data are longer than an event may be", format!("at most {bytes_max} bytes of data"))
            }
            Self::Encoded { encoding } => {
                Row::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-encoding", "The body is encoded")
                    .at("content-encoding", Some(encoding))
                    .says("the hub stores data byte for byte and decodes nothing", "no content-encoding, or identity")
            }
            Self::Misdirected { host } => {
                Row::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", "This hub answers to its own machine only")
                    .at("host", Some(host))
                    .says(
                        "the host is not a loopback one",
                        "localhost, *.localhost, 127.0.0.0/8 or [::1], or a hub with keys or --open",
                    )
            }
            Self::Append(error) => append_row(error),
            Self::Engine(error) => engine_row(error),
            Self::Draining { retry_after } => {
                Row::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "The hub is shutting down")
                    .says("the hub takes nothing new", "another try later")
                    .after(*retry_after)
            }
            Self::Full { what, retry_after } => {
                Row::new(StatusCode::SERVICE_UNAVAILABLE, "full", "The hub has no place left")
                    .says(*what, "another try later")
                    .after(*retry_after)
            }
            Self::IncomingFull => incoming_full_row(),
            Self::TicketsFull { retry_after } => {
                Row::new(StatusCode::SERVICE_UNAVAILABLE, "tickets-full", "No more tickets can be kept")
                    .says("as many tickets are kept as may be", "another try later, or a token in a header or cookie")
                    .after(*retry_after)
            }
            Self::TooFast(TooFast { limit, retry_after }) => {
                Row::new(StatusCode::TOO_MANY_REQUESTS, "too-fast", "The publisher publishes too fast")
                    .says(
                        format!("the publisher has reached the limit {limit}"),
                        "another try once retry-after has passed, or many events in one NDJSON body, which is read as fast as may be",
                    )
                    .after(*retry_after)
            }
            Self::TooMany { what, retry_after } => {
                Row::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "One client has too many connections")
                    .says(*what, "another try later")
                    .after(*retry_after)
            }
        }
    }
}

/// What a response carries beside its bytes when it is a refusal: a door may ask for an answer and then not send it, so
/// it is counted by whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// What it said was wrong.
    ForItsRequest,
    /// There is no place, or no hub, for the moment.
    ForNow,
}

/// Among the extensions of a response: a limit was reached, and by whom, where that is known. Counted when it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) limit: Limit,
    pub(crate) who: Option<Arc<str>>,
}

/// Counts `response`, which is about to be sent, if it is a refusal; and the limit among its extensions, if it tells of one.
pub(crate) fn count(counters: &Counters, response: &Response) {
    match response.extensions().get() {
        Some(Refused::ForItsRequest) => counters.refused_requests.increment(),
        Some(Refused::ForNow) => counters.refused_limits.increment(),
        None => {}
    }
    match response.extensions().get() {
        Some(Reached { limit, who: Some(who) }) => counters.reach_by(*limit, who),
        Some(Reached { limit, who: None }) => counters.reach(*limit),
        None => {}
    }
}

/// Puts `after` into the header, in whole seconds and at least one.
pub(crate) fn insert_retry_after(headers: &mut HeaderMap, after: Duration) {
    headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
}

/// `after` as `Retry-After` can say it: whole seconds, at least one.
pub(crate) fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}

/// When a hub that shuts down is expected back.
const ENGINE_RETRY_AFTER: Duration = Duration::from_secs(5);

fn incoming_full_row() -> Row {
    Row::new(StatusCode::SERVICE_UNAVAILABLE, "incoming-full", "Too much is being published at once")
        .at("body", None)
        .says(
            "the publications under way hold as much memory as they may",
            "another try later, or at most 16 KiB of data, which always have room",
        )
        .after(incoming::RETRY_AFTER)
}

/// Who sends it, or what that one may do, is not as it must be.
fn invalid_row(fault: &Fault) -> Row {
    Row::new(StatusCode::BAD_REQUEST, "invalid", "The request cannot be understood").of(fault)
}

fn operator_row(problem: &OperatorProblem) -> Row {
    match problem {
        OperatorProblem::NoToken => Row::new(StatusCode::FORBIDDEN, "no-admin-token", "Nobody may end streams here")
            .at("authorization", None)
            .says("this hub has no token for operators", "a hub that was started with --admin-token"),
        OperatorProblem::NotTheToken => {
            Row::new(StatusCode::UNAUTHORIZED, "not-an-operator", "Only operators may end streams")
                .at("authorization", None)
                .says(
                    "the request does not bring the operators' token",
                    "Authorization: Bearer, and what --admin-token says",
                )
        }
        OperatorProblem::NoSuchSession { name } => {
            Row::new(StatusCode::NOT_FOUND, "no-such-session", "There is no such session")
                .at("path", Some(name))
                .says("no session of this name is open; it may have ended", "a name that /top shows now")
        }
    }
}

fn denied_row(problem: &AuthProblem) -> Row {
    let unauthorized = |kind, title| Row::new(StatusCode::UNAUTHORIZED, kind, title);
    let row = match problem {
        AuthProblem::NoToken { .. } => unauthorized("unauthorized", "The hub is closed"),
        AuthProblem::Misplaced(_) => unauthorized("misplaced-token", "The token cannot be found"),
        AuthProblem::BadToken(error) if error.is_temporary() => {
            Row::new(StatusCode::SERVICE_UNAVAILABLE, "no-keys", "Tokens cannot be checked now")
                .after(ENGINE_RETRY_AFTER)
        }
        AuthProblem::BadToken(_) => unauthorized("bad-token", "The token is not accepted"),
        AuthProblem::ForeignCookie { .. } => unauthorized("foreign-cookie", "The cookie does not count for this page"),
        AuthProblem::NoGrant { .. } => Row::new(StatusCode::FORBIDDEN, "no-grant", "The token does not allow this"),
    };
    match problem {
        AuthProblem::ForeignCookie { origin } => row.at("origin", origin.as_deref()),
        AuthProblem::NoGrant { topic: Some(topic), .. } => row.at("topic", Some(topic)),
        _ => row.at("authorization", None),
    }
    .says(problem.detail(), problem.expected())
}

/// What a client is to bring. (RFC 6750, 3)
fn challenge(problem: &AuthProblem) -> Option<&'static str> {
    match problem {
        AuthProblem::BadToken(error) if error.is_temporary() => None,
        AuthProblem::NoToken { .. } | AuthProblem::ForeignCookie { .. } => Some("Bearer"),
        AuthProblem::Misplaced(_) => Some("Bearer error=\"invalid_request\""),
        AuthProblem::BadToken(_) => Some("Bearer error=\"invalid_token\""),
        AuthProblem::NoGrant { .. } => Some("Bearer error=\"insufficient_scope\""),
    }
}

/// Room for topics comes as history goes: nobody knows when.
const TOPICS_RETRY_AFTER: Duration = Duration::from_mins(1);

fn append_row(error: &AppendError) -> Row {
    match error {
        AppendError::IdTaken { id } => Row::new(StatusCode::CONFLICT, "id-taken", "The id is used")
            .at("id", Some(id.as_str()))
            .says("the id is already used by a retained event", "an id of its own for each event"),
        AppendError::IdReserved { id } => Row::new(StatusCode::BAD_REQUEST, "id-reserved", "The id is the hub's own")
            .at("id", Some(id.as_str()))
            .says("the id has the form of the hub's own ids", "an id of another form, or none"),
        AppendError::TopicEnded { topic } => Row::new(StatusCode::CONFLICT, "topic-ended", "The topic has ended")
            .at("topic", Some(topic.as_str()))
            .says("the topic has ended", "another topic, or a DELETE of this one first"),
        AppendError::KeyReused => {
            Row::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The idempotency key is used")
                .at("idempotency-key", None)
                .says(error.to_string(), "the same publication again, or another key")
        }
        AppendError::KeysFull { retry_after, .. } => {
            Row::new(StatusCode::SERVICE_UNAVAILABLE, "keys-full", "No more idempotency keys can be kept")
                .at("idempotency-key", None)
                .says(error.to_string(), "another try later, or a publication without a key")
                .after(*retry_after)
        }
        AppendError::TopicsFull { .. } => {
            Row::new(StatusCode::SERVICE_UNAVAILABLE, "topics-full", "No more topics can be kept")
                .at("topic", None)
                .says(error.to_string(), "a topic that has events, or another try later")
                .after(TOPICS_RETRY_AFTER)
        }
        AppendError::Engine(error) => engine_row(error),
    }
}

fn engine_row(error: &EngineError) -> Row {
    match error {
        EngineError::Closed => Row::new(StatusCode::SERVICE_UNAVAILABLE, "closed", "The hub is shutting down")
            .says(error.to_string(), "another try later")
            .after(ENGINE_RETRY_AFTER),
        EngineError::NoRoom { .. } => Row::new(StatusCode::SERVICE_UNAVAILABLE, "no-room", "No room to store events")
            .says(error.to_string(), "another try once there is room")
            .after(ENGINE_RETRY_AFTER),
        EngineError::Stalled { .. } => Row::new(StatusCode::SERVICE_UNAVAILABLE, "stalled", "The disk does not answer")
            .says(error.to_string(), "another try once it does")
            .after(ENGINE_RETRY_AFTER),
        EngineError::Failed { .. } => Row::new(StatusCode::SERVICE_UNAVAILABLE, "store-failed", "The store has failed")
            .says(error.to_string(), "another try once the hub was started anew")
            .after(ENGINE_RETRY_AFTER),
    }
}

/// One line of the table.
struct Row {
    status: StatusCode,
    /// By which a program tells problems apart.
    kind: &'static str,
    title: &'static str,
    field: Cow<'static, str>,
    value: Option<String>,
    detail: Cow<'static, str>,
    expected: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl Row {
    fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        let nothing = Cow::Borrowed("");
        Self {
            status,
            kind,
            title,
            field: nothing.clone(),
            value: None,
            detail: nothing.clone(),
            expected: nothing,
            retry_after: None,
        }
    }

    fn at(self, field: impl Into<Cow<'static, str>>, value: Option<&str>) -> Self {
        Self { field: field.into(), value: value.map(cut), ..self }
    }

    fn of(self, fault: &Fault) -> Self {
        self.at(fault.field.clone(), fault.value.as_deref()).says(fault.detail.clone(), fault.expected.clone())
    }

    fn says(self, detail: impl Into<Cow<'static, str>>, expected: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), expected: expected.into(), ..self }
    }

    fn after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Document<'a> {
            r#type: &'a str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            field: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<&'a str>,
            expected: &'a str,
        }
        let mut kind = String::from("urn:tidings:problem:");
        kind.write_str(self.kind).expect("a string takes every text");
        let document = Document {
            r#type: &kind,
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            field: &self.field,
            value: self.value.as_deref(),
            expected: &self.expected,
        };
        serde_json::to_vec(&document).expect("texts and a number are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use tidings_auth::{Action, PlaceError, TokenError};
    use tidings_topic::Topic;
    use tidings_wire::EventId;

    use super::*;

    fn check(problem: impl Into<Problem>, status: u16, retry_after: Option<&str>) {
        let problem = problem.into();
        let response = problem.answer(Version::HTTP_11);
        let got = response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("digits"));
        assert_eq!((response.status().as_u16(), got), (status, retry_after), "{problem:?}");
        let document: serde_json::Value = serde_json::from_slice(&problem.row().to_json()).expect("JSON");
        assert_eq!(document["status"], status, "{problem:?}");
        for key in ["type", "title", "detail", "expected"] {
            assert!(document[key].as_str().is_some_and(|text| !text.is_empty()), "{problem:?} has no {key}");
        }
    }

    #[test]
    fn every_error_of_the_history_has_its_status() {
        let id = EventId::parse("order-42").expect("a good id");
        check(AppendError::IdTaken { id: id.clone() }, 409, None);
        check(AppendError::IdReserved { id }, 400, None);
        check(AppendError::TopicEnded { topic: Topic::default_topic() }, 409, None);
        check(AppendError::KeyReused, 422, None);
        check(AppendError::KeysFull { keys_max: 3, retry_after: Duration::from_millis(1500) }, 503, Some("2"));
        check(AppendError::Engine(EngineError::Closed), 503, Some("5"));
        check(AppendError::TopicsFull { topics_max: 3 }, 503, Some("60"));
        check(EngineError::Closed, 503, Some("5"));
    }

    #[test]
    fn every_problem_has_its_status() {
        let text = || String::from("x");
        let retry_after = Duration::ZERO;
        check(Fault::new("id", "is wrong", "a good one"), 400, None);
        let action = Action::Publish;
        check(AuthProblem::NoToken { action, has_key: true }, 401, None);
        check(AuthProblem::NoToken { action, has_key: false }, 401, None);
        check(AuthProblem::Misplaced(PlaceError::NotBearer), 401, None);
        check(AuthProblem::BadToken(TokenError::Critical), 401, None);
        check(AuthProblem::BadToken(TokenError::KeysUnavailable(text())), 503, Some("5"));
        check(AuthProblem::ForeignCookie { origin: None }, 401, None);
        check(AuthProblem::NoGrant { action, topic: None }, 403, None);
        check(Problem::Renewal(Fault::new("authorization", "is of another", "the same")), 403, None);
        check(Problem::NoSuchStream, 404, None);
        check(Problem::Operator(OperatorProblem::NoSuchSession { name: text() }), 404, None);
        check(Problem::Operator(OperatorProblem::NoToken), 403, None);
        check(Problem::Operator(OperatorProblem::NotTheToken), 401, None);
        check(Problem::NoSuchTicket, 401, None);
        check(Problem::TicketsFull { retry_after }, 503, Some("1"));
        check(Problem::Proxied { header: text() }, 403, None);
        check(Problem::ForeignOrigin { origin: text() }, 403, None);
        check(Problem::NoSuchPath { path: text() }, 404, None);
        check(Problem::NoSuchTopic { topic: text() }, 404, None);
        check(Problem::Method { method: http::Method::PUT, allow: "GET" }, 405, None);
        check(Problem::NotAcceptable { accept: text() }, 406, None);
        check(Problem::BodyTimeout { timeout: Duration::from_secs(30) }, 408, None);
        check(Problem::TooLarge { bytes_max: 1 }, 413, None);
        check(Problem::Encoded { encoding: text() }, 415, None);
        check(Problem::Misdirected { host: text() }, 421, None);
        check(Problem::Draining { retry_after }, 503, Some("1"));
        check(Problem::Full { what: "all of it", retry_after }, 503, Some("1"));
        let limit = Limit::PublishEvents;
        check(Problem::IncomingFull, 503, Some("2"));
        check(Problem::TooFast(TooFast { limit, retry_after }), 429, Some("1"));
        check(Problem::TooMany { what: "all of it", retry_after }, 429, Some("1"));
    }

    #[test]
    fn refusals_are_counted_by_who_is_at_fault() {
        let counters = Counters::default();
        let full = Problem::Full { what: "all of it", retry_after: Duration::ZERO };
        for problem in [&Problem::NoSuchStream, &full, &full] {
            count(&counters, &problem.answer(Version::HTTP_11));
        }
        assert_eq!((counters.refused_requests.get(), counters.refused_limits.get()), (1, 2));
    }
}
