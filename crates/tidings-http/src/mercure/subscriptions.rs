//! `GET /.well-known/mercure/subscriptions…`: who is subscribed now.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tidings_auth::Action;
use tidings_core::{Position, Sequence};

use crate::auth::{Caller, Endpoint, authenticate};
use crate::mercure::active::Active;
use crate::mercure::caller::dialect_of;
use crate::mercure::dialect::{Dialect, guess};
use crate::mercure::document::{collection, matcher_id, subscription};
use crate::mercure::name::from_segment;
use crate::mercure::parameters::{Matcher, MatcherKind};
use crate::mercure::place::{PATH, SUBSCRIPTIONS_PATH};
use crate::mercure::rejection::Rejection;
use crate::state::HttpState;

/// Answers with the document at `rest`, the path below that of all subscriptions.
///
/// # Errors
/// A [`Rejection`], and the dialect in which to say it.
pub(super) async fn answer(state: &HttpState, parts: &Parts, rest: &str) -> Result<Response, (Rejection, Dialect)> {
    if !state.config.mercure.subscriptions {
        return Err((Rejection::NotFound, Dialect::Zero));
    }
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err((Rejection::Method, Dialect::Zero));
    }
    let caller = authenticate(state, parts, Action::Subscribe, Endpoint::Mercure).await;
    let caller = caller.map_err(|problem| (Rejection::from(problem), guess(parts)))?;
    let rules = dialect_of(&caller).unwrap_or_default();
    let asked = Asked::parse(rest, rules).ok_or((Rejection::NotFound, rules))?;
    check_granted(parts, &caller, rules).map_err(|rejection| (rejection, rules))?;
    // Before the table is looked at: what changes meanwhile gets a tag of its own.
    let last_event_id = last_event_id(state);
    let document = asked.document(state, &last_event_id).ok_or((Rejection::NotFound, rules))?;
    Ok(document_answer(parts, asked.dialect(), &last_event_id, document))
}

/// What of the subscriptions is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// All that were made in a dialect.
    All(Dialect),
    /// All with a matcher.
    OfMatcher(Matcher),
    /// One.
    One(Matcher, String),
}

impl Asked {
    /// What the path asks for. The shape of a path of two segments tells its dialect; `rules` are for that of none.
    fn parse(rest: &str, rules: Dialect) -> Option<Self> {
        let segments: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split('/').collect() };
        let matcher = |kind: MatcherKind, segment: &str| {
            Some(Matcher { kind, text: from_segment(segment, kind.dialect())?.into() })
        };
        match *segments {
            [] => Some(Self::All(rules)),
            [topic] => Some(Self::OfMatcher(matcher(MatcherKind::Topic, topic)?)),
            [topic, subscriber] => {
                let subscriber_0 = from_segment(subscriber, Dialect::Zero)?;
                match MatcherKind::of_match_type(topic) {
                    Some(kind) if !subscriber_0.starts_with("urn:uuid:") => {
                        Some(Self::OfMatcher(matcher(kind, subscriber)?))
                    }
                    _ => Some(Self::One(matcher(MatcherKind::Topic, topic)?, subscriber_0)),
                }
            }
            [match_type, text, subscriber] => {
                let kind = MatcherKind::of_match_type(match_type)?;
                Some(Self::One(matcher(kind, text)?, from_segment(subscriber, Dialect::One)?))
            }
            _ => None,
        }
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::All(dialect) => *dialect,
            Self::OfMatcher(matcher) | Self::One(matcher, _) => matcher.kind.dialect(),
        }
    }

    fn document(&self, state: &HttpState, last_event_id: &str) -> Option<Vec<u8>> {
        let list = |id: &str, actives: &[Active]| collection(id, actives, self.dialect(), last_event_id);
        match self {
            Self::All(dialect) => Some(list(SUBSCRIPTIONS_PATH, &state.active.of_dialect(*dialect))),
            Self::OfMatcher(matcher) => Some(list(&matcher_id(matcher), &state.active.of_matcher(matcher))),
            Self::One(matcher, subscriber) => {
                let active = state.active.find(matcher, subscriber)?;
                Some(subscription(&active, true, Some(last_event_id)))
            }
        }
    }
}

/// A token must grant reading this very path, as one grants reading the events that have such topics. 0.x takes the query
/// for a part of it.
fn check_granted(parts: &Parts, caller: &Caller, rules: Dialect) -> Result<(), Rejection> {
    let Some(identity) = caller.identity() else { return Err(Rejection::NoToken) };
    let target = match rules {
        Dialect::Zero => parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str),
        Dialect::One => parts.uri.path(),
    };
    if identity.subscribes(target) {
        return Ok(());
    }
    Err(Rejection::NotGranted { detail: "the token has no subscribe grant for this path".into() })
}

/// The id of the newest event, from which a reader goes on without missing what happens after this answer.
fn last_event_id(state: &HttpState) -> Arc<str> {
    match state.engine.tail() {
        Sequence::ZERO => "earliest".into(),
        sequence => Position { epoch: state.engine.epoch(), sequence }.to_string().into(),
    }
}

fn document_answer(parts: &Parts, dialect: Dialect, last_event_id: &str, document: Vec<u8>) -> Response {
    let (content_type, etag) = match dialect {
        Dialect::Zero => ("application/ld+json", last_event_id.to_owned()),
        Dialect::One => ("application/json", format!("\"{last_event_id}\"")),
    };
    let is_known = has_tag(&parts.headers, &etag);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(document) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, header_value(&etag));
    if dialect == Dialect::One {
        let link = format!(
            "<{PATH}>; rel=\"mercure\"; last-event-id=\"{last_event_id}\"; type=\"mercure\"; content-type=\"application/json\""
        );
        headers.insert(LINK, header_value(&link));
    }
    if !is_known {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

fn has_tag(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|tag| tag.as_bytes() == etag.as_bytes())
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a position and plain words are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(kind: MatcherKind, text: &str) -> Matcher {
        Matcher { kind, text: text.into() }
    }

    #[test]
    fn a_path_says_what_is_asked() {
        let uuid = "urn:uuid:1".to_owned();
        let topic = matcher(MatcherKind::Topic, "a b/{id}");
        let exact = matcher(MatcherKind::Exact, "a b");
        for (rest, want) in [
            ("", Some(Asked::All(Dialect::Zero))),
            ("a+b%2F%7Bid%7D", Some(Asked::OfMatcher(topic.clone()))),
            ("a+b%2F%7Bid%7D/urn%3Auuid%3A1", Some(Asked::One(topic, uuid.clone()))),
            ("exact/a%20b", Some(Asked::OfMatcher(exact.clone()))),
            ("exact/a%20b/urn%3Auuid%3A1", Some(Asked::One(exact, uuid.clone()))),
            ("exact/urn:uuid:1", Some(Asked::One(matcher(MatcherKind::Topic, "exact"), uuid.clone()))),
            ("urlpattern/%2F%3Aid", Some(Asked::OfMatcher(matcher(MatcherKind::UrlPattern, "/:id")))),
            ("other/a/b", None),
            ("a/b/c/d", None),
            ("%zz", None),
            ("%FF", None),
        ] {
            assert_eq!(Asked::parse(rest, Dialect::Zero), want, "{rest}");
        }
        assert_eq!(Asked::parse("", Dialect::One), Some(Asked::All(Dialect::One)));
    }
}
