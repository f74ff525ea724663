//! What an event is published on. Says nothing about who listens; see [`Selector`](crate::Selector).

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use thiserror::Error;

use crate::excerpt::excerpt_around;

/// The name of a stream of events: 1 to [`TOPIC_BYTES_MAX`] bytes of UTF-8 without control characters.
///
/// A clone shares the text. Topics are equal when their bytes are: there is no normalisation, `a/` is not `a`, and a `*` is a
/// character like any other (only a [`Selector`](crate::Selector) gives it a meaning).
///
/// ```
/// use tidings_topic::Topic;
///
/// let room = Topic::parse("chat/42")?;
/// assert_eq!(room.as_str(), "chat/42");
/// assert!(Topic::parse("chat\n42").is_err());
/// # Ok::<(), tidings_topic::TopicError>(())
/// ```
///
/// Source: CONTRACT.md, section 2.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

/// Most bytes in a topic, and in the text of a selector. Unit: bytes.
pub const TOPIC_BYTES_MAX: usize = 4096;

/// Why a text is not a topic. The caller sent it; each message says what came and what is expected.
///
/// An excerpt is at most 80 bytes of the value around the fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TopicError {
    /// There is no text.
    #[error("topic is empty; expected 1 to {TOPIC_BYTES_MAX} bytes")]
    Empty,
    /// The text has more than [`TOPIC_BYTES_MAX`] bytes.
    #[error("topic {excerpt:?} has {bytes} bytes; expected 1 to {TOPIC_BYTES_MAX}")]
    TooLong {
        /// How the text begins.
        excerpt: String,
        /// How long it is.
        bytes: usize,
    },
    /// The text has a control character (Unicode category Cc: U+0000 to U+001F, U+007F to U+009F).
    #[error("topic {excerpt:?} has the control character U+{:04X} at byte {at}; expected none", u32::from(*.character))]
    Control {
        /// The text around the character.
        excerpt: String,
        /// The first control character.
        character: char,
        /// Where it begins in the whole text. Unit: bytes.
        at: usize,
    },
}

impl Topic {
    /// Takes a topic as it came from outside, percent-decoded already.
    ///
    /// # Errors
    /// [`TopicError`] when the text is empty, too long, or has a control character.
    pub fn parse(raw: &str) -> Result<Topic, TopicError> {
        check_text(raw)?;
        Ok(Topic(Arc::from(raw)))
    }

    /// The topic of `/events` with neither a path nor `?topic=`: `default`.
    pub fn default_topic() -> Topic {
        static DEFAULT: LazyLock<Topic> = LazyLock::new(|| Topic(Arc::from("default")));
        DEFAULT.clone()
    }

    /// The text of the topic.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Hash, Eq and Ord of a topic are those of its text, as `Borrow` demands: the derives go through `Arc` to `str`.
impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The rules that the text of a topic and the text of a pattern share.
pub(crate) fn check_text(raw: &str) -> Result<(), TopicError> {
    if raw.is_empty() {
        return Err(TopicError::Empty);
    }
    if raw.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong { excerpt: excerpt_around(raw, 0), bytes: raw.len() });
    }
    if let Some((at, character)) = raw.char_indices().find(|(_, character)| character.is_control()) {
        return Err(TopicError::Control { excerpt: excerpt_around(raw, at), character, at });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn what_the_contract_allows_is_a_topic() {
        for raw in [
            "a",
            "default",
            "chat/42",
            "/",
            "//",
            "a/",
            "/a",
            " a ",
            "a*b",
            "**",
            "Zürich/天気",
            "\u{2028}",
            "%0A",
            "\u{a0}",
        ] {
            assert_eq!(Topic::parse(raw).as_ref().map(Topic::as_str), Ok(raw));
        }
        let longest = "a".repeat(TOPIC_BYTES_MAX);
        assert_eq!(Topic::parse(&longest).as_ref().map(Topic::as_str), Ok(longest.as_str()));
    }

    #[test]
    fn a_refusal_says_what_came_and_what_is_expected() {
        check_refusal("", "topic is empty; expected 1 to 4096 bytes");
        check_refusal("a\nb", r#"topic "a\nb" has the control character U+000A at byte 1; expected none"#);
        check_refusal("a\0", r#"topic "a\0" has the control character U+0000 at byte 1; expected none"#);
        check_refusal("ü\u{7f}", r#"topic "ü\u{7f}" has the control character U+007F at byte 2; expected none"#);
        check_refusal("\u{85}", r#"topic "\u{85}" has the control character U+0085 at byte 0; expected none"#);
        check_refusal(&"a".repeat(4097), &format!("topic \"{}…\" has 4097 bytes; expected 1 to 4096", "a".repeat(80)));
    }

    #[test]
    fn the_limit_counts_bytes_and_not_characters() {
        assert!(Topic::parse(&"€".repeat(1365)).is_ok(), "4095 bytes");
        assert!(Topic::parse(&"€".repeat(1366)).is_err(), "4098 bytes");
    }

    #[test]
    fn no_control_character_gets_in() {
        for character in (0..=0x9f).filter_map(char::from_u32).filter(|character| character.is_control()) {
            assert!(Topic::parse(&format!("a{character}b")).is_err(), "{character:?}");
        }
    }

    #[test]
    fn a_map_of_topics_is_asked_with_a_text() {
        let map = HashMap::from([(Topic::default_topic(), 1)]);
        assert_eq!(map.get("default"), Some(&1));
    }

    fn check_refusal(raw: &str, want: &str) {
        match Topic::parse(raw) {
            Ok(topic) => panic!("{raw:?}: got {topic:?}, want {want}"),
            Err(error) => assert_eq!(error.to_string(), want, "{raw:?}"),
        }
    }
}
