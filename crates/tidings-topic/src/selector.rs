//! What one `?topic=` asks for. Several of them together are a [`SelectorSet`](crate::SelectorSet).

use std::fmt;

use thiserror::Error;

use crate::excerpt::excerpt_around;
use crate::format_character::find_format_character;
use crate::glob::Glob;
use crate::template::Template;
use crate::topic::{Topic, TopicError, check_text};
use crate::url_pattern::UrlPattern;

/// Chooses topics: one by its name, or all that a pattern covers. A clone shares the text and what was made of it.
///
/// Exact selectors sort before patterns, each kind by its text (URL patterns by their base too), and so they are equal: two of a
/// kind that print the same are one, and an exact selector of the topic `a/*` and the pattern `a/*` are not.
///
/// | made by | takes |
/// |---|---|
/// | [`parse`](Selector::parse) | topics and globs, for plain channels |
/// | [`mercure_0`](Selector::mercure_0) | topics, URI templates and `*`, for Mercure 0.x |
/// | [`match_exact`](Selector::match_exact), [`url_pattern`](Selector::url_pattern) | topics, URL patterns and `*`, for Mercure 1.0 |
///
/// What comes from outside may be hostile: every kind is parsed within a limit of memory, and matched in time linear in the
/// topic, with a factor that the text's 4,096 bytes limit. See [`Template`] and [`UrlPattern`] for their numbers.
///
/// ```
/// use tidings_topic::Selector;
///
/// let typing = Selector::parse("chat/*/typing")?;
/// assert!(typing.matches("chat/42/typing"));
/// assert!(!typing.matches("chat/42"));
/// # Ok::<(), tidings_topic::SelectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    // `SelectorSet` relies on the order of the variants: exact topics come first.
    /// The topic itself and no other.
    Exact(Topic),
    /// All topics that the pattern of `*` and `**` covers.
    Glob(Glob),
    /// Every topic: what Mercure writes as `*`.
    Any,
    /// All topics that the URI template may expand to, and the topic that is its text.
    Template(Template),
    /// All topics that are URLs of the pattern.
    UrlPattern(UrlPattern),
}

/// Why a query value is not a selector. The caller sent it; each message says what came, where it fails and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// The text breaks a rule that topics and patterns share.
    #[error(transparent)]
    Text(#[from] TopicError),
    /// A `*` stands beside other characters.
    #[error(
        "selector {excerpt:?} has a '*' inside a segment at byte {at}; expected '*' or '**' as a whole segment, as in \"chat/*\""
    )]
    StarInSegment {
        /// At most 80 bytes of the selector, around the fault.
        excerpt: String,
        /// The first `*` of the segment. Unit: bytes.
        at: usize,
    },
    /// A `**` stands before the last segment.
    #[error(
        "selector {excerpt:?} has '**' before its end at byte {at}; expected '**' as the last segment only, as in \"chat/**\""
    )]
    TailNotLast {
        /// At most 80 bytes of the selector, around the fault.
        excerpt: String,
        /// The first `**`. Unit: bytes.
        at: usize,
    },
    /// A matcher of Mercure 1.0 has a format character (Unicode category Cf), which nobody sees.
    #[error("selector {excerpt:?} has the format character U+{:04X} at byte {at}; expected none", u32::from(*.character))]
    Format {
        /// At most 80 bytes of the selector, around the fault.
        excerpt: String,
        /// The first format character.
        character: char,
        /// Where it begins. Unit: bytes.
        at: usize,
    },
    /// The text is not a URI template.
    #[error("template {excerpt:?} fails at byte {at}; expected {expected}")]
    Template {
        /// At most 80 bytes of the template, around the fault.
        excerpt: String,
        /// Where the text stops to be a template's. Unit: bytes.
        at: usize,
        /// What could stand there.
        expected: &'static str,
    },
    /// The text is not a URL pattern.
    #[error("URL pattern {excerpt:?} is refused: {reason}")]
    UrlPattern {
        /// At most 80 bytes of the pattern: how it begins.
        excerpt: String,
        /// What is wrong with it, and what is expected.
        reason: String,
    },
}

impl Selector {
    /// Selects `topic` and no other, whatever stars it has (a path names a topic, never a pattern).
    pub fn exact(topic: Topic) -> Selector {
        Selector::Exact(topic)
    }

