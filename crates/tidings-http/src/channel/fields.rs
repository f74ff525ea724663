//! What publishers and readers write into a request, checked one by one: topics, ids, types, keys.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use tidings_core::IdempotencyKey;
use tidings_topic::{Selector, SelectorError, Topic};
use tidings_wire::{EventId, EventType};

use crate::mercure;
use crate::problem::Fault;
use crate::query::path_text;
use crate::time_text::parse_duration;

/// The topic that the path names, decoded; nothing for `/events` itself.
///
/// # Errors
/// A [`Fault`] when its escapes or its UTF-8 are bad.
pub(super) fn path_topic(path: &str) -> Result<Option<Cow<'_, str>>, Fault> {
    match path.strip_prefix("/events/") {
        Some(raw) => path_text("topic", raw).map(Some),
        None => Ok(None),
    }
}

/// The topic of a request that is about a single one: in its path, else in its query, else `default`.
///
/// # Errors
/// A [`Fault`] when both are given and differ, or when it is no topic.
pub(super) fn single_topic(in_path: Option<&str>, in_query: Option<&str>) -> Result<Topic, Fault> {
    match (in_path, in_query) {
        (Some(path), Some(query)) if path != query => {
            let fault =
                Fault::new("topic", "the path and the parameter name different topics", "the topic in one place");
            Err(fault.with_value(query))
        }
        (Some(raw), _) | (None, Some(raw)) => parse_own_topic(raw),
        (None, None) => Ok(Topic::default_topic()),
    }
}

/// A topic whose events its publishers decide. Those of Mercure's active subscriptions are the hub's.
pub(super) fn parse_own_topic(raw: &str) -> Result<Topic, Fault> {
    let topic = parse_topic(raw)?;
    if raw.contains(mercure::PATH) {
        let fault = Fault::new(
            "topic",
            "the hub alone publishes on Mercure's own topics",
            format!("none with {}", mercure::PATH),
        );
        return Err(fault.with_value(raw));
    }
    Ok(topic)
}

pub(super) fn parse_topic(raw: &str) -> Result<Topic, Fault> {
    Topic::parse(raw).map_err(|error| fault("topic", raw, &error, TOPIC_FORM))
}

pub(super) fn parse_selector(raw: &str) -> Result<Selector, Fault> {
    Selector::parse(raw).map_err(|error| {
        let expected = if matches!(error, SelectorError::Text(_)) { TOPIC_FORM } else { PATTERN_FORM };
        fault("topic", raw, &error, expected)
    })
}

/// The type of an event that is published: not one of the hub's own.
pub(super) fn parse_published_type(raw: &str) -> Result<EventType, Fault> {
    if raw.starts_with("tidings.") {
        return Err(Fault::new("type", "types that begin with tidings. are the hub's own", TYPE_FORM).with_value(raw));
    }
    parse_type("type", raw)
}

pub(super) fn parse_type(field: &'static str, raw: &str) -> Result<EventType, Fault> {
    EventType::parse(raw).map_err(|error| fault(field, raw, &error, TYPE_FORM))
}

pub(super) fn parse_id(raw: &str) -> Result<EventId, Fault> {
    EventId::parse(raw).map_err(|error| fault("id", raw, &error, ID_FORM))
}

pub(super) fn parse_ttl(raw: &str) -> Result<Duration, Fault> {
    parse_duration(raw).ok_or_else(|| Fault::new("ttl", "the value is no duration", TTL_FORM).with_value(raw))
}

/// A publisher's idempotency key, given in `field`. Whose it is, the caller says.
pub(super) fn parse_key(field: &'static str, raw: &[u8]) -> Result<IdempotencyKey, Fault> {
    let is_visible = raw.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(raw) {
        Ok(key) if is_visible && (1..=KEY_BYTES_MAX).contains(&raw.len()) => {
            Ok(IdempotencyKey { subject: "".into(), key: key.into() })
        }
        _ => Err(Fault::new(field, "the key has another form", KEY_FORM).with_value(&String::from_utf8_lossy(raw))),
    }
}

