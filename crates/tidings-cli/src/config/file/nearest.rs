//! The name that was probably meant.

/// The known name that is most like `wrong`, if any is.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name with `_` for `-`, or without its first part, is meant for sure.
    let wrong = wrong.replace('_', "-").to_lowercase();
    let likeness = |name: &str| match name {
        _ if name == wrong => 1.0,
        _ if name.ends_with(&format!("-{wrong}")) => 0.99,
        _ => strsim::jaro(name, &wrong),
    };
    let rated = known.into_iter().map(|name| (likeness(name), name));
    let best = rated.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(likeness, _)| *likeness > LIKE).map(|(_, name)| name)
}

/// As in clap: below it the names have little in common.
const LIKE: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_is_seen_through() {
        let known = ["listen", "admin-listen", "history-bytes", "history-events", "drain", "max-connections"];
        for (wrong, want) in [
            ("lsiten", Some("listen")),
            ("histroy-bytes", Some("history-bytes")),
            ("history_bytes", Some("history-bytes")),
            ("bytes", Some("history-bytes")),
            ("connections", Some("max-connections")),
            ("Drain", Some("drain")),
            ("colour", None),
        ] {
            assert_eq!(nearest(wrong, known), want, "{wrong}");
        }
    }
}
