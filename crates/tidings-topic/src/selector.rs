//! What one `?topic=` asks for. Several of them together are a [`SelectorSet`](crate::SelectorSet).

use std::fmt;

use thiserror::Error;

use crate::glob::Glob;
use crate::topic::{Topic, TopicError, check_text};

/// Chooses topics: one by its name, or all that a pattern covers. A clone shares the text.
///
/// Exact selectors sort before patterns, each kind by its text. An exact selector of the topic `a/*` and the pattern `a/*` print
/// the same and are not equal.
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
    /// All topics that the pattern covers.
    Glob(Glob),
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

    /// Whether this selects `topic`.
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Selector::Exact(exact) => exact.as_str() == topic,
            Selector::Glob(glob) => glob.matches(topic),
        }
    }

    /// The topic, if this selects just one by its name.
    pub fn as_exact(&self) -> Option<&Topic> {
        match self {
            Selector::Exact(topic) => Some(topic),
            Selector::Glob(_) => None,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Exact(topic) => topic.fmt(f),
            Selector::Glob(glob) => glob.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_value_without_a_star_is_exact() {
        for raw in ["a", "chat/42", "/", "a//b", "{id}", "a?b"] {
            let selector = Selector::parse(raw);
            assert_eq!(selector.as_ref().ok().and_then(Selector::as_exact).map(Topic::as_str), Some(raw));
        }
    }

    #[test]
    fn a_query_value_with_a_star_is_a_pattern() {
        for raw in ["*", "**", "a/*", "a/**", "*/a", "/*", "/**", "*/*/**", "a//*"] {
            let selector = Selector::parse(raw).expect("the table holds patterns only");
            assert_eq!(selector.as_exact(), None, "{raw:?}");
            assert_eq!(selector.to_string(), raw);
        }
    }

    #[test]
    fn an_exact_selector_takes_a_star_as_a_character() {
        let topic = Topic::parse("a/*").expect("a star is no control character");
        let exact = Selector::exact(topic);
        assert!(exact.matches("a/*"));
        assert!(!exact.matches("a/b"));
        assert_ne!(Selector::parse("a/*"), Ok(exact));
    }

    #[test]
    fn a_star_inside_a_segment_is_refused_where_it_stands() {
        check_refusal("a*", r#"selector "a*" has a '*' inside a segment at byte 1; expected "#);
        check_refusal("*a", r#"selector "*a" has a '*' inside a segment at byte 0; expected "#);
        check_refusal("é/x*y/b", r#"selector "é/x*y/b" has a '*' inside a segment at byte 4; expected "#);
        check_refusal("***", r#"selector "***" has a '*' inside a segment at byte 0; expected "#);
        check_refusal("a/***/b", r#"selector "a/***/b" has a '*' inside a segment at byte 2; expected "#);
        check_refusal("a/**b", r#"selector "a/**b" has a '*' inside a segment at byte 2; expected "#);
    }

    #[test]
    fn two_stars_before_the_end_are_refused_where_they_stand() {
        check_refusal("**/a", r#"selector "**/a" has '**' before its end at byte 0; expected "#);
        check_refusal("a/**/b", r#"selector "a/**/b" has '**' before its end at byte 2; expected "#);
        check_refusal("a/**/", r#"selector "a/**/" has '**' before its end at byte 2; expected "#);
        check_refusal("**/**", r#"selector "**/**" has '**' before its end at byte 0; expected "#);
    }

    #[test]
    fn a_pattern_keeps_the_rules_of_a_topic() {
        check_refusal("", "topic is empty; ");
        check_refusal("a/*\n", r#"topic "a/*\n" has the control character U+000A at byte 3; "#);
        check_refusal(&"/*".repeat(2049), r#"topic "/*/*/*"#);
        assert!(Selector::parse(&"/*".repeat(2048)).is_ok(), "4096 bytes");
    }

    #[test]
    fn a_refusal_does_not_repeat_a_long_selector() {
        let raw = format!("{}x*", "a/".repeat(2000));
        let error = Selector::parse(&raw).expect_err("the star shares its segment").to_string();
        assert!(error.len() < 250, "{error}");
        assert!(error.contains("x*\" has a '*' inside a segment at byte 4001"), "{error}");
    }

    fn check_refusal(raw: &str, want: &str) {
        match Selector::parse(raw) {
            Ok(selector) => panic!("{raw:?}: got {selector:?}, want {want}"),
            Err(error) => assert!(error.to_string().starts_with(want), "{raw:?}: got {error}, want {want}"),
        }
    }
}
