//! `application/x-www-form-urlencoded`, as Mercure's hub reads it: bytes in, bytes out, nothing is guessed.
//!
//! Does not know the fields; see `update` and `parameters`.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// A name and its value, decoded. A pair without `=` has an empty value.
pub(super) type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// The text is no form: a percent sign without two hex digits behind it, or a bare `;`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The pairs of a form, in order.
pub(super) fn pairs(raw: &[u8]) -> impl Iterator<Item = Result<Pair<'_>, Malformed>> {
    raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        // Once it parted pairs too. Whoever still means that must learn that it does not.
        if pair.contains(&b';') {
            return Err(Malformed);
        }
        let end_of_name = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (&pair[..end_of_name], pair.get(end_of_name + 1..).unwrap_or_default());
        Ok((decode(name)?, decode(value)?))
    })
}

/// Is a body of these headers a form?
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

fn decode(raw: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = after else { return Err(Malformed) };
                decoded.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
                rest = after;
            }
            other => decoded.push(*other),
        }
    }
    Ok(Cow::Owned(decoded))
}

fn hex_digit(byte: u8) -> Result<u8, Malformed> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<&[(&str, &str)], Malformed>) {
        let got: Result<Vec<_>, _> = pairs(raw.as_bytes()).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let got = got.map(|pairs| pairs.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>());
        let want = want.map(|pairs| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        assert_eq!(got, want, "{raw:?}");
    }

    #[test]
    fn a_form_is_pairs() {
        check("", Ok(&[]));
        check("&&a&", Ok(&[("a", "")]));
        check("topic=a&topic=b+c&data=%C3%A9%2b", Ok(&[("topic", "a"), ("topic", "b c"), ("data", "é+")]));
        check("a=b=c", Ok(&[("a", "b=c")]));
        check("=x&t%6Fpic=", Ok(&[("", "x"), ("topic", "")]));
        check("data=line%0D%0Aline%00", Ok(&[("data", "line\r\nline\0")]));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for raw in ["topic=%", "topic=%4", "topic=%zz", "%=a", "topic=a;data=b", ";", "a=1&b=%+1", "a=%1é"] {
            check(raw, Err(Malformed));
        }
    }

    #[test]
    fn a_form_says_that_it_is_one() {
        for (content_type, want) in [
            (Some("application/x-www-form-urlencoded"), true),
            (Some("APPLICATION/x-www-form-urlencoded ; charset=utf-8"), true),
            (Some("application/json"), false),
            (Some("multipart/form-data; boundary=x"), false),
            (Some(""), false),
            (None, false),
        ] {
            let headers: HeaderMap =
                content_type.map(|value| (CONTENT_TYPE, http::HeaderValue::from_static(value))).into_iter().collect();
            assert_eq!(is_form(&headers), want, "{content_type:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_form_or_are_refused() {
        bolero::check!().with_iterations(4_000).with_max_len(256).for_each(|input: &[u8]| {
            // Small bytes stand for what a form is made of: bytes alone seldom spell an escape.
            const PARTS: &[&[u8]] = &[b"&", b"=", b"%", b"+", b";", b"topic", b"data", b"%41", b"%C3%A9", b"%0", b"zz"];
            let spelt: Vec<u8> = input
                .iter()
                .flat_map(|byte| PARTS.get(usize::from(byte % 32)).map_or(std::slice::from_ref(byte), |part| *part))
                .copied()
                .collect();
            for raw in [input, &spelt] {
                check_bytes(raw);
            }
        });
    }

    fn check_bytes(raw: &[u8]) {
        let got: Result<Vec<Pair<'_>>, Malformed> = pairs(raw).collect();
        let Ok(got) = got else { return };
        // Written down again as plainly as can be, it is the same form.
        let escape = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let written: Vec<String> =
            got.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        let written = written.join("&");
        let again: Vec<Pair<'_>> = pairs(written.as_bytes()).collect::<Result<_, _>>().expect("plain escapes");
        assert_eq!(again, got, "{}", raw.escape_ascii());
        assert!(got.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= raw.len());
    }
}
