//! The pictures of a hub as they come, and what is between them: it does not answer, and comes back.

use std::time::Duration;

use tidings::picture::Picture;
use tidings_client::{BuildError, Error, EventSource, Frame, Lost, Raw};
use tokio::time::{Instant, sleep_until};

use crate::cmd::remote::with_causes;
use crate::exit::Failure;
use crate::http_client::{HttpUrl, Problem};
use crate::visible::visible;

/// Follows the pictures of one admin listener, over any number of connections.
#[derive(Debug)]
pub(super) struct Feed {
    admin: HttpUrl,
    events: EventSource,
    /// Whether a picture ever came.
    has_heard: bool,
    /// The hub's answer was final, and it is asked anew then.
    anew_at: Option<Instant>,
}

/// Something from the hub.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    Picture {
        /// As it came.
        json: String,
        picture: Box<Picture>,
    },
    /// It does not answer now; it is asked again.
    Lost { why: String },
}

/// Pictures come each second. A hub that gives none for so long does not answer, whatever its sockets do.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long after a lost connection the hub is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// Somebody looks: he is not to wait for long when the hub is back.
const BACKOFF_MAX: Duration = Duration::from_secs(4);

impl Feed {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// A [`Failure`] when nothing can be asked at this URL.
    pub(super) fn new(admin: HttpUrl) -> Result<Self, Failure> {
        let events = ask(&admin).map_err(|error| Failure::usage(format!("--admin: {}", with_causes(&error))))?;
        Ok(Self { admin, events, has_heard: false, anew_at: None })
    }

    /// What comes next. Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// A [`Failure`] when what answers there is no hub's admin listener: it never gave a picture, and an answer that ends
    /// all. Later such an answer passes: something else may answer while a hub is begun anew.
    pub(super) async fn next(&mut self) -> Result<Heard, Failure> {
        if let Some(time) = self.anew_at {
            sleep_until(time).await;
            self.anew_at = None;
            self.events = ask(&self.admin).map_err(|error| Failure::running(with_causes(&error)))?;
        }
        loop {
            let why = match self.events.next_raw().await {
                Some(Ok(Raw::Event(event))) if event.frame() == Frame::Message => match read(&event.data) {
                    Some(picture) => {
                        self.has_heard = true;
                        return Ok(Heard::Picture { json: event.data, picture: Box::new(picture) });
                    }
                    None => "what comes is no picture of a hub".to_owned(),
                },
                Some(Ok(Raw::Lost { cause, .. })) => return Ok(Heard::Lost { why: told(&cause) }),
                Some(Ok(_)) => continue,
                Some(Err(error)) => final_answer(&error),
                None => "it has no more pictures".to_owned(),
            };
            if !self.has_heard {
                return Err(Failure::running(format!(
                    "{}: {}; is this the address of --admin-listen? Name another with --admin",
                    self.admin.origin(),
                    visible(&why)
                )));
            }
            self.anew_at = Some(Instant::now() + BACKOFF_MAX);
            return Ok(Heard::Lost { why });
        }
    }
}

fn ask(admin: &HttpUrl) -> Result<EventSource, BuildError> {
    EventSource::get(format!("{}{}", admin.origin(), admin.below("/top/events")))
        .header("user-agent", concat!("tidings/", env!("CARGO_PKG_VERSION")))
        .retry(RETRY)
        .backoff_max(BACKOFF_MAX)
        .idle_timeout(SILENCE_MAX)
        .retry_refusals(true)
        .no_proxy() // as a session is ended: the two must meet the same hub
        .build()
}

fn read(data: &str) -> Option<Picture> {
    let picture: Picture = serde_json::from_str(data).ok()?;
    (picture.at_ms > 0).then_some(picture)
}

/// Why there is no answer now, in few words: where it would be stands beside it.
fn told(cause: &Lost) -> String {
    match cause {
        Lost::Unreachable { source, .. } => with_causes(source),
        Lost::Refused { status, body } => Problem::told(*status, &http::HeaderMap::new(), body).to_string(),
        cause => with_causes(cause),
    }
}

fn final_answer(error: &Error) -> String {
    match error {
        Error::Status { status, body, .. } => Problem::told(*status, &http::HeaderMap::new(), body).to_string(),
        Error::ContentType { content_type, .. } => {
            format!("it answers with {content_type:?} in place of text/event-stream")
        }
        error => with_causes(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_time() {
        assert_eq!(read("{\"at_ms\":5}").map(|picture| picture.at_ms), Some(5));
        for none in ["", "{}", "[]", "5", "{\"at_ms\":-1}", "{\"at_ms\":5,\"topics\":7}"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
