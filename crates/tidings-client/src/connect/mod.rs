//! From a URL to the head of an answer: name, TCP, proxy, TLS, HTTP. One connection for each request.
//!
//! Decides nothing of an event source's life; see `machine`. All runs in the future that `send` gives.

mod body;
mod exchange;
mod proxy;
mod tcp;
#[cfg(feature = "rustls")]
mod tls;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use crate::answer::Encoding;
use crate::builder::HttpVersion;
use crate::error::{BuildError, Lost, Source};
use crate::machine::{Ask, Head};
use crate::request::bearer;

pub(crate) use body::Body;
pub(crate) use proxy::Proxies;

/// Sends the requests of one event source.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    pub(crate) dialer: Dialer,
    pub(crate) headers: HeaderMap,
    pub(crate) accepted: Vec<Encoding>,
    pub(crate) token: Option<TokenHook>,
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    pub(crate) connect_timeout: Duration,
    pub(crate) version: HttpVersion,
    pub(crate) proxies: Proxies,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

/// Gives a fresh token.
#[derive(Clone)]
pub(crate) struct TokenHook(pub(crate) Arc<dyn Fn() -> TokenFuture + Send + Sync>);

pub(crate) type TokenFuture = Pin<Box<dyn Future<Output = Result<String, Source>> + Send>>;

/// A head, and the connection on which the rest comes.
pub(crate) struct Answer {
    pub(crate) head: Head,
    wire: exchange::Wire,
}

/// A connection to a server or to its proxy, before HTTP.
struct Link {
    io: Box<dyn Io>,
    is_http2: bool,
    /// To a proxy that is to fetch a plain http URL.
    forwards: Option<Forwarding>,
}

/// What a proxy that fetches for us wants to know.
struct Forwarding {
    login: Option<HeaderValue>,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Requests {
    /// Asks, and comes back with the head of the answer. Dropping the future ends the connection.
    pub(crate) fn send(&self, ask: Ask) -> impl Future<Output = Result<Answer, Lost>> + Send + 'static {
        let requests = self.clone();
        async move {
            // Where it would not be sent it is not asked for: a token may be good for one use.
            let token = if ask.target.is_trusted { requests.fetch_token().await? } else { None };
            let unreachable = |source| Lost::Unreachable { url: ask.target.url.clone(), source };
            let headers = ask
                .target
                .headers(&requests.headers, &requests.accepted, &ask.last_event_id, token.as_ref())
                .map_err(|error| unreachable(Arc::new(error)))?;
            let link = requests.dialer.dial(&ask.target.url).await.map_err(|error| unreachable(Arc::new(error)))?;
            exchange::exchange(link, &ask.target, headers).await.map_err(unreachable)
        }
    }

    async fn fetch_token(&self) -> Result<Option<HeaderValue>, Lost> {
        let Some(TokenHook(hook)) = &self.token else { return Ok(None) };
        let token = hook().await.map_err(Lost::Token)?;
        match bearer(&token) {
            Some(value) => Ok(Some(value)),
            None => Err(Lost::Token(Arc::new(io::Error::other("the token holds characters that HTTP does not allow")))),
        }
    }
}

impl Answer {
    pub(crate) fn into_body(self, encoding: Encoding) -> Body {
        Body::new(self.wire, encoding)
    }
}

impl Dialer {
    /// Reads from disk now what each connection would need.
    pub(crate) fn prepare(self, is_https: bool) -> Result<Self, BuildError> {
        #[cfg(feature = "rustls")]
        if is_https && self.tls.is_none() {
            return Ok(Self { tls: Some(tls::default_config()?), ..self });
        }
        let _ = is_https;
        Ok(self)
    }

    async fn dial(&self, url: &Url) -> io::Result<Link> {
        let dialing = self.dial_without_end(url);
        tokio::time::timeout(self.connect_timeout, dialing).await.unwrap_or_else(|_| {
            let limit = self.connect_timeout;
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}")))
        })
    }

    async fn dial_without_end(&self, url: &Url) -> io::Result<Link> {
        let is_https = url.scheme() == "https";
        let uri: Uri = url.as_str().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let (io, forwards) = match self.proxies.intercept(&uri) {
            None => (tcp::connect(url).await?, None),
            Some(proxy) => {
                let io = self.dial_proxy(proxy.uri()).await?;
                if is_https {
                    (proxy::tunnel(io, url, proxy.basic_auth()).await?, None)
                } else {
                    (io, Some(Forwarding { login: proxy.basic_auth().cloned() }))
                }
            }
        };
        if is_https {
            let (io, speaks_http2) = self.secure(io, url).await?;
            if self.is_http2_known() && !speaks_http2 {
                return Err(io::Error::other("the server did not choose HTTP/2, which alone was asked for"));
            }
            return Ok(Link { io, is_http2: speaks_http2, forwards });
        }
        Ok(Link { io, is_http2: self.is_http2_known() && forwards.is_none(), forwards })
    }

    async fn dial_proxy(&self, proxy: &Uri) -> io::Result<Box<dyn Io>> {
        let url = Url::parse(&proxy.to_string()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        match url.scheme() {
            "http" => tcp::connect(&url).await,
            #[cfg(feature = "rustls")]
            "https" => {
                let plain = tcp::connect(&url).await?;
                tls::secure(plain, &url, &self.tls_config()?, HttpVersion::Http1).await.map(|(io, _)| io)
            }
            scheme => Err(io::Error::other(format!("proxy has the scheme {scheme:?}; expected http or https"))),
        }
    }

    #[cfg(feature = "rustls")]
    async fn secure(&self, io: Box<dyn Io>, url: &Url) -> io::Result<(Box<dyn Io>, bool)> {
        tls::secure(io, url, &self.tls_config()?, self.version).await
    }

    #[cfg(not(feature = "rustls"))]
    #[expect(clippy::unused_async, reason = "the same signature as with TLS")]
    async fn secure(&self, _: Box<dyn Io>, url: &Url) -> io::Result<(Box<dyn Io>, bool)> {
        Err(io::Error::other(format!("{url} needs the feature rustls")))
    }

    /// A redirect may lead to https though the source's own URL is plain.
    #[cfg(feature = "rustls")]
    fn tls_config(&self) -> io::Result<Arc<rustls::ClientConfig>> {
        self.tls.clone().map_or_else(|| tls::default_config().map_err(io::Error::other), Ok)
    }

    fn is_http2_known(&self) -> bool {
        match self.version {
            HttpVersion::Auto | HttpVersion::Http1 => false,
            #[cfg(feature = "http2")]
            HttpVersion::Http2 => true,
        }
    }
}

impl Default for Dialer {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            version: HttpVersion::default(),
            proxies: Proxies::from_environment(),
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }
}

impl fmt::Debug for TokenHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHook")
    }
}
