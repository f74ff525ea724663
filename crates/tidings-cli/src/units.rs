//! Numbers as people read them.

use std::time::Duration;

/// With a comma between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One of something, or so many of it.
pub(crate) fn some(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// In the largest unit of which there is at least one, with one digit after the point.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, size)| number >= *size) {
        Some((unit, size)) => {
            let tenths = u128::from(number) * 10 / u128::from(size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number} B"),
    }
}

/// In its two largest units: enough to say how old something is.
pub(crate) fn age(duration: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let seconds = duration.as_secs();
    let Some(largest) = UNITS.iter().position(|(_, size)| seconds >= *size) else {
        return "less than 1 s".to_owned();
    };
    let (unit, size) = UNITS[largest];
    let first = format!("{} {unit}", seconds / size);
    match UNITS.get(largest + 1) {
        Some((smaller, smaller_size)) if seconds % size >= *smaller_size => {
            format!("{first} {} {smaller}", seconds % size / smaller_size)
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), want);
        }
        assert_eq!((some(1, "topic"), some(2, "topic")), ("1 topic".to_owned(), "2 topics".to_owned()));
    }

    #[test]
    fn sizes_have_a_binary_unit() {
        for (number, want) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (64 << 20, "64.0 MiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(bytes(number), want);
        }
    }

    #[test]
    fn an_age_has_two_units() {
        for (seconds, want) in [
            (0, "less than 1 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_600, "1 h"),
            (3_659, "1 h"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (8_640_000, "100 d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), want, "{seconds}");
        }
    }
}
