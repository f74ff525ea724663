//! Protects the person at the keyboard: an open loopback hub answers this machine alone, so that no other site and no
//! proxy can use it. Decides only; the answers are in `respond`.

use http::header::{FORWARDED, HOST, ORIGIN, VIA};
use http::request::Parts;
use http::{HeaderMap, Method, Version};

use crate::client_address::is_from_trusted_proxy;
use crate::config::HttpConfig;
use crate::header_text::{is_loopback_authority, is_loopback_origin};
use crate::problem::{Fault, Problem};

/// May this request be answered at all?
///
/// # Errors
/// The [`Problem`] to answer with instead.
pub(crate) fn check(parts: &Parts, config: &HttpConfig) -> Result<(), Problem> {
    check_host_count(parts)?;
    if !config.access.is_protected() {
        return Ok(());
    }
    check_host(parts)?;
    if !is_from_trusted_proxy(parts, &config.trusted_proxies) {
        check_no_proxy(&parts.headers)?;
    }
    check_origin(&parts.method, &parts.headers, &config.publish_origins)
}

/// HTTP/1.1 names its host exactly once; HTTP/2 may do it in `:authority` alone. (RFC 9112, 3.2)
fn check_host_count(parts: &Parts) -> Result<(), Problem> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let is_named = hosts.next().is_some() || parts.version >= Version::HTTP_2 && parts.uri.authority().is_some();
    if !is_named && parts.version > Version::HTTP_10 {
        return Err(Fault::new("host", "the request names no host", "one host header").into());
    }
    if hosts.next().is_some() {
        return Err(Fault::new("host", "the request names more than one host", "one host header").into());
    }
    Ok(())
}

fn check_host(parts: &Parts) -> Result<(), Problem> {
    // Both where both are given: which of them a program behind this one would trust cannot be known.
    let header = parts.headers.get(HOST).map(|host| host.to_str().unwrap_or(""));
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    match [header, target].into_iter().flatten().find(|host| !is_loopback_authority(host)) {
        Some(host) => Err(Problem::Misdirected { host: host.to_owned() }),
        None => Ok(()),
    }
}

fn check_no_proxy(headers: &HeaderMap) -> Result<(), Problem> {
    let is_proxy_header =
        |name: &&http::HeaderName| *name == FORWARDED || *name == VIA || name.as_str().starts_with("x-forwarded-");
    match headers.keys().find(is_proxy_header) {
        Some(header) => Err(Problem::Proxied { header: header.to_string() }),
        None => Ok(()),
    }
}

