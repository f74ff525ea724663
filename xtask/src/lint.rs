//! What can be said of the code without running it.

use std::process::Command;

use crate::run::{run, succeeds};
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// All lints; one that fails does not keep the others from speaking.
pub(crate) fn all(workspace: &Workspace, advisories: bool, steps: &mut Steps) {
    steps.step("rustfmt", || cargo(workspace, &["fmt", "--all", "--check"]));
    steps.step("clippy", || cargo(workspace, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    steps.step("cargo-deny", || deny(workspace, advisories));
}

/// Runs one cargo command in the workspace.
pub(crate) fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<Done, String> {
    run(Command::new(&workspace.cargo).args(arguments).current_dir(&workspace.root))?;
    Ok(Done::Passed)
}

fn deny(workspace: &Workspace, advisories: bool) -> Result<Done, String> {
    if !succeeds("cargo-deny", &["--version"]) {
        return if advisories {
            Err("--advisories needs cargo-deny: cargo install --locked cargo-deny".to_owned())
        } else {
            Ok(Done::Skipped("cargo-deny is not installed: cargo install --locked cargo-deny".to_owned()))
        };
    }
    // Duplicates are warnings in deny.toml and would bury a fault here; `cargo deny check` shows them.
    let mut arguments =
        vec!["deny", "--log-level", "error", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    if advisories {
        arguments.push("advisories");
    }
    cargo(workspace, &arguments)
}
