//! Counts of things of which there must be at least one.

/// A whole number from 1.
///
/// # Errors
/// What is expected, when it is anything else.
pub(crate) fn parse_count(raw: &str) -> Result<usize, String> {
    let is_plain = !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_digit());
    match raw.parse() {
        Ok(count @ 1..) if is_plain => Ok(count),
        _ => Err(format!("expected a whole number from 1 to {}", usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_at_least_one() {
        for (raw, want) in
            [("1", Some(1)), ("1000", Some(1000)), ("0", None), ("", None), ("+1", None), ("-1", None), ("1k", None)]
        {
            assert_eq!(parse_count(raw).ok(), want, "{raw:?}");
        }
    }
}
