//! What a hub says when it refuses: `application/problem+json`, or whatever a proxy in its place says. (RFC 9457)

use std::fmt;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;

/// A refusal, for a person to read.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    told: Told,
    retry_after: Option<Duration>,
}

/// What the body says. All is optional: it may come from anywhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    title: Option<String>,
    detail: Option<String>,
    field: Option<String>,
    expected: Option<String>,
}

impl Problem {
    /// Reads a refusal to its end.
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        // A body that is cut off or endless tells less; the status is there all the same.
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Self::told(head.status, &head.headers, &body)
    }

    /// Whether the same may be taken later: 429, 502, 503 and 504.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.status.as_u16(), 429 | 502..=504)
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// A refusal that was read already, perhaps not to its end.
    pub(crate) fn told(status: StatusCode, headers: &HeaderMap, body: impl AsRef<[u8]>) -> Self {
        let told = serde_json::from_slice(body.as_ref()).unwrap_or_default();
        Self { status, told, retry_after: retry_after(headers) }
    }
}

/// Most bytes of a refusal that are read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long the server asks to wait, where it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { title, detail, field, expected } = &self.told;
        write!(f, "{}", self.status.as_u16())?;
        if let Some(field) = field {
            write!(f, " {field}")?;
        }
        let fallback = self.status.canonical_reason().unwrap_or("no reason is given");
        write!(f, ": {}", detail.as_deref().or(title.as_deref()).unwrap_or(fallback))?;
        if let Some(expected) = expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(after) = self.retry_after {
            write!(f, "; try again in {} s", after.as_secs())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(status: u16, retry_after: Option<&'static str>, body: &'static str, want: &str) {
        let mut headers = HeaderMap::new();
        if let Some(after) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let got = Problem::told(status, &headers, body);
        assert_eq!(got.to_string(), want, "{body}");
    }

    #[test]
    fn a_problem_tells_what_happened_and_what_was_expected() {
        check(
            400,
            None,
            r#"{"title":"Bad","status":400,"field":"type","detail":"it is the hub's own","expected":"another"}"#,
            "400 type: it is the hub's own; expected another",
        );
        check(503, Some("5"), r#"{"detail":"the hub is full"}"#, "503: the hub is full; try again in 5 s");
        check(401, None, r#"{"title":"The hub is closed"}"#, "401: The hub is closed");
        check(502, None, "<html>", "502: Bad Gateway");
        check(503, Some("Mon, 23 Nov 2026 20:00:00 GMT"), "", "503: Service Unavailable");
        check(599, None, "[]", "599: no reason is given");
    }
}
