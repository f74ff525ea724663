//! What is asked of whom: the request of each attempt, and what a redirect makes of it. Pure.
//!
//! Source: WHATWG HTML 9.2.2 (the request), WHATWG Fetch 4.4 (HTTP-redirect fetch).

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, PRAGMA, PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::answer::Encoding;
use crate::error::{Lost, UnsendableId};

/// Where to ask, how, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) body: Bytes,
    /// `false` once a redirect has led to another origin: no credentials from then on, not even back home.
    pub(crate) is_trusted: bool,
}

impl Target {
    /// The same request after a redirect.
    pub(crate) fn follow(&self, status: StatusCode, location: &str) -> Result<Self, Lost> {
        let refused = || Lost::Location { location: location.to_owned() };
        let url = self.url.join(location).map_err(|_| refused())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(refused());
        }
        let becomes_get = match status.as_u16() {
            301 | 302 => self.method == Method::POST,
            303 => self.method != Method::GET && self.method != Method::HEAD,
            _ => false,
        };
        let is_trusted = self.is_trusted && url.origin() == self.url.origin();
        let (method, body) =
            if becomes_get { (Method::GET, Bytes::new()) } else { (self.method.clone(), self.body.clone()) };
        Ok(Self { url, method, body, is_trusted })
    }

    /// All headers of the request but `Host`, and for a body its length: these are of the connection.
    pub(crate) fn headers(
        &self,
        own: &HeaderMap,
        accepted: &[Encoding],
        last_event_id: &str,
        token: Option<&HeaderValue>,
    ) -> Result<HeaderMap, UnsendableId> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tidings-client/", env!("CARGO_PKG_VERSION"))));
        let names: Vec<_> = accepted.iter().filter(|one| **one != Encoding::Identity).map(|one| one.name()).collect();
        if let Ok(names) = HeaderValue::from_str(&names.join(", "))
            && !names.is_empty()
        {
            headers.insert(ACCEPT_ENCODING, names);
        }
        if let Some(login) = basic_credentials(&self.url) {
            headers.insert(AUTHORIZATION, login);
        }
        for name in own.keys() {
            if self.body.is_empty() && self.method == Method::GET && OF_A_BODY.contains(name) {
                continue;
            }
            let mut is_first = true;
            for value in own.get_all(name) {
                if !self.is_trusted && (CREDENTIALS.contains(name) || value.is_sensitive()) {
                    continue;
                }
                if std::mem::take(&mut is_first) {
                    headers.insert(name.clone(), value.clone());
                } else {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        if let Some(token) = token.filter(|_| self.is_trusted) {
            headers.insert(AUTHORIZATION, token.clone());
        }
        if !last_event_id.is_empty() {
            headers.insert(LAST_EVENT_ID, header_of(last_event_id)?);
        }
        Ok(headers)
    }
}

/// The id as a header, by its bytes: HTTP carries all but control characters.
pub(crate) fn header_of(last_event_id: &str) -> Result<HeaderValue, UnsendableId> {
    HeaderValue::from_bytes(last_event_id.as_bytes()).map_err(|_| {
        let is_control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
        let at = last_event_id.bytes().position(|byte| is_control(&byte)).unwrap_or_default();
        UnsendableId { character: last_event_id.as_bytes().get(at).copied().unwrap_or_default().into(), at }
    })
}

/// `Bearer` and the token, marked so that it is shown nowhere.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    secret(&format!("Bearer {token}"))
}

/// `user:password@` of a URL, as browsers send it.
fn basic_credentials(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut login: Vec<u8> = percent_decode_str(url.username()).collect();
    login.push(b':');
    login.extend(percent_decode_str(url.password().unwrap_or_default()));
    secret(&format!("Basic {}", base64(&login)))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// RFC 4648, 4. Here because it is ten lines.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or_default()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit > group.len() { '=' } else { char::from(ALPHABET[index as usize]) });
        }
    }
    text
}

pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a redirect to another origin must not carry along. (Fetch names the first; the others are no less secret.)
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// What says something of a body, and goes with it. (Fetch, "request-body-header name")
const OF_A_BODY: [HeaderName; 4] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE];

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: Method, url: &str) -> Target {
        Target { url: Url::parse(url).unwrap(), method, body: Bytes::from_static(b"body"), is_trusted: true }
    }

    fn check(method: &Method, status: u16, want_method: &Method) {
        let followed = target(method.clone(), "http://a/x").follow(StatusCode::from_u16(status).unwrap(), "y").unwrap();
        assert_eq!(&followed.method, want_method, "{method} after {status}");
        assert_eq!(followed.body.is_empty(), method != want_method, "{method} after {status}");
    }

    #[test]
    fn a_redirect_changes_the_method_as_fetch_does() {
        let report = Method::from_bytes(b"REPORT").unwrap();
        for status in [301, 302, 303] {
            check(&Method::POST, status, &Method::GET);
        }
        for status in [307, 308] {
            check(&Method::POST, status, &Method::POST);
        }
        check(&report, 301, &report);
        check(&report, 303, &Method::GET);
        check(&Method::GET, 301, &Method::GET);
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let mut own = HeaderMap::new();
        own.insert(AUTHORIZATION, bearer("t").unwrap());
        own.insert(COOKIE, HeaderValue::from_static("c=1"));
        own.insert("x-plain", HeaderValue::from_static("1"));
        own.insert("x-secret", secret("2").unwrap());
        let names = |target: &Target| -> Vec<String> {
            let headers = target.headers(&own, &[], "", bearer("fresh").as_ref()).unwrap();
            let shown = ["authorization", "cookie", "x-plain", "x-secret"];
            shown.into_iter().filter(|name| headers.contains_key(*name)).map(str::to_owned).collect()
        };
        let home = target(Method::GET, "https://a/x");
        let found = StatusCode::FOUND;
        assert_eq!(names(&home), ["authorization", "cookie", "x-plain", "x-secret"]);
        assert_eq!(names(&home.follow(found, "/y").unwrap()).len(), 4);
        for elsewhere in ["https://b/", "http://a/x", "https://a:8443/"] {
            let away = home.follow(found, elsewhere).unwrap();
            assert_eq!(names(&away), ["x-plain"], "{elsewhere}");
            for on in ["https://a/x", "/on"] {
                assert_eq!(names(&away.follow(found, on).unwrap()), ["x-plain"], "{elsewhere} and then {on}");
            }
        }
    }

    #[test]
    fn a_redirect_leads_to_http_alone() {
        for location in ["ftp://a/", "data:text/event-stream,x", "http://", "javascript:1"] {
            let refused = target(Method::GET, "http://a/").follow(StatusCode::FOUND, location);
            assert!(matches!(refused, Err(Lost::Location { .. })), "{location}: {refused:?}");
        }
    }

    #[test]
    fn e2_the_request_is_that_of_an_event_source() {
        let headers = target(Method::GET, "http://us%65r:p%40ss@a/").headers(&HeaderMap::new(), &[], "", None).unwrap();
        assert_eq!(headers["accept"], "text/event-stream");
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(headers["pragma"], "no-cache");
        assert_eq!(headers["authorization"], "Basic dXNlcjpwQHNz");
        assert!(!headers.contains_key("last-event-id") && !headers.contains_key("accept-encoding"));
    }

    #[test]
    fn f7_an_id_goes_by_its_bytes() {
        assert_eq!(header_of("é(\"1\"):<2>").unwrap().as_bytes(), "é(\"1\"):<2>".as_bytes());
        assert_eq!(header_of("a\u{1}b"), Err(UnsendableId { character: 1, at: 1 }));
        assert_eq!(header_of("é\u{7f}"), Err(UnsendableId { character: 0x7f, at: 2 }));
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), want);
        }
    }
}
