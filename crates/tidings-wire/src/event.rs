//! The two texts of an event that share a line with a field name: [`EventId`] and [`EventType`].
//!
//! Neither can hold a control character, so neither can end its line and forge a field; whoever has
//! one need not look again. Which ids and types are *reserved* is not decided here.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Most bytes an [`EventId`] or [`EventType`] may have. Unit: bytes of UTF-8.
///
/// Large enough for a URL, small enough to come back as a `Last-Event-ID` header.
pub const EVENT_TEXT_BYTES_MAX: usize = 1024;

/// The id of an event: 1 to 1,024 bytes without control characters or outer spaces.
///
/// Cost of a clone: one reference count.
///
/// ```
/// use tidings_wire::{EventId, EventIdError};
///
/// assert_eq!(EventId::parse("order-42")?.as_str(), "order-42");
///
/// let refused = EventId::parse("order\n42").expect_err("a line feed would end the line");
/// assert_eq!(refused, EventIdError::Control { character: '\n', at: 5 });
/// # Ok::<(), EventIdError>(())
/// ```
///
/// Source: WHATWG HTML 9.2.6, field `id`; outer spaces are refused because HTTP strips them from
/// the `Last-Event-ID` header, so such an id would not come back as it was.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Arc<str>);

/// The type of an event, by which a page listens: the same form as an [`EventId`].
///
/// `message` is the type of an event that names none, and is never written to the wire.
///
/// ```
/// use tidings_wire::{EventType, EventTypeError};
///
/// assert_eq!(EventType::parse("price")?.as_str(), "price");
/// assert_eq!(EventType::parse(""), Err(EventTypeError::Empty));
/// # Ok::<(), EventTypeError>(())
/// ```
///
/// Source: WHATWG HTML 9.2.6, field `event`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Whether this is `message`, the type of an event that names none.
    pub fn is_default(&self) -> bool {
        &*self.0 == DEFAULT_EVENT_TYPE
    }
}

/// What all events without an `event` field are called.
pub(crate) const DEFAULT_EVENT_TYPE: &str = "message";

/// What every error names as right.
const FORM: &str = "1 to 1024 bytes without control characters or outer spaces";

