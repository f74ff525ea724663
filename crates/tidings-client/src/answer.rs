//! What a response means to an event source. Pure: headers in, a verdict out.
//!
//! Source: WHATWG HTML 9.2.3, and for Retry-After RFC 9110, 10.2.3.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

/// What to do with a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is a stream: read it.
    Stream(Encoding),
    /// Ask there.
    Redirect { location: String },
    /// 204: the server wants this client to stop.
    Stop,
    /// 429 or a 5xx: later, perhaps. `after` is the server's own word.
    Refused { after: Option<Duration> },
    /// Any other status.
    Status,
    /// Not events; the text is what it is.
    ContentType(String),
    /// Compressed in a way that was not asked for.
    Encoding(String),
}

/// How the bytes of a stream are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// Reads a response's head. `accepted` is what the request asked for; `wall_clock` is for a date in Retry-After.
pub(crate) fn judge(status: StatusCode, headers: &HeaderMap, accepted: &[Encoding], wall_clock: SystemTime) -> Verdict {
    match status.as_u16() {
        200 => judge_stream(headers, accepted),
        204 => Verdict::Stop,
        301 | 302 | 303 | 307 | 308 => match read_location(headers) {
            Some(location) => Verdict::Redirect { location },
            None => Verdict::Status,
        },
        429 | 500.. => Verdict::Refused { after: read_retry_after(headers, wall_clock) },
        _ => Verdict::Status,
    }
}

impl Encoding {
    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            #[cfg(feature = "gzip")]
            Self::Gzip => "gzip",
            #[cfg(feature = "brotli")]
            Self::Brotli => "br",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }
}

fn judge_stream(headers: &HeaderMap, accepted: &[Encoding]) -> Verdict {
    let content_type = join(headers, &CONTENT_TYPE);
    if !is_event_stream(&content_type) {
        return Verdict::ContentType(content_type);
    }
    let encoding = join(headers, &CONTENT_ENCODING);
    if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
        return Verdict::Stream(Encoding::Identity);
    }
    match accepted.iter().find(|accepted| encoding.eq_ignore_ascii_case(accepted.name())) {
        Some(encoding) => Verdict::Stream(*encoding),
        None => Verdict::Encoding(encoding),
    }
}

/// Whether the last type that is one is `text/event-stream`, whatever its parameters.
///
/// The last, because several headers count as one list (Fetch, "extract a MIME type").
fn is_event_stream(content_type: &str) -> bool {
    let essences = content_type.split(',').map(|one| one.split(';').next().unwrap_or("").trim_matches([' ', '\t']));
    let mut types =
        essences.filter(|essence| *essence != "*/*" && essence.split('/').filter(|p| !p.is_empty()).count() == 2);
    types.next_back().is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"))
}

/// An empty one is as good as none: by the letter it is the same URL again, twenty times.
fn read_location(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(LOCATION)?.as_bytes();
    let location = String::from_utf8_lossy(bytes).trim().to_owned();
    (!location.is_empty()).then_some(location)
}

fn read_retry_after(headers: &HeaderMap, wall_clock: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    // A date that has passed asks for no wait.
    httpdate::parse_http_date(text).ok().map(|date| date.duration_since(wall_clock).unwrap_or_default())
}

fn join(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn check(status: u16, headers: &[(&str, &str)], want: &Verdict) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(12);
        let got = judge(StatusCode::from_u16(status).unwrap(), &map, &[Encoding::Identity], noon);
        assert_eq!(&got, want, "{status} {headers:?}");
    }

    fn check_type(content_type: &str, want: bool) {
        let verdict =
            if want { Verdict::Stream(Encoding::Identity) } else { Verdict::ContentType(content_type.trim().into()) };
        check(200, &[("content-type", content_type)], &verdict);
    }

    #[test]
    fn e5_the_type_is_compared_by_its_essence() {
        check_type("text/event-stream", true);
        check_type("Text/Event-STREAM", true);
        check_type(" text/event-stream ;charset=windows-1252", true);
        check_type("text/event-stream;", true);
        check_type("text/event-stream;bogus", true);
        check_type("text/event-stream, */*", true);
        check_type("text/html, text/event-stream", true);
        check_type("text/event-stream, text/html", false);
        check_type("text/x-bogus", false);
        check_type("text/event-stream-2", false);
        check_type("text/event stream", false);
        check_type("event-stream", false);
        check_type("", false);
        check(200, &[], &Verdict::ContentType(String::new()));
    }

    #[test]
    fn e5_any_status_but_200_is_no_stream() {
        for status in [201, 202, 205, 206, 210, 299, 304, 400, 401, 404, 410] {
            check(status, &[("content-type", "text/event-stream")], &Verdict::Status);
        }
        check(204, &[("content-type", "text/event-stream")], &Verdict::Stop);
        for status in [429, 500, 503, 599] {
            check(status, &[], &Verdict::Refused { after: None });
        }
    }

    #[test]
    fn e4_a_redirect_needs_a_location() {
        for status in [301, 302, 303, 307, 308] {
            check(status, &[("location", "/b")], &Verdict::Redirect { location: "/b".into() });
            check(status, &[], &Verdict::Status);
            check(status, &[("location", "")], &Verdict::Status);
        }
        check(300, &[("location", "/b")], &Verdict::Status);
        check(305, &[("location", "/b")], &Verdict::Status);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let refused = |seconds| Verdict::Refused { after: Some(Duration::from_secs(seconds)) };
        check(503, &[("retry-after", "120")], &refused(120));
        check(503, &[("retry-after", "99999999999999999999999")], &refused(u64::MAX));
        check(429, &[("retry-after", "Thu, 01 Jan 1970 12:00:30 GMT")], &refused(30));
        check(429, &[("retry-after", "Thu, 01 Jan 1970 11:00:00 GMT")], &refused(0));
        check(503, &[("retry-after", "-1")], &Verdict::Refused { after: None });
        check(503, &[("retry-after", "soon")], &Verdict::Refused { after: None });
    }

    #[test]
    fn an_encoding_that_was_not_asked_for_is_no_stream() {
        let stream = ("content-type", "text/event-stream");
        check(200, &[stream, ("content-encoding", "identity")], &Verdict::Stream(Encoding::Identity));
        check(200, &[stream, ("content-encoding", "compress")], &Verdict::Encoding("compress".into()));
        check(200, &[stream, ("content-encoding", "gzip")], &Verdict::Encoding("gzip".into()));
    }
}
