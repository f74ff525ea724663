//! The log of limits that are reached: a line when one is, and one each minute while it goes on, with how often it was
//! and who was the first. None for each refusal: whoever storms a hub must not fill its disk.

use std::time::{Duration, Instant};

use tidings_core::{Counters, Limit};

/// How often the counters are looked at. A limit that is reached is in the log so much later at most.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long after a line about a limit the next one about it comes.
const QUIET_TIME: Duration = Duration::from_mins(1);

/// What was written of each limit, and when.
#[derive(Debug)]
pub(crate) struct LimitLog {
    written: [Written; Limit::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Written {
    times: u64,
    at: Option<Instant>,
}

/// What is to be written of a limit.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    limit: Limit,
    /// How often it was reached since the line before.
    times: u64,
    /// Who reached it first since then, where that is known.
    first: Option<Box<str>>,
}

impl LimitLog {
    /// What is counted from now on is written.
    pub(crate) fn new(counters: &Counters) -> Self {
        let mut written = [Written::default(); Limit::ALL.len()];
        for limit in Limit::ALL {
            written[*limit as usize].times = counters.reached(*limit);
        }
        Self { written }
    }

    /// Looks again and again, for ever. Whoever serves runs it, and ends it by dropping it. Needs a Tokio runtime.
    pub(crate) async fn keep(mut self, counters: &Counters) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            for Line { limit, times, first } in self.look(counters, Instant::now()) {
                let first = first.as_deref().unwrap_or("unknown");
                tracing::warn!(limit = limit.label(), times, first, "limit reached: {}", limit.advice());
            }
        }
    }

    fn look(&mut self, counters: &Counters, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        for &limit in Limit::ALL {
            let written = &mut self.written[limit as usize];
            let reached = counters.reached(limit);
            let is_quiet = written.at.is_some_and(|at| now.duration_since(at) < QUIET_TIME);
            if reached == written.times || is_quiet {
                continue;
            }
            lines.push(Line { limit, times: reached - written.times, first: counters.take_culprit(limit) });
            *written = Written { times: reached, at: Some(now) };
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_a_line_at_once_and_one_each_minute() {
        let counters = Counters::default();
        counters.reach(Limit::Tickets);
        let mut log = LimitLog::new(&counters);
        let began = Instant::now();
        assert_eq!(log.look(&counters, began), [], "what was before is not ours");

        counters.reach_by(Limit::ConnectionsPerIp, &"192.0.2.7");
        counters.reach_by(Limit::ConnectionsPerIp, &"192.0.2.8");
        let first = |name: &str| Some(Box::from(name));
        let line = |times, first| [Line { limit: Limit::ConnectionsPerIp, times, first }];
        assert_eq!(log.look(&counters, began), line(2, first("192.0.2.7")));

        for _ in 0..1000 {
            counters.reach_by(Limit::ConnectionsPerIp, &"192.0.2.9");
        }
        assert_eq!(log.look(&counters, began + QUIET_TIME / 2), []);
        assert_eq!(log.look(&counters, began + QUIET_TIME), line(1000, first("192.0.2.9")));
        assert_eq!(log.look(&counters, began + 3 * QUIET_TIME), []);
    }
}