pub(super) const RETRY_FORM: &str = "a whole number of milliseconds";
pub(super) const TTL_FORM: &str = "a whole number and its unit: ms, s, m, h or d, as in 10m";

const TOPIC_FORM: &str = "1 to 4096 bytes of UTF-8 without control characters";
const PATTERN_FORM: &str = "a topic, or a pattern with '*' for one segment or '**' for all that follow";
const ID_FORM: &str = "1 to 1024 bytes without control characters or outer spaces, and not of the hub's own form";
const TYPE_FORM: &str = "1 to 1024 bytes without control characters or outer spaces, and not tidings.…";
const KEY_FORM: &str = "1 to 255 visible ASCII characters";
const KEY_BYTES_MAX: usize = 255;

fn fault(field: &'static str, raw: &str, error: &impl Display, expected: &'static str) -> Fault {
    let text = error.to_string();
    // These errors name what is expected themselves; the answer has a place of its own for it.
    let detail = text.split_once("; expected").map_or(&*text, |(detail, _)| detail);
    Fault::new(field, detail.to_owned(), expected).with_value(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_topic(in_path: Option<&str>, in_query: Option<&str>, want: Option<&str>) {
        let got = single_topic(in_path, in_query);
        assert_eq!(got.as_ref().ok().map(Topic::as_str), want, "{in_path:?} {in_query:?}");
        assert!(got.err().is_none_or(|fault| fault.field == "topic"));
    }

    #[test]
    fn a_publication_has_one_topic() {
        check_topic(None, None, Some("default"));
        check_topic(Some("chat/42"), None, Some("chat/42"));
        check_topic(None, Some("chat/42"), Some("chat/42"));
        check_topic(Some("a"), Some("a"), Some("a"));
        check_topic(Some("a"), Some("b"), None);
        check_topic(Some(""), None, None);
        check_topic(None, Some(""), None);
        check_topic(Some("a\nb"), None, None);
        check_topic(None, Some("a/*"), Some("a/*"));
    }

    #[test]
    fn a_topic_in_a_path_is_percent_decoded() {
        let check = |path, want: Option<&str>| assert_eq!(path_topic(path).ok().flatten().as_deref(), want, "{path}");
        check("/events", None);
        check("/events/", Some(""));
        check("/events//", Some("/"));
        check("/events/chat/42", Some("chat/42"));
        check("/events/a%2Fb+c%20d", Some("a/b+c d"));
        assert!(path_topic("/events/%").is_err());
        assert!(path_topic("/events/%FF").is_err());
    }

    #[test]
    fn the_hubs_own_types_cannot_be_published() {
        for (raw, want) in [
            ("price", true),
            ("message", true),
            ("tidings", true),
            ("tidings.open", false),
            ("", false),
            ("a\nb", false),
        ] {
            assert_eq!(parse_published_type(raw).is_ok(), want, "{raw:?}");
        }
    }

    #[test]
    fn a_key_is_visible_ascii() {
        for (raw, want) in
            [("k", true), ("", false), ("a b", false), ("é", false), ("a\tb", false), ("\"quoted\"", true)]
        {
            assert_eq!(parse_key("key", raw.as_bytes()).is_ok(), want, "{raw:?}");
        }
        assert!(parse_key("key", &[b'k'; 255]).is_ok());
        assert!(parse_key("key", &[b'k'; 256]).is_err());
    }

    #[test]
    fn what_is_expected_is_said_once() {
        let fault = parse_id("a\nb").expect_err("a line feed would end the line");
        assert_eq!(
            (&*fault.detail, fault.value.as_deref()),
            ("event id holds the control character U+000A at byte 1", Some("a\nb"))
        );
        assert_eq!(fault.expected, ID_FORM);
    }
}
