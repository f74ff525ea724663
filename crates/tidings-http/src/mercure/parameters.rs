//! What a subscriber asks for: which topics, by the rules of which dialect, and where to go on from. Parsed once; nothing
//! is looked up here.

use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderName;
use tidings_core::{OnReset, ResumeFrom};
use tidings_topic::{Selector, SelectorSet};

use crate::mercure::dialect::{Dialect, find_unseen, is_matcher_name};
use crate::mercure::form::pairs;
use crate::mercure::rejection::Rejection;

/// A subscriber's request, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// How its topics are matched.
    pub(super) dialect: Dialect,
    /// What it named, each once, in its order.
    pub(super) matchers: Vec<Matcher>,
    pub(super) selectors: SelectorSet,
    pub(super) cursor: Cursor,
    /// What it gets when it cannot go on there. Plain channels have the same parameter; Mercure has none.
    pub(super) on_reset: OnReset,
}

/// One of the things that it named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Matcher {
    pub(super) kind: MatcherKind,
    pub(super) text: Arc<str>,
}

/// How a text is matched with topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum MatcherKind {
    /// 0.x: by its bytes, else as a template.
    Topic,
    /// 1.0: by its bytes.
    Exact,
    /// 1.0: as a URL pattern.
    UrlPattern,
}

/// Where it wants to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// It says nothing.
    Unsaid,
    /// It says it with an empty text.
    Empty,
    /// All there is.
    Earliest,
    /// After the event with this id.
    After(Arc<str>),
}

/// How much a request may name.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuestionLimits {
    /// 0.x topics.
    pub(super) topics_max: usize,
}

/// Most matchers of a 1.0 subscriber.
pub(super) const MATCHERS_MAX: usize = 100;

impl Question {
    /// What a query and a form ask together. `fallback` is the dialect of one that names nothing; `hub_url` is what
    /// relative patterns are relative to.
    ///
    /// # Errors
    /// A [`Rejection`], and the dialect that it belongs to.
    pub(super) fn parse(
        headers: &HeaderMap,
        query: &[u8],
        form: &[u8],
        fallback: Dialect,
        hub_url: &str,
        limits: QuestionLimits,
    ) -> Result<Self, (Rejection, Dialect)> {
        let named = Named::gather(query, form).map_err(|rejection| (rejection, fallback))?;
        let dialect = named.dialect().unwrap_or(fallback);
        let (matchers, selectors) =
            named.selectors(dialect, hub_url, limits).map_err(|rejection| (rejection, dialect))?;
        Ok(Self { dialect, matchers, selectors, cursor: named.cursor(headers), on_reset: named.on_reset })
    }
}

impl Cursor {
    fn of(text: &str) -> Self {
        match text {
            "" => Self::Empty,
            "earliest" => Self::Earliest,
            id => Self::After(id.into()),
        }
    }

    /// As the history is asked.
    pub(super) fn resume_from(&self) -> ResumeFrom {
        match self {
            Self::Unsaid | Self::Empty => ResumeFrom::Live,
            Self::Earliest => ResumeFrom::Earliest,
            Self::After(id) => ResumeFrom::EventId(Arc::clone(id)),
        }
    }
}

/// The parameters as they came, decoded.
#[derive(Default)]
struct Named {
    topics: Vec<Vec<u8>>,
    /// With their names.
    matchers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The values of the three names that it can have, in the order in which they count.
    cursors: [Option<Vec<u8>>; CURSOR_NAMES.len()],
    on_reset: OnReset,
}

