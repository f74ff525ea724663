//! How an event source is asked for: every option with its default.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidings_wire::DecoderLimits;
use url::Url;

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
use crate::answer::Encoding;
use crate::connect::{Dialer, Proxies, Requests, TokenFuture, TokenHook};
use crate::error::BuildError;
use crate::machine::{Machine, Policy};
use crate::request::{LAST_EVENT_ID, Target, bearer, header_of};
use crate::stream::EventSource;

/// Makes an [`EventSource`]. A wrong option is told by [`build`](Self::build).
///
/// ```
/// use std::time::Duration;
/// use tidings_client::EventSource;
///
/// # fn main() -> Result<(), tidings_client::BuildError> {
/// let events = EventSource::get("https://hub.example/events/orders")
///     .bearer("eyJhbGciOiJFUzI1NiJ9")
///     .header("x-tenant", "7")
///     .last_event_id("k3f9a2c1-120")
///     .idle_timeout(Duration::from_secs(45))
///     .build()?;
/// # Ok(()) }
/// ```
#[must_use = "it does nothing until it is built and polled"]
#[derive(Debug)]
pub struct EventSourceBuilder {
    url: String,
    method: Method,
    body: Bytes,
    headers: HeaderMap,
    /// The first wrong option; those after it are not looked at.
    fault: Option<BuildError>,
    token: Option<TokenHook>,
    last_event_id: String,
    asks_for_opening: bool,
    policy: Policy,
    dialer: Dialer,
}

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/2 where a server of https chooses it, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone, and at once on plain http: for servers that are known to speak it.
    #[cfg(feature = "http2")]
    Http2,
}

