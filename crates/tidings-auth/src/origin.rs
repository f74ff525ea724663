//! Whether a page may publish with a cookie, which the browser sends along whoever asks.

use http::HeaderMap;
use http::header::{ORIGIN, REFERER};

/// Whether a publish whose token came in a cookie is allowed: its `Origin`, or else that of its `Referer`, is one of
/// `publish_origins`.
///
/// An entry is an origin (`https://app.example`), `*` for all, or has a wildcard for the names below one
/// (`https://*.app.example`). A request without both headers is not allowed, nor is the origin `null` unless by `*`.
pub fn allows_cookie_publish(headers: &HeaderMap, publish_origins: &[impl AsRef<str>]) -> bool {
    let Some(origin) = origin_of(headers) else { return false };
    publish_origins.iter().any(|allowed| allows(allowed.as_ref(), &origin))
}

/// The origin of a request as it says it, in lower case. More than one header is none.
fn origin_of(headers: &HeaderMap) -> Option<String> {
    if headers.contains_key(ORIGIN) {
        return Some(single(headers, &ORIGIN)?.to_ascii_lowercase());
    }
    let referer = single(headers, &REFERER)?;
    let (scheme, rest) = referer.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    // A browser never sends a user in there; `https://app.example@evil.example` is not of app.example.
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{authority}").to_ascii_lowercase())
}

fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { Some(value.trim()) }
}

fn allows(allowed: &str, origin: &str) -> bool {
    if allowed == "*" {
        return true;
    }
    let allowed = allowed.to_ascii_lowercase();
    let allowed = without_default_port(&allowed);
    let origin = without_default_port(origin);
    let Some((scheme, suffix)) = allowed.split_once("*.") else { return allowed == origin };
    let Some(host) = origin.strip_prefix(scheme) else { return false };
    let below = host.strip_suffix(suffix).and_then(|below| below.strip_suffix('.'));
    // At least one name, and nothing in it that ends a host.
    below.is_some_and(|below| {
        !below.is_empty() && below.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    })
}

/// `https://app.example:443` is `https://app.example`.
fn without_default_port(origin: &str) -> &str {
    let default_port = match origin.split_once("://") {
        Some(("https", _)) => ":443",
        Some(("http", _)) => ":80",
        _ => return origin,
    };
    origin.strip_suffix(default_port).unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(origin: Option<&str>, referer: Option<&str>, allowed: &str, want: bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ORIGIN, origin), (REFERER, referer)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(value).expect("a header"));
            }
        }
        assert_eq!(allows_cookie_publish(&headers, &[allowed]), want, "{origin:?} {referer:?} {allowed}");
    }

    #[test]
    fn an_origin_counts_and_else_the_referer() {
        let app = "https://app.example";
        check(None, None, "*", false);
        check(None, None, app, false);
        check(Some(app), None, app, true);
        check(Some("HTTPS://App.Example"), None, app, true);
        check(Some("https://app.example:443"), None, app, true);
        check(Some("https://app.example:8443"), None, app, false);
        check(Some("http://app.example"), None, app, false);
        check(Some("https://evil.example"), Some("https://app.example/page"), app, false);
        check(Some("null"), None, app, false);
        check(Some("null"), None, "*", true);
        check(None, Some("https://app.example/page?x=1#y"), app, true);
        check(None, Some("https://app.example"), app, true);
        check(None, Some("https://app.example?x"), app, true);
        check(None, Some("https://app.example@evil.example/"), app, false);
        check(None, Some("https://app.example.evil.example/"), app, false);
        check(None, Some("/page"), app, false);
        check(None, Some("https:///page"), "*", false);
    }

    #[test]
    fn a_wildcard_covers_names_below_and_no_others() {
        let below = "https://*.app.example";
        check(Some("https://a.app.example"), None, below, true);
        check(Some("https://a.b.app.example"), None, below, true);
        check(Some("https://app.example"), None, below, false);
        check(Some("https://.app.example"), None, below, false);
        check(Some("https://evilapp.example"), None, below, false);
        check(Some("http://a.app.example"), None, below, false);
        check(Some("https://evil.example/.app.example"), None, below, false);
        check(Some("https://evil.example:1.app.example"), None, below, false);
        check(Some("https://a.app.example:8443"), None, "https://*.app.example:8443", true);
        check(None, Some("https://a.app.example/page"), below, true);
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("https://app.example"));
        headers.append(ORIGIN, HeaderValue::from_static("https://app.example"));
        assert!(!allows_cookie_publish(&headers, &["*"]));
    }
}