/// 0.x's, 1.0's, and that of drafts before them.
const CURSOR_NAMES: [&[u8]; 3] = [b"lastEventID", b"last_event_id", b"Last-Event-ID"];
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl Named {
    fn gather(query: &[u8], form: &[u8]) -> Result<Self, Rejection> {
        let mut named = Self::default();
        // The query first: of a parameter that has one value, its first counts.
        for pair in pairs(query).chain(pairs(form)) {
            let (name, value) = pair?;
            if &*name == b"topic" {
                named.topics.push(value.into_owned());
            } else if is_matcher_name(&name) {
                named.matchers.push((name.into_owned(), value.into_owned()));
            } else if let Some(which) = CURSOR_NAMES.iter().position(|cursor| *cursor == &*name) {
                named.cursors[which].get_or_insert(value.into_owned());
            } else if &*name == b"on_reset" && &*value == b"live" {
                named.on_reset = OnReset::Live;
            }
        }
        Ok(named)
    }

    /// The one that its names belong to, if they say so. Both kinds together are 1.0's, which refuses the other.
    fn dialect(&self) -> Option<Dialect> {
        match (self.topics.is_empty(), self.matchers.is_empty()) {
            (_, false) => Some(Dialect::One),
            (false, true) => Some(Dialect::Zero),
            (true, true) => None,
        }
    }

    fn cursor(&self, headers: &HeaderMap) -> Cursor {
        // An `EventSource` sends its id as UTF-8 bytes. Other bytes were never an id.
        let header = headers.get(LAST_EVENT_ID).map(http::HeaderValue::as_bytes);
        let said: Vec<&[u8]> = header.into_iter().chain(self.cursors.iter().flatten().map(Vec::as_slice)).collect();
        match said.iter().find(|text| !text.is_empty()) {
            Some(text) => Cursor::of(&String::from_utf8_lossy(text)),
            None if said.is_empty() => Cursor::Unsaid,
            None => Cursor::Empty,
        }
    }

    fn selectors(
        &self,
        dialect: Dialect,
        hub_url: &str,
        limits: QuestionLimits,
    ) -> Result<(Vec<Matcher>, SelectorSet), Rejection> {
        let matchers = match dialect {
            Dialect::Zero => self.topics(limits.topics_max)?,
            Dialect::One => self.matchers()?,
        };
        let mut selectors = Vec::with_capacity(matchers.len());
        for matcher in &matchers {
            selectors.push(matcher.selector(hub_url)?);
        }
        let selectors = SelectorSet::new(selectors).ok_or(Rejection::NoSelector)?;
        Ok((matchers, selectors))
    }

    fn topics(&self, max: usize) -> Result<Vec<Matcher>, Rejection> {
        if self.topics.len() > max {
            return Err(Rejection::TooMany { max });
        }
        let matchers = self.topics.iter().map(|raw| {
            let text = utf8("topic", raw)?;
            Ok(Matcher { kind: MatcherKind::Topic, text: text.into() })
        });
        matchers.collect::<Result<Vec<_>, _>>().map(each_once)
    }

    fn matchers(&self) -> Result<Vec<Matcher>, Rejection> {
        if !self.topics.is_empty() && !self.matchers.is_empty() {
            let detail = "it belongs to Mercure 0.x, the others to 1.0; expected those of one of them";
            return Err(Rejection::invalid("topic", &detail));
        }
        if self.matchers.len() > MATCHERS_MAX {
            return Err(Rejection::TooMany { max: MATCHERS_MAX });
        }
        let matchers = self.matchers.iter().map(|(name, raw)| {
            let kind = match &**name {
                b"match" | b"match_exact" => MatcherKind::Exact,
                b"match_urlpattern" => MatcherKind::UrlPattern,
                _ => {
                    let name = String::from_utf8_lossy(name).into_owned();
                    return Err(Rejection::invalid(crate::problem::cut(&name), &KINDS_EXPECTED));
                }
            };
            let text = utf8("match", raw)?;
            if let Some((at, character)) = find_unseen(text) {
                let code = u32::from(character);
                let detail = format_args!("it has U+{code:04X} at byte {at}; expected characters that are seen");
                return Err(Rejection::invalid(kind.parameter(), &detail));
            }
            Ok(Matcher { kind, text: text.into() })
        });
        matchers.collect::<Result<Vec<_>, _>>().map(each_once)
    }
}

const KINDS_EXPECTED: &str = "no such kind of matcher; expected match, match_exact or match_urlpattern";

