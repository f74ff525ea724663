//! `DELETE /events/TOPIC`: drops the history of a topic and lets it begin anew.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use crate::channel::fields::{path_topic, single_topic};
use crate::channel::publish::publisher;
use crate::problem::Problem;
use crate::query::{parameters, set_once};
use crate::state::HttpState;

/// Answers 204 when there was something to drop.
pub(crate) async fn delete(state: &HttpState, parts: &Parts) -> Result<Response, Problem> {
    let caller = publisher(state, parts).await?;
    let mut in_query = None;
    for parameter in parameters(parts.uri.query()) {
        let (name, value) = parameter?;
        if name == "topic" {
            set_once(&mut in_query, "topic", value)?;
        }
    }
    let topic = single_topic(path_topic(parts.uri.path())?.as_deref(), in_query.as_deref())?;
    caller.check_may_publish(topic.as_str())?;
    if !state.engine.delete(topic.clone(), state.now()).await? {
        return Err(Problem::NoSuchTopic { topic: topic.as_str().to_owned() });
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
