//! What a publisher's form says. Parsed once; who may publish it is not asked here.

use std::borrow::Cow;
use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use tidings_core::Publication;
use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};
use url::Url;

use crate::mercure::dialect::{Dialect, find_unseen};
use crate::mercure::form::pairs;
use crate::mercure::place::PATH;
use crate::mercure::rejection::Rejection;

/// An update, as Mercure calls what is published.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Update {
    /// The canonical topic first, each once.
    pub(super) topics: Vec<Topic>,
    pub(super) data: String,
    pub(super) private: bool,
    pub(super) id: Option<EventId>,
    pub(super) event_type: Option<EventType>,
    /// Never 0: that stands for none.
    pub(super) retry_ms: Option<u64>,
}

/// How much a form may say.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpdateLimits {
    pub(super) topics_max: usize,
    pub(super) data_bytes_max: usize,
}

impl Update {
    /// What `form` says by the rules of `dialect`.
    ///
    /// # Errors
    /// A [`Rejection`] that names the field.
    pub(super) fn parse(form: &[u8], dialect: Dialect, limits: UpdateLimits) -> Result<Self, Rejection> {
        let raw = RawUpdate::gather(form)?;
        if raw.topics.is_empty() {
            return Err(Rejection::NoTopic);
        }
        if raw.topics.len() > limits.topics_max {
            return Err(Rejection::TooMany { max: limits.topics_max });
        }
        let retry_ms = raw.retry.as_deref().filter(|value| !value.is_empty()).map(parse_retry).transpose()?;
        let mut topics = Vec::with_capacity(raw.topics.len());
        for topic in &raw.topics {
            topics.push(parse_topic(topic, dialect)?);
        }
        let mut seen = HashSet::new();
        topics.retain(|topic| seen.insert(topic.clone()));
        let data = raw.data.unwrap_or_default();
        if data.len() > limits.data_bytes_max {
            return Err(Rejection::TooLarge { bytes_max: limits.data_bytes_max });
        }
        let data = String::from_utf8(data.into_owned())
            .map_err(|error| Rejection::invalid("data", &format_args!("{}; expected UTF-8", error.utf8_error())))?;
        Ok(Self {
            topics,
            data,
            private: raw.private,
            id: raw.id.filter(|value| !value.is_empty()).map(|value| parse_id(&value, dialect)).transpose()?,
            event_type: raw
                .event_type
                .filter(|value| !value.is_empty())
                .map(|value| parse_type(&value, dialect))
                .transpose()?,
            retry_ms: retry_ms.filter(|retry_ms| *retry_ms != 0),
        })
    }

    /// As it is given to the history, under `id` unless it brings its own.
    pub(super) fn into_publication(self, id: impl FnOnce() -> EventId) -> Publication {
        let mut topics = self.topics.into_iter();
        let canonical = topics.next().expect("an update has a topic");
        Publication {
            alternates: topics.collect(),
            event_type: self.event_type,
            id: Some(self.id.unwrap_or_else(id)),
            takes_any_id: true,
            retry_ms: self.retry_ms,
            private: self.private,
            ..Publication::new(canonical, self.data)
        }
    }
}

/// The fields as they came. Where one is given twice that has one value, the first counts.
#[derive(Default)]
struct RawUpdate<'a> {
    topics: Vec<Cow<'a, [u8]>>,
    data: Option<Cow<'a, [u8]>>,
    private: bool,
    id: Option<Cow<'a, [u8]>>,
    event_type: Option<Cow<'a, [u8]>>,
    retry: Option<Cow<'a, [u8]>>,
}

impl<'a> RawUpdate<'a> {
    fn gather(form: &'a [u8]) -> Result<Self, Rejection> {
        let mut raw = Self::default();
        for pair in pairs(form) {
            let (name, value) = pair?;
            match &*name {
                b"topic" => raw.topics.push(value),
                b"data" => raw.data = raw.data.or(Some(value)),
                b"private" => raw.private = true,
                b"id" => raw.id = raw.id.or(Some(value)),
                b"type" => raw.event_type = raw.event_type.or(Some(value)),
                b"retry" => raw.retry = raw.retry.or(Some(value)),
                _ => {}
            }
        }
        Ok(raw)
    }
}

