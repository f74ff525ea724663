//! What can be wrong with a request to the Mercure endpoint, and how each dialect says it: one line of plain text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode, Version};
use tidings_core::Limit;
use tidings_core::rate::TooFast;

use crate::incoming;
use crate::mercure::dialect::Dialect;
use crate::mercure::form::Malformed;
use crate::publishers::insert_none_left;
use crate::respond::{Reached, Refused, whole_seconds};

/// Why a request is not done as it wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// What should be a form is none.
    Malformed,
    /// A publication names no topic.
    NoTopic,
    /// A subscriber names no topic.
    NoSelector,
    /// It names more topics than it may.
    TooMany {
        /// How many it may.
        max: usize,
    },
    /// The reconnection time is no number.
    Retry,
    /// A field or parameter has a value that it may not have.
    Invalid {
        /// That field.
        field: Cow<'static, str>,
        /// What is wrong with it, and what would be right.
        detail: Cow<'static, str>,
    },
    /// The topic is one of the hub's own.
    ReservedTopic,
    /// It brings no token, and needs one.
    NoToken,
    /// Its token is not where and as it should be.
    MisplacedToken {
        /// What is wrong, for the developer.
        detail: String,
    },
    /// Its token does not count.
    BadToken {
        /// What is wrong, for the developer.
        detail: String,
    },
    /// Its token does not allow this.
    NotGranted {
        /// What is not allowed, for the developer.
        detail: String,
    },
    /// There is nothing there.
    NotFound,
    /// The method means nothing here.
    Method,
    /// Its body stalled.
    Stalled,
    /// Its data are too long.
    TooLarge {
        /// How long they may be.
        bytes_max: usize,
    },
    /// The bodies of all requests together hold as much as they may.
    IncomingFull,
    /// Its body is compressed.
    Encoded,
    /// The topic has ended.
    TopicEnded,
    /// The history did not take the publication.
    NotStored,
    /// As many topics have events as may.
    TopicsFull,
    /// Its publisher publishes faster than it may.
    TooFast(TooFast),
    /// The history cannot be asked for a subscriber's place.
    NoHistory,
    /// The hub is shutting down.
    Draining,
    /// The keys of its token must be fetched from elsewhere, and cannot be now.
    KeysUnavailable,
}

impl From<TooFast> for Rejection {
    fn from(too_fast: TooFast) -> Self {
        Self::TooFast(too_fast)
    }
}

impl From<Malformed> for Rejection {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Rejection {
    /// A field or parameter that may not have this value. `error` says why and, after a semicolon, what is expected.
    pub(super) fn invalid(field: impl Into<Cow<'static, str>>, error: &impl ToString) -> Self {
        Self::Invalid { field: field.into(), detail: error.to_string().into() }
    }