/// A page of another site can send a POST here without asking first; its browser adds where it comes from.
fn check_origin(method: &Method, headers: &HeaderMap, publish_origins: &[String]) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let is_welcome = |origin: &str| {
        is_loopback_origin(origin) || publish_origins.iter().any(|welcome| welcome.eq_ignore_ascii_case(origin))
    };
    let mut origins = headers.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or(""));
    match origins.find(|origin| !is_welcome(origin)) {
        Some(origin) => Err(Problem::ForeignOrigin { origin: origin.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::config::Access;

    fn status(version: Version, method: &str, uri: &str, headers: &[(&str, &str)], config: &HttpConfig) -> u16 {
        let mut request = Request::builder().version(version).method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a good request").into_parts();
        match check(&parts, config) {
            Ok(()) => 200,
            Err(Problem::Invalid(_)) => 400,
            Err(Problem::Proxied { .. } | Problem::ForeignOrigin { .. }) => 403,
            Err(Problem::Misdirected { .. }) => 421,
            Err(other) => panic!("the guard has no business with {other:?}"),
        }
    }

    fn check_case(method: &str, headers: &[(&str, &str)], want: u16) {
        let config = HttpConfig { publish_origins: vec!["https://app.example".into()], ..HttpConfig::default() };
        assert_eq!(status(Version::HTTP_11, method, "/events", headers, &config), want, "{method} {headers:?}");
    }

    const LOCAL: (&str, &str) = ("host", "localhost:3000");

    #[test]
    fn an_open_loopback_hub_answers_to_loopback_hosts_only() {
        check_case("GET", &[LOCAL], 200);
        check_case("GET", &[("host", "127.0.0.1:3000")], 200);
        check_case("GET", &[("host", "[::1]:3000")], 200);
        check_case("GET", &[("host", "hub.localhost")], 200);
        check_case("GET", &[("host", "example.org")], 421);
        check_case("POST", &[("host", "192.168.0.7:3000")], 421);
        check_case("GET", &[("host", "")], 421);
        check_case("GET", &[], 400);
        check_case("GET", &[LOCAL, ("host", "localhost")], 400);
    }

    #[test]
    fn what_came_through_a_proxy_is_refused() {
        check_case("GET", &[LOCAL, ("forwarded", "for=10.0.0.1")], 403);
        check_case("GET", &[LOCAL, ("x-forwarded-for", "10.0.0.1")], 403);
        check_case("GET", &[LOCAL, ("X-Forwarded-Anything", "")], 403);
        check_case("GET", &[LOCAL, ("via", "1.1 proxy")], 403);
        check_case("GET", &[LOCAL, ("x-forwarded", "x"), ("x-real-ip", "10.0.0.1")], 200);
    }

    #[test]
    fn a_page_of_another_site_cannot_write() {
        check_case("POST", &[LOCAL], 200);
        check_case("POST", &[LOCAL, ("origin", "http://localhost:5173")], 200);
        check_case("DELETE", &[LOCAL, ("origin", "http://[::1]")], 200);
        check_case("POST", &[LOCAL, ("origin", "https://app.example")], 200);
        check_case("POST", &[LOCAL, ("origin", "https://evil.example")], 403);
        check_case("DELETE", &[LOCAL, ("origin", "https://evil.example")], 403);
        check_case("POST", &[LOCAL, ("origin", "null")], 403);
        check_case("POST", &[LOCAL, ("origin", "")], 403);
        check_case("POST", &[LOCAL, ("origin", "http://localhost"), ("origin", "https://evil.example")], 403);
        check_case("GET", &[LOCAL, ("origin", "https://evil.example")], 200);
        check_case("OPTIONS", &[LOCAL, ("origin", "https://evil.example")], 200);
    }

    #[test]
    fn open_lifts_all_three() {
        let lifted = Access { lifts_protection: true, ..Access::default() };
        let closed = Access { is_open: false, ..Access::default() };
        for access in [lifted, closed] {
            let config = HttpConfig { access, ..HttpConfig::default() };
            let headers = [("host", "example.org"), ("via", "1.1 p"), ("origin", "https://evil.example")];
            assert_eq!(status(Version::HTTP_11, "POST", "/events", &headers, &config), 200, "{access:?}");
            assert_eq!(status(Version::HTTP_11, "POST", "/events", &[], &config), 400, "{access:?}");
        }
    }

    #[test]
    fn each_version_names_its_host_in_its_own_way() {
        let config = HttpConfig::default();
        let check = |version, uri, headers: &[(&str, &str)], want| {
            assert_eq!(status(version, "GET", uri, headers, &config), want, "{version:?} {uri} {headers:?}");
        };
        check(Version::HTTP_10, "/events", &[], 200);
        check(Version::HTTP_10, "/events", &[("host", "example.org")], 421);
        check(Version::HTTP_11, "http://localhost/events", &[LOCAL], 200);
        check(Version::HTTP_11, "http://example.org/events", &[LOCAL], 421);
        check(Version::HTTP_11, "http://localhost/events", &[("host", "example.org")], 421);
        check(Version::HTTP_11, "http://localhost/events", &[], 400);
        check(Version::HTTP_2, "https://localhost/events", &[], 200);
        check(Version::HTTP_2, "https://example.org/events", &[], 421);
        check(Version::HTTP_2, "/events", &[LOCAL], 200);
        check(Version::HTTP_2, "/events", &[], 400);
    }
}
