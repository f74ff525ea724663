//! Ending streams for an operator: what is ended, how the hub is asked, what it answers.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use serde::Deserialize;
use tokio::time::timeout;

use crate::http_client::{self, HttpUrl, Problem, Token, encode};
use crate::units;

/// What is to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The session of this name.
    Session { name: String },
    /// All sessions that listen to this topic.
    Topic { topic: String },
}

/// Asks the hub to end streams.
#[derive(Clone, Debug)]
pub(super) struct Ender {
    pub(super) admin: HttpUrl,
    /// Without one nobody is asked.
    pub(super) token: Option<Token>,
}

#[derive(Deserialize)]
struct Ended {
    ended: u64,
}

/// How long somebody is let wait for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The answer is one number.
const ANSWER_BYTES_MAX: usize = 4096;

impl Ender {
    /// Ends it, and gives what is to be said of that.
    pub(super) async fn end(self, target: Target) -> String {
        if self.token.is_none() {
            return "ending needs the operators' token: start again with --token, or TIDINGS_ADMIN_TOKEN".to_owned();
        }
        match timeout(PATIENCE, self.ask(&target)).await {
            Ok(Ok(count)) => match target {
                Target::Session { .. } => format!("ended: {target}"),
                Target::Topic { .. } => format!("{} ended: {target}", units::some(count, "session")),
            },
            Ok(Err(why)) => format!("not ended: {why}"),
            Err(_) => format!("no answer within {} s, so it may have ended or not: {target}", PATIENCE.as_secs()),
        }
    }

    async fn ask(&self, target: &Target) -> Result<u64, String> {
        let request =
            http_client::request(Method::DELETE, &self.admin, &self.admin.below(&target.path()), self.token.as_ref())
                .body(Empty::<Bytes>::new())
                .map_err(|error| error.to_string())?;
        let response = http_client::send(&self.admin, request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(Problem::read(response).await.to_string());
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer broke off: {error}"))?.to_bytes();
        let ended: Ended =
            serde_json::from_slice(&body).map_err(|_| "it answers something else than a hub".to_owned())?;
        Ok(ended.ended)
    }
}

impl Target {
    fn path(&self) -> String {
        match self {
            Self::Session { name } => format!("/top/sessions/{}", encode(name)),
            // In the query, for a topic may be `..` or begin with a slash.
            Self::Topic { topic } => format!("/top/topics?topic={}", encode(topic)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { name } => write!(f, "session {name}"),
            Self::Topic { topic } => write!(f, "all that listen to {topic}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_path() {
        let path = |topic: &str| Target::Topic { topic: topic.to_owned() }.path();
        assert_eq!(path("chat/42"), "/top/topics?topic=chat/42");
        assert_eq!(path("a/../b c&d=é+"), "/top/topics?topic=a/../b%20c%26d%3D%C3%A9%2B");
        assert_eq!(Target::Session { name: "0-1-2".to_owned() }.path(), "/top/sessions/0-1-2");
    }
}
