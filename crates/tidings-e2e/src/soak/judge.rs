//! Is the hub back where it began, and was it well? From its numbers and its log alone.

use std::time::Duration;

use super::gauge::{Held, Rest};
use super::reloads::Reloads;

/// Says what the hub has not given back, by what it held when it `began` and after each cycle. Nothing is good.
///
/// Descriptors and threads must be exactly as many as they were, but for the files of the history. Memory cannot: the
/// history is there now, and the allocator keeps some of what was freed. So the cycles are compared with each other, for
/// each is the same load: the last may not leave more than the first ones did, but for what is to be remembered, and a
/// little.
pub(super) fn faults_of(began: &Rest, after_cycles: &[Rest]) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(last) = after_cycles.last() else {
        return vec!["there was no cycle".to_owned()];
    };
    let Held { threads, sockets, history_files, others } = last.held;
    for (what, before, after) in [
        ("threads", began.held.threads, threads),
        ("sockets", began.held.sockets, sockets),
        ("descriptors that are neither sockets nor history", began.held.others, others),
    ] {
        if before != after {
            faults.push(format!("{what}: {before} at the beginning, {after} at the end"));
        }
    }
    if history_files > HISTORY_FILES_MAX {
        faults.push(format!("{history_files} descriptors of the history; there may be {HISTORY_FILES_MAX}"));
    }
    if after_cycles.len() > WARM_CYCLES {
        let warm = &after_cycles[..WARM_CYCLES];
        let warm_bytes = warm.iter().map(|rest| rest.memory.all).max().unwrap_or(0);
        let warm_remembered = warm.iter().map(|rest| rest.remembered).max().unwrap_or(0);
        let remembered = last.remembered.saturating_sub(warm_remembered);
        let bound = warm_bytes + GROWTH_MAX + remembered * REMEMBERED_BYTES;
        if last.memory.all > bound {
            let series: Vec<_> = after_cycles.iter().map(|rest| mib(rest.memory.all)).collect();
            faults.push(format!(
                "memory: {} after the last cycle, at most {} expected; after each: {}",
                mib(last.memory.all),
                mib(bound),
                series.join(", ")
            ));
        }
    }
    faults
}

/// What is wrong with a hub's log, if anything is. Nothing is an error but settings that cannot be read. And of all that
/// happened there is little to say: of each reload a few words, of each limit one line in a while.
pub(super) fn complaint_of(log: &str, reloads: Reloads, took: Duration) -> Option<String> {
    let is_error = |line: &&str| {
        let is_of_reload = line.contains("the settings were not read again");
        line.contains("panicked") || (line.contains("ERROR") && !is_of_reload)
    };
    if let Some(error) = log.lines().find(is_error) {
        return Some(format!("the hub complained: {error}"));
    }
    let minutes = usize::try_from(took.as_secs() / 60 + 1).unwrap_or(usize::MAX);
    let Reloads { good, bad } = reloads;
    let lines_max = LINES_AT_ONCE + LINES_OF_RELOAD * (good + bad) + LINES_IN_A_MINUTE * minutes;
    let lines: Vec<_> = log.lines().collect();
    let is_too_long = lines.len() > lines_max;
    is_too_long.then(|| {
        let last = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n");
        format!("{} lines of the log, at most {lines_max} expected; the last of them:\n{last}", lines.len())
    })
}

/// So many MiB, for people.
#[expect(clippy::cast_precision_loss, reason = "a tenth of a MiB is shown")]
pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

/// After these the allocator and all caches are warm.
const WARM_CYCLES: usize = 2;
/// How much more may be held after the last cycle than after the warm ones, for what an allocator leaves here and there:
/// 3 MiB were seen in a minute and 8 in ten, none of which came with connections alone. A hub that lost 100 bytes for each
/// of the 160,000 connections of the other eight cycles of ten minutes would hold more. Unit: bytes.
const GROWTH_MAX: u64 = 12 * 1024 * 1024;
/// What a hub takes for each key and each topic that it is to remember: docs/limits.md says about 200, and the tables that
/// they are in grow by doubling. Unit: bytes.
const REMEMBERED_BYTES: u64 = 300;
/// By docs/limits.md, and a lock, a checkpoint and what is being read.
const HISTORY_FILES_MAX: usize = 128 + 10;

