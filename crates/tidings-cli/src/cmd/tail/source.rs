//! What is followed: topics of a hub, or a URL given whole.

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderValue, Method, Request};
use http_body_util::Empty;

use crate::cmd::remote::RemoteFlags;
use crate::exit::Failure;
use crate::http_client::{self, HttpUrl, Token, encode};

/// Where an event stream comes from.
#[derive(Debug)]
pub(super) struct Source {
    /// The host to ask.
    pub(super) url: HttpUrl,
    /// What to ask it for.
    target: String,
    token: Option<Token>,
}

impl Source {
    /// The source that the arguments name.
    ///
    /// # Errors
    /// A [`Failure`] when a URL does not stand alone, or is none.
    pub(super) fn of(topics: &[String], since: Option<&str>, remote: &RemoteFlags) -> Result<Self, Failure> {
        let token = remote.token.clone();
        if !topics.iter().any(|topic| is_url(topic)) {
            let target = remote.hub.below(&hub_target(topics, since));
            return Ok(Self { url: remote.hub.clone(), target, token });
        }
        let [url] = topics else {
            return Err(Failure::usage("a URL is followed alone; expected one URL, or topics of one hub"));
        };
        if since.is_some() {
            return Err(Failure::usage(
                "--since is a parameter of a hub's topics; expected it in the URL, as in ?since=10m",
            ));
        }
        let url = HttpUrl::parse(url).map_err(|error| Failure::usage(format!("{url}: {error}")))?;
        Ok(Self { target: url.target(), url, token })
    }

    /// The request for the stream, after the event with this id; empty for none.
    pub(super) fn request(&self, last_event_id: &str) -> Request<Empty<Bytes>> {
        let mut request = http_client::request(Method::GET, &self.url, &self.target, self.token.as_ref())
            .header(ACCEPT, "text/event-stream")
            .header(CACHE_CONTROL, "no-cache");
        // An id may be anything but CR, LF and NUL, and a header may not: then the stream begins anew.
        if let Some(id) = HeaderValue::from_bytes(last_event_id.as_bytes()).ok().filter(|id| !id.is_empty()) {
            request = request.header("last-event-id", id);
        }
        request.body(Empty::new()).expect("the target was a URL's or is encoded, and the headers are checked")
    }
}

/// Topics may be URLs too, as Mercure's are; what begins like one is followed itself.
fn is_url(topic: &str) -> bool {
    let scheme = topic.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

/// The hub is asked for its position at once (`prime=1`), so that a connection lost before its first event leaves no gap.
/// A server that is no hub is never asked for that: it may mean something else there.
fn hub_target(topics: &[String], since: Option<&str>) -> String {
    let topics = topics.iter().map(|topic| ("topic", topic.as_str()));
    let since = since.map(|since| ("since", since));
    let parameters = topics.chain(since).map(|(name, value)| format!("&{name}={}", encode(value)));
    format!("/events?prime=1{}", parameters.collect::<String>())
}

/// An id that a header can carry.
///
/// # Errors
/// What is expected, when it is none.
pub(super) fn parse_last_event_id(raw: &str) -> Result<String, String> {
    let is_plain = !raw.is_empty() && raw.trim_ascii() == raw && !raw.chars().any(char::is_control);
    is_plain
        .then(|| raw.to_owned())
        .ok_or_else(|| "expected the id of an event: no control characters, no outer spaces".to_owned())
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    fn source(topics: &[&str], since: Option<&str>, hub: &str) -> Result<Source, String> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let remote = RemoteFlags { hub: HttpUrl::parse(hub).expect("a URL"), token: Token::parse("t").ok() };
        Source::of(&topics, since, &remote).map_err(|failure| failure.to_string())
    }

    fn check(topics: &[&str], since: Option<&str>, want_authority: &str, want_target: &str) {
        let source = source(topics, since, "http://hub.example:3000/live/").expect("a source");
        let got = (source.url.authority(), &*source.target);
        assert_eq!(got, (want_authority, want_target), "{topics:?}");
    }

    #[test]
    fn topics_are_asked_of_the_hub_with_its_position_and_a_url_as_it_is() {
        let hub = "hub.example:3000";
        check(&["default"], None, hub, "/live/events?prime=1&topic=default");
        check(&["a b", "chat/*"], None, hub, "/live/events?prime=1&topic=a%20b&topic=chat/%2A");
        check(&["a"], Some("10m"), hub, "/live/events?prime=1&topic=a&since=10m");
        let time = Some("2026-11-23T20:00:00+01:00");
        check(&["a"], time, hub, "/live/events?prime=1&topic=a&since=2026-11-23T20%3A00%3A00%2B01%3A00");
        check(&["http://other.example/s?x=y"], None, "other.example", "/s?x=y");
        check(&["HTTP://other.example"], None, "other.example", "/");
        check(&["urn:isbn:42"], None, hub, "/live/events?prime=1&topic=urn%3Aisbn%3A42");
    }

    #[test]
    fn a_url_stands_alone() {
        for (topics, since, want) in [
            (&["http://a", "b"][..], None, "one URL"),
            (&["b", "http://a"], None, "one URL"),
            (&["http://a", "http://b"], None, "one URL"),
            (&["http://a"], Some("10m"), "?since=10m"),
            (&["https://a"], None, "TLS comes later"),
        ] {
            let error = source(topics, since, "http://h").expect_err("not together");
            assert!(error.contains(want), "{topics:?}: {error}");
        }
    }

    #[test]
    fn a_request_carries_the_last_id_and_the_token() {
        let source = source(&["t"], None, "http://h").expect("a source");
        let header = |id: &str, name: HeaderName| {
            let request = source.request(id);
            request.headers().get(name).map(|value| value.as_bytes().to_vec())
        };
        let last_event_id = HeaderName::from_static("last-event-id");
        assert_eq!(header("é-1", last_event_id.clone()), Some("é-1".into()));
        assert_eq!(header("", last_event_id.clone()), None);
        assert_eq!(header("a\u{1}b", last_event_id), None);
        assert_eq!(header("", ACCEPT), Some("text/event-stream".into()));
        assert_eq!(header("", http::header::AUTHORIZATION), Some("Bearer t".into()));
        assert_eq!(header("", http::header::HOST), Some("h".into()));
    }

    #[test]
    fn an_id_has_no_control_characters() {
        for (raw, want) in [
            ("order-42", true),
            ("a b", true),
            ("é", true),
            ("", false),
            (" a", false),
            ("a\n", false),
            ("a\tb", false),
        ] {
            assert_eq!(parse_last_event_id(raw).is_ok(), want, "{raw:?}");
        }
    }
}
