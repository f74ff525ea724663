//! What is followed: topics of a hub, or a URL given whole.

use std::time::Duration;

use tidings_client::{EventSource, EventSourceBuilder};

use crate::cmd::remote::RemoteFlags;
use crate::exit::Failure;
use crate::http_client::encode;

/// The source that the arguments name.
///
/// # Errors
/// A [`Failure`] when a URL does not stand alone.
pub(super) fn of(topics: &[String], since: Option<&str>, remote: &RemoteFlags) -> Result<EventSourceBuilder, Failure> {
    let url = url(topics, since, remote)?;
    let mut source = EventSource::get(url)
        .header("user-agent", concat!("tidings/", env!("CARGO_PKG_VERSION")))
        .retry(RETRY_DEFAULT)
        .backoff_max(BACKOFF_MAX)
        // A person who follows a hub that restarts wants to go on, whatever a browser would do.
        .retry_refusals(true);
    if let Some(token) = &remote.token {
        source = source.header("authorization", token.header().clone());
    }
    Ok(source)
}

/// As long as the hub's own default. (The standard: "a few seconds".)
const RETRY_DEFAULT: Duration = Duration::from_secs(2);
/// Beyond it waiting spares nobody anything. A server that asks for longer gets longer.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

fn url(topics: &[String], since: Option<&str>, remote: &RemoteFlags) -> Result<String, Failure> {
    if !topics.iter().any(|topic| is_url(topic)) {
        let hub = &remote.hub;
        return Ok(format!("{}{}", hub.origin(), hub.below(&hub_target(topics, since))));
    }
    let [url] = topics else {
        return Err(Failure::usage("a URL is followed alone; expected one URL, or topics of one hub"));
    };
    if since.is_some() {
        return Err(Failure::usage(
            "--since is a parameter of a hub's topics; expected it in the URL, as in ?since=10m",
        ));
    }
    Ok(url.clone())
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
    use super::*;
    use crate::cmd::remote::with_causes;
    use crate::http_client::{HttpUrl, Token};

    fn made(topics: &[&str], since: Option<&str>, hub: &str) -> Result<String, String> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let remote = RemoteFlags { hub: HttpUrl::parse(hub).expect("a URL"), token: Token::parse("t").ok() };
        let source = of(&topics, since, &remote).map_err(|failure| failure.to_string())?;
        source.build().map(|source| source.url().to_string()).map_err(|error| with_causes(&error))
    }

    #[test]
    fn topics_are_asked_of_the_hub_with_its_position_and_a_url_as_it_is() {
        let check = |topics: &[&str], since: Option<&str>, want: &str| {
            assert_eq!(made(topics, since, "http://hub.example:3000/live/").as_deref(), Ok(want), "{topics:?}");
        };
        let events = "http://hub.example:3000/live/events?prime=1";
        check(&["default"], None, &format!("{events}&topic=default"));
        check(&["a b", "chat/*"], None, &format!("{events}&topic=a%20b&topic=chat/%2A"));
        check(&["a"], Some("10m"), &format!("{events}&topic=a&since=10m"));
        let time = Some("2026-11-23T20:00:00+01:00");
        check(&["a"], time, &format!("{events}&topic=a&since=2026-11-23T20%3A00%3A00%2B01%3A00"));
        check(&["http://other.example/s?x=y"], None, "http://other.example/s?x=y");
        check(&["HTTPS://other.example"], None, "https://other.example/");
        check(&["urn:isbn:42"], None, &format!("{events}&topic=urn%3Aisbn%3A42"));
        let secure = made(&["a"], None, "https://hub.example");
        assert_eq!(secure.as_deref(), Ok("https://hub.example/events?prime=1&topic=a"));
    }

    #[test]
    fn a_url_stands_alone() {
        for (topics, since, want) in [
            (&["http://a", "b"][..], None, "one URL"),
            (&["b", "http://a"], None, "one URL"),
            (&["http://a", "http://b"], None, "one URL"),
            (&["http://a"], Some("10m"), "?since=10m"),
            (&["http://a:port/"], None, "cannot be parsed"),
        ] {
            let error = made(topics, since, "http://h").expect_err("not together");
            assert!(error.contains(want), "{topics:?}: {error}");
        }
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