fn parse_topic(raw: &[u8], dialect: Dialect) -> Result<Topic, Rejection> {
    let text = utf8("topic", raw)?;
    if is_reserved(text, dialect) {
        return Err(Rejection::ReservedTopic);
    }
    if dialect == Dialect::One && text == "*" {
        return Err(Rejection::invalid("topic", &"\"*\" stands for all topics; expected one topic"));
    }
    check_seen("topic", text, dialect)?;
    Topic::parse(text).map_err(|error| Rejection::invalid("topic", &error))
}

/// Is this a topic on which the hub itself publishes who is subscribed?
fn is_reserved(topic: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Zero => topic.contains(PATH),
        // Escapes and dot segments do not hide it.
        Dialect::One => resolved_path(topic)
            .is_some_and(|path| path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))),
    }
}

/// The path that `topic` has as an address beside the hub's, decoded; nothing when it is no address.
fn resolved_path(topic: &str) -> Option<String> {
    let base = Url::parse("https://hub.invalid/.well-known/mercure").expect("a plain address");
    let path = base.join(topic).ok()?.path().to_owned();
    Some(percent_decode_str(&path).decode_utf8_lossy().into_owned())
}

fn parse_id(raw: &[u8], dialect: Dialect) -> Result<EventId, Rejection> {
    let text = utf8("id", raw)?;
    check_seen("id", text, dialect)?;
    if dialect == Dialect::One && (text == "earliest" || text.starts_with('#')) {
        return Err(Rejection::invalid(
            "id",
            &"\"earliest\" and what begins with '#' are reserved; expected another id",
        ));
    }
    EventId::parse(text).map_err(|error| Rejection::invalid("id", &error))
}

fn parse_type(raw: &[u8], dialect: Dialect) -> Result<EventType, Rejection> {
    let text = utf8("type", raw)?;
    check_seen("type", text, dialect)?;
    if text.starts_with("tidings.") || dialect == Dialect::One && text == "mercure" {
        return Err(Rejection::invalid("type", &"it is one of the hub's own; expected another type"));
    }
    EventType::parse(text).map_err(|error| Rejection::invalid("type", &error))
}

fn parse_retry(raw: &[u8]) -> Result<u64, Rejection> {
    let is_plain = raw.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(raw).ok().filter(|_| is_plain);
    text.and_then(|text| text.parse().ok()).ok_or(Rejection::Retry)
}

fn utf8<'a>(field: &'static str, raw: &'a [u8]) -> Result<&'a str, Rejection> {
    std::str::from_utf8(raw).map_err(|error| Rejection::invalid(field, &format_args!("{error}; expected UTF-8")))
}