impl EventSourceBuilder {
    pub(crate) fn new(method: Method, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            method,
            body: Bytes::new(),
            headers: HeaderMap::new(),
            fault: None,
            token: None,
            last_event_id: String::new(),
            asks_for_opening: false,
            policy: Policy {
                retry: Duration::from_secs(3),
                backoff_max: Duration::from_mins(1),
                idle_timeout: None,
                attempts_max: None,
                redirects_max: 20,
                retries_refusals: false,
                accepted: Vec::new(),
                limits: DecoderLimits::default(),
            },
            dialer: Dialer::default(),
        }
    }

    /// Sends this body with each request: for servers that stream an answer to a question. Set its `content-type`
    /// with [`header`](Self::header).
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a header to each request. Default: `accept`, `cache-control`, `pragma` and `user-agent`, each replaced by
    /// one of the same name here.
    ///
    /// A redirect to another origin does not get `authorization`, `cookie`, `proxy-authorization` and values that are
    /// [marked as sensitive](HeaderValue::set_sensitive).
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: AsRef<str>,
        V: TryInto<HeaderValue>,
    {
        let wrong = |part| BuildError::Header { name: name.as_ref().to_owned(), part };
        let checked = match (HeaderName::from_bytes(name.as_ref().as_bytes()), value.try_into()) {
            (Err(_), _) => Err(wrong("name")),
            (_, Err(_)) => Err(wrong("value")),
            (Ok(name), Ok(value)) => match reserved(&name) {
                Some(hint) => Err(BuildError::Reserved { name: name.to_string(), hint }),
                None => Ok((name, value)),
            },
        };
        match checked {
            Ok((name, value)) => drop(self.headers.append(name, value)),
            Err(fault) => self.fault = self.fault.or(Some(fault)),
        }
        self
    }

    /// Sends `Authorization: Bearer TOKEN` with each request. See [`token`](Self::token) for one that ends.
    pub fn bearer(mut self, token: impl AsRef<str>) -> Self {
        if let Some(value) = bearer(token.as_ref()) {
            self.headers.insert(AUTHORIZATION, value);
        } else {
            let fault = BuildError::Header { name: AUTHORIZATION.to_string(), part: "value" };
            self.fault = self.fault.or(Some(fault));
        }
        self
    }

    /// Asks for a fresh token before each connection and sends it as `Authorization: Bearer`.
    ///
    /// When the hook fails the attempt counts as failed, and the next one asks again.
    ///
    /// ```
    /// # use tidings_client::EventSource;
    /// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("t".to_owned()) }
    /// let events = EventSource::get("http://127.0.0.1:3000/events").token(|| async { fetch_token().await }).build();
    /// # assert!(events.is_ok());
    /// ```
    pub fn token<F, A, E>(mut self, hook: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.token = Some(TokenHook(Arc::new(move || -> TokenFuture {
            let answer = hook();
            Box::pin(async move { answer.await.map_err(|error| error.into().into()) })
        })));
        self
    }

    /// Where to go on: the id of the last event that was seen. Default: none.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// Asks a Tidings hub for its opening frame, with `prime=1` in the URL, so that a connection lost before its first
    /// event resumes without a gap. Default: `false`, since other servers may not know the parameter.
    pub fn prime(mut self, asks: bool) -> Self {
        self.asks_for_opening = asks;
        self
    }

    /// How long to wait before reconnecting until the server says otherwise. Default: 3 s.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.policy.retry = wait;
        self
    }

    /// The longest wait while attempts fail; it doubles up to here. The server's own `retry` and `Retry-After` may be
    /// longer, up to a day; chance adds up to a quarter. Default: 60 s.
    pub fn backoff_max(mut self, wait: Duration) -> Self {
        self.policy.backoff_max = wait;
        self
    }

    /// Takes a connection for lost when no byte came for so long, a heartbeat included; before the first byte it counts
    /// from the attempt's begin. Default: never, so that a server that takes a request and keeps silent is waited for.
    ///
    /// Three heartbeats are a good measure: 45 s for servers that follow the standard's advice (and for a Tidings hub).
    /// A server without heartbeats would be reconnected for nothing. Dead connections are found without it too, though
    /// later: by the keepalive of TCP, after about two minutes.
    pub fn idle_timeout(mut self, after: Duration) -> Self {
        self.policy.idle_timeout = Some(after);
        self
    }

    /// How long name resolution, TCP, proxy and TLS may take together. Default: 10 s.
    pub fn connect_timeout(mut self, after: Duration) -> Self {
        self.dialer.connect_timeout = after;
        self
    }

    /// Ends with [`Error::GaveUp`](crate::Error::GaveUp) after so many failed attempts in a row; one that gave an event,
    /// or lasted 10 s, is none. Default: never.
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.policy.attempts_max = Some(attempts);
        self
    }

    /// Whether 429 and 5xx are waited out, by `Retry-After` if there is one. Default: `false`: by the standard they end
    /// the stream.
    pub fn retry_refusals(mut self, retries: bool) -> Self {
        self.policy.retries_refusals = retries;
        self
    }

    /// How many redirects are followed for one connection. Default: 20.
    pub fn redirects_max(mut self, redirects: u32) -> Self {
        self.policy.redirects_max = redirects;
        self
    }

    /// Most bytes of one event, or of one line of any kind. Default: 64 MiB.
    ///
    /// Cost: about four times this while such an event is read. Beyond it the stream ends with
    /// [`Error::TooLarge`](crate::Error::TooLarge).
    pub fn event_bytes_max(mut self, bytes: usize) -> Self {
        self.policy.limits.event_bytes_max = bytes;
        self
    }

    /// Which version of HTTP is spoken. Default: [`HttpVersion::Auto`].
    pub fn http_version(mut self, version: HttpVersion) -> Self {
        self.dialer.version = version;
        self
    }

    /// Goes through this proxy (`http://user:password@host:port`), whatever the environment says.
    pub fn proxy(mut self, url: impl AsRef<str>) -> Self {
        self.dialer.proxies = Proxies::all(url.as_ref());
        self
    }

    /// Goes through no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.dialer.proxies = Proxies::none();
        self
    }

    /// How https is done: for certificate authorities of one's own, or client certificates. Default: trust by the
    /// features `native-roots` and `webpki-roots`. The protocols of ALPN are filled in where it names none.
    #[cfg(feature = "rustls")]
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.dialer.tls = Some(config);
        self
    }

    /// Accepts a stream compressed with gzip. A server that holds bytes back to compress them better holds back events.
    #[cfg(feature = "gzip")]
    pub fn gzip(self) -> Self {
        self.accept(Encoding::Gzip)
    }

    /// Accepts a stream compressed with brotli.
    #[cfg(feature = "brotli")]
    pub fn brotli(self) -> Self {
        self.accept(Encoding::Brotli)
    }

    /// Accepts a stream compressed with zstd.
    #[cfg(feature = "zstd")]
    pub fn zstd(self) -> Self {
        self.accept(Encoding::Zstd)
    }

    /// The event source. It connects when it is first polled, within a tokio runtime.
    ///
    /// # Errors
    /// [`BuildError`] names the first wrong option.
    pub fn build(self) -> Result<EventSource, BuildError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let url = self.parse_url()?;
        if !self.last_event_id.is_empty() {
            header_of(&self.last_event_id)?;
        }
        let target = Target { url: url.clone(), method: self.method, body: self.body, is_trusted: true };
        let requests = Requests {
            dialer: self.dialer.prepare(url.scheme() == "https")?,
            headers: self.headers,
            accepted: self.policy.accepted.clone(),
            token: self.token,
        };
        let now = tokio::time::Instant::now().into_std();
        let machine = Machine::new(target, &self.last_event_id, self.policy, fastrand::u64(..), now);
        Ok(EventSource::new(url, machine, requests))
    }

    #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
    fn accept(mut self, encoding: Encoding) -> Self {
        if !self.policy.accepted.contains(&encoding) {
            self.policy.accepted.push(encoding);
        }
        self
    }

    fn parse_url(&self) -> Result<Url, BuildError> {
        let mut url = Url::parse(&self.url).map_err(|source| BuildError::Url { url: self.url.clone(), source })?;
        let is_spoken = url.scheme() == "http" || (url.scheme() == "https" && cfg!(feature = "rustls"));
        if !is_spoken {
            return Err(BuildError::Scheme { scheme: url.scheme().to_owned() });
        }
        if self.asks_for_opening && url.query_pairs().all(|(name, _)| name != "prime") {
            url.query_pairs_mut().append_pair("prime", "1");
        }
        Ok(url)
    }
}

/// What to call instead of setting a header that the connection or the client needs for itself.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    if name == LAST_EVENT_ID {
        return Some("; expected last_event_id()");
    }
    [HOST, CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE].contains(name).then_some("")
}
