//! Builds the program and runs all tests against it.

use crate::lint::cargo;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// Build, then tests. Documentation examples are among the tests of each library.
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps) {
    let built = steps.step("build", || {
        // The end-to-end tests start the real binary, and a test target cannot ask cargo to
        // build another package's binary first.
        cargo(workspace, &["build", "--package", "tidings-cli"])
    });
    steps.step("tests", || {
        if built {
            cargo(workspace, &["test", "--workspace", "--no-fail-fast"])
        } else {
            Ok(Done::Skipped("the program did not build".to_owned()))
        }
    });
}
