//! How far a long input is, on the terminal; where stderr is none, nothing.

use std::fs::File;
use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::say;
use crate::units::some;

/// A line at the bottom of the terminal, from the second second on.
pub(super) struct Bar {
    since: Instant,
    /// Bytes of the input, if it is a file.
    total: Option<u64>,
    /// Where the ids go to the same terminal they show how far it is.
    is_wanted: bool,
    shown: Option<ProgressBar>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let is_wanted = !stdout().is_terminal() && !stdin().is_terminal();
        Self { since: Instant::now(), total: input_len(), is_wanted, shown: None }
    }

    /// So many bytes were read, and so many lines accepted.
    pub(super) fn show(&mut self, bytes_read: u64, accepted: u64) {
        let elapsed = self.since.elapsed();
        if !self.is_wanted || elapsed < QUIET {
            return;
        }
        let bar = self.shown.get_or_insert_with(|| begin(self.total));
        bar.set_position(bytes_read);
        let rate = u128::from(accepted) * 1000 / elapsed.as_millis().max(1);
        bar.set_message(format!("{} published, {rate} a second", some(accepted, "line")));
    }

    /// Says something above the bar.
    pub(super) fn note(&self, note: impl std::fmt::Display) {
        match &self.shown {
            Some(bar) => bar.suspend(|| say::note(note)),
            None => say::note(note),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

/// What is over before does not need a bar.
const QUIET: Duration = Duration::from_secs(1);

fn begin(total: Option<u64>) -> ProgressBar {
    // Both draw to stderr, and only to a terminal.
    let (bar, form) = match total {
        Some(total) => (ProgressBar::new(total), "[{bar:40}] {percent:>3} %  {msg}, {elapsed}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}, {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(form).expect("a template of ours").progress_chars("=> "))
}

fn input_len() -> Option<u64> {
    let file = File::from(stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    (metadata.is_file() && metadata.len() > 0).then_some(metadata.len())
}
