//! Sizes as people write them: `512B`, `64KiB`, `1MiB`, `2GiB`.

use thiserror::Error;

use super::duration::split_number;

/// Why a text is no size. clap shows the text itself beside it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SizeError {
    #[error("it does not begin with a whole number; expected {FORM}")]
    NoNumber,
    #[error("the number has no unit; expected {FORM}")]
    NoUnit,
    #[error("{unit:?} is no unit; expected {FORM}")]
    UnknownUnit { unit: String },
    #[error("it is more than this machine can address; expected {FORM}")]
    TooLarge,
}

const FORM: &str = "a whole number and its unit, B, KiB, MiB or GiB, as in 64MiB";

/// A whole number and its unit. `0` needs none, for it is the same in all.
///
/// # Errors
/// [`SizeError`] when it is anything else.
pub(crate) fn parse_size(raw: &str) -> Result<usize, SizeError> {
    let (number, unit) = split_number(raw).ok_or(SizeError::NoNumber)?;
    let number = number.ok_or(SizeError::TooLarge)?;
    let unit_bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" if number == 0 => 0,
        "" => return Err(SizeError::NoUnit),
        unit => {
            return Err(SizeError::UnknownUnit { unit: unit.to_owned() });
        }
    };
    number.checked_mul(unit_bytes).and_then(|bytes| usize::try_from(bytes).ok()).ok_or(SizeError::TooLarge)
}

/// A size that something must fit into.
///
/// # Errors
/// As [`parse_size`], and when it is nothing.
pub(crate) fn parse_some_size(raw: &str) -> Result<usize, String> {
    match parse_size(raw) {
        Ok(0) => Err("nothing fits into it; expected at least 1B".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<u64, SizeError>) {
        assert_eq!(parse_size(raw), want.map(|bytes| usize::try_from(bytes).expect("a small size")), "{raw:?}");
    }

    #[test]
    fn a_size_is_a_number_and_a_binary_unit() {
        check("512B", Ok(512));
        check("64KiB", Ok(65_536));
        check("1MiB", Ok(1_048_576));
        check("2GiB", Ok(2_147_483_648));
        check("0", Ok(0));
        check("0MiB", Ok(0));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let unknown = |unit: &str| Err(SizeError::UnknownUnit { unit: unit.to_owned() });
        check("", Err(SizeError::NoNumber));
        check("MiB", Err(SizeError::NoNumber));
        check("-1B", Err(SizeError::NoNumber));
        check("1024", Err(SizeError::NoUnit));
        check("1kB", unknown("kB"));
        check("1MB", unknown("MB"));
        check("1mib", unknown("mib"));
        check("1 MiB", unknown(" MiB"));
        check("1.5MiB", unknown(".5MiB"));
        check("18446744073709551616B", Err(SizeError::TooLarge));
        check("18446744073709551615GiB", Err(SizeError::TooLarge));
    }

    #[test]
    fn some_sizes_must_hold_something() {
        assert_eq!(parse_some_size("1B"), Ok(1));
        assert!(parse_some_size("0").is_err_and(|error| error.contains("at least 1B")));
    }
}
