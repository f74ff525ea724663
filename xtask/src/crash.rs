//! The long form of the crash test: the hub killed under load again and again, and the proof that nothing is lost.

use std::process::Command;

use crate::lint::cargo;
use crate::run::run;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// What is to be survived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CrashOptions {
    /// How often the hub is killed.
    pub(crate) kills: u64,
    /// The choices of an earlier run; new ones without it.
    pub(crate) seed: Option<u64>,
    /// With `--durability relaxed`.
    pub(crate) is_relaxed: bool,
    /// With a history so small that it is trimmed all the time.
    pub(crate) keeps_little: bool,
}

impl Default for CrashOptions {
    fn default() -> Self {
        Self { kills: 100, seed: None, is_relaxed: false, keeps_little: false }
    }
}

impl CrashOptions {
    /// Takes one option, with its value from `more`.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    pub(crate) fn take(&mut self, option: &str, more: &mut impl Iterator<Item = String>) -> Result<(), String> {
        let mut value = || more.next().ok_or_else(|| format!("{option} needs a value"));
        match option {
            "--kills" => {
                let raw = value()?;
                let kills = raw.parse().ok().filter(|&kills| kills > 0);
                self.kills = kills.ok_or_else(|| format!("--kills {raw:?}: expected a number from 1 on"))?;
            }
            "--seed" => {
                let raw = value()?;
                let seed =
                    raw.parse().map_err(|_| format!("--seed {raw:?}: expected a number that a run has printed"))?;
                self.seed = Some(seed);
            }
            "--relaxed" => self.is_relaxed = true,
            "--little-history" => self.keeps_little = true,
            _ => return Err(format!("crash takes no {option:?}")),
        }
        Ok(())
    }
}

/// Builds the program and kills it.
pub(crate) fn all(workspace: &Workspace, options: &CrashOptions, steps: &mut Steps) {
    let built = steps.step("build", || cargo(workspace, &["build", "--package", "tidings-cli"]));
    if !built {
        return;
    }
    steps.step("crash", || {
        let mut test = Command::new(&workspace.cargo);
        test.current_dir(&workspace.root);
        test.args(["test", "--package", "tidings-e2e", "--test", "crash", "--"]);
        test.args(["--ignored", "--exact", "any_number_of_kills_loses_nothing", "--nocapture"]);
        test.env("TIDINGS_CRASH_KILLS", options.kills.to_string());
        test.env("TIDINGS_CRASH_DURABILITY", if options.is_relaxed { "relaxed" } else { "sync" });
        test.env("TIDINGS_CRASH_RETENTION", if options.keeps_little { "little" } else { "all" });
        match options.seed {
            Some(seed) => test.env("TIDINGS_SEED", seed.to_string()),
            None => test.env_remove("TIDINGS_SEED"),
        };
        run(&mut test)?;
        Ok(Done::Passed)
    });
}
