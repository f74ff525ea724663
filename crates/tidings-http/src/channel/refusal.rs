//! "Not now": how a reader is sent away so that it comes back.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Method, Version};
use tidings_auth::TokenError;
use tidings_core::Limit;
use tidings_wire::{encode_comment, encode_retry};

use crate::auth::AuthProblem;
use crate::channel::opening::jittered_ms;
use crate::channel::subscribe::stream_headers;
use crate::header_text::is_browser;
use crate::problem::Problem;
use crate::respond::{Refused, whole_seconds};
use crate::router::is_stream_path;
use crate::state::HttpState;
use crate::{cors, respond};

/// Why a reader cannot be served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The hub is shutting down.
    Draining,
    /// All places are taken.
    Full,
    /// This address has taken all the places it may.
    TooMany,
    /// The subject of its token has all the streams it may.
    SubjectFull,
    /// As many different topics are listened to as may be.
    TopicsFull,
    /// The keys by which its token is checked were never fetched yet.
    NoKeys,
}

/// Sends a request away for a while, counted, with the CORS headers that its page needs.
///
/// A browser that wants a stream gets one that ends, for any other status would end its `EventSource` for good;
/// everybody else gets 429 or 503 and `Retry-After`.
pub fn refuse(state: &HttpState, parts: &Parts, why: Refusal) -> Response {
    let mut response = refusal(parts, why);
    cors::apply(&state.config.cors, &parts.headers, response.headers_mut());
    respond::count(&state.counters, &response);
    response
}

/// [`refuse`] for a limit of connections, which was counted when the connection came.
pub(crate) fn refuse_for_limit(state: &HttpState, parts: &Parts, limit: Limit) -> Response {
    let is_of_address = limit == Limit::ConnectionsPerIp;
    refuse(state, parts, if is_of_address { Refusal::TooMany } else { Refusal::Full })
}

/// [`refuse`] without CORS and uncounted.
pub(crate) fn refusal(parts: &Parts, why: Refusal) -> Response {
    let retry_after = why.draw_retry_after();
    // To any other request than one for a stream, 200 would say that it was done.
    let wants_stream = matches!(parts.method, Method::GET | Method::HEAD) && is_stream_path(parts.uri.path());
    let mut response = if wants_stream && is_browser(&parts.headers) {
        farewell(parts.version, retry_after, why.reason())
    } else {
        why.problem(retry_after).answer(parts.version)
    };
    if parts.version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close")); // its place is for another
    }
    response
}

impl Refusal {
    /// Spread over half as much again, so that those who are refused together do not come back together.
    fn draw_retry_after(self) -> Duration {
        let least = match self {
            Self::Draining | Self::NoKeys => Duration::from_secs(4), // about as long as a restart
            Self::Full | Self::TooMany | Self::SubjectFull | Self::TopicsFull => Duration::from_secs(10),
        };
        Duration::from_secs(fastrand::u64(least.as_secs()..=least.as_secs() * 3 / 2))
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Draining => "the hub is shutting down",
            Self::Full => "the hub has no place left",
            Self::TooMany => "this address has too many connections",
            Self::SubjectFull => "the subject of this token has too many streams",
            Self::TopicsFull => "too many topics are listened to",
            Self::NoKeys => "tokens cannot be checked now",
        }
    }

    fn problem(self, retry_after: Duration) -> Problem {
        match self {
            Self::Draining => Problem::Draining { retry_after },
            Self::Full | Self::TopicsFull => Problem::Full { what: self.reason(), retry_after },
            Self::TooMany | Self::SubjectFull => Problem::TooMany { what: self.reason(), retry_after },
            Self::NoKeys => AuthProblem::BadToken(TokenError::KeysUnavailable(self.reason().to_owned())).into(),
        }
    }
}

fn farewell(version: Version, retry_after: Duration, reason: &str) -> Response {
    let mut text = Vec::new();
    encode_retry(jittered_ms(Duration::from_secs(whole_seconds(retry_after))), &mut text);
    encode_comment(reason, &mut text);
    let mut response = Response::new(Body::from(text));
    *response.headers_mut() = stream_headers(version);
    response.extensions_mut().insert(Refused::ForNow);
    response
}
