//! One connection: from the answer's head to the end of the stream.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::exit::Failure;
use crate::http_client::{self, Problem, retry_after, with_causes};

use super::source::Source;

/// What a server made of the question for a stream.
pub(super) enum Opened {
    /// A stream.
    Stream(Incoming),
    /// 204: nothing will ever come.
    Nothing,
    /// Not now.
    Later {
        /// Why, for a person.
        why: String,
        /// When, if the server says so.
        after: Option<Duration>,
    },
}

/// Asks for the stream after an event; an empty id is none.
///
/// # Errors
/// A [`Failure`] when the server refuses for good: asking again would be refused again.
pub(super) async fn open(source: &Source, last_event_id: &str) -> Result<Opened, Failure> {
    let response = match http_client::send(&source.url, source.request(last_event_id)).await {
        Ok(response) => response,
        Err(error) => return Ok(Opened::Later { why: error.to_string(), after: None }),
    };
    let status = response.status();
    match status {
        StatusCode::OK => stream(response),
        StatusCode::NO_CONTENT => Ok(Opened::Nothing),
        StatusCode::TOO_MANY_REQUESTS => Ok(later(response).await),
        _ if status.is_server_error() => Ok(later(response).await),
        _ if status.is_client_error() => {
            let problem = Problem::read(response).await;
            Err(Failure::running(format!("the server refused: {problem}")))
        }
        _ => Err(Failure::running(unexpected(status, response.headers()))),
    }
}

async fn later(response: Response<Incoming>) -> Opened {
    let after = retry_after(response.headers());
    let why = Problem::read(response).await.to_string();
    Opened::Later { why, after }
}

fn stream(response: Response<Incoming>) -> Result<Opened, Failure> {
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if content_type.as_deref().is_some_and(is_event_stream) {
        return Ok(Opened::Stream(response.into_body()));
    }
    let came = content_type.unwrap_or_else(|| "none".to_owned());
    Err(Failure::running(format!(
        "the server sends no event stream: its content type is {came}; expected text/event-stream"
    )))
}

fn is_event_stream(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/event-stream")
}

fn unexpected(status: StatusCode, headers: &HeaderMap) -> String {
    let location = headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    match location {
        Some(location) if status.is_redirection() => {
            format!("the server sends elsewhere ({status}); give this URL instead: {}", location.escape_debug())
        }
        _ => format!("the server answered {status}; expected 200 with an event stream"),
    }
}

/// The next bytes of a stream; `None` at its end, the good and the broken one alike.
pub(super) async fn next_bytes(stream: &mut Incoming) -> Result<Option<Bytes>, String> {
    loop {
        match stream.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => return Err(with_causes(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::LOCATION;

    use super::*;

    #[test]
    fn a_stream_is_known_by_its_type_whatever_its_parameters() {
        for (content_type, want) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-stream;", true),
            ("text/event-streams", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(is_event_stream(content_type), want, "{content_type:?}");
        }
    }

    #[test]
    fn a_redirect_names_where_to() {
        let mut headers = HeaderMap::new();
        assert!(unexpected(StatusCode::FOUND, &headers).contains("expected 200"));
        headers.insert(LOCATION, HeaderValue::from_static("http://b/s"));
        assert!(unexpected(StatusCode::FOUND, &headers).contains("http://b/s"));
        assert!(unexpected(StatusCode::CREATED, &headers).contains("201"));
    }
}
