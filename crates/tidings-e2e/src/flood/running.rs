//! Floods as child processes of a test.

use std::process::Command;

use crate::flood::attack::Attack;
use crate::program::Program;

/// An attack that is under way.
#[derive(Debug)]
pub struct Flood(Program);

/// What newcomers met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newcomers {
    /// How many came.
    pub asked: u64,
    /// How many were served.
    pub served: u64,
    /// How long those had to wait, all but one in a hundred. Unit: milliseconds.
    pub p99_ms: f64,
}

impl Flood {
    /// Starts `program`, which is `tidings-flood`, and waits until the attack is under way.
    #[track_caller]
    pub fn start(program: &str, attack: &Attack) -> Self {
        let running = Program::start(Command::new(program).args(attack.to_words()));
        running.wait_for_line("the attack", |line| (!line.is_empty()).then_some(()));
        Self(running)
    }

    /// Ends it now, and gives a number of its report.
    #[track_caller]
    pub fn stop(self, name: &str) -> u64 {
        number(&self.report(), name)
    }

    /// Waits for its own end.
    #[track_caller]
    pub fn newcomers(mut self) -> Newcomers {
        let line = self.0.wait_for_line("the report", |line| line.contains("served=").then(|| line.to_owned()));
        self.0.give_stdin(b"");
        self.0.finish().expect_code(0);
        Newcomers { asked: number(&line, "asked"), served: number(&line, "served"), p99_ms: number(&line, "p99_ms") }
    }

    #[track_caller]
    fn report(mut self) -> String {
        self.0.give_stdin(b""); // its end asks for the flood's
        let finished = self.0.finish().expect_code(0);
        finished.stdout.lines().last().unwrap_or_default().to_owned()
    }
}

#[track_caller]
fn number<T: std::str::FromStr>(report: &str, name: &str) -> T {
    let value = report.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {report:?}"))
}
