//! What is wrong with a file: all of it, each with its line.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a configuration file gives no settings. Whoever wrote it can mend it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum FileError {
    /// It cannot be read at all.
    #[error(
        "the configuration file {path} cannot be read: {cause}; expected a TOML file such as `tidings config default` prints",
        path = .path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// It holds what no hub understands.
    #[error("{}", listed(.path, .faults))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it, by lines; at least one.
        faults: Vec<Fault>,
    },
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where it is, in bytes.
    pub(super) span: Range<usize>,
    /// The line, from 1.
    line: usize,
    /// The key and its value, as far as there are any, what is wrong with them, and what is expected.
    message: String,
}

impl Fault {
    /// A fault of `text` at `span`.
    pub(super) fn new(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { line: line_of(text, span.start), span, message: message.into() }
    }

    /// A fault of the value of a key.
    pub(super) fn of_value(text: &str, span: Range<usize>, key: &str, reason: &str) -> Self {
        let value = excerpt(&text[span.clone()]);
        Self::new(text, span, format!("{key} = {value}: {reason}"))
    }

    /// The line, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..at.min(text.len())]).count()
}

/// A value as it was written, if that is short.
fn excerpt(value: &str) -> String {
    const SHOWN: usize = 60;
    let line = value.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(SHOWN).collect();
    if shown.len() == value.len() { shown } else { format!("{shown}…") }
}

/// `FILE:LINE:` is how editors and terminals find a place.
fn listed(path: &Path, faults: &[Fault]) -> String {
    let path = path.display();
    let count = if faults.len() == 1 { "one fault".to_owned() } else { format!("{} faults", faults.len()) };
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {path}:{}: {fault}", fault.line)).collect();
    format!("the configuration file {path} has {count}:{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_listed_with_their_lines() {
        let text = "a = 1\n\nb = \"two\"\n";
        let at = text.find("\"two\"").expect("it is there");
        let faults = vec![Fault::new(text, 0..1, "a: no"), Fault::of_value(text, at..at + 5, "b", "expected 2")];
        let error = FileError::Faulty { path: "t.toml".into(), faults };
        let want =
            "the configuration file t.toml has 2 faults:\n  t.toml:1: a: no\n  t.toml:3: b = \"two\": expected 2";
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(excerpt("[\n1,\n2]"), "[…");
        assert_eq!(excerpt(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
        assert_eq!(excerpt("\"x\""), "\"x\"");
    }

    #[test]
    fn a_place_beyond_the_text_is_its_last_line() {
        assert_eq!([0, 1, 2, 99].map(|at| line_of("a\nb", at)), [1, 1, 2, 2]);
    }
}
