//! Cuts a value from the network down to what an error may repeat. Does not escape it: errors print an excerpt with `{:?}`.

/// At most 80 bytes of `raw` around byte `at`, with `…` where something was left out.
///
/// Errors end up in logs and answers; a 4 KiB value must not fill them, and the fault must be in what is shown.
pub(crate) fn excerpt_around(raw: &str, at: usize) -> String {
    let start = raw.floor_char_boundary(at.saturating_sub(EXCERPT_BYTES_MAX / 2));
    let end = raw.floor_char_boundary(start + EXCERPT_BYTES_MAX);

    let before = if start > 0 { "…" } else { "" };
    let after = if end < raw.len() { "…" } else { "" };
    format!("{before}{}{after}", &raw[start..end])
}

const EXCERPT_BYTES_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_value_is_shown_whole() {
        assert_eq!(excerpt_around("", 0), "");
        assert_eq!(excerpt_around("chat/42", 3), "chat/42");
    }

    #[test]
    fn a_long_value_is_cut_around_the_fault() {
        let raw = format!("{}!{}", "a".repeat(1000), "b".repeat(1000));
        let want = format!("…{}!{}…", "a".repeat(40), "b".repeat(39));
        assert_eq!(excerpt_around(&raw, 1000), want);
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let raw = "€".repeat(1000);
        for at in 0..raw.len() {
            let excerpt = excerpt_around(&raw, at);
            assert!(excerpt.len() <= EXCERPT_BYTES_MAX + 2 * "…".len(), "{excerpt}");
            assert!(excerpt.chars().all(|c| c == '€' || c == '…'), "{excerpt}");
        }
    }
}
