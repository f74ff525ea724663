//! Patterns with `*` and `**`. Knows nothing of who holds them and never indexes them; see [`Index`](crate::Index).

use std::fmt;
use std::sync::Arc;

use crate::excerpt::excerpt_around;
use crate::selector::SelectorError;

/// A pattern of segments: `*` stands for exactly one segment, a final `**` for any number of them, none included.
///
/// A segment is what stands between slashes and may be empty, for `*` too: `a/*` matches `a/b` and `a/`, but neither `a` nor
/// `a/b/c`. `a/**` matches `a`, `a/`, `a/b` and `a/b/c`, but not `ab`; `**` matches every topic. There is nothing to escape: a
/// pattern cannot name a topic with a `*` in it (an exact selector can).
///
/// Patterns are equal when their texts are, so `*/**` and `**` are two patterns that match the same topics.
/// Made by [`Selector::parse`](crate::Selector::parse).
///
/// ```
/// use tidings_topic::Selector;
///
/// let Ok(Selector::Glob(chat)) = Selector::parse("chat/**") else { panic!("a star makes a pattern") };
/// assert!(chat.matches("chat") && chat.matches("chat/42/typing"));
/// ```
///
/// Source: CONTRACT.md, section 2.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glob(Arc<str>);

impl Glob {
    /// Takes a text that is a topic's but for its stars.
    ///
    /// # Errors
    /// `StarInSegment` and `TailNotLast` when a star stands where it has no meaning.
    pub(crate) fn parse(raw: &str) -> Result<Glob, SelectorError> {
        let mut start = 0;
        for segment in raw.split('/') {
            let end = start + segment.len();
            match segment {
                TAIL if end < raw.len() => {
                    return Err(SelectorError::TailNotLast { excerpt: excerpt_around(raw, start), at: start });
                }
                STAR | TAIL => {}
                _ => {
                    if let Some(offset) = segment.find('*') {
                        let at = start + offset;
                        return Err(SelectorError::StarInSegment { excerpt: excerpt_around(raw, at), at });
                    }
                }
            }
            start = end + 1;
        }
        Ok(Glob(Arc::from(raw)))
    }

    /// Whether the pattern covers `topic`. Cost: the segments of the pattern, at most.
    pub fn matches(&self, topic: &str) -> bool {
        let mut topic_segments = topic.split('/');
        for want in self.head() {
            match topic_segments.next() {
                Some(got) if want == STAR || want == got => {}
                _ => return false,
            }
        }
        self.has_tail() || topic_segments.next().is_none()
    }

    /// The text of the pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments before a final `**`, or all of them: literals, and [`STAR`] for any one segment.
    pub(crate) fn head(&self) -> impl Iterator<Item = &str> {
        let head = match &*self.0 {
            TAIL => None,
            text => Some(text.strip_suffix("/**").unwrap_or(text)),
        };
        head.into_iter().flat_map(|head| head.split('/'))
    }

    /// Whether the pattern ends in `**`.
    pub(crate) fn has_tail(&self) -> bool {
        self.0.ends_with(TAIL)
    }
}

/// The segment of a pattern that stands for any one segment.
pub(crate) const STAR: &str = "*";

const TAIL: &str = "**";

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::naive::{any_pattern_text, any_topic_text, naive_glob_matches};

    #[test]
    fn a_star_is_one_segment() {
        check("*", "a", MATCH);
        check("*", "a/b", NO_MATCH);
        check("chat/*", "chat/42", MATCH);
        check("chat/*", "chat", NO_MATCH);
        check("chat/*", "chat/42/typing", NO_MATCH);
        check("chat/*", "chats/42", NO_MATCH);
        check("chat/*/typing", "chat/42/typing", MATCH);
        check("chat/*/typing", "chat/42/reading", NO_MATCH);
        check("chat/*/typing", "chat/typing", NO_MATCH);
        check("*/42", "chat/42", MATCH);
        check("*/*", "chat/42", MATCH);
        check("*/*", "chat", NO_MATCH);
    }

    #[test]
    fn two_stars_are_any_number_of_segments() {
        check("**", "a", MATCH);
        check("**", "a/b/c", MATCH);
        check("**", "/", MATCH);
        check("chat/**", "chat", MATCH);
        check("chat/**", "chat/a", MATCH);
        check("chat/**", "chat/a/b", MATCH);
        check("chat/**", "chats", NO_MATCH);
        check("chat/**", "chats/a", NO_MATCH);
        check("chat/**", "a/chat", NO_MATCH);
        check("*/**", "a", MATCH);
        check("*/**", "a/b/c", MATCH);
        check("*/a/**", "x/a", MATCH);
        check("*/a/**", "x/a/b", MATCH);
        check("*/a/**", "a", NO_MATCH);
    }

    #[test]
    fn a_segment_may_be_empty() {
        check("chat/*", "chat/", MATCH);
        check("chat/**", "chat/", MATCH);
        check("*", "/", NO_MATCH);
        check("*/*", "/", MATCH);
        check("/*", "/a", MATCH);
        check("/*", "a", NO_MATCH);
        check("/**", "/a", MATCH);
        check("/**", "/", MATCH);
        check("/**", "a", NO_MATCH);
        check("a/*/b", "a//b", MATCH);
        check("a//*", "a/b", NO_MATCH);
        check("a//*", "a//b", MATCH);
        check("a/*/", "a/b/", MATCH);
        check("a/*/", "a/b", NO_MATCH);
    }

    #[test]
    fn a_star_in_a_topic_is_a_character() {
        check("a/*", "a/*", MATCH);
        check("a/*", "a/**", MATCH);
        check("a/*/b", "a/*/b", MATCH);
        check("*/x", "**/x", MATCH);
        check("*/x", "*", NO_MATCH);
    }

    #[test]
    fn letters_are_compared_as_bytes() {
        check("Chat/*", "chat/1", NO_MATCH);
        check("é/*", "e\u{301}/1", NO_MATCH);
        check("é/*", "é/1", MATCH);
        check("a.c/*", "abc/1", NO_MATCH);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_glob_agrees_with_a_recursive_matcher(pattern in any_pattern_text(), topic in any_topic_text()) {
            let glob = Glob::parse(&pattern).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(glob.matches(&topic), naive_glob_matches(&pattern, &topic));
        }
    }

    const MATCH: bool = true;
    const NO_MATCH: bool = false;

    fn check(pattern: &str, topic: &str, want: bool) {
        let glob = Glob::parse(pattern).expect("the table holds patterns only");
        assert_eq!(glob.matches(topic), want, "pattern {pattern:?}, topic {topic:?}");
        assert_eq!(naive_glob_matches(pattern, topic), want, "the reference; pattern {pattern:?}, topic {topic:?}");
    }
}
