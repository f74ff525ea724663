//! What others say, made fit for a terminal: they have no say over it.

use std::fmt::Write as _;

/// Adds `text` with its control characters written out, but for the tab.
pub(crate) fn push_visible(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
}

/// The same, by itself.
pub(crate) fn visible(text: &str) -> String {
    let mut line = String::new();
    push_visible(&mut line, text);
    line
}
