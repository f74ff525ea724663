//! Characters that are there and are not seen: what Mercure 1.0 refuses in matchers, topics, ids and types.

use std::sync::LazyLock;

use regex_automata::meta::Regex;

/// The first format character of a text (Unicode category Cf: zero-width spaces and joiners, marks of direction, tags), and where
/// it begins in bytes.
///
/// ```
/// use tidings_topic::find_format_character;
///
/// assert_eq!(find_format_character("pay\u{202e}lap"), Some((3, '\u{202e}')));
/// assert_eq!(find_format_character("Zürich"), None);
/// ```
pub fn find_format_character(text: &str) -> Option<(usize, char)> {
    static FORMAT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\p{Cf}").expect("the category has this name"));
    if text.is_ascii() {
        return None; // the first one is U+00AD
    }
    let found = FORMAT.find(text)?;
    Some((found.start(), text[found.range()].chars().next()?))
}
