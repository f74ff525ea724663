//! How far it is, on the terminal; where stderr is none, nothing.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of bytes; gone when it is dropped.
#[derive(Default)]
pub(super) struct Bar {
    shown: Option<ProgressBar>,
}

impl Bar {
    pub(super) fn show(&mut self, done: u64, total: u64) {
        self.shown.get_or_insert_with(|| begin(total)).set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn begin(total: u64) -> ProgressBar {
    let form = "[{bar:40}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} to go";
    let style = ProgressStyle::with_template(form).expect("a template of ours").progress_chars("=> ");
    ProgressBar::new(total).with_style(style) // draws to stderr, and only to a terminal
}
