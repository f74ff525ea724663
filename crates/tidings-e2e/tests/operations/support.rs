//! What the scenarios share.

use std::fs;
use std::path::Path;
use std::process::Command;

use tidings_e2e::{Program, of_the_project, promtool};

/// A text of the project, by its path from the root.
#[track_caller]
pub(crate) fn text_of(path: &str) -> String {
    let path = of_the_project(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Prometheus' own judgement; fails with what it says.
#[track_caller]
pub(crate) fn ask_promtool(words: &[&str], file: Option<&Path>, input: &str) {
    let mut command = Command::new(promtool());
    command.args(words).args(file);
    let mut program = Program::start(&mut command);
    program.give_stdin(input.as_bytes());
    let finished = program.finish();
    assert_eq!(finished.code, Some(0), "promtool {words:?}\n{}{}", finished.stdout, finished.stderr);
}

/// The address of a heading within a page, as forges make it.
pub(crate) fn anchor_of(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
