//! A small client for HTTP/1.1, as `publish` needs it: one connection for each request.
//!
//! `url` is where to, `tls` how it is encrypted, `channel_body` what is sent as it comes, `problem` what a hub says when
//! it refuses. Does not retry, follow redirects or keep connections.

mod channel_body;
mod problem;
mod tls;
mod url;

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) use channel_body::ChannelBody;
pub(crate) use problem::Problem;
pub(crate) use url::{HttpUrl, encode};

/// Why there is no answer. The peer or the way to it is at fault.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// There is no connection.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        source: io::Error,
    },
    /// There was one, and it ended before the answer.
    #[error("{address} gave no answer: {reason}")]
    NoAnswer {
        /// Host and port.
        address: String,
        /// What happened, with its causes.
        reason: String,
    },
}

/// How long a connection may take to be made. Beyond it the host is as good as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The beginning of a request for `target`, a path with any query, at the host of `url`.
pub(crate) fn request(method: Method, url: &HttpUrl, target: &str, token: Option<&Token>) -> http::request::Builder {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, url.authority())
        .header(USER_AGENT, concat!("tidings/", env!("CARGO_PKG_VERSION")));
    if let Some(Token(header)) = token {
        request = request.header(AUTHORIZATION, header.clone());
    }
    request
}

/// Sends a request over a connection of its own. The answer may come before the body is sent.
///
/// # Errors
/// [`HttpError`] when there is no connection, or it ends before the answer's head.
pub(crate) async fn send<B>(url: &HttpUrl, request: Request<B>) -> Result<Response<Incoming>, HttpError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let socket = connect(url).await?;
    let no_answer =
        |error: hyper::Error| HttpError::NoAnswer { address: url.authority().to_owned(), reason: with_causes(&error) };
    // The connection ends with the answer: the sender is dropped below, and hyper then keeps it for this request alone.
    let mut sender = if url.is_secure() {
        let unreachable = |source| HttpError::Unreachable { address: url.authority().to_owned(), source };
        let secured = timeout(CONNECT_TIMEOUT, tls::secure(socket, url.host())).await;
        let socket = secured.map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?.map_err(unreachable)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(no_answer)?;
        tokio::spawn(connection);
        sender
    } else {
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(no_answer)?;
        tokio::spawn(connection);
        sender
    };
    sender.send_request(request).await.map_err(no_answer)
}

async fn connect(url: &HttpUrl) -> Result<TcpStream, HttpError> {
    let unreachable = |source| HttpError::Unreachable { address: url.authority().to_owned(), source };
    let connecting = TcpStream::connect((url.host(), url.port()));
    let socket = timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?
        .map_err(unreachable)?;
    keep_alive(&socket).map_err(unreachable)?;
    Ok(socket)
}

/// A peer that vanished without a word is found out within a minute and a half, though nothing is sent to it.
fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    socket.set_nodelay(true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(45))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(socket, 4)?;
    Ok(())
}

/// An error with all that caused it: hyper's own messages stop short of the socket's.
pub(crate) fn with_causes(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A bearer token, as a header says it. It is not shown.
#[derive(Clone)]
pub(crate) struct Token(HeaderValue);

impl Token {
    /// # Errors
    /// What is expected, when it has characters that no token has.
    pub(crate) fn parse(raw: &str) -> Result<Self, String> {
        let is_plain = !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_graphic());
        let mut header = HeaderValue::try_from(format!("Bearer {raw}"))
            .ok()
            .filter(|_| is_plain)
            .ok_or("expected the token alone: visible ASCII characters without spaces")?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl Token {
    /// `Bearer` and the token, marked as a secret.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