    /// Takes a query value, decoded already: a pattern if it has a `*`, else an exact topic.
    ///
    /// A segment that is `*` stands for one segment, a last segment that is `**` for any number; see [`Glob`].
    ///
    /// # Errors
    /// [`SelectorError`] when the text could not be a topic's, or when a `*` stands where it has no meaning.
    pub fn parse(raw: &str) -> Result<Selector, SelectorError> {
        check_text(raw)?;
        if raw.contains('*') { Ok(Selector::Glob(Glob::parse(raw)?)) } else { Ok(Selector::Exact(Topic::parse(raw)?)) }
    }

    /// Takes a topic selector of Mercure 0.x, decoded already: `*` is [`Selector::Any`], a URI template with at least one
    /// expression is a [`Selector::Template`], and everything else an exact topic, braces that make no template included.
    ///
    /// # Errors
    /// [`SelectorError::Text`] when the text could not be a topic's.
    ///
    /// ```
    /// use tidings_topic::Selector;
    ///
    /// let book = Selector::mercure_0("https://example.com/books/{id}")?;
    /// assert!(book.matches("https://example.com/books/1"));
    /// assert!(book.matches("https://example.com/books/{id}"), "the text itself");
    /// assert!(Selector::mercure_0("books/{id")?.as_exact().is_some());
    /// # Ok::<(), tidings_topic::SelectorError>(())
    /// ```
    ///
    /// Source: Mercure 0.x, "Topic selectors"; where hubs of 0.x take texts that no topic may have, CONTRACT.md's section 2 wins.
    pub fn mercure_0(raw: &str) -> Result<Selector, SelectorError> {
        if raw == ANY {
            return Ok(Selector::Any);
        }
        let topic = Topic::parse(raw)?;
        if !raw.contains('{') {
            return Ok(Selector::Exact(topic));
        }
        Ok(Template::parse(raw).map_or(Selector::Exact(topic), Selector::Template))
    }

    /// Takes the value of Mercure 1.0's `match` and `match_exact`, decoded already: `*` is [`Selector::Any`], all else is exact.
    ///
    /// # Errors
    /// [`SelectorError::Text`] when the text could not be a topic's, [`SelectorError::Format`] when it has a format character.
    pub fn match_exact(raw: &str) -> Result<Selector, SelectorError> {
        check_matcher(raw)?;
        if raw == ANY { Ok(Selector::Any) } else { Ok(Selector::Exact(Topic::parse(raw)?)) }
    }

    /// Takes the value of Mercure 1.0's `match_urlpattern`, decoded already: `*` is [`Selector::Any`], all else a URL pattern,
    /// relative to `base` (the URL of the hub).
    ///
    /// # Errors
    /// As [`Selector::match_exact`]; [`SelectorError::UrlPattern`] when it is no URL pattern, or when its regular expressions are
    /// too large.
    pub fn url_pattern(raw: &str, base: &str) -> Result<Selector, SelectorError> {
        check_matcher(raw)?;
        if raw == ANY { Ok(Selector::Any) } else { Ok(Selector::UrlPattern(UrlPattern::parse(raw, base)?)) }
    }

    /// Whether this selects `topic`.
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Selector::Exact(exact) => exact.as_str() == topic,
            Selector::Glob(glob) => glob.matches(topic),
            Selector::Any => true,
            Selector::Template(template) => template.matches(topic),
            Selector::UrlPattern(pattern) => pattern.matches(topic),
        }
    }

    /// The topic, if this selects just one by its name.
    pub fn as_exact(&self) -> Option<&Topic> {
        match self {
            Selector::Exact(topic) => Some(topic),
            Selector::Glob(_) | Selector::Any | Selector::Template(_) | Selector::UrlPattern(_) => None,
        }
    }
}

/// What Mercure writes for every topic.
const ANY: &str = "*";

/// The rules for the text of a Mercure 1.0 matcher: a topic's, and no format characters.
fn check_matcher(raw: &str) -> Result<(), SelectorError> {
    check_text(raw)?;
    match find_format_character(raw) {
        None => Ok(()),
        Some((at, character)) => Err(SelectorError::Format { excerpt: excerpt_around(raw, at), character, at }),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Exact(topic) => topic.fmt(f),
            Selector::Glob(glob) => glob.fmt(f),
            Selector::Any => f.write_str(ANY),
            Selector::Template(template) => template.fmt(f),
            Selector::UrlPattern(pattern) => pattern.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
