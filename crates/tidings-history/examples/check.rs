//! Judges a history that was kept: `cargo run --package tidings-history --example check -- FILE`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person at the keyboard")]

use std::error::Error;
use std::process::ExitCode;

use tidings_history::{History, check};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("error: which file? Expected the path of a history, one JSON entry on each line");
        return Ok(ExitCode::from(2));
    };
    let history = History::parse(&std::fs::read(path)?)?;
    match check(&history) {
        Ok(summary) => {
            println!("{summary}");
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            for fault in faults {
                println!("{fault}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
