//! A bar on the terminal; where stderr is none, nothing.

use indicatif::{ProgressBar, ProgressStyle};
use tidings_bench::{Phase, Progress};

/// A bar for each phase, one after the other.
#[derive(Default)]
pub(super) struct Bar {
    shown: Option<(Phase, ProgressBar)>,
}

impl Bar {
    pub(super) fn show(&mut self, progress: Progress) {
        let is_same = self.shown.as_ref().is_some_and(|(phase, _)| *phase == progress.phase);
        if !is_same {
            self.clear();
            self.shown = Some((progress.phase, begin(progress)));
        }
        if let Some((_, bar)) = &self.shown {
            bar.set_position(progress.done);
        }
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn begin(progress: Progress) -> ProgressBar {
    let form = match progress.total {
        Some(_) => "{msg:14} [{bar:40}] {human_pos} of {human_len} {prefix}, {elapsed}",
        None => "{msg:14} {spinner} {human_pos} {prefix}, {elapsed}",
    };
    let bar = match progress.total {
        Some(total) => ProgressBar::new(total), // draws to stderr, and only to a terminal
        None => ProgressBar::new_spinner(),
    };
    let style = ProgressStyle::with_template(form).expect("a template of ours").progress_chars("=> ");
    bar.with_style(style).with_message(progress.phase.name()).with_prefix(progress.phase.unit())
}