    /// The answer that says so, in the words of `dialect`. `metadata_url` is where a client learns what token to bring.
    pub(super) fn answer(&self, dialect: Dialect, version: Version, metadata_url: &str) -> Response {
        let (status, text) = self.row(dialect);
        let mut response = text_answer(status, &text);
        let is_temporary = matches!(
            self,
            Self::Draining | Self::KeysUnavailable | Self::TopicsFull | Self::IncomingFull | Self::TooFast(_)
        );
        response.extensions_mut().insert(if is_temporary { Refused::ForNow } else { Refused::ForItsRequest });
        if let Some(limit) = self.limit() {
            response.extensions_mut().insert(Reached { limit, who: None });
        }
        let headers = response.headers_mut();
        // The rest of the body is still under way, so the next request could not be told from it.
        if matches!(self, Self::TooLarge { .. } | Self::Stalled | Self::IncomingFull) && version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(challenge) = self.challenge(metadata_url) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        match self {
            Self::Draining | Self::KeysUnavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(RETRY_AFTER_MIN)));
            }
            Self::TopicsFull => {
                headers.insert(RETRY_AFTER, HeaderValue::from(60));
            }
            Self::TooFast(too_fast) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(too_fast.retry_after)));
                insert_none_left(headers, *too_fast);
            }
            Self::IncomingFull => {
                headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(incoming::RETRY_AFTER)));
            }
            _ => {}
        }
        response
    }

    /// The limit that was reached, if it tells of one.
    fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooMany { .. } => Some(Limit::TopicsPerConnection),
            Self::Stalled => Some(Limit::BodyTime),
            Self::TopicsFull => Some(Limit::Topics),
            Self::TooLarge { .. } => Some(Limit::EventBytes),
            Self::IncomingFull => Some(Limit::IncomingBytes),
            _ => None,
        }
    }

    /// What the developer should know beside the text, which is fixed.
    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::MisplacedToken { detail } | Self::BadToken { detail } | Self::NotGranted { detail } => Some(detail),
            _ => None,
        }
    }

    // One row for each. The texts that the two hubs are known to say stand here as they say them; the others are ours.
    fn row(&self, dialect: Dialect) -> (StatusCode, Cow<'static, str>) {
        use Dialect::{One, Zero};
        let (status, text): (StatusCode, Cow<'static, str>) = match (self, dialect) {
            (Self::Malformed, _) | (Self::MisplacedToken { .. }, One) => {
                (StatusCode::BAD_REQUEST, "Bad Request".into())
            }
            (Self::NoTopic, _) => (StatusCode::BAD_REQUEST, "Missing \"topic\" parameter".into()),
            (Self::NoSelector, Zero) => (StatusCode::BAD_REQUEST, "Missing \"topic\" parameter.".into()),
            (Self::NoSelector, One) => (StatusCode::BAD_REQUEST, "missing \"match\" subscription parameter".into()),
            (Self::TooMany { .. }, Zero) => (StatusCode::BAD_REQUEST, "Too many \"topic\" parameters.".into()),
            (Self::TooMany { max }, One) => {
                (StatusCode::BAD_REQUEST, format!("too many matchers; expected at most {max}").into())
            }
            (Self::Retry, _) => (StatusCode::BAD_REQUEST, "Invalid \"retry\" parameter".into()),
            (Self::Invalid { field, detail }, _) => {
                (StatusCode::BAD_REQUEST, format!("Invalid \"{field}\" parameter: {detail}").into())
            }
            (Self::ReservedTopic, One) => {
                (StatusCode::BAD_REQUEST, "Invalid \"topic\" parameter: it is one of the hub's own".into())
            }
            (Self::NoToken | Self::BadToken { .. }, _)
            | (Self::MisplacedToken { .. } | Self::NotGranted { .. }, Zero) => {
                (StatusCode::UNAUTHORIZED, "Unauthorized".into())
            }
            (Self::ReservedTopic, Zero) | (Self::NotGranted { .. }, One) => (StatusCode::FORBIDDEN, "Forbidden".into()),
            (Self::NotFound, _) => (StatusCode::NOT_FOUND, "404 page not found".into()),
            (Self::Method, _) => (StatusCode::METHOD_NOT_ALLOWED, "".into()),
            (Self::Stalled, _) => (StatusCode::REQUEST_TIMEOUT, "Request Timeout".into()),
            (Self::TooLarge { bytes_max }, _) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("data too long; expected at most {bytes_max} bytes").into())
            }
            (Self::Encoded, _) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Content-Encoding; expected none".into())
            }
            (Self::TopicsFull, _) => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable: too many topics".into()),
            (Self::IncomingFull, _) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable: too much is being published at once".into())
            }
            (Self::TooFast(_), _) => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests".into()),
            (Self::TopicEnded, _) => (StatusCode::CONFLICT, "the topic has ended; expected another topic".into()),
            (Self::NotStored, _) => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".into()),
            (Self::NoHistory | Self::Draining | Self::KeysUnavailable, _) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable".into())
            }
        };
        (status, text)
    }

    /// RFC 6750, 3 with RFC 9728, 5.1. Clients of 0.x do not look at it.
    fn challenge(&self, metadata_url: &str) -> Option<HeaderValue> {
        let error = match self {
            Self::NoToken => None,
            Self::BadToken { .. } => Some("invalid_token"),
            Self::MisplacedToken { .. } => Some("invalid_request"),
            Self::NotGranted { .. } => Some("insufficient_scope"),
            _ => return None,
        };
        let mut text = format!("Bearer resource_metadata=\"{}\"", quoted(metadata_url));
        for (name, value) in [("error", error), ("error_description", self.detail())] {
            if let Some(value) = value {
                write!(text, ", {name}=\"{}\"", quoted(value)).expect("a string takes every text");
            }
        }
        HeaderValue::from_str(&text).ok()
    }
}