/// Gives a text type its error, its constructor and its traits, so that the two cannot drift apart.
macro_rules! event_text {
    ($Text:ident, $Error:ident, $noun:literal) => {
        #[doc = concat!("Why a text cannot be an ", $noun, "; the one who sent it can mend it.")]
        #[derive(Clone, Debug, PartialEq, Eq, Error)]
        pub enum $Error {
            /// There is no text at all.
            #[error("{} is empty; expected {}", $noun, FORM)]
            Empty,
            /// The text has more than [`EVENT_TEXT_BYTES_MAX`] bytes.
            #[error("{} has {bytes} bytes; expected {}", $noun, FORM)]
            TooLong {
                /// How many bytes came.
                bytes: usize,
            },
            /// The text holds a control character, by [`char::is_control`].
            #[error("{} holds the control character U+{:04X} at byte {at}; expected {}", $noun, u32::from(*character), FORM)]
            Control {
                /// The first control character.
                character: char,
                /// Where it begins. Unit: bytes from the start.
                at: usize,
            },
            /// The text begins or ends with white space, by [`char::is_whitespace`].
            #[error("{} has the outer space U+{:04X} at byte {at}; expected {}", $noun, u32::from(*character), FORM)]
            OuterSpace {
                /// The space in question.
                character: char,
                /// Where it begins. Unit: bytes from the start.
                at: usize,
            },
        }

        impl $Text {
            /// Takes a text over once it has the right form.
            ///
            /// # Errors
            #[doc = concat!("[`", stringify!($Error), "`] says what came and what is expected.")]
            pub fn parse(raw: &str) -> Result<Self, $Error> {
                match find_fault(raw) {
                    None => Ok(Self(Arc::from(raw))),
                    Some(Fault::Empty) => Err($Error::Empty),
                    Some(Fault::TooLong) => Err($Error::TooLong { bytes: raw.len() }),
                    Some(Fault::Control { character, at }) => Err($Error::Control { character, at }),
                    Some(Fault::OuterSpace { character, at }) => Err($Error::OuterSpace { character, at }),
                }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Text {
            type Err = $Error;

            fn from_str(raw: &str) -> Result<Self, $Error> {
                Self::parse(raw)
            }
        }

        impl Borrow<str> for $Text {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $Text {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Text {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $Text {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($Text), "({:?})"), &self.0)
            }
        }
    };
}

event_text!(EventId, EventIdError, "event id");
event_text!(EventType, EventTypeError, "event type");

enum Fault {
    Empty,
    TooLong,
    Control { character: char, at: usize },
    OuterSpace { character: char, at: usize },
}

fn find_fault(raw: &str) -> Option<Fault> {
    let (Some(first), Some((last_at, last))) = (raw.chars().next(), raw.char_indices().next_back()) else {
        return Some(Fault::Empty);
    };
    // Before the characters are walked: a megabyte of text is refused by its length alone.
    if raw.len() > EVENT_TEXT_BYTES_MAX {
        return Some(Fault::TooLong);
    }
    // Before the spaces: a final line feed is both, and "control character" is the clearer word.
    if let Some((at, character)) = raw.char_indices().find(|(_, character)| character.is_control()) {
        return Some(Fault::Control { character, at });
    }
    if first.is_whitespace() {
        return Some(Fault::OuterSpace { character: first, at: 0 });
    }
    last.is_whitespace().then_some(Fault::OuterSpace { character: last, at: last_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<(), &str>) {
        let id = EventId::parse(raw).map(|id| id.to_string()).map_err(|error| error.to_string());
        assert_eq!(id, want.map(|()| raw.to_owned()).map_err(|m| format!("event id {m}; expected {FORM}")));
        let event_type = EventType::parse(raw).map(|text| text.to_string()).map_err(|error| error.to_string());
        assert_eq!(event_type, want.map(|()| raw.to_owned()).map_err(|m| format!("event type {m}; expected {FORM}")));
    }

    #[test]
    fn ids_and_types_have_one_form() {
        assert!(FORM.contains(&EVENT_TEXT_BYTES_MAX.to_string()));
        let longest = "x".repeat(EVENT_TEXT_BYTES_MAX);
        check("a", Ok(()));
        check("01j-000", Ok(()));
        check("inner space: (and) [marks] é 🦀", Ok(()));
        check("\u{feff}not a space", Ok(()));
        check(&longest, Ok(()));
        check(&format!("{longest}x"), Err("has 1025 bytes"));
        check(&"é".repeat(513), Err("has 1026 bytes"));
        check("", Err("is empty"));
        check("a\nb", Err("holds the control character U+000A at byte 1"));
        check("é\r", Err("holds the control character U+000D at byte 2"));
        check("\0", Err("holds the control character U+0000 at byte 0"));
        check("\tx", Err("holds the control character U+0009 at byte 0"));
        check("a\u{7f}", Err("holds the control character U+007F at byte 1"));
        check("a\u{85}b", Err("holds the control character U+0085 at byte 1"));
        check(" a", Err("has the outer space U+0020 at byte 0"));
        check("é ", Err("has the outer space U+0020 at byte 2"));
        check("a\u{2028}", Err("has the outer space U+2028 at byte 1"));
        check(" ", Err("has the outer space U+0020 at byte 0"));
    }

    #[test]
    fn a_map_by_id_is_asked_with_a_plain_str() {
        let positions = std::collections::HashMap::from([(EventId::parse("a-1").expect("a good id"), 7)]);
        assert_eq!(positions.get("a-1"), Some(&7));
        assert_eq!(format!("{:?} {0:>4}", EventId::parse("a").expect("a good id")), "EventId(\"a\")    a");
    }
}
