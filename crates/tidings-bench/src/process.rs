//! What the system says of the server's processes: their CPU time and memory. Linux only; elsewhere nothing is known.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::error::PlanError;

/// The server's processes: those that were named, and all their descendants.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    roots: Vec<u32>,
}

/// CPU time at one moment, to be compared with a later one.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuMark {
    /// Nanoseconds of each thread: exact, but a thread that has ended is gone from it.
    threads: BTreeMap<(u32, u32), u64>,
    /// Clock ticks of each process: coarse, but ended threads are in it.
    ticks: BTreeMap<u32, u64>,
}

impl Processes {
    /// # Errors
    /// [`PlanError::Process`] when one of them is not there.
    pub(crate) fn new(pids: &[u32]) -> Result<Self, PlanError> {
        for &pid in pids {
            if threads_of(pid).is_empty() {
                return Err(PlanError::Process { pid });
            }
        }
        Ok(Self { roots: pids.to_vec() })
    }

    /// `None` when there are none to ask.
    pub(crate) fn cpu(&self) -> Option<CpuMark> {
        if self.roots.is_empty() {
            return None;
        }
        let mut mark = CpuMark::default();
        for pid in self.tree() {
            mark.threads.extend(threads_of(pid).into_iter().map(|(thread, nanos)| ((pid, thread), nanos)));
            mark.ticks.extend(stat_of(pid).map(|stat| (pid, stat.ticks)));
        }
        Some(mark)
    }

    /// Their proportional share of memory. Unit: bytes. `None` when there are none, or one cannot be read: another
    /// user's memory is not shown to everybody.
    pub(crate) fn pss_bytes(&self) -> Option<u64> {
        if self.roots.is_empty() {
            return None;
        }
        self.tree().into_iter().map(pss_of).sum()
    }

    /// All of them at this moment.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let mut found = self.roots.clone();
        let parents = all_pids().filter_map(|pid| Some((pid, stat_of(pid)?.parent)));
        let parents: Vec<_> = if self.roots.is_empty() { Vec::new() } else { parents.collect() };
        let mut at = 0;
        while let Some(&parent) = found.get(at) {
            for &(pid, its_parent) in &parents {
                if its_parent == parent && !found.contains(&pid) {
                    found.push(pid);
                }
            }
            at += 1;
        }
        found
    }
}

impl CpuMark {
    /// The CPU time from this mark to a later one.
    pub(crate) fn until(&self, later: &Self) -> Duration {
        let exact: u64 =
            later.threads.iter().map(|(key, nanos)| nanos - self.threads.get(key).unwrap_or(&0).min(nanos)).sum();
        let ticks: u64 =
            later.ticks.iter().map(|(key, ticks)| ticks - self.ticks.get(key).unwrap_or(&0).min(ticks)).sum();
        let coarse = ticks * nanos_per_tick();
        // The coarse clock rounds twice for each process. Only beyond that has it seen threads that ended.
        let rounding = 2 * nanos_per_tick() * later.ticks.len() as u64;
        Duration::from_nanos(if coarse > exact + rounding { coarse } else { exact })
    }
}

struct Stat {
    parent: u32,
    /// User and system time.
    ticks: u64,
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn stat_of(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// See proc(5). The name of the program stands in brackets and may hold anything, brackets too.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let user: u64 = fields.nth(9)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Stat { parent, ticks: user + system })
}

/// The threads of a process and the nanoseconds that each has run.
fn threads_of(pid: u32) -> Vec<(u32, u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let thread = |task: fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((id, text.split_ascii_whitespace().next()?.parse().ok()?))
    };
    tasks.filter_map(thread).collect()
}

fn pss_of(pid: u32) -> Option<u64> {
    parse_pss(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

fn parse_pss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn nanos_per_tick() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_an_id_tells_nothing() {
        let none = Processes::new(&[]).expect("nobody is no fault");
        assert!(none.cpu().is_none() && none.pss_bytes().is_none() && none.tree().is_empty());
        let error = Processes::new(&[u32::MAX]).expect_err("no such process").to_string();
        assert!(error.contains("4294967295"), "{error}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_time_and_memory() {
        let me = Processes::new(&[std::process::id()]).expect("it runs");
        let before = me.cpu().expect("linux");
        let mut sum = 0_u64;
        // Work until the clock has seen it: how long that takes depends on the machine.
        let used = (0..1_000_000).find_map(|round| {
            sum = (0..10_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number ^ round));
            let used = before.until(&me.cpu().expect("linux"));
            (used > Duration::from_millis(5)).then_some(used)
        });
        assert!(used.is_some_and(|used| used < Duration::from_mins(1)), "{used:?}");
        assert!(me.pss_bytes().is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 11 31 0 0 20 0 1 0 5 6 7 8";
        let stat = parse_stat(line).expect("a line of proc(5)");
        assert_eq!((stat.parent, stat.ticks), (7, 42));
        assert!(parse_stat("42 (a").is_none());
    }

    #[test]
    fn the_share_of_memory_is_a_line_of_its_own() {
        assert_eq!(parse_pss("Rss:  9 kB\nPss:        3 kB\nPss_Dirty: 1 kB\n"), Some(3 * 1024));
        assert_eq!(parse_pss("Rss:  9 kB\n"), None);
    }

    #[test]
    fn threads_that_ended_are_seen_by_the_coarse_clock() {
        let tick = nanos_per_tick();
        let mark = |threads: &[((u32, u32), u64)], ticks: u64| CpuMark {
            threads: threads.iter().copied().collect(),
            ticks: BTreeMap::from([(1, ticks)]),
        };
        let before = mark(&[((1, 1), 100), ((1, 2), 900)], 10);
        // Rounding alone: the exact clock counts, and a thread that began meanwhile counts from 0.
        let later = mark(&[((1, 1), 150), ((1, 2), 900), ((1, 3), 7)], 12);
        assert_eq!(before.until(&later), Duration::from_nanos(57));
        let later = mark(&[((1, 1), 150)], 20);
        assert_eq!(before.until(&later), Duration::from_nanos(10 * tick));
    }
}