impl Matcher {
    fn selector(&self, hub_url: &str) -> Result<Selector, Rejection> {
        let selector = match self.kind {
            MatcherKind::Topic => Selector::mercure_0(&self.text),
            MatcherKind::Exact => Selector::match_exact(&self.text),
            MatcherKind::UrlPattern => Selector::url_pattern(&self.text, hub_url),
        };
        selector.map_err(|error| Rejection::invalid(self.kind.parameter(), &error))
    }
}

impl MatcherKind {
    /// The parameter by which it is named.
    fn parameter(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Exact => "match",
            Self::UrlPattern => "match_urlpattern",
        }
    }
}

fn utf8<'a>(field: &'static str, raw: &'a [u8]) -> Result<&'a str, Rejection> {
    std::str::from_utf8(raw).map_err(|error| Rejection::invalid(field, &format_args!("{error}; expected UTF-8")))
}

fn each_once(matchers: Vec<Matcher>) -> Vec<Matcher> {
    let mut seen = std::collections::HashSet::new();
    matchers.into_iter().filter(|matcher| seen.insert(matcher.clone())).collect()
}

#[cfg(test)]
mod tests {
    use MatcherKind::{Exact, UrlPattern};
    use http::HeaderValue;

    use super::*;

    const LIMITS: QuestionLimits = QuestionLimits { topics_max: 3 };
    const HUB_URL: &str = "https://hub.example/.well-known/mercure";

    fn ask(header: Option<&[u8]>, query: &str, form: &str) -> Result<Question, (Rejection, Dialect)> {
        let header = header.map(|id| (LAST_EVENT_ID, HeaderValue::from_bytes(id).expect("a good header")));
        let headers = header.into_iter().collect();
        Question::parse(&headers, query.as_bytes(), form.as_bytes(), Dialect::Zero, HUB_URL, LIMITS)
    }

    fn after(id: &str) -> Cursor {
        Cursor::After(id.into())
    }

    #[test]
    fn a_cursor_has_an_order_of_places() {
        for (header, query, form, want) in [
            (None, "", "", Cursor::Unsaid),
            (Some(&b"h"[..]), "&lastEventID=q", "last_event_id=f", after("h")),
            (Some(b""), "&lastEventID=q", "", after("q")),
            (Some(b""), "&lastEventID=", "", Cursor::Empty),
            (None, "&last_event_id=m&lastEventID=q", "", after("q")),
            (None, "&Last-Event-ID=d&last_event_id=m", "", after("m")),
            (None, "&lastEventID=q", "lastEventID=f", after("q")),
            (None, "", "last_event_id=f", after("f")),
            (None, "&lastEventID=earliest", "", Cursor::Earliest),
            (Some("é 🦀".as_bytes()), "", "", after("é 🦀")),
            (Some(b"a\xFFb"), "", "", after("a\u{fffd}b")),
        ] {
            let question = ask(header, &format!("topic=a{query}"), form).expect("a good question");
            assert_eq!(question.cursor, want, "{header:?} {query} {form}");
        }
    }

    #[test]
    fn parameters_say_the_dialect() {
        for (query, form, want) in [
            ("topic=a", "", Ok(Dialect::Zero)),
            ("match=a", "", Ok(Dialect::One)),
            ("", "match_urlpattern=*", Ok(Dialect::One)),
            ("", "", Err(Dialect::Zero)),
            ("topic=a&match=b", "", Err(Dialect::One)),
            ("topic=a", "match_exact=b", Err(Dialect::One)),
            ("match_x=a", "", Err(Dialect::One)),
        ] {
            let got = ask(None, query, form).map(|question| question.dialect).map_err(|(_, dialect)| dialect);
            assert_eq!(got, want, "{query} {form}");
        }
    }

    #[test]
    fn what_is_named_twice_is_there_once() {
        let question = ask(None, "match=b&match=a&match_exact=b&match_urlpattern=b", "").expect("a good question");
        let named: Vec<_> = question.matchers.iter().map(|matcher| (matcher.kind, &*matcher.text)).collect();
        assert_eq!(named, [(Exact, "b"), (Exact, "a"), (UrlPattern, "b")]);
    }
}
