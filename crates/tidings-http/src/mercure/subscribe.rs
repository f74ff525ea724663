//! `GET`, `HEAD` and `QUERY`: from a request to a stream that is ready to join.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, PRAGMA};
use http::request::Parts;
use http::{HeaderValue, Method, Version};
use tidings_auth::Action;
use tidings_core::{EngineError, GroupSpec, Phase, Resolution, ResumeRequest};
use tidings_fanout::{Lease, LeaseTerms, Subscription};
use tidings_wire::COMMENT;

use crate::auth::{AuthProblem, Caller, Endpoint, authenticate};
use crate::channel::{Prepared, Refusal, admit, refusal};
use crate::header_text::is_browser;
use crate::mercure::caller::{dialect_of, refused};
use crate::mercure::dialect::{Dialect, guess};
use crate::mercure::parameters::{Cursor, Question, QuestionLimits};
use crate::mercure::place::hub_url;
use crate::mercure::presence::Presence;
use crate::mercure::rejection::Rejection;
use crate::state::HttpState;

/// What becomes of a request for a stream. `form` is the body of a `QUERY`; `log` is told why somebody is refused.
///
/// # Errors
/// A [`Rejection`], and the dialect in which to say it.
pub(super) async fn decide(
    state: &HttpState,
    parts: &Parts,
    form: &[u8],
    log: impl FnOnce(&AuthProblem),
) -> Result<Prepared, (Rejection, Dialect)> {
    let guess = guess(parts);
    let caller = authenticate(state, parts, Action::Subscribe, Endpoint::Mercure).await;
    let caller = caller.map_err(|problem| {
        log(&problem);
        (refused(state.config.access, problem), guess)
    })?;
    let rules = dialect_of(&caller).unwrap_or(guess);
    let limits = QuestionLimits { topics_max: state.limits().topics_per_connection_max };
    let query = parts.uri.query().unwrap_or("").as_bytes();
    let hub_url = hub_url(&state.config, parts);
    let question = Question::parse(&parts.headers, query, form, rules, &hub_url, limits)?;
    if state.phase.get() == Phase::Draining {
        return not_now(parts).map_err(|rejection| (rejection, rules));
    }
    prepare(state, parts, &caller, question).await.map_err(|rejection| (rejection, rules))
}

async fn prepare(state: &HttpState, parts: &Parts, caller: &Caller, question: Question) -> Result<Prepared, Rejection> {
    // A subscriber of 0.x is not told of itself, one of 1.0 is: so the one's place is taken after it is announced, and
    // the other's before.
    let is_head = parts.method == Method::HEAD;
    let companion = match admit(state, parts, caller, question.selectors.len()).map(|taken| taken.filter(|_| !is_head))
    {
        Ok(companion) => companion,
        Err(sent_away) => return Ok(Prepared::Answer(sent_away.answer(parts))),
    };
    let mut presence = Presence::of(state, caller, &question.matchers).filter(|_| !is_head);
    if question.dialect == Dialect::Zero {
        announce(&mut presence).await?;
    }
    let resolution = match resolve(state, caller, &question).await {
        Ok(resolution) => resolution,
        // The history closes when the hub does.
        Err(EngineError::Closed) => return not_now(parts),
        Err(_) => return Err(Rejection::NoHistory),
    };
    if question.dialect == Dialect::One {
        announce(&mut presence).await?;
    }
    let mut headers = stream_headers(parts.version);
    if let Some(went_on_after) = went_on_after(&question, &resolution) {
        for name in CURSOR_HEADERS {
            headers.insert(name, went_on_after.clone());
        }
    }
    if is_head {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = headers;
        return Ok(Prepared::Answer(response));
    }
    if let Some(reset) = &resolution.reset {
        state.counters.reset(reset.reason).increment();
    }
    let group = GroupSpec {
        selectors: question.selectors,
        types: None,
        dialect: tidings_core::Dialect::Mercure,
        announces: false,
    };
    let subscription = Subscription {
        group,
        grants: caller.grants(),
        cursor: resolution.cursor,
        opening: Bytes::from_static(COMMENT),
        lease: lease(caller, presence),
        companion,
    };
    Ok(Prepared::Stream { headers, subscription })
}

async fn announce(presence: &mut Option<Presence>) -> Result<(), Rejection> {
    match presence {
        Some(presence) => presence.announce().await.map_err(|_| Rejection::NoHistory),
        None => Ok(()),
    }
}

/// The place of the reader. What cannot be kept is made good with all that is retained of its topics: it may get what it
/// has had, but misses nothing that is there. (An `EventSource` cannot see the headers that tell of it.)
async fn resolve(state: &HttpState, caller: &Caller, question: &Question) -> Result<Resolution, EngineError> {
    let request = ResumeRequest {
        selectors: question.selectors.clone(),
        grants: caller.grants(),
        from: question.cursor.resume_from(),
        on_reset: question.on_reset,
    };
    state.engine.resolve(request, state.now()).await
}

/// Sends a reader away while the hub shuts down. A browser's `EventSource` would take 503 for the end of all streams.
fn not_now(parts: &Parts) -> Result<Prepared, Rejection> {
    if is_browser(&parts.headers) {
        Ok(Prepared::Answer(refusal(parts, Refusal::Draining)))
    } else {
        Err(Rejection::Draining)
    }
}

/// The id after which the stream goes on, as the cursor headers tell it: the one that was asked for, or `earliest` when
/// nothing could be resumed.
fn went_on_after(question: &Question, resolution: &Resolution) -> Option<HeaderValue> {
    let earliest = || Some(HeaderValue::from_static("earliest"));
    match &question.cursor {
        Cursor::Unsaid => None,
        Cursor::Empty if question.dialect == Dialect::Zero => None,
        Cursor::After(id) if resolution.reset.is_none() => HeaderValue::from_bytes(id.as_bytes()).ok(),
        Cursor::Empty | Cursor::Earliest | Cursor::After(_) => earliest(),
    }
}

/// It ends with the caller's token, and tells of its end.
fn lease(caller: &Caller, presence: Option<Presence>) -> Option<Arc<Lease>> {
    let ends_at = caller.expires_at();
    if ends_at.is_none() && presence.is_none() {
        return None;
    }
    let companion = presence.map(|presence| Box::new(presence) as tidings_fanout::Companion);
    Some(Lease::new(LeaseTerms { ends_at, notice: None, companion }))
}

/// The headers by which the two dialects tell a reader its place. Each reader gets both.
pub(super) const CURSOR_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("last-event-id"), HeaderName::from_static("mercure-last-event-id")];

/// As every hub of Mercure's has them.
fn stream_headers(version: Version) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16); // these, the cursor, the fixed ones, CORS and a date
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    let never_kept = "private, no-cache, no-store, must-revalidate, max-age=0";
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(never_kept));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    // A misspelling that all of them have; who looks for it finds it.
    headers.insert(EXPIRE, HeaderValue::from_static("0"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    match version {
        Version::HTTP_11 => headers.insert(CONNECTION, HeaderValue::from_static("keep-alive")),
        Version::HTTP_10 | Version::HTTP_09 => headers.insert(CONNECTION, HeaderValue::from_static("close")),
        _ => None, // HTTP/2 has no such header
    };
    headers
}

const EXPIRE: HeaderName = HeaderName::from_static("expire");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
