//! Runs other programs. None of them gets a standard input: nothing here may stop to ask.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs to the end, its output shown as it comes.
///
/// # Errors
/// That it could not be started or did not exit with 0, with the command as a person would type it.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    println!("$ {shown}");
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// What it prints to stdout, trimmed; `None` if it cannot be started or fails.
pub(crate) fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether it starts and exits with 0.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    output_of(program, arguments).is_some()
}

/// The command as a person would type it, without the folder of its program.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let mut words = vec![name.to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}
