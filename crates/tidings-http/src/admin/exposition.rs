//! Prometheus text (exposition format 0.0.4), as a page that grows family by family. Knows the form, not what is counted.

use std::fmt::{self, Write as _};

use tidings_core::histogram::{BUCKETS_SECONDS, HistogramCounts};

/// The page so far.
#[derive(Default)]
pub(super) struct Exposition(String);

/// What a family is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Exposition {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl fmt::Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    /// A family told apart by one label. The values of our labels need no escaping.
    pub(super) fn family<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, kind, help);
        for (of, value) in samples {
            self.line(format_args!("{name}{{{label}=\"{of}\"}} {value}"));
        }
    }

    /// Durations, in seconds.
    pub(super) fn histogram(&mut self, name: &str, help: &str, counted: &HistogramCounts) {
        self.head_of(name, "histogram", help);
        let mut so_far = 0;
        for (bound, count) in BUCKETS_SECONDS.iter().zip(counted.counts) {
            so_far += count;
            self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {so_far}"));
        }
        let total = counted.total();
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {total}"));
        self.line(format_args!("{name}_sum {}", counted.sum.as_secs_f64()));
        self.line(format_args!("{name}_count {total}"));
    }

    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.head_of(name, kind, help);
    }

    fn head_of(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes every text");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidings_core::Histogram;

    use super::*;

    #[test]
    fn a_page_is_heads_and_samples() {
        let mut page = Exposition::default();
        page.single("a_total", Kind::Counter, "How many.", 3);
        page.family("b", Kind::Gauge, "Some.", "of", [("x", 1), ("y", 2)]);
        assert_eq!(
            page.into_text(),
            "# HELP a_total How many.\n# TYPE a_total counter\na_total 3\n\
             # HELP b Some.\n# TYPE b gauge\nb{of=\"x\"} 1\nb{of=\"y\"} 2\n"
        );
    }

    #[test]
    fn a_histogram_counts_all_that_took_at_most_so_long() {
        let histogram = Histogram::default();
        for ms in [0, 3, 3, 60_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut page = Exposition::default();
        page.histogram("c_seconds", "How long.", &histogram.counts());
        let text = page.into_text();
        for line in [
            "# TYPE c_seconds histogram",
            "c_seconds_bucket{le=\"0.0001\"} 1",
            "c_seconds_bucket{le=\"0.0025\"} 1",
            "c_seconds_bucket{le=\"0.005\"} 3",
            "c_seconds_bucket{le=\"10\"} 3",
            "c_seconds_bucket{le=\"+Inf\"} 4",
            "c_seconds_sum 60.006",
            "c_seconds_count 4",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }
}
