//! The one door: `cargo xtask test` does all that a change must pass, on a fresh clone too.
//!
//! Decides which steps run and in what order. What a step does is in `setup`, `lint`, `suite`, `crash`, `soak` and
//! `bench`; how steps are timed and told is in `steps`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks to the person at the keyboard"
)]

mod bench;
mod command;
mod crash;
mod lint;
mod run;
mod setup;
mod soak;
mod steps;
mod suite;
mod workspace;

use std::process::ExitCode;

use command::Command;
use steps::Steps;
use workspace::Workspace;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(fault) => {
            eprintln!("error: {fault}\n\n{}", command::USAGE);
            return ExitCode::from(2);
        }
    };
    let workspace = match Workspace::find() {
        Ok(workspace) => workspace,
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::FAILURE;
        }
    };

    let mut steps = Steps::default();
    match command {
        Command::Help => {
            println!("{}", command::USAGE);
            return ExitCode::SUCCESS;
        }
        Command::Setup => {
            setup::all(&workspace, &mut steps);
        }
        Command::Crash(options) => crash::all(&workspace, &options, &mut steps),
        Command::Soak(options) => soak::all(&workspace, &options, &mut steps),
        Command::Bench(options) => bench::all(&workspace, &options, &mut steps),
        Command::Flood { rounds, only } => bench::flood(&workspace, rounds, &only, &mut steps),
        Command::Lint { advisories } => lint::all(&workspace, advisories, &mut steps),
        Command::Test { advisories } => {
            // Without its programs and clients most of the suite would fail for one and the same reason.
            if setup::all(&workspace, &mut steps) {
                lint::all(&workspace, advisories, &mut steps);
                suite::all(&workspace, &mut steps);
            }
        }
    }
    print!("{}", steps.table());
    if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
