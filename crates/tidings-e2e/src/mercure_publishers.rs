//! Publishers for Mercure that others wrote, run as programs of their own.

use std::process::Command;

use serde_json::Value;

use crate::place::{client_script, python};
use crate::program::{Finished, Program};

/// Symfony's Mercure component, as Debian packs it, with a token. How updates look is at the top of its script.
#[track_caller]
pub fn publish_by_symfony(hub_url: &str, token: &str, updates: &[Value]) -> Finished {
    let mut command = Command::new("php");
    command.arg(client_script("publish_symfony.php")).args([hub_url, token]);
    publish(&mut command, updates)
}

/// `mercure-publisher` from PyPI, which signs its token itself.
#[track_caller]
pub fn publish_by_mercure_publisher(hub_url: &str, key: &str, updates: &[Value]) -> Finished {
    let mut command = Command::new(python());
    command.arg(client_script("publish_mercure.py")).args([hub_url, key]);
    publish(&mut command, updates)
}

#[track_caller]
fn publish(command: &mut Command, updates: &[Value]) -> Finished {
    let mut program = Program::start(command);
    let input = updates.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    program.give_stdin(input.as_bytes());
    program.finish()
}
