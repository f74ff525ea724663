//! The settings, written anew and read again every few seconds: by turns good and bad ones.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::stage::{LIMITS_FIRST, Stage};

/// What reloads came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reloads {
    pub(super) good: usize,
    pub(super) bad: usize,
}

/// Each differs from the one before, so that a reload has something to say. None refuses whom the soak relies on.
const GOOD: [&str; 3] = [
    "max-event-bytes = \"128KiB\"\nmax-lag-bytes = \"1MiB\"\nhead-timeout = \"3s\"\n",
    "max-event-bytes = \"512KiB\"\nmax-connections-per-ip = 9000\nhead-timeout = \"2s\"\n",
    LIMITS_FIRST,
];
/// An unknown key, a bad value, no TOML, and something that cannot change.
const BAD: [&str; 4] =
    ["max-event-bites = 5\n", "max-lag-bytes = \"soon\"\n", "max-lag-bytes\n", "[listening]\ntls-key = \"/nowhere\"\n"];

/// Reloads until it is told to stop.
///
/// # Panics
/// When the hub does not say that it has taken good settings, or that it has refused bad ones.
pub(super) fn reload_until_stopped(stage: &Stage, stop: &Receiver<()>) -> Reloads {
    let mut done = Reloads::default();
    while stop.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        if done.good <= done.bad {
            stage.write_settings(GOOD[done.good % GOOD.len()]);
            stage.hub.hang_up();
            stage.hub.wait_for_nth_log(&["INFO", "the limits were read again"], done.good);
            done.good += 1;
        } else {
            stage.write_settings(BAD[done.bad % BAD.len()]);
            stage.hub.hang_up();
            stage.hub.wait_for_nth_log(&["ERROR", "the settings were not read again"], done.bad);
            done.bad += 1;
        }
    }
    done
}

const EVERY: Duration = Duration::from_secs(2);
