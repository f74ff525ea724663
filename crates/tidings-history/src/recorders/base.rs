//! Where a hub is.

use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use thiserror::Error;

/// The URL of a hub: `http://HOST:PORT`, and perhaps a path before `/events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Host and port, as they stand in the URL.
    authority: String,
    address: SocketAddr,
    path: String,
    token: Option<String>,
}

/// Why a URL is no [`Base`].
#[derive(Debug, Error)]
#[error("{url:?} cannot be asked; expected http://HOST:PORT of this or another machine")]
pub struct BaseError {
    url: String,
    source: Option<io::Error>,
}

impl Base {
    /// Reads a URL and looks its host up.
    ///
    /// # Errors
    /// When it is no `http` URL with a port, or its host is not known.
    pub fn parse(url: &str) -> Result<Self, BaseError> {
        let fault = |source| BaseError { url: url.to_owned(), source };
        let rest = url.strip_prefix("http://").ok_or_else(|| fault(None))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut addresses = authority.to_socket_addrs().map_err(|error| fault(Some(error)))?;
        let address = addresses.next().ok_or_else(|| fault(None))?;
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { authority: authority.to_owned(), address, path, token: None })
    }

    /// The same hub, for somebody who has this token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The headers of every request.
    pub(super) fn headers(&self) -> String {
        let mut headers = format!("Host: {}\r\n", self.authority);
        if let Some(token) = &self.token {
            write!(headers, "Authorization: Bearer {token}\r\n").expect("a String takes any text");
        }
        headers
    }

    /// The path of a topic's channel.
    pub(super) fn channel(&self, topic: &str) -> String {
        let segments: Vec<_> = topic.split('/').map(percent_encode).collect();
        format!("{}/events/{}", self.path, segments.join("/"))
    }

    /// The path of all channels.
    pub(super) fn channels(&self) -> String {
        format!("{}/events", self.path)
    }

    /// Connects; no read or write then takes longer than `patience`.
    ///
    /// # Errors
    /// Those of the socket. A connection to itself, which a client can get on a port of the ephemeral range while nobody
    /// listens there, is refused too.
    pub(super) fn connect(&self, patience: Duration) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, patience)?;
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(stream)
    }
}

/// `text` for a place in a path or a query.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").expect("a String takes any text"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_with_each_request() {
        let base = Base::parse("http://127.0.0.1:3000").expect("a URL");
        assert_eq!(base.headers(), "Host: 127.0.0.1:3000\r\n");
        assert_eq!(base.with_token("a.b.c").headers(), "Host: 127.0.0.1:3000\r\nAuthorization: Bearer a.b.c\r\n");
    }

    #[test]
    fn a_hub_may_be_below_a_path() {
        let base = Base::parse("http://127.0.0.1:3000").expect("a URL");
        assert_eq!((base.channel("chat/é 42"), base.channels()), ("/events/chat/%C3%A9%2042".into(), "/events".into()));
        let base = Base::parse("http://127.0.0.1:3000/hub/").expect("a URL");
        assert_eq!(base.channel("chat"), "/hub/events/chat");
        for wrong in ["https://127.0.0.1:3000", "127.0.0.1:3000", "http://127.0.0.1"] {
            assert!(Base::parse(wrong).is_err(), "{wrong}");
        }
    }
}
