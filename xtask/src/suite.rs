//! Builds the program and runs all tests against it.

use crate::lint::cargo;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// Build, then tests. Documentation examples are among the tests of each library.
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps) {
    let built = steps.step("build", || {
        // All of it before any test runs: the end-to-end tests start the real binary, and a test target cannot ask for
        // another package's. Built by `cargo test`, because `cargo build` chooses other features of the dependencies,
        // and then all would be built twice.
        cargo(workspace, &["test", "--workspace", "--no-run"])
    });
    steps.step("tests", || {
        if built {
            cargo(workspace, &["test", "--workspace", "--no-fail-fast"])
        } else {
            Ok(Done::Skipped("the tests did not build".to_owned()))
        }
    });
}
