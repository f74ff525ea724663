//! docs/operations.md explains every line of the log that is not for developers: what stands in the sources stands there,
//! and nothing else does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidings_e2e::of_the_project;

use crate::support::text_of;

const LEVELS: [(&str, &str); 3] = [("error", "ERROR"), ("warn", "WARN"), ("info", "INFO")];

/// A line of the log: its level, and its sentence with `…` for what is put in.
type Line = (String, String);

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines that a source writes: the last text within each call.
fn lines_in(source: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, level) in LEVELS {
        for call in source.split(&format!("tracing::{name}!(")).skip(1) {
            lines.push((level.to_owned(), sentence(call)));
        }
    }
    lines
}

/// The last text of the arguments that begin here, up to their closing bracket.
fn sentence(arguments: &str) -> String {
    let mut text = String::new();
    let mut is_text = false;
    let mut depth = 1;
    let mut chars = arguments.chars();
    while let Some(c) = chars.next() {
        match (is_text, c) {
            (false, '"') => {
                text.clear();
                is_text = true;
            }
            (true, '"') => is_text = false,
            (true, '\\') => match chars.next() {
                // A text that goes on in the next line.
                Some('\n') => {
                    let rest = chars.as_str().trim_start();
                    chars = rest.chars();
                }
                Some(escaped) => text.push(escaped),
                None => break,
            },
            (true, '{') => {
                text.push('…');
                chars.by_ref().find(|c| *c == '}');
            }
            (true, c) => text.push(c),
            (false, '(') => depth += 1,
            (false, ')') => depth -= 1,
            (false, _) => {}
        }
        if depth == 0 {
            break;
        }
    }
    text
}

/// The lines that the docs explain: the rows of their tables that begin with a level.
fn lines_of_docs() -> BTreeSet<Line> {
    let rows = text_of("docs/operations.md");
    let line = |row: &str| {
        let mut cells = row.strip_prefix("| ")?.split(" | ");
        let level = cells.next()?;
        LEVELS.iter().find(|(_, name)| *name == level)?;
        let cells: Vec<_> = cells.collect();
        assert_eq!(cells.len(), 3, "a row has a level, a line, what it means and what to do: {row}");
        Some((level.to_owned(), cells[0].trim_matches('`').to_owned()))
    };
    rows.lines().filter_map(line).collect()
}

#[test]
fn every_line_of_the_log_is_explained_and_no_other() {
    let mut files = Vec::new();
    sources(&of_the_project("crates"), &mut files);
    let of_the_program = |path: &&PathBuf| {
        let path = path.to_string_lossy();
        path.contains("/src/") && !path.contains("/tidings-e2e/")
    };
    let mut written = BTreeSet::new();
    for path in files.iter().filter(of_the_program) {
        written.extend(lines_in(&fs::read_to_string(path).expect("a source is text")));
    }
    assert!(written.len() > 50, "the sources have lines of the log: {written:?}");
    let explained = lines_of_docs();
    let (unexplained, unknown): (Vec<_>, Vec<_>) =
        (written.difference(&explained).collect(), explained.difference(&written).collect());
    assert!(unexplained.is_empty(), "docs/operations.md does not explain {unexplained:#?}");
    assert!(unknown.is_empty(), "docs/operations.md explains what nobody writes: {unknown:#?}");
}

#[test]
fn a_sentence_is_the_last_text_of_a_call() {
    let check = |source: &str, want: &[(&str, &str)]| {
        let want: Vec<Line> = want.iter().map(|(level, text)| ((*level).to_owned(), (*text).to_owned())).collect();
        assert_eq!(lines_in(source), want, "{source}");
    };
    check(r#"tracing::warn!(%error, "it broke");"#, &[("WARN", "it broke")]);
    check(
        r#"tracing::error!(a = f("x"), "cannot {doing}: no (more)"); "not this""#,
        &[("ERROR", "cannot …: no (more)")],
    );
    check("tracing::info!(\"one \\\n         line\")", &[("INFO", "one line")]);
    check(r#"tracing::debug!("not for operators")"#, &[]);
}
