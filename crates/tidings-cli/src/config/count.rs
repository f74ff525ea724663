//! Numbers of things.

/// A whole number from 1, for what there must be at least one of.
///
/// # Errors
/// What is expected, when it is anything else.
pub(crate) fn parse_count(raw: &str) -> Result<usize, String> {
    match raw.parse() {
        Ok(count @ 1..) if is_plain(raw) => Ok(count),
        _ => Err(format!("expected a whole number from 1 to {}", usize::MAX)),
    }
}

/// A whole number from 1, of what comes in a second.
///
/// # Errors
/// What is expected, when it is anything else.
pub(crate) fn parse_rate(raw: &str) -> Result<u32, String> {
    match raw.parse() {
        Ok(rate @ 1..) if is_plain(raw) => Ok(rate),
        _ => Err(format!("expected a whole number from 1 to {}", u32::MAX)),
    }
}

/// A whole number from 0.
///
/// # Errors
/// What is expected, when it is anything else.
pub(crate) fn parse_number(raw: &str) -> Result<u64, String> {
    match raw.parse() {
        Ok(number) if is_plain(raw) => Ok(number),
        _ => Err(format!("expected a whole number from 0 to {}", u64::MAX)),
    }
}

/// Digits and nothing else: the standard library takes a sign too.
fn is_plain(raw: &str) -> bool {
    !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_at_least_one_and_a_number_at_least_none() {
        for (raw, want) in [
            ("1", Some(1)),
            ("1000", Some(1000)),
            ("0", Some(0)),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1k", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(parse_number(raw).ok(), want, "{raw:?}");
            let want = want.filter(|number| *number > 0).map(|number| usize::try_from(number).expect("a small number"));
            assert_eq!(parse_count(raw).ok(), want, "{raw:?}");
        }
    }
}
