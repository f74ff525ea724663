//! An operator ends streams: one session, or all that listen to a topic. Only with the operators' token.

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use tidings_auth::{TokenPlaces, find_token};
use tidings_fanout::SessionName;
use tidings_topic::Topic;

use crate::problem::{Fault, OperatorProblem, Problem};
use crate::query::{parameters, path_text, set_once};
use crate::state::HttpState;

const SESSIONS: &str = "/top/sessions/";
const TOPICS: &str = "/top/topics";

/// Is `path` one of those that end streams?
pub(super) fn is_its_path(path: &str) -> bool {
    path.starts_with(SESSIONS) || topic_in(path).is_some()
}

/// `DELETE /top/sessions/NAME`
pub(super) async fn end_session(state: &HttpState, parts: &Parts) -> Response {
    let ended = async {
        check_token(state, parts)?;
        let name = parts.uri.path().strip_prefix(SESSIONS).unwrap_or_default();
        let no_such = || OperatorProblem::NoSuchSession { name: name.to_owned() };
        let session: SessionName = name.parse().map_err(|_| no_such())?;
        if !state.fanout.end_session(session).await {
            return Err(no_such().into());
        }
        tracing::info!(session = name, "a session was ended by an operator");
        Ok(ended(1))
    };
    ended.await.unwrap_or_else(|problem: Problem| problem.answer(parts.version))
}

/// `DELETE /top/topics/TOPIC`, or `DELETE /top/topics?topic=TOPIC` for topics that no path can carry, as those of dots
/// alone: a browser takes `a/../b` for `b`.
pub(super) async fn end_topic(state: &HttpState, parts: &Parts) -> Response {
    let ended = async {
        check_token(state, parts)?;
        let topic = topic_of(parts)?;
        let count = state.fanout.end_topic(&topic).await;
        tracing::info!(topic = topic.as_str(), sessions = count, "the sessions of a topic were ended by an operator");
        Ok(ended(count))
    };
    ended.await.unwrap_or_else(|problem: Problem| problem.answer(parts.version))
}

/// What the path says after that of topics, as it was sent; empty for nothing.
fn topic_in(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(TOPICS)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn topic_of(parts: &Parts) -> Result<Topic, Fault> {
    let in_path = topic_in(parts.uri.path()).filter(|raw| !raw.is_empty());
    let mut topic = in_path.map(|raw| path_text("topic", raw)).transpose()?;
    for parameter in parameters(parts.uri.query()) {
        let (name, value) = parameter?;
        if name == "topic" {
            set_once(&mut topic, "topic", value)?;
        }
    }
    let topic = topic.ok_or_else(|| Fault::new("topic", "none is given", "/top/topics/TOPIC, or ?topic=TOPIC"))?;
    let parsed = Topic::parse(&topic);
    parsed.map_err(|error| Fault::new("topic", error.to_string(), "a topic, as in chat/42").with_value(&topic))
}

fn check_token(state: &HttpState, parts: &Parts) -> Result<(), OperatorProblem> {
    let Some(wanted) = &state.config.admin_token else { return Err(OperatorProblem::NoToken) };
    let places = TokenPlaces { query_parameter: None, cookies: &[] };
    match find_token(&parts.headers, None, &places) {
        Ok(Some(found)) if wanted.is(&found.token) => Ok(()),
        _ => Err(OperatorProblem::NotTheToken),
    }
}

fn ended(count: usize) -> Response {
    let mut response = Response::new(Body::from(format!("{{\"ended\":{count}}}\n")));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