/// When it starts and stops.
const LINES_AT_ONCE: usize = 10;
/// Of keys, of descriptors, of limits.
const LINES_OF_RELOAD: usize = 3;
/// One for each limit that is reached: there are four.
const LINES_IN_A_MINUTE: usize = 8;
const LINES_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    const MIB: u64 = 1024 * 1024;
    const BEGAN: Held = Held { threads: 12, sockets: 9, history_files: 5, others: 20 };

    fn rest(mebibytes: u64, held: Held) -> Rest {
        Rest { memory: Memory { all: mebibytes * MIB, anonymous: 0 }, held, remembered: 0 }
    }

    /// `want` is a word of each fault.
    fn check(mebibytes: &[u64], last: Held, want: &[&str]) {
        let (end, before) = mebibytes.split_last().expect("some cycles");
        let mut after: Vec<_> = before.iter().map(|&mebibytes| rest(mebibytes, BEGAN)).collect();
        after.push(rest(*end, last));
        let got = faults_of(&rest(10, BEGAN), &after);
        let is_as_wanted = got.len() == want.len() && got.iter().zip(want).all(|(got, want)| got.contains(want));
        assert!(is_as_wanted, "{mebibytes:?}, {last:?}: {got:?}, expected {want:?}");
    }

    #[test]
    fn a_log_tells_of_errors_and_is_short() {
        let check = |log: &str, want: Option<&str>| {
            let got = complaint_of(log, Reloads { good: 1, bad: 1 }, Duration::from_secs(70));
            assert_eq!(got.is_some(), want.is_some(), "{got:?}");
            assert!(got.unwrap_or_default().contains(want.unwrap_or_default()), "{log}: expected {want:?}");
        };
        let refused = "2026-11-29T10:49:13Z ERROR tidings: the settings were not read again; …\n";
        check(refused, None);
        check(&format!("{refused}2026-11-29T10:49:13Z ERROR tidings: the disk\n"), Some("complained: 2026"));
        check("thread 'tidings-shard-0' panicked at x.rs:1:1:\n", Some("panicked at x.rs"));
        let lines_max = 10 + 2 * 3 + 2 * 8;
        check(&"a line\n".repeat(lines_max), None);
        check(&"a line\n".repeat(lines_max + 1), Some("33 lines of the log, at most 32 expected"));
    }

    #[test]
    fn a_hub_that_gives_everything_back_is_well() {
        check(&[30, 34, 33, 36, 35, 34], BEGAN, &[]);
        check(&[30, 34, 46], Held { history_files: 60, ..BEGAN }, &[]); // as much history as there may be
        check(&[90], BEGAN, &[]); // nothing to compare it with
    }

    #[test]
    fn a_hub_that_grows_with_each_cycle_is_found_out() {
        check(&[30, 34, 39, 44, 49], BEGAN, &["memory: 49.0 MiB after the last cycle"]);
        check(&[30, 30, 30, 43], BEGAN, &["30.0 MiB, 30.0 MiB, 30.0 MiB, 43.0 MiB"]);
    }

    #[test]
    fn what_a_hub_is_to_remember_may_take_room() {
        let after = |remembered| {
            let warm = rest(30, BEGAN);
            [warm, warm, Rest { remembered, ..rest(44, BEGAN) }]
        };
        assert_eq!(faults_of(&rest(10, BEGAN), &after(7000)), [""; 0], "2 MiB more for 7,000");
        assert_eq!(faults_of(&rest(10, BEGAN), &after(6900)).len(), 1, "less for fewer");
    }

    #[test]
    fn a_hub_that_keeps_one_thing_is_found_out() {
        check(&[30, 30], Held { threads: 13, ..BEGAN }, &["threads: 12 at the beginning, 13 at the end"]);
        check(&[30, 30], Held { sockets: 10, ..BEGAN }, &["sockets: 9"]);
        check(&[30, 30], Held { others: 19, ..BEGAN }, &["neither sockets nor history: 20"]);
        check(&[30, 30], Held { history_files: 200, ..BEGAN }, &["200 descriptors of the history"]);
        check(&[30, 30, 50], Held { threads: 13, sockets: 10, ..BEGAN }, &["threads", "sockets", "memory"]);
    }
}
