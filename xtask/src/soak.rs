//! The long form of the soak: a hub under a load of everything at once, and the proof that it loses nothing and keeps
//! nothing.

use std::process::Command;

use crate::lint::cargo;
use crate::run::run;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// What is to be survived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SoakOptions {
    /// For how long.
    pub(crate) minutes: u64,
    /// The choices of an earlier run; new ones without it.
    pub(crate) seed: Option<u64>,
}

impl Default for SoakOptions {
    fn default() -> Self {
        Self { minutes: 10, seed: None }
    }
}

impl SoakOptions {
    /// Takes one option, with its value from `more`.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    pub(crate) fn take(&mut self, option: &str, more: &mut impl Iterator<Item = String>) -> Result<(), String> {
        let mut value = || more.next().ok_or_else(|| format!("{option} needs a value"));
        match option {
            "--minutes" => {
                let raw = value()?;
                let minutes = raw.parse().ok().filter(|minutes| (1..=MINUTES_MAX).contains(minutes));
                self.minutes = minutes.ok_or_else(|| format!("--minutes {raw:?}: expected 1 to {MINUTES_MAX}"))?;
            }
            "--seed" => {
                let raw = value()?;
                let seed =
                    raw.parse().map_err(|_| format!("--seed {raw:?}: expected a number that a run has printed"))?;
                self.seed = Some(seed);
            }
            _ => return Err(format!("soak takes no {option:?}")),
        }
        Ok(())
    }
}

/// Builds the program and soaks it.
pub(crate) fn all(workspace: &Workspace, options: &SoakOptions, steps: &mut Steps) {
    let built = steps.step("build", || cargo(workspace, &["build", "--package", "tidings-cli"]));
    if !built {
        return;
    }
    steps.step("soak", || {
        let mut test = Command::new(&workspace.cargo);
        test.current_dir(&workspace.root);
        test.args(["test", "--package", "tidings-e2e", "--test", "soak", "--"]);
        let name = "any_time_of_everything_at_once_loses_nothing_and_leaves_nothing";
        test.args(["--ignored", "--exact", name, "--nocapture"]);
        test.env("TIDINGS_SOAK_MINUTES", options.minutes.to_string());
        match options.seed {
            Some(seed) => test.env("TIDINGS_SEED", seed.to_string()),
            None => test.env_remove("TIDINGS_SEED"),
        };
        run(&mut test)?;
        Ok(Done::Passed)
    });
}

/// A day.
const MINUTES_MAX: u64 = 24 * 60;
