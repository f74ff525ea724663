//! Questions to a request's headers: does it take an event stream, is it a browser, is its host a loopback one.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName};

/// Does the request come from a browser, so that any status but 200 would end its `EventSource` for good?
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_MODE)
        || headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

/// Does the request take `text/event-stream`? Without an `Accept` it takes everything.
pub(crate) fn accepts_event_stream(headers: &HeaderMap) -> bool {
    let mut best: Option<(Precision, bool)> = None;
    for value in headers.get_all(ACCEPT) {
        // What is not ASCII is no media range that we have.
        for range in value.to_str().unwrap_or("").split(',') {
            let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
            let Some(precision) = precision_of(name.trim()) else { continue };
            let is_wanted = !has_zero_weight(parameters);
            if best.is_none_or(|(known, was_wanted)| precision > known || precision == known && !was_wanted) {
                best = Some((precision, is_wanted));
            }
        }
    }
    let says_nothing = headers.get_all(ACCEPT).iter().all(|value| value.as_bytes().trim_ascii().is_empty());
    says_nothing || best.is_some_and(|(_, is_wanted)| is_wanted)
}

/// Is `authority` (a host name or address, with or without a port) one of this machine's own loopback names?
pub(crate) fn is_loopback_authority(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_port && address.parse() == Ok(Ipv6Addr::LOCALHOST);
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    is_port(port) && (is_localhost(host) || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()))
}

/// Is `origin`, as a browser writes it, a page of this machine? `null` is not.
pub(crate) fn is_loopback_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback_authority)
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// How exactly a media range names ours; the most exact one decides. (RFC 9110, 12.5.1)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Anything,
    AnyText,
    EventStream,
}

fn precision_of(range: &str) -> Option<Precision> {
    match range {
        "*/*" => Some(Precision::Anything),
        _ if range.eq_ignore_ascii_case("text/*") => Some(Precision::AnyText),
        _ if range.eq_ignore_ascii_case("text/event-stream") => Some(Precision::EventStream),
        _ => None,
    }
}

fn has_zero_weight(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let Some((name, weight)) = parameter.split_once('=') else { return false };
        name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32)
    })
}

fn is_localhost(host: &str) -> bool {
    const NAME: &str = "localhost";
    let Some(at) = host.len().checked_sub(NAME.len()) else { return false };
    let Some((before, name)) = host.split_at_checked(at) else { return false };
    let is_below = before.len() > 1 && before.ends_with('.') && before.bytes().all(is_host_name_byte);
    name.eq_ignore_ascii_case(NAME) && (before.is_empty() || is_below)
}

fn is_host_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn is_port(port: &str) -> bool {
    port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check_accept(values: &[&'static str], want: bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        assert_eq!(accepts_event_stream(&headers), want, "{values:?}");
    }

    #[test]
    fn a_stream_is_refused_only_to_who_excludes_it() {
        check_accept(&[], true);
        check_accept(&[""], true);
        check_accept(&["text/event-stream"], true);
        check_accept(&["TEXT/Event-Stream; charset=utf-8"], true);
        check_accept(&["*/*"], true);
        check_accept(&["text/*;q=0.1"], true);
        check_accept(&["text/html,application/xml;q=0.9,*/*;q=0.8"], true);
        check_accept(&["application/json", "text/event-stream"], true);
        check_accept(&["application/json"], false);
        check_accept(&["text/html, application/json"], false);
        check_accept(&["text/event-stream;q=0"], false);
        check_accept(&["*/*, text/event-stream;q=0.0"], false);
        check_accept(&["text/*;q=0, */*"], false);
        check_accept(&["text/*;q=0, text/event-stream"], true);
        check_accept(&["*/*;q=0"], false);
        check_accept(&["text/event-streams"], false);
    }

    fn check_host(authority: &str, want: bool) {
        assert_eq!(is_loopback_authority(authority), want, "{authority:?}");
    }

    #[test]
    fn loopback_host_names_count_with_any_port() {
        for loopback in [
            "localhost",
            "localhost:3000",
            "LocalHost:1",
            "localhost:",
            "app.localhost",
            "a.b.localhost:65535",
            "127.0.0.1",
            "127.0.0.1:3000",
            "127.255.255.254",
            "[::1]",
            "[::1]:3000",
            "[0:0:0:0:0:0:0:1]:80",
        ] {
            check_host(loopback, true);
        }
        for foreign in [
            "",
            "example.org",
            "localhost.example.org",
            "notlocalhost",
            ".localhost",
            "evil@localhost",
            "a/.localhost",
            "localhost:3000:1",
            "localhost:99999999",
            "localhost:x",
            "127.0.0.1.example.org",
            "128.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "127.1",
            "::1",
            "[::1",
            "[::1]x",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[localhost]",
            "192.168.0.1:3000",
            "locälhost",
        ] {
            check_host(foreign, false);
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for (origin, want) in [
            ("http://localhost:5173", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:8080", true),
            ("null", false),
            ("", false),
            ("localhost", false),
            ("file://", false),
            ("ftp://localhost", false),
            ("http://localhost.evil.example", false),
            ("http://localhost/", false),
        ] {
            assert_eq!(is_loopback_origin(origin), want, "{origin:?}");
        }
    }

    #[test]
    fn a_browser_shows_itself_by_its_fetch_mode_or_its_name() {
        let check = |name: &'static str, value: &'static str, want: bool| {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(is_browser(&headers), want, "{name}: {value}");
        };
        check("sec-fetch-mode", "cors", true);
        check("user-agent", "Mozilla/5.0 (X11; Linux x86_64)", true);
        check("user-agent", "curl/8.5.0", false);
        check("user-agent", "like Mozilla/5.0", false);
        check("accept", "text/event-stream", false);
    }
}
