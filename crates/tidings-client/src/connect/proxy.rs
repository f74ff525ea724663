//! Which proxy is to be used, and the tunnel through it.
//!
//! Source: RFC 9110, 9.3.6 (CONNECT); the variables as curl reads them.

use std::fmt::Write;
use std::io;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::{Position, Url};

use super::Io;

/// Which proxy is used for which URL.
#[derive(Clone, Debug)]
pub(crate) struct Proxies(std::sync::Arc<Matcher>);

impl Proxies {
    /// By `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not.
    pub(crate) fn from_environment() -> Self {
        Self(Matcher::from_env().into())
    }

    pub(crate) fn all(url: &str) -> Self {
        Self(Matcher::builder().all(url).build().into())
    }

    pub(crate) fn none() -> Self {
        Self(Matcher::builder().build().into())
    }

    pub(super) fn intercept(&self, uri: &Uri) -> Option<Intercept> {
        self.0.intercept(uri)
    }
}

/// Makes a connection to a proxy one to the URL's host.
pub(super) async fn tunnel(mut io: Box<dyn Io>, url: &Url, login: Option<&HeaderValue>) -> io::Result<Box<dyn Io>> {
    let host = &url[Position::BeforeHost..Position::AfterHost];
    let port = url.port_or_known_default().unwrap_or(443);
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(login) = login.and_then(|login| login.to_str().ok()) {
        let _ = write!(head, "Proxy-Authorization: {login}\r\n");
    }
    head.push_str("\r\n");
    io.write_all(head.as_bytes()).await?;

    let mut answer = Vec::new();
    loop {
        if io.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the proxy closed without an answer"));
        }
        if let Some((status, head_len)) = parse_answer(&answer)? {
            return match status {
                // Who is at the other end of TLS waits for us: bytes that came already are not theirs.
                200..300 if head_len == answer.len() => Ok(io),
                200..300 => Err(io::Error::other("the proxy sent bytes that were not asked for")),
                _ => Err(io::Error::other(format!("the proxy answered {status}; expected 200"))),
            };
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!(
                "the proxy's answer is too large; expected {ANSWER_BYTES_MAX} bytes"
            )));
        }
    }
}

/// Status and length of a whole head.
fn parse_answer(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(bytes) {
        Ok(httparse::Status::Complete(head_len)) => Ok(Some((answer.code.unwrap_or_default(), head_len))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

const ANSWER_BYTES_MAX: usize = 16 * 1024;
