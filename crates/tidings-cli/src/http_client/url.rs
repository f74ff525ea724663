//! Where a request goes: URLs with `http` or `https`, split into what a connection and a request need.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

/// A URL with the scheme `http` or `https` and a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpUrl {
    uri: Uri,
    /// With TLS.
    is_secure: bool,
    /// Host and port as a browser writes them: without the scheme's own port.
    authority: String,
}

/// Why a text is no such URL. clap shows the text itself beside it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum UrlError {
    #[error("its scheme is {scheme:?}; expected {FORM}")]
    Scheme { scheme: String },
    #[error("it has no scheme; expected {FORM}")]
    NoScheme,
    #[error("it names a user, and the hub knows none; expected {FORM}, and a token by --token")]
    User,
    #[error("{reason}; expected {FORM}")]
    Form { reason: String },
}

const FORM: &str = "a URL such as http://127.0.0.1:3000";

impl HttpUrl {
    /// # Errors
    /// [`UrlError`] when it is anything else than an absolute `http` or `https` URL.
    pub(crate) fn parse(raw: &str) -> Result<Self, UrlError> {
        let (scheme, _) = raw.split_once("://").ok_or(UrlError::NoScheme)?;
        let is_secure = match &*scheme.to_ascii_lowercase() {
            "http" => false,
            "https" => true,
            _ => return Err(UrlError::Scheme { scheme: scheme.to_owned() }),
        };
        let form = |reason: String| UrlError::Form { reason };
        let uri: Uri = raw.parse().map_err(|error: http::uri::InvalidUri| form(error.to_string()))?;
        let given = uri.authority().filter(|authority| !authority.host().is_empty());
        let given = given.ok_or_else(|| form("it has no host".into()))?;
        if given.as_str().contains('@') {
            return Err(UrlError::User);
        }
        let port = given.as_str().strip_prefix(given.host()).unwrap_or_default();
        let authority = match (port, given.port_u16()) {
            ("" | ":", _) => given.host().to_ascii_lowercase(),
            (_, Some(port)) if port == default_port(is_secure) => given.host().to_ascii_lowercase(),
            (_, Some(port)) => format!("{}:{port}", given.host().to_ascii_lowercase()),
            (_, None) => return Err(form("its port is not a number up to 65535".into())),
        };
        Ok(Self { uri, is_secure, authority })
    }

    /// Host and port, as the header `Host` says them.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// As in the `origin` of an event: scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// The name or address to connect to.
    pub(crate) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(default_port(self.is_secure))
    }

    /// The target of a path below this URL, for a hub that has a prefix.
    pub(crate) fn below(&self, path: &str) -> String {
        format!("{}{path}", self.uri.path().trim_end_matches('/'))
    }
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// A text as a part of a path or a query. The slash stays: it separates the segments of a topic in both.
pub(crate) fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, &ESCAPED)
}

/// All but the unreserved characters of RFC 3986 and the slash.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, host: &str, port: u16, origin: &str) {
        let url = HttpUrl::parse(raw).unwrap_or_else(|error| panic!("{raw:?}: {error}"));
        assert_eq!((url.host(), url.port(), &*url.origin()), (host, port, origin), "{raw:?}");
    }

    #[test]
    fn a_url_says_where_to_connect() {
        check("http://127.0.0.1:3000", "127.0.0.1", 3000, "http://127.0.0.1:3000");
        check("http://hub.example/", "hub.example", 80, "http://hub.example");
        check("http://hub.example:80/a?b=c", "hub.example", 80, "http://hub.example");
        check("HTTP://Hub.Example", "Hub.Example", 80, "http://hub.example");
        check("HTTPS://hub.example", "hub.example", 443, "https://hub.example");
        check("https://hub.example:443", "hub.example", 443, "https://hub.example");
        check("https://hub.example:80", "hub.example", 80, "https://hub.example:80");
        check("http://[::1]:3000/x", "::1", 3000, "http://[::1]:3000");
        check("http://localhost:?q", "localhost", 80, "http://localhost");
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let check = |raw: &str, want: &str| {
            let error = HttpUrl::parse(raw).expect_err(raw).to_string();
            assert!(error.contains(want) && error.contains("expected a URL"), "{raw:?}: {error}");
        };
        check("ftp://hub.example", "\"ftp\"");
        check("127.0.0.1:3000", "no scheme");
        check("hub.example", "no scheme");
        check("", "no scheme");
        check("http://", "");
        check("http://:3000", "");
        check("http://me:secret@hub.example", "names a user");
        check("http://hub.example:99999", "port");
        check("http://hub.example:http", "");
        check("http://hub.example/a b", "");
    }

    #[test]
    fn a_hub_may_live_below_a_prefix() {
        for (hub, want) in [("http://h", "/events/t"), ("http://h/", "/events/t"), ("http://h/live/", "/live/events/t")]
        {
            let got = HttpUrl::parse(hub).map(|url| url.below("/events/t"));
            assert_eq!(got.as_deref(), Ok(want), "{hub}");
        }
    }

    #[test]
    fn a_topic_is_escaped_the_same_in_paths_and_queries() {
        for (text, want) in [
            ("chat/42", "chat/42"),
            ("a b+c", "a%20b%2Bc"),
            ("50%?#&=", "50%25%3F%23%26%3D"),
            ("chat/*", "chat/%2A"),
            ("café", "caf%C3%A9"),
            ("~a-b_c.d", "~a-b_c.d"),
        ] {
            assert_eq!(encode(text).to_string(), want, "{text}");
        }
    }
}