fn check_seen(field: &'static str, text: &str, dialect: Dialect) -> Result<(), Rejection> {
    match find_unseen(text).filter(|_| dialect == Dialect::One) {
        Some((at, character)) => {
            let code = u32::from(character);
            Err(Rejection::invalid(
                field,
                &format_args!("it has U+{code:04X} at byte {at}; expected characters that are seen"),
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use Dialect::{One, Zero};

    use super::*;

    const LIMITS: UpdateLimits = UpdateLimits { topics_max: 3, data_bytes_max: 8 };

    /// What becomes of a form: `ok`, or the status and field of its refusal.
    fn outcome(form: &str, dialect: Dialect) -> String {
        match Update::parse(form.as_bytes(), dialect, LIMITS) {
            Ok(_) => "ok".into(),
            Err(Rejection::Invalid { field, .. }) => format!("400 {field}"),
            Err(rejection) => rejection.answer(dialect, http::Version::HTTP_11, "").status().as_u16().to_string(),
        }
    }

    #[track_caller]
    fn check(form: &str, zero: &str, one: &str) {
        assert_eq!((&*outcome(form, Zero), &*outcome(form, One)), (zero, one), "{form:?}");
    }

    #[test]
    fn what_both_take() {
        for form in [
            "topic=a",
            "topic=a&data=x",
            "topic=https%3A%2F%2Fexample.com%2Fbooks%2F1&topic=b&topic=c",
            "topic=a&private&id=urn:uuid:x&type=t&retry=5",
            "topic=a&id=&type=&retry=&private=no",
            "topic=a&retry=0",
            "topic=a&retry=18446744073709551615",
            "topic=a&data=%0D%0A%00",
            "topic=a&unknown=%FF",
            "topic=a&data=12345678",
            "topic=/.well-known/other",
            "topic=a&id=hofviclf64r9-17",
        ] {
            check(form, "ok", "ok");
        }
    }

    #[test]
    fn what_neither_takes() {
        check("", "400", "400");
        check("data=x", "400", "400");
        check("topic=%zz", "400", "400");
        check("topic=a;data=x", "400", "400");
        check("topic=", "400 topic", "400"); // beside the hub an empty address is the hub
        check("topic=a%00", "400 topic", "400 topic");
        check("topic=%FF", "400 topic", "400 topic");
        check("topic=a&topic=b&topic=c&topic=d", "400", "400");
        check("topic=a&id=x%0Ay", "400 id", "400 id");
        check("topic=a&id=%00", "400 id", "400 id");
        check("topic=a&type=x%0Dy", "400 type", "400 type");
        check("topic=a&type=tidings.open", "400 type", "400 type");
        check("topic=a&data=%FF", "400 data", "400 data");
        check("topic=a&data=123456789", "413", "413");
        for retry in ["abc", "-1", "%2B5", "+5", "18446744073709551616", "1.5", "%D9%A1"] {
            check(&format!("topic=a&retry={retry}"), "400", "400");
        }
    }

    #[test]
    fn where_they_differ() {
        check("topic=*", "ok", "400 topic");
        check("topic=a%E2%80%8B", "ok", "400 topic");
        check("topic=a&id=%23x", "ok", "400 id");
        check("topic=a&id=earliest", "ok", "400 id");
        check("topic=a&id=a%C2%ADb", "ok", "400 id");
        check("topic=a&type=mercure", "ok", "400 type");
        check("topic=/.well-known/mercure/subscriptions/x", "403", "400");
        check("topic=/.well-known/mercure", "403", "400");
        check("topic=https://h/.well-known/mercure", "403", "400");
        check("topic=a/.well-known/mercureX", "403", "ok");
        check("topic=/.well-known/%256Dercure", "ok", "400");
        check("topic=/.well-known/x/../mercure", "ok", "400");
        check("topic=mercure", "ok", "400");
        check("topic=a&topic=/.well-known/mercure", "403", "400");
    }

    #[test]
    fn the_first_topic_is_the_canonical_one_and_each_is_there_once() {
        let form = b"topic=b&topic=a&topic=b&id=i&id=j&data=x&data=y&retry=0&type=t";
        let update = Update::parse(form, Zero, LIMITS).expect("a good form");
        let publication = update.into_publication(|| panic!("it brings an id"));
        assert_eq!(publication.topic.as_str(), "b");
        assert_eq!(publication.alternates.iter().map(Topic::as_str).collect::<Vec<_>>(), ["a"]);
        assert_eq!(publication.id.as_ref().map(EventId::as_str), Some("i"));
        assert_eq!((&*publication.data, publication.retry_ms), ("x", None));
        assert!(publication.takes_any_id && !publication.private);
    }

    #[test]
    fn any_form_is_an_update_or_is_refused() {
        bolero::check!().with_iterations(4_000).with_max_len(128).for_each(|input: &[u8]| {
            const PARTS: &[&[u8]] = &[
                b"topic=",
                b"&",
                b"data=",
                b"id=",
                b"type=",
                b"retry=",
                b"private",
                b"%0A",
                b"%FF",
                b"*",
                b"earliest",
                b"/.well-known/mercure",
                b"%2e%2e/",
                b"18446744073709551615",
                b"%E2%80%8B",
                b"#",
            ];
            let form: Vec<u8> = input
                .iter()
                .flat_map(|byte| PARTS.get(usize::from(byte % 24)).map_or(std::slice::from_ref(byte), |part| *part))
                .copied()
                .collect();
            for dialect in [Zero, One] {
                let Ok(update) = Update::parse(&form, dialect, LIMITS) else { continue };
                assert!(!update.topics.is_empty() && update.topics.len() <= LIMITS.topics_max);
                assert!(update.data.len() <= LIMITS.data_bytes_max && update.retry_ms != Some(0));
                assert!(update.topics.iter().all(|topic| !is_reserved(topic.as_str(), dialect)));
            }
        });
    }
}
