//! Texts as segments of a path: how the ids of subscriptions write topics, and how they are read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::mercure::dialect::Dialect;

/// All that is escaped in a segment: everything but letters, digits and four marks.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `text` as a segment. The dialects differ in the space: 0.x writes it as a query does.
pub(super) fn to_segment(text: &str, dialect: Dialect) -> String {
    let escaped = utf8_percent_encode(text, &ESCAPED).to_string();
    match dialect {
        Dialect::Zero => escaped.replace("%20", "+"),
        Dialect::One => escaped,
    }
}

/// What a segment says; nothing when its escapes or its UTF-8 are bad.
pub(super) fn from_segment(segment: &str, dialect: Dialect) -> Option<String> {
    let spaced = match dialect {
        Dialect::Zero => segment.replace('+', " "),
        Dialect::One => segment.to_owned(),
    };
    // A percent sign that begins no escape would be left as it is.
    let mut rest = spaced.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = &rest[at + 3..];
    }
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use Dialect::{One, Zero};

    use super::*;

    #[test]
    fn a_segment_reads_back() {
        for (text, zero, one) in [
            ("foo", "foo", "foo"),
            ("a b*", "a+b%2A", "a%20b%2A"),
            (
                "https://example.com/books/{id}",
                "https%3A%2F%2Fexample.com%2Fbooks%2F%7Bid%7D",
                "https%3A%2F%2Fexample.com%2Fbooks%2F%7Bid%7D",
            ),
            ("a+b", "a%2Bb", "a%2Bb"),
            ("é~-_.", "%C3%A9~-_.", "%C3%A9~-_."),
            ("urn:uuid:1", "urn%3Auuid%3A1", "urn%3Auuid%3A1"),
            ("100%", "100%25", "100%25"),
        ] {
            assert_eq!((&*to_segment(text, Zero), &*to_segment(text, One)), (zero, one), "{text}");
            assert_eq!(from_segment(zero, Zero).as_deref(), Some(text));
            assert_eq!(from_segment(one, One).as_deref(), Some(text));
        }
        assert_eq!(from_segment("a+b", One).as_deref(), Some("a+b"));
        for bad in ["%", "%4", "%zz", "%FF", "a%C3"] {
            assert_eq!((from_segment(bad, Zero), from_segment(bad, One)), (None, None), "{bad}");
        }
    }
}
