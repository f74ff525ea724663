//! A line of the screen: texts and their styles. Whatever a text holds, it becomes visible characters of a known width.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// How a text looks. Without colours the last three are as the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Dim,
    Bold,
    /// The head of a list, or the row that is selected.
    Reverse,
    Good,
    Warn,
    Bad,
}

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Used,
    /// `NO_COLOR` is set.
    Unused,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    parts: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a text. Control characters in it are written out, and so are those that reorder or hide others.
    pub(super) fn add(mut self, style: Style, text: impl AsRef<str>) -> Self {
        let text = shown(text.as_ref());
        self.width += width(&text);
        self.parts.push((style, text));
        self
    }

    /// Adds a text at the right end of a column.
    pub(super) fn right(self, style: Style, text: &str, column: usize) -> Self {
        let text = cut(&shown(text), column);
        let room = column - width(&text);
        self.add(style, format!("{}{text}", " ".repeat(room)))
    }

    /// Adds a text at the left end of a column.
    pub(super) fn left(self, style: Style, text: &str, column: usize) -> Self {
        let text = cut(&shown(text), column);
        let room = column - width(&text);
        self.add(style, format!("{text}{}", " ".repeat(room)))
    }

    /// Fills it with spaces, so that `end` stands at the right end of `columns`. Where both have no place, `end` goes.
    pub(super) fn end(self, style: Style, end: &str, columns: usize) -> Self {
        let room = columns.saturating_sub(self.width + width(end));
        if room == 0 { self } else { self.add(Style::Plain, " ".repeat(room)).add(style, end) }
    }

    /// No longer than so many columns: what is cut ends with `…`.
    pub(super) fn cut(self, columns: usize) -> Self {
        if self.width <= columns {
            return self;
        }
        let mut kept = Self::default();
        for (style, text) in self.parts {
            let room = columns - kept.width;
            if width(&text) <= room && kept.width + width(&text) < columns {
                kept = kept.add(style, text);
                continue;
            }
            // More follows, or this is too long itself.
            kept = kept.add(style, cut(&format!("{text}…"), room));
            break;
        }
        kept
    }

    /// As one bar of this style, from edge to edge.
    pub(super) fn bar(self, style: Style, columns: usize) -> Self {
        let text = self.cut(columns).text();
        Self::default().left(style, &text, columns)
    }

    /// Without styles.
    pub(super) fn text(&self) -> String {
        self.parts.iter().map(|(_, text)| &**text).collect()
    }

    /// With the escapes of a terminal.
    pub(super) fn paint(&self, colours: Colours) -> String {
        let mut painted = String::new();
        for (style, text) in &self.parts {
            match sgr(*style, colours) {
                Some(code) => write!(painted, "\x1b[{code}m{text}\x1b[0m").expect("a String takes any text"),
                None => painted.push_str(text),
            }
        }
        painted
    }
}

/// The number by which a terminal is told of a style. (ECMA-48, "SGR")
fn sgr(style: Style, colours: Colours) -> Option<&'static str> {
    match (style, colours) {
        (Style::Dim, _) => Some("2"),
        (Style::Bold, _) => Some("1"),
        (Style::Reverse, _) => Some("7"),
        (Style::Good, Colours::Used) => Some("32"),
        (Style::Warn, Colours::Used) => Some("33"),
        (Style::Bad, Colours::Used) => Some("31"),
        (Style::Plain | Style::Good | Style::Warn | Style::Bad, _) => None,
    }
}

/// `text` with all that is no plain character written out.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_unseen(character) {
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Characters by which a text could show itself in another order, or pass for another one.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Columns that `text` takes on a terminal.
fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// `text` in at most so many columns.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_the_columns_it_takes() {
        for (text, columns, want) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(cut(text, columns), want, "{text} in {columns}");
        }
    }

    #[test]
    fn a_line_is_cut_across_its_parts() {
        let line = || Line::new().add(Style::Bold, "ab").add(Style::Plain, "cd").add(Style::Dim, "ef");
        for (columns, want) in [(7, "abcdef"), (6, "abcdef"), (5, "abcd…"), (4, "abc…"), (2, "a…"), (1, "…"), (0, "")]
        {
            assert_eq!(line().cut(columns).text(), want, "{columns}");
        }
        assert_eq!(Line::new().add(Style::Plain, "ab").bar(Style::Reverse, 4).text(), "ab  ");
        assert_eq!(Line::new().add(Style::Plain, "ab").end(Style::Dim, "12", 6).text(), "ab  12");
        assert_eq!(Line::new().add(Style::Plain, "ab").end(Style::Dim, "12", 4).text(), "ab");
    }

    #[test]
    fn nobody_writes_to_the_terminal() {
        let line = Line::new().add(Style::Plain, "a\x1b[31m\u{9b}\n\t\u{202e}é");
        assert_eq!(line.text(), "a\\u{1b}[31m\\u{9b}\\n\\t\\u{202e}é");
        assert_eq!(Line::new().left(Style::Plain, "\x1b[2J", 5).text(), "\\u{1…");
        assert!(!line.paint(Colours::Used).contains('\x1b'));
    }

    #[test]
    fn without_colours_there_are_none() {
        let line = Line::new().add(Style::Bad, "a").add(Style::Reverse, "b");
        assert_eq!(line.paint(Colours::Used), "\x1b[31ma\x1b[0m\x1b[7mb\x1b[0m");
        assert_eq!(line.paint(Colours::Unused), "a\x1b[7mb\x1b[0m");
    }
}
