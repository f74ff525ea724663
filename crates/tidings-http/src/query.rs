//! Texts of a request's target: decoded strictly, so that nobody's mistake becomes somebody else's topic.

use std::borrow::Cow;

use crate::problem::Fault;

/// The parameters of a query, in order, with names and values decoded. A pair without `=` has an empty value.
///
/// # Errors
/// A [`Fault`] that names the parameter whose escapes or UTF-8 are bad.
pub(crate) fn parameters(query: Option<&str>) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Fault>> {
    let pairs = query.unwrap_or("").split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (raw_name, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(raw_name, Plus::IsSpace).map_err(|error| error.to_fault(raw_name, raw_name))?;
        let value = decode(raw_value, Plus::IsSpace).map_err(|error| error.to_fault(&name, raw_value))?;
        Ok((name, value))
    })
}

/// What `raw`, a part of a path, says.
///
/// # Errors
/// A [`Fault`] in `field` when its escapes or its UTF-8 are bad.
pub(crate) fn path_text<'a>(field: &'static str, raw: &'a str) -> Result<Cow<'a, str>, Fault> {
    decode(raw, Plus::IsPlus).map_err(|error| error.to_fault(field, raw))
}

/// Is the flag `name` up? Without a value it is.
///
/// # Errors
/// A [`Fault`] when the value is neither a yes nor a no.
pub(crate) fn parse_flag(name: &'static str, value: &str) -> Result<bool, Fault> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => {
            Err(Fault::new(name, "the flag is neither on nor off", "no value, 1 or true; 0 or false").with_value(value))
        }
    }
}

/// A whole number in plain digits.
///
/// # Errors
/// A [`Fault`] when it is none, or larger than a `u64`.
pub(crate) fn parse_number(name: &'static str, value: &str, expected: &'static str) -> Result<u64, Fault> {
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| value.parse().ok()).flatten();
    number.ok_or_else(|| Fault::new(name, "the value is not a whole number", expected).with_value(value))
}

/// Puts `value` into `place`, once.
///
/// # Errors
/// A [`Fault`] when there is one already.
pub(crate) fn set_once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::new(name, "the parameter is given more than once", "one value")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsSpace,
    IsPlus,
}

#[derive(Debug, PartialEq, Eq)]
enum DecodeError {
    Escape,
    Utf8,
}

impl DecodeError {
    fn to_fault(&self, field: &str, value: &str) -> Fault {
        let fault = match self {
            Self::Escape => Fault::new(
                field.to_owned(),
                "a percent sign is not followed by two hex digits",
                "%25 for a percent sign",
            ),
            Self::Utf8 => Fault::new(field.to_owned(), "the bytes are not UTF-8", "UTF-8, percent-encoded"),
        };
        fault.with_value(value)
    }
}

fn decode(raw: &str, plus: Plus) -> Result<Cow<'_, str>, DecodeError> {
    let is_plain = |byte: u8| byte != b'%' && (byte != b'+' || plus == Plus::IsPlus);
    if raw.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, after @ ..] = rest {
        (bytes, rest) = match first {
            b'%' => {
                let [high, low, after @ ..] = after else { return Err(DecodeError::Escape) };
                let (high, low) = (hex_digit(*high)?, hex_digit(*low)?);
                bytes.push(high << 4 | low);
                (bytes, after)
            }
            b'+' if plus == Plus::IsSpace => {
                bytes.push(b' ');
                (bytes, after)
            }
            other => {
                bytes.push(*other);
                (bytes, after)
            }
        };
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| DecodeError::Utf8)
}

fn hex_digit(byte: u8) -> Result<u8, DecodeError> {
    let digit = char::from(byte).to_digit(16).ok_or(DecodeError::Escape)?;
    u8::try_from(digit).map_err(|_| DecodeError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, want: Result<&[(&str, &str)], (&str, &str)>) {
        let got: Result<Vec<_>, Fault> = parameters(Some(query)).collect();
        let got = got.as_ref().map(|pairs| pairs.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>());
        let got = got.map_err(|fault| (&*fault.field, fault.value.as_deref().unwrap_or("")));
        assert_eq!(got, want.map(<[_]>::to_vec), "{query:?}");
    }

    #[test]
    fn a_query_is_decoded_as_a_form() {
        check("", Ok(&[]));
        check("&&", Ok(&[]));
        check("topic=chat%2F42&topic=a+b", Ok(&[("topic", "chat/42"), ("topic", "a b")]));
        check("private&prime=0", Ok(&[("private", ""), ("prime", "0")]));
        check("a=b=c", Ok(&[("a", "b=c")]));
        check("=x", Ok(&[("", "x")]));
        check("t%6Fpic=%C3%A9é%2b", Ok(&[("topic", "éé+")]));
    }

    #[test]
    fn a_bad_escape_names_its_parameter() {
        check("topic=%", Err(("topic", "%")));
        check("a=1&topic=%4", Err(("topic", "%4")));
        check("topic=%zz", Err(("topic", "%zz")));
        check("topic=%+1", Err(("topic", "%+1")));
        check("topic=%FF", Err(("topic", "%FF")));
        check("topic=%C3", Err(("topic", "%C3")));
        check("%=1", Err(("%", "%")));
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(path_text("topic", "a+b%20c").as_deref(), Ok("a+b c"));
        assert!(path_text("topic", "%ff").is_err());
    }

    #[test]
    fn a_flag_is_on_without_a_value() {
        for (value, want) in
            [("", Ok(true)), ("1", Ok(true)), ("true", Ok(true)), ("0", Ok(false)), ("false", Ok(false))]
        {
            assert_eq!(parse_flag("private", value), want, "{value:?}");
        }
        for value in ["no", "TRUE", "2", " "] {
            assert!(parse_flag("private", value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_number_has_digits_alone() {
        let check = |value, want| assert_eq!(parse_number("last", value, "a number").ok(), want, "{value:?}");
        check("0", Some(0));
        check("0010", Some(10));
        check("18446744073709551615", Some(u64::MAX));
        for value in ["", "-1", "+1", "1.5", " 1", "18446744073709551616", "١"] {
            check(value, None);
        }
    }
}
