//! Durations as people write them: `250ms`, `15s`, `10m`, `2h`, `7d`.

use std::time::Duration;

use thiserror::Error;

/// Why a text is no duration. clap shows the text itself beside it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum DurationError {
    #[error("it does not begin with a whole number; expected {FORM}")]
    NoNumber,
    #[error("the number has no unit; expected {FORM}")]
    NoUnit,
    #[error("{unit:?} is no unit; expected {FORM}")]
    UnknownUnit { unit: String },
    #[error("it is longer than this program can count; expected {FORM}")]
    TooLong,
    #[error("it must not be 0; expected {FORM}")]
    Zero,
}

const FORM: &str = "a whole number and its unit, ms, s, m, h or d, as in 15s";

/// A whole number and its unit. `0` needs none, for it is the same in all.
///
/// # Errors
/// [`DurationError`] when it is anything else.
pub(crate) fn parse_duration(raw: &str) -> Result<Duration, DurationError> {
    let (number, unit) = split_number(raw).ok_or(DurationError::NoNumber)?;
    let number = number.ok_or(DurationError::TooLong)?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == 0 => 0,
        "" => return Err(DurationError::NoUnit),
        unit => {
            return Err(DurationError::UnknownUnit { unit: unit.to_owned() });
        }
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or(DurationError::TooLong)
}

/// A duration that is not 0.
///
/// # Errors
/// [`DurationError`] when it is anything else.
pub(crate) fn parse_some_duration(raw: &str) -> Result<Duration, DurationError> {
    match parse_duration(raw)? {
        Duration::ZERO => Err(DurationError::Zero),
        duration => Ok(duration),
    }
}

/// Digits, and what comes after them. The number is `None` when it is too large; all is when there is no digit.
pub(super) fn split_number(raw: &str) -> Option<(Option<u64>, &str)> {
    let digits = raw.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = raw.split_at(digits);
    (digits > 0).then(|| (number.parse().ok(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<u64, DurationError>) {
        assert_eq!(parse_duration(raw), want.map(Duration::from_millis), "{raw:?}");
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        check("250ms", Ok(250));
        check("15s", Ok(15_000));
        check("10m", Ok(600_000));
        check("2h", Ok(7_200_000));
        check("7d", Ok(604_800_000));
        check("0", Ok(0));
        check("0s", Ok(0));
        check("007s", Ok(7_000));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let unknown = |unit: &str| Err(DurationError::UnknownUnit { unit: unit.to_owned() });
        check("", Err(DurationError::NoNumber));
        check("s", Err(DurationError::NoNumber));
        check("-1s", Err(DurationError::NoNumber));
        check("+1s", Err(DurationError::NoNumber));
        check(" 1s", Err(DurationError::NoNumber));
        check("١s", Err(DurationError::NoNumber));
        check("15", Err(DurationError::NoUnit));
        check("1 s", unknown(" s"));
        check("1S", unknown("S"));
        check("1w", unknown("w"));
        check("1.5h", unknown(".5h"));
        check("1h30m", unknown("h30m"));
        check("99999999999999999999s", Err(DurationError::TooLong));
        check("18446744073709551615d", Err(DurationError::TooLong));
    }

    #[test]
    fn an_error_names_what_is_expected() {
        for raw in ["x", "15", "1w", "99999999999999999999s"] {
            let error = parse_duration(raw).expect_err("no duration").to_string();
            assert!(error.contains("expected a whole number and its unit"), "{error}");
        }
    }
}
