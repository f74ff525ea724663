//! The program as its users meet it: command lines, what is printed, exit codes.
//!
//! What a hub does for readers and publishers is tested in `tidings-e2e`; here is what the commands add.

mod bench;
mod config;
mod data;
mod demo;
mod publish;
mod resume;
mod scripted;
mod serve;
mod signalled;
mod tail;
mod tail_flags;
mod usage;

use tidings_e2e::{Finished, Hub, Program, tidings};

/// Runs a command to its end, with nothing on its stdin.
#[track_caller]
fn run(arguments: &[&str]) -> Finished {
    Program::start(&mut tidings(arguments)).finish()
}

/// Runs a command to its end, with this on its stdin.
#[track_caller]
fn run_with(arguments: &[&str], stdin: &[u8]) -> Finished {
    let mut program = Program::start(&mut tidings(arguments));
    program.give_stdin(stdin);
    program.finish()
}

/// A hub in memory.
#[track_caller]
fn hub(flags: &[&str]) -> Hub {
    Hub::start(&[&["serve", "--memory"], flags].concat())
}

/// The whole lines of a text.
fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Fails unless `text` holds all of these.
#[track_caller]
fn expect_all(text: &str, wants: &[&str]) {
    for want in wants {
        assert!(text.contains(want), "expected {want:?} in:\n{text}");
    }
}
