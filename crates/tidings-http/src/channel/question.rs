//! What a reader asks for: topics, types, where to go on from. Parsed once; nothing is looked up here.

use std::sync::Arc;

use http::header::HeaderName;
use http::request::Parts;
use tidings_core::{Limit, OnReset, ResumeFrom, Timestamp, TypeFilter};
use tidings_topic::{Selector, SelectorSet, Topic};

use crate::channel::fields::{parse_selector, parse_topic, parse_type, path_topic};
use crate::problem::Fault;
use crate::query::{parameters, parse_flag, parse_number, set_once};
use crate::time_text::parse_since;

/// A reader's request, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) selectors: SelectorSet,
    pub(super) types: Option<TypeFilter>,
    /// Whether it wants the opening frame, if it says so.
    pub(super) prime: Option<bool>,
    /// Whether it is told the position and the topics of each event.
    pub(super) announces: bool,
    pub(super) from: ResumeFrom,
    pub(super) on_reset: OnReset,
}

impl Question {
    /// What `parts` ask for.
    ///
    /// # Errors
    /// A [`Fault`] that names the parameter.
    pub(super) fn parse(parts: &Parts, now: Timestamp, topics_max: usize) -> Result<Self, Fault> {
        let in_path = path_topic(parts.uri.path())?.map(|raw| parse_topic(&raw)).transpose()?;
        let mut selectors = Vec::new();
        let mut types = Vec::new();
        let (mut prime, mut announces, mut on_reset) = (None, None, None);
        let (mut last_event_id, mut last_event_id_mercure, mut since, mut last) = (None, None, None, None);
        let mut has_ticket = false;
        for parameter in parameters(parts.uri.query()) {
            let (name, value) = parameter?;
            match &*name {
                "ticket" => has_ticket = true,
                "topic" => {
                    if selectors.len() + usize::from(in_path.is_some()) >= topics_max {
                        return Err(Fault::new(
                            "topic",
                            "the request has too many topics",
                            format!("at most {topics_max}"),
                        )
                        .over(Limit::TopicsPerConnection));
                    }
                    selectors.push(parse_selector(&value)?);
                }
                "types" => {
                    for name in value.split(',') {
                        types.push(parse_type("types", name)?);
                    }
                }
                "prime" => set_once(&mut prime, "prime", parse_flag("prime", &value)?)?,
                "announce" => set_once(&mut announces, "announce", parse_flag("announce", &value)?)?,
                "on_reset" => set_once(&mut on_reset, "on_reset", parse_on_reset(&value)?)?,
                "lastEventID" => set_once(&mut last_event_id, "lastEventID", value)?,
                "last_event_id" => set_once(&mut last_event_id_mercure, "last_event_id", value)?,
                "since" => set_once(&mut since, "since", parse_since(&value, now)?)?,
                "last" => set_once(&mut last, "last", parse_number("last", &value, "a whole number of events")?)?,
                _ => {} // a page may add what it likes, such as a number against caches
            }
        }
        if has_ticket && (in_path.is_some() || !selectors.is_empty()) {
            return Err(Fault::new("topic", "the ticket has topics of its own", "no topic beside a ticket"));
        }
        let in_query = [last_event_id, last_event_id_mercure].into_iter().flatten();
        let from = last_event_id_header(parts)
            .or_else(|| in_query.map(|id| Arc::from(&*id)).find(is_given))
            .map(ResumeFrom::EventId)
            .or(since)
            .or(last.map(ResumeFrom::Last))
            .unwrap_or(ResumeFrom::Live);
        Ok(Self {
            selectors: to_set(in_path, selectors),
            types: TypeFilter::new(types),
            prime,
            announces: announces.unwrap_or(false),
            from,
            on_reset: on_reset.unwrap_or_default(),
        })
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An `EventSource` sends its id as UTF-8 bytes. Other bytes were never an id: made readable, they get their verdict.
fn last_event_id_header(parts: &Parts) -> Option<Arc<str>> {
    let header = parts.headers.get(LAST_EVENT_ID)?;
    Some(Arc::from(&*String::from_utf8_lossy(header.as_bytes()))).filter(is_given)
}

fn is_given(id: &Arc<str>) -> bool {
    !id.is_empty()
}

fn parse_on_reset(value: &str) -> Result<OnReset, Fault> {
    match value {
        "live" => Ok(OnReset::Live),
        "oldest" => Ok(OnReset::Oldest),
        _ => Err(Fault::new("on_reset", "the value is no place to go on from", "live or oldest").with_value(value)),
    }
}

fn to_set(in_path: Option<Topic>, mut selectors: Vec<Selector>) -> SelectorSet {
    match in_path {
        Some(topic) if selectors.is_empty() => SelectorSet::one(topic),
        Some(topic) => {
            selectors.push(Selector::exact(topic));
            SelectorSet::new(selectors).expect("the path's topic is in it")
        }
        None => SelectorSet::new(selectors).unwrap_or_else(|| SelectorSet::one(Topic::default_topic())),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000_000);

    fn ask(uri: &str, last_event_id: Option<&[u8]>) -> Result<Question, Fault> {
        let mut request = Request::get(uri).body(()).expect("a good request");
        if let Some(id) = last_event_id {
            request.headers_mut().insert(LAST_EVENT_ID, HeaderValue::from_bytes(id).expect("a good header"));
        }
        Question::parse(&request.into_parts().0, NOW, 3)
    }

    fn check_topics(uri: &str, want: &[&str]) {
        let question = ask(uri, None).unwrap_or_else(|fault| panic!("{uri}: {fault:?}"));
        assert_eq!(question.selectors.iter().map(ToString::to_string).collect::<Vec<_>>(), want, "{uri}");
    }

    fn check_from(uri: &str, last_event_id: Option<&[u8]>, want: &ResumeFrom) {
        assert_eq!(
            ask(uri, last_event_id).as_ref().map(|question| &question.from),
            Ok(want),
            "{uri} {last_event_id:?}"
        );
    }

    fn check_fault(uri: &str, field: &str) {
        assert_eq!(ask(uri, None).map_err(|fault| fault.field.into_owned()), Err(field.to_owned()), "{uri}");
    }

    fn id(text: &str) -> ResumeFrom {
        ResumeFrom::EventId(text.into())
    }

    #[test]
    fn topics_come_from_the_path_and_the_query() {
        check_topics("/events", &["default"]);
        check_topics("/events?x=1", &["default"]);
        check_topics("/events/chat/42", &["chat/42"]);
        check_topics("/events/chat/*", &["chat/*"]);
        check_topics("/events?topic=chat/*&topic=news", &["news", "chat/*"]);
        check_topics("/events/news?topic=a%2Bb", &["a+b", "news"]);
        check_topics("/events?topic=a&topic=a&topic=a", &["a"]);
    }

    #[test]
    fn a_path_is_never_a_pattern() {
        let question = ask("/events/chat/*", None).expect("a star is a character");
        assert!(!question.selectors.has_patterns());
    }

    #[test]
    fn where_to_go_on_from_has_an_order() {
        check_from("/events", None, &ResumeFrom::Live);
        check_from("/events?lastEventID=q&since=earliest&last=3", Some(b"h"), &id("h"));
        check_from("/events?lastEventID=q&last_event_id=m&since=earliest", Some(b""), &id("q"));
        check_from("/events?lastEventID=&last_event_id=m", None, &id("m"));
        check_from("/events?last_event_id=m&lastEventID=q", None, &id("q"));
        check_from("/events?lastEventID=&since=earliest&last=3", None, &ResumeFrom::Earliest);
        check_from("/events?last=3", None, &ResumeFrom::Last(3));
        let at = Timestamp::from_millis(999_999_400_000);
        check_from("/events?since=10m&last=3", None, &ResumeFrom::Since { at, requested: "10m".into() });
    }

    #[test]
    fn a_last_event_id_is_read_as_bytes() {
        check_from("/events", Some("é 🦀".as_bytes()), &id("é 🦀"));
        check_from("/events", Some(b"a\xFFb"), &id("a\u{fffd}b"));
    }

    #[test]
    fn a_fault_names_its_parameter() {
        check_fault("/events/", "topic");
        check_fault("/events/%FF", "topic");
        check_fault("/events?topic=", "topic");
        check_fault("/events?topic=a*", "topic");
        check_fault("/events?topic=%zz", "topic");
        check_fault("/events?topic=1&topic=2&topic=3&topic=4", "topic");
        check_fault("/events/0?topic=1&topic=2&topic=3", "topic");
        check_fault("/events?types=", "types");
        check_fault("/events?types=a,,b", "types");
        check_fault("/events?since=yesterday", "since");
        check_fault("/events?since=1m&since=2m", "since");
        check_fault("/events?last=-1", "last");
        check_fault("/events?last=", "last");
        check_fault("/events?prime=maybe", "prime");
        check_fault("/events?on_reset=", "on_reset");
        check_fault("/events?lastEventID=a&lastEventID=b", "lastEventID");
        check_fault("/events?lastEventID=%", "lastEventID");
    }

    #[test]
    fn the_rest_is_as_asked() {
        let question = ask("/events?types=a,b&types=c&prime=0&on_reset=live", None).expect("all good");
        let types = ["a", "b", "c"].map(|name| parse_type("types", name).expect("a good type"));
        assert_eq!(question.types, TypeFilter::new(types));
        assert_eq!((question.prime, question.on_reset), (Some(false), OnReset::Live));
        let plain = ask("/events", None).expect("all good");
        assert_eq!((plain.types, plain.prime, plain.on_reset), (None, None, OnReset::Oldest));
    }
}
