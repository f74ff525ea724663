//! Texts with places: `/events/t{t}` becomes `/events/t7`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use thiserror::Error;

/// A text with places for numbers and for the payload.
///
/// | place | what stands there |
/// |---|---|
/// | `{t}` | the number of the topic |
/// | `{i}` | the number of the connection: of the subscriber, or of the publisher |
/// | `{n}` | the number of the event, in what is published |
/// | `{payload}` | the payload |
///
/// Numbers count from 0. `{t%50}` is the remainder, `{t/50}` the quotient. Braces round anything that is no name stand for
/// themselves, so that JSON needs no escapes.
///
/// ```
/// use tidings_bench::Template;
///
/// let template: Template = r#"{"channel":"t{t}","data":"{payload}"}"#.parse()?;
/// assert_eq!(template.to_string(), r#"{"channel":"t{t}","data":"{payload}"}"#);
/// # Ok::<(), tidings_bench::TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    raw: String,
    parts: Vec<Part>,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It names a place that there is not.
    #[error(
        "{{{name}}} is not known; expected {{t}}, {{i}}, {{n}} or {{payload}}, the numbers also as {{t%50}} or {{t/50}}"
    )]
    UnknownPlace {
        /// What stands between the braces.
        name: String,
    },
    /// It divides by zero.
    #[error("{{{name}}} divides by zero; expected a number from 1")]
    ByZero {
        /// What stands between the braces.
        name: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number { of: Variable, then: Option<(Operation, NonZeroU64)> },
    Payload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Topic,
    Connection,
    Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Remainder,
    Quotient,
}

/// What stands in the places of a template.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places<'a> {
    pub(crate) topic: u64,
    pub(crate) connection: u64,
    pub(crate) event: u64,
    pub(crate) payload: &'a [u8],
}

impl Template {
    /// Appends the text with its places filled.
    pub(crate) fn render(&self, places: Places<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Payload => out.extend_from_slice(places.payload),
                Part::Number { of, then } => {
                    let number = match of {
                        Variable::Topic => places.topic,
                        Variable::Connection => places.connection,
                        Variable::Event => places.event,
                    };
                    let number = match then {
                        None => number,
                        Some((Operation::Remainder, by)) => number % by.get(),
                        Some((Operation::Quotient, by)) => number / by.get(),
                    };
                    push_decimal(number, out);
                }
            }
        }
    }

    /// Whether the payload has a place in it.
    pub(crate) fn has_payload(&self) -> bool {
        self.parts.contains(&Part::Payload)
    }

    /// Whether it would end a line of a request's head.
    pub(crate) fn breaks_lines(&self) -> bool {
        self.raw.bytes().any(|byte| byte.is_ascii_control())
    }

    /// Whether it has a blank, which ends the target of a request.
    pub(crate) fn has_blanks(&self) -> bool {
        self.raw.contains(' ')
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(raw: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = raw;
        while let Some(open) = rest.find('{') {
            text.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            let name = inside.find('}').map(|close| &inside[..close]).filter(|name| looks_like_a_name(name));
            match name {
                None => {
                    text.push('{');
                    rest = inside;
                }
                Some(name) => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(place(name)?);
                    rest = &inside[name.len() + 1..];
                }
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { raw: raw.to_owned(), parts })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// A word, perhaps with an operation: a typing error in a place must not become text in silence.
fn looks_like_a_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%' | b'/'))
}

fn place(name: &str) -> Result<Part, TemplateError> {
    if name == "payload" {
        return Ok(Part::Payload);
    }
    let unknown = || TemplateError::UnknownPlace { name: name.to_owned() };
    let (variable, rest) = name.split_at(1);
    let of = match variable {
        "t" => Variable::Topic,
        "i" => Variable::Connection,
        "n" => Variable::Event,
        _ => return Err(unknown()),
    };
    let operation = match rest.as_bytes().first() {
        None => return Ok(Part::Number { of, then: None }),
        Some(b'%') => Operation::Remainder,
        Some(b'/') => Operation::Quotient,
        Some(_) => return Err(unknown()),
    };
    let by: u64 = rest[1..].parse().map_err(|_| unknown())?;
    let by = NonZeroU64::new(by).ok_or_else(|| TemplateError::ByZero { name: name.to_owned() })?;
    Ok(Part::Number { of, then: Some((operation, by)) })
}

fn push_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789"[usize::try_from(number % 10).expect("a digit is small")];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: &str) {
        let template: Template = raw.parse().unwrap_or_else(|error| panic!("{raw}: {error}"));
        let mut got = Vec::new();
        template.render(Places { topic: 123, connection: 7, event: u64::MAX, payload: b"~x~" }, &mut got);
        assert_eq!(String::from_utf8_lossy(&got), want, "{raw}");
    }

    #[test]
    fn places_are_filled_and_all_else_stays() {
        check("", "");
        check("/events", "/events");
        check("/events/t{t}?i={i}", "/events/t123?i=7");
        check("{n}", "18446744073709551615");
        check("g{t%50}/{t/50}", "g23/2");
        check(r#"{"channel":"t{t}","data":"{payload}","more":{}}"#, r#"{"channel":"t123","data":"~x~","more":{}}"#);
        check("{ t}{", "{ t}{");
        check("{{t}}", "{123}");
    }

    #[test]
    fn a_misspelt_place_is_no_text() {
        for (raw, want) in [
            ("/{topic}", "{topic} is not known"),
            ("/{x}", "{x} is not known"),
            ("/{t%}", "{t%} is not known"),
            ("/{t%x}", "{t%x} is not known"),
            ("/{t%0}", "divides by zero"),
        ] {
            let error = raw.parse::<Template>().expect_err(raw).to_string();
            assert!(error.contains(want) && error.contains("expected"), "{raw}: {error}");
        }
    }
}
