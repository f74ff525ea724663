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
use crate::state::HttpState;

/// `DELETE /top/sessions/NAME`
pub(super) async fn end_session(state: &HttpState, parts: &Parts, name: &str) -> Response {
    let ended = async {
        check_token(state, parts)?;
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

/// `DELETE /top/topics/TOPIC`
pub(super) async fn end_topic(state: &HttpState, parts: &Parts, topic: &str) -> Response {
    let ended = async {
        check_token(state, parts)?;
        let parsed = Topic::parse(topic);
        let topic = parsed.map_err(|error| {
            Problem::Invalid(Fault::new("topic", error.to_string(), "a topic, as in chat/42").with_value(topic))
        })?;
        let count = state.fanout.end_topic(&topic).await;
        tracing::info!(topic = topic.as_str(), sessions = count, "the sessions of a topic were ended by an operator");
        Ok(ended(count))
    };
    ended.await.unwrap_or_else(|problem: Problem| problem.answer(parts.version))
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
