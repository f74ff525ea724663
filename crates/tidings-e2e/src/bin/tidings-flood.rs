//! An attacker, for tests and measurements on loopback: `tidings-flood KIND ADDRESS PATH COUNT BYTES SECONDS`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks to whoever started it")]

use std::process::ExitCode;

use tidings_e2e::{Attack, run_attack};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let attack = match Attack::parse(&words) {
        Ok(attack) if attack.address.ip().is_loopback() => attack,
        Ok(attack) => {
            eprintln!("{}: expected an address of this machine", attack.address);
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run_attack(&attack, |line| println!("{line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
