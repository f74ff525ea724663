//! What a soak came to, in figures and in words.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidings_history::Summary;
use tidings_history::recorders::Tally;

use super::cycle::Passers;
use super::gauge::Rest;
use super::judge::mib;
use super::reloads::Reloads;
use super::watch::Sample;

/// What was survived.
#[derive(Clone, Debug, Default)]
pub struct SoakReport {
    pub(super) durability: &'static str,
    pub(super) took: Duration,
    pub(super) tally: Tally,
    /// Readers that were judged.
    pub(super) readers: usize,
    pub(super) resumed: usize,
    pub(super) unknown_seen: usize,
    pub(super) verdicts: BTreeMap<String, usize>,
    pub(super) passers: Passers,
    pub(super) reloads: Reloads,
    /// Streams that the hub has seen end, by reason; limits that it says were reached.
    pub(super) closed: BTreeMap<String, u64>,
    pub(super) limits_reached: BTreeMap<String, u64>,
    pub(super) log_lines: usize,
    pub(super) hub_cpu: Duration,
    pub(super) began: Rest,
    pub(super) after_cycles: Vec<Rest>,
    pub(super) curve: Vec<Sample>,
}

impl SoakReport {
    pub(super) fn add(&mut self, summary: &Summary) {
        self.readers += summary.readers;
        self.resumed += summary.resumed;
        self.unknown_seen += summary.unknown_seen;
        for (reason, count) in &summary.verdicts {
            *self.verdicts.entry(reason.clone()).or_default() += count;
        }
    }

    pub(super) fn add_tally(&mut self, tally: &Tally) {
        let all = &mut self.tally;
        all.acknowledged += tally.acknowledged;
        all.unknown += tally.unknown;
        all.refused += tally.refused;
        all.streams += tally.streams;
        all.cuts += tally.cuts;
        all.ended += tally.ended;
        all.seen += tally.seen;
    }

    pub(super) fn add_passers(&mut self, passers: Passers) {
        self.passers.idlers += passers.idlers;
        self.passers.by_http2.readers += passers.by_http2.readers;
        self.passers.by_http2.events += passers.by_http2.events;
        self.passers.topics_ended += passers.topics_ended;
    }

    /// What did not happen, though a soak is for it. A proof over nothing proves nothing.
    pub fn missing(&self) -> Vec<&'static str> {
        let ended = |reason| self.closed.contains_key(reason);
        let given = |reason| self.verdicts.contains_key(reason);
        let happened = [
            ("events that were acknowledged", self.tally.acknowledged > 100),
            ("requests that were cut", self.tally.unknown > 10),
            ("cuts of readers", self.tally.cuts > 100),
            ("readers that came back", self.resumed > 100),
            ("verdicts that an event is gone", given("expired")),
            ("verdicts that an id is unknown", given("unknown")),
            ("readers that left", ended("gone")),
            ("readers that were too slow", ended("slow") || ended("lagged")),
            ("topics that ended", self.passers.topics_ended > 0 && ended("topic_ended")),
            ("connections in the way", self.passers.idlers > 100),
            ("events for readers by HTTP/2", self.passers.by_http2.events > 10),
            ("good reloads and bad ones", self.reloads.good > 0 && self.reloads.bad > 0),
        ];
        happened.into_iter().filter(|(_, has_happened)| !has_happened).map(|(what, _)| what).collect()
    }

    /// One sample for each minute, with the first and the last.
    fn minutes(&self) -> impl Iterator<Item = &Sample> {
        let last = self.curve.len().saturating_sub(1);
        let mut due = Duration::ZERO;
        self.curve.iter().enumerate().filter_map(move |(nth, sample)| {
            let is_due = sample.at >= due;
            due += if is_due { Duration::from_mins(1) } else { Duration::ZERO };
            (is_due || nth == last).then_some(sample)
        })
    }

    fn write_rest(f: &mut fmt::Formatter<'_>, when: &str, rest: &Rest) -> fmt::Result {
        let Rest { memory, held, remembered } = rest;
        writeln!(
            f,
            "  {when:<16} {:>10} {:>10}  {:>4} = {} + {} + {}  {}  {remembered}",
            mib(memory.all),
            mib(memory.anonymous),
            held.descriptors(),
            held.sockets,
            held.history_files,
            held.others,
            held.threads
        )
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, passers, reloads, .. } = self;
        writeln!(f, "soaked for {:.1} s ({}): nothing lost", self.took.as_secs_f64(), self.durability)?;
        writeln!(
            f,
            "  {} events acknowledged, {} refused, {} without an answer of which {} were seen",
            tally.acknowledged, tally.refused, tally.unknown, self.unknown_seen
        )?;
        writeln!(
            f,
            "  {} recorded readers: {} streams, {} resumed, {} cuts, {} events seen; verdicts: {:?}",
            self.readers, tally.streams, self.resumed, tally.cuts, tally.seen, self.verdicts
        )?;
        writeln!(
            f,
            "  {} connections in the way, {} readers by HTTP/2 that saw {} events, {} topics ended, {} good reloads, {} bad",
            passers.idlers,
            passers.by_http2.readers,
            passers.by_http2.events,
            passers.topics_ended,
            reloads.good,
            reloads.bad
        )?;
        writeln!(f, "  closed: {:?}; limits reached: {:?}", self.closed, self.limits_reached)?;
        writeln!(f, "  {} lines of the log, {:.1} s of the hub's CPU", self.log_lines, self.hub_cpu.as_secs_f64())?;
        writeln!(f, "at rest: PSS, anonymous, descriptors = sockets + history + others, threads, remembered")?;
        Self::write_rest(f, "at the beginning", &self.began)?;
        for (nth, rest) in self.after_cycles.iter().enumerate() {
            Self::write_rest(f, &format!("after cycle {}", nth + 1), rest)?;
        }
        writeln!(f, "on the way: RSS, descriptors, threads, connections")?;
        for Sample { at, resident_bytes, descriptors, threads, connections } in self.minutes() {
            let mebibytes = resident_bytes / (1024.0 * 1024.0);
            let at = at.as_secs_f64();
            writeln!(f, "  at {at:>5.0} s {mebibytes:>8.1} MiB {descriptors:>6} {threads:>4} {connections:>6}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_told_by_the_minute() {
        let curve = (0..=130).map(|second| Sample { at: Duration::from_secs(second), ..Sample::default() }).collect();
        let report = SoakReport { curve, ..SoakReport::default() };
        let told: Vec<_> = report.minutes().map(|sample| sample.at.as_secs()).collect();
        assert_eq!(told, [0, 60, 120, 130]);
    }

    #[test]
    fn a_soak_in_which_nothing_happened_proves_nothing() {
        assert_eq!(SoakReport::default().missing().len(), 12);
    }
}
