//! Durations such as `10m`, and the points in time of `?since=`.

use std::borrow::Cow;
use std::time::Duration;

use tidings_core::{ResumeFrom, Timestamp};

use crate::problem::Fault;

/// A whole number and its unit: `250ms`, `30s`, `10m`, `2h`, `7d`.
pub(crate) fn parse_duration(raw: &str) -> Option<Duration> {
    let unit_at = raw.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = raw.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

/// The place that `?since=` names: `earliest`, a point in time, or how long ago.
///
/// # Errors
/// A [`Fault`] when it is none of these.
pub(crate) fn parse_since(raw: &str, now: Timestamp) -> Result<ResumeFrom, Fault> {
    if raw == "earliest" {
        return Ok(ResumeFrom::Earliest);
    }
    let at = parse_duration(raw).map(|ago| now.saturating_sub(ago)).or_else(|| parse_timestamp(raw));
    match at {
        Some(at) => Ok(ResumeFrom::Since { at, requested: raw.into() }),
        None => Err(Fault::new("since", "the value is no point in time", SINCE_FORM).with_value(raw)),
    }
}

const SINCE_FORM: &str = "earliest, a time by RFC 3339 such as 2026-11-23T20:00:00Z, or a duration such as 10m";

/// A time by RFC 3339, as `2026-11-23T20:00:00Z`.
pub(crate) fn rfc_3339(at: Timestamp) -> String {
    let at = i64::try_from(at.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn parse_timestamp(raw: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = with_offset_sign(raw).parse().ok()?;
    Some(Timestamp::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

/// In a query a `+` that is not escaped is a space: `T20:00:00 02:00` was meant as `T20:00:00+02:00`.
fn with_offset_sign(raw: &str) -> Cow<'_, str> {
    match raw.rsplit_once(' ') {
        Some((time, offset))
            if time.contains(':') && offset.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') =>
        {
            format!("{time}+{offset}").into()
        }
        _ => raw.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (raw, ms) in
            [("0s", 0), ("250ms", 250), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse_duration(raw), Some(Duration::from_millis(ms)), "{raw:?}");
        }
        for raw in
            ["", "10", "m", "-1s", "1.5h", "1 s", "1S", "1w", "1h30m", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(parse_duration(raw), None, "{raw:?}");
        }
    }

    fn check(raw: &str, want_ms: Option<u64>) {
        let now = Timestamp::from_millis(1_000_000_000_000);
        let at = match parse_since(raw, now) {
            Ok(ResumeFrom::Since { at, requested }) => {
                assert_eq!(&*requested, raw);
                Some(at.as_millis())
            }
            _ => None,
        };
        assert_eq!(at, want_ms, "{raw:?}");
    }

    #[test]
    fn since_takes_a_time_or_how_long_ago() {
        check("10m", Some(999_999_400_000));
        check("99999d", Some(0));
        check("2001-09-09T01:46:40Z", Some(1_000_000_000_000));
        check("2001-09-09t01:46:40z", Some(1_000_000_000_000));
        check("2001-09-09 01:46:40Z", Some(1_000_000_000_000));
        check("2001-09-09T01:46:40.250Z", Some(1_000_000_000_250));
        check("2001-09-09T03:46:40+02:00", Some(1_000_000_000_000));
        check("2001-09-08T23:46:40-02:00", Some(1_000_000_000_000));
        check("1960-01-01T00:00:00Z", Some(0));
    }

    #[test]
    fn a_plus_that_became_a_space_is_taken_as_a_plus() {
        check("2001-09-09T03:46:40 02:00", Some(1_000_000_000_000));
        check("2001-09-09 03:46:40 02:00", Some(1_000_000_000_000));
    }

    #[test]
    fn since_refuses_what_is_no_time() {
        for raw in ["", "now", "2001-09-09", "2001-09-09T01:46:40", "2001-09-09 01:46", "1000000000", "10 m", "latest"]
        {
            check(raw, None);
        }
        assert_eq!(parse_since("earliest", Timestamp::default()), Ok(ResumeFrom::Earliest));
    }
}