/// An answer of one line of text; none at all where there is nothing to say.
pub(super) fn text_answer(status: StatusCode, text: &str) -> Response {
    let body = if text.is_empty() { Body::empty() } else { Body::from(format!("{}\n", one_line(text))) };
    let has_body = !text.is_empty();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if has_body {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    }
    response
}

/// What every text of this endpoint is.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

const RETRY_AFTER_MIN: Duration = Duration::from_secs(5);

fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// What an `error_description` may hold: visible ASCII and spaces, but no quote and no backslash. (RFC 6750, 3)
fn quoted(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> String {
        "no grant for \"é\"".to_owned()
    }

    fn check(rejection: &Rejection, dialect: Dialect, status: u16, text: &str, challenge: Option<&str>) {
        let response = rejection.answer(dialect, Version::HTTP_11, "https://h/m");
        assert_eq!(response.status(), status, "{rejection:?} in {dialect:?}");
        assert_eq!(rejection.row(dialect).1, text, "{rejection:?} in {dialect:?}");
        let got = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().expect("ASCII"));
        assert_eq!(got, challenge, "{rejection:?} in {dialect:?}");
    }

    #[test]
    fn each_dialect_says_it_in_its_words() {
        use Dialect::{One, Zero};
        let no_error = Some("Bearer resource_metadata=\"https://h/m\"");
        let scope = concat!(
            "Bearer resource_metadata=\"https://h/m\", error=\"insufficient_scope\", ",
            "error_description=\"no grant for '?'\""
        );
        let request = "Bearer resource_metadata=\"https://h/m\", error=\"invalid_request\", error_description=\"no grant for '?'\"";
        check(&Rejection::Malformed, Zero, 400, "Bad Request", None);
        check(&Rejection::NoTopic, Zero, 400, "Missing \"topic\" parameter", None);
        check(&Rejection::NoTopic, One, 400, "Missing \"topic\" parameter", None);
        check(&Rejection::NoSelector, Zero, 400, "Missing \"topic\" parameter.", None);
        check(&Rejection::NoSelector, One, 400, "missing \"match\" subscription parameter", None);
        check(&Rejection::TooMany { max: 1000 }, Zero, 400, "Too many \"topic\" parameters.", None);
        check(&Rejection::Retry, Zero, 400, "Invalid \"retry\" parameter", None);
        check(&Rejection::ReservedTopic, Zero, 403, "Forbidden", None);
        check(&Rejection::ReservedTopic, One, 400, "Invalid \"topic\" parameter: it is one of the hub's own", None);
        check(&Rejection::NoToken, Zero, 401, "Unauthorized", no_error);
        check(&Rejection::NoToken, One, 401, "Unauthorized", no_error);
        check(&Rejection::NotGranted { detail: detail() }, Zero, 401, "Unauthorized", Some(scope));
        check(&Rejection::NotGranted { detail: detail() }, One, 403, "Forbidden", Some(scope));
        check(&Rejection::MisplacedToken { detail: detail() }, Zero, 401, "Unauthorized", Some(request));
        check(&Rejection::MisplacedToken { detail: detail() }, One, 400, "Bad Request", Some(request));
        check(&Rejection::Method, Zero, 405, "", None);
        check(&Rejection::NotFound, One, 404, "404 page not found", None);
        check(&Rejection::NotStored, One, 500, "Internal Server Error", None);
        check(&Rejection::NoHistory, Zero, 503, "Service Unavailable", None);
    }

    #[test]
    fn a_text_stays_on_its_line() {
        assert_eq!(one_line("a\r\nb\u{85}c"), "a  b c");
    }
}
