//! Numbers as they stand in a row: short, and as wide the next second.

use std::time::Duration;

use crate::units;

/// A rate: below ten with one digit after the point, unless it is a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative, and is shown whole"
)]
pub(super) fn rate(rate: f64) -> String {
    if rate < 9.95 && (rate - rate.round()).abs() > 0.05 {
        return format!("{rate:.1}");
    }
    units::count(rate.max(0.0).round() as u64)
}

/// Bytes a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative, and is shown whole"
)]
pub(super) fn bytes_rate(rate: f64) -> String {
    units::bytes(rate.max(0.0).round() as u64)
}

/// A time in one unit.
pub(super) fn time(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, want) in [(0.0, "0"), (0.3, "0.3"), (2.0, "2"), (9.94, "9.9"), (9.97, "10"), (1234.5, "1,235")] {
            assert_eq!(rate(value), want);
        }
        for (value, want) in [(0.0, "0 s"), (119.9, "119 s"), (120.0, "2 min"), (7_200.0, "2 h"), (1e6, "11 d")] {
            assert_eq!(time(value), want);
        }
        assert_eq!((bytes_rate(1536.4), time(f64::NAN)), ("1.5 KiB".to_owned(), "0 s".to_owned()));
    }
}
