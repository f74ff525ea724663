//! What can go wrong: while building ([`BuildError`]), for a while ([`Lost`]) and for good ([`Error`]).

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error as ThisError;
use url::Url;

/// What a cause of this crate points to; shared, so that errors can be cloned.
pub(crate) type Source = Arc<dyn StdError + Send + Sync>;

/// Why an [`EventSource`](crate::EventSource) cannot be built; the caller can mend it.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL cannot be parsed: the `SyntaxError` of a browser.
    #[error("url {url:?} cannot be parsed; expected an absolute http or https URL")]
    Url {
        /// What came.
        url: String,
        /// Where it goes wrong.
        source: url::ParseError,
    },
    /// The URL is of a scheme that is not spoken.
    #[error("url has the scheme {scheme:?}; expected http, or https with the feature rustls")]
    Scheme {
        /// What came.
        scheme: String,
    },
    /// A header's name or value has characters that HTTP does not allow.
    #[error("header {name:?} cannot be sent: its {part} holds characters that HTTP does not allow")]
    Header {
        /// Its name as it came.
        name: String,
        /// `name` or `value`; the value itself may be a secret and is not shown.
        part: &'static str,
    },
    /// A header that is this client's to set.
    #[error("header {name:?} is set by the client itself{hint}")]
    Reserved {
        /// Its name.
        name: String,
        /// What to call instead.
        hint: &'static str,
    },
    /// The last event id cannot be sent in a header.
    #[error(transparent)]
    LastEventId(#[from] UnsendableId),
    /// The certificates of whom to trust cannot be read.
    #[error("no certificate authority to trust was found; expected one from the system, or the feature webpki-roots")]
    Roots,
}

/// A last event id that HTTP cannot carry back to the server.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("last event id holds the control character U+{character:04X} at byte {at}; no HTTP header can carry it")]
pub struct UnsendableId {
    /// Its first such character.
    pub character: u32,
    /// Where it stands. Unit: bytes from the start.
    pub at: usize,
}

/// Why a stream is over for good: the last item of an [`EventSource`](crate::EventSource).
///
/// A status 204, by which a server stops its clients, is no error: the stream then just ends.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with a status that ends a stream: any but 200.
    #[error("{url} answered {status}{}; expected 200", Excerpt(body))]
    Status {
        /// Who answered, after redirects.
        url: Url,
        /// What came.
        status: StatusCode,
        /// How its body begins: where servers say why. At most 2 KiB.
        body: String,
    },
    /// The server answered with something else than events.
    #[error("{url} answered with the content type {content_type:?}; expected text/event-stream")]
    ContentType {
        /// Who answered, after redirects.
        url: Url,
        /// What came; empty when nothing did.
        content_type: String,
    },
    /// The server compressed the stream in a way that was not asked for.
    #[error("{url} answered with the content encoding {encoding:?}; expected none but what was asked for")]
    Encoding {
        /// Who answered, after redirects.
        url: Url,
        /// What came.
        encoding: String,
    },
    /// The server sent an event or a line beyond the limit. Coming back would bring the same event again.
    #[error(transparent)]
    TooLarge(#[from] tidings_wire::DecodeError),
    /// The server's last event id cannot be sent back to it, so a reconnection would lose events unnoticed.
    #[error(transparent)]
    LastEventId(#[from] UnsendableId),
    /// The limit of failed attempts in a row is reached.
    #[error("gave up after {attempts} failed attempts in a row")]
    GaveUp {
        /// How many attempts failed.
        attempts: u32,
        /// What happened at the last one.
        source: Lost,
    },
}

/// Why a connection was lost or not made; the client comes back by itself.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Lost {
    /// The server ended the stream in an orderly way.
    #[error("the stream ended")]
    Ended,
    /// The connection broke.
    #[error("the connection broke")]
    Cut(#[source] Source),
    /// No connection, or no answer on it.
    #[error("no answer from {url}")]
    Unreachable {
        /// Who was asked.
        url: Url,
        /// What happened.
        source: Source,
    },
    /// No byte came for so long: see [`idle_timeout`](crate::EventSourceBuilder::idle_timeout).
    #[error("no byte for {after:?}")]
    Silence {
        /// The limit.
        after: Duration,
    },
    /// The server refused for now: see [`retry_refusals`](crate::EventSourceBuilder::retry_refusals).
    #[error("refused for now with {status}{}", Excerpt(body))]
    Refused {
        /// What came.
        status: StatusCode,
        /// How its body begins. At most 2 KiB.
        body: String,
    },
    /// More redirects than are followed.
    #[error("more than {limit} redirects, the last to {url}")]
    Redirects {
        /// How many are followed.
        limit: u32,
        /// Where the last one points.
        url: Url,
    },
    /// A redirect to where no stream can be.
    #[error("redirected to {location:?}; expected an http or https URL")]
    Location {
        /// What came.
        location: String,
    },
    /// The hook for tokens has failed.
    #[error("no token for the connection")]
    Token(#[source] Source),
    /// [`reconnect`](crate::EventSource::reconnect) was called.
    #[error("the program asked for a new connection")]
    Asked,
}

/// The body of a refusal after its status, on one line.
struct Excerpt<'a>(&'a str);

impl std::fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words = self.0.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return Ok(()) };
        write!(f, ": {first}")?;
        words.try_for_each(|word| write!(f, " {word}"))
    }
}
