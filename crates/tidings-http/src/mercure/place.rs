//! Where the endpoint is: its paths, and its address as clients know it.

use http::HeaderName;
use http::header::HOST;
use http::request::Parts;
use url::Url;

use crate::config::HttpConfig;
use crate::tls::CameByHttps;

/// The hub's path. Documents and reserved topics begin with it.
pub(crate) const PATH: &str = "/.well-known/mercure";
/// Below it are the active subscriptions.
pub(super) const SUBSCRIPTIONS_PATH: &str = "/.well-known/mercure/subscriptions";
/// What an OAuth client asks to learn what token to bring. (RFC 9728)
pub(super) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource/.well-known/mercure";

/// What of the endpoint a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// To publish and to subscribe.
    Hub,
    /// The active subscriptions; the rest of the path, without its first slash.
    Subscriptions(&'a str),
    /// What an OAuth client has to know.
    Metadata,
    /// Nothing.
    Nowhere,
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        if path == PATH {
            return Self::Hub;
        }
        if path == METADATA_PATH {
            return Self::Metadata;
        }
        match path.strip_prefix(SUBSCRIPTIONS_PATH) {
            Some("") => Self::Subscriptions(""),
            Some(rest) => match rest.strip_prefix('/') {
                Some(rest) if !rest.is_empty() => Self::Subscriptions(rest),
                _ => Self::Nowhere,
            },
            None => Self::Nowhere,
        }
    }
}

/// Is `path` of the Mercure endpoint, though there may be nothing there?
pub(crate) fn is_mercure_path(path: &str) -> bool {
    path == METADATA_PATH || path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The hub's path itself: the only one whose GET may be a stream.
pub(crate) fn is_hub_path(path: &str) -> bool {
    path == PATH
}

/// What the hub is called in tokens and metadata: the audience, if there is one, else its address.
pub(super) fn resource(config: &HttpConfig, parts: &Parts) -> String {
    audience(config).map_or_else(|| hub_url(config, parts), ToOwned::to_owned)
}

/// The hub's address: the audience, if it is an address, else what the request was sent to.
pub(super) fn hub_url(config: &HttpConfig, parts: &Parts) -> String {
    if let Some(audience) = audience(config).filter(|audience| is_address(audience)) {
        return audience.to_owned();
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or("localhost");
    format!("{}://{host}{PATH}", scheme(parts))
}

/// Where the metadata of the hub at `hub_url` are: the well-known name goes between its host and its path. (RFC 9728, 3.1)
pub(super) fn metadata_url(hub_url: &str) -> String {
    match Url::parse(hub_url) {
        Ok(mut url) => {
            let path = format!("/.well-known/oauth-protected-resource{}", url.path().trim_end_matches('/'));
            url.set_path(&path);
            url.to_string()
        }
        Err(_) => METADATA_PATH.to_owned(),
    }
}

fn audience(config: &HttpConfig) -> Option<&str> {
    config.mercure.audience.as_deref()
}

fn is_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.has_host())
}

fn scheme(parts: &Parts) -> &'static str {
    let forwarded = parts.headers.get(FORWARDED_PROTO).map(http::HeaderValue::as_bytes);
    let is_https = forwarded.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https"))
        || parts.uri.scheme_str() == Some("https")
        || parts.extensions.get::<CameByHttps>().is_some();
    if is_https { "https" } else { "http" }
}

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_a_place() {
        for (path, want) in [
            ("/.well-known/mercure", Place::Hub),
            ("/.well-known/mercure/", Place::Nowhere),
            ("/.well-known/mercure/ui", Place::Nowhere),
            ("/.well-known/mercure/subscriptions", Place::Subscriptions("")),
            ("/.well-known/mercure/subscriptions/", Place::Nowhere),
            ("/.well-known/mercure/subscriptions/a/b", Place::Subscriptions("a/b")),
            ("/.well-known/mercure/subscriptionsx", Place::Nowhere),
            ("/.well-known/oauth-protected-resource/.well-known/mercure", Place::Metadata),
        ] {
            assert_eq!(Place::of(path), want, "{path}");
            assert!(is_mercure_path(path), "{path}");
        }
        for path in ["/", "/events", "/.well-known", "/.well-known/mercurex", "/.well-known/oauth-protected-resource"] {
            assert!(!is_mercure_path(path), "{path}");
        }
    }

    #[test]
    fn metadata_are_beside_the_hub() {
        for (hub, want) in [
            ("https://h/.well-known/mercure", "https://h/.well-known/oauth-protected-resource/.well-known/mercure"),
            ("https://h:8443/", "https://h:8443/.well-known/oauth-protected-resource"),
            ("no address", METADATA_PATH),
        ] {
            assert_eq!(metadata_url(hub), want, "{hub}");
        }
    }

    #[test]
    fn the_address_is_what_the_request_was_sent_to() {
        let check = |uri: &str, headers: &[(&str, &str)], want: &str| {
            let mut request = http::Request::get(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).expect("a good request").into_parts();
            assert_eq!(hub_url(&HttpConfig::default(), &parts), format!("{want}{PATH}"), "{uri} {headers:?}");
        };
        check("/x", &[("host", "hub.example:3000")], "http://hub.example:3000");
        check("/x", &[("host", "hub.example"), ("x-forwarded-proto", "https")], "https://hub.example");
        check("https://h2.example/x", &[], "https://h2.example");
        check("/x", &[], "http://localhost");
    }
}
