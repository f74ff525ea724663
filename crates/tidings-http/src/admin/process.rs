//! What the system says of this process: memory, descriptors, threads, time. On Linux; elsewhere nothing.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// The process now.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) resident_bytes: u64,
    pub(super) open_fds: u64,
    pub(super) max_fds: u64,
    pub(super) threads: u64,
    pub(super) cpu_seconds: f64,
    pub(super) start_time_seconds: u64,
}

/// The numbers of `/proc/self/stat` that follow the program's name, which may itself have spaces. (proc(5))
const USER_TICKS: usize = 11;
const KERNEL_TICKS: usize = 12;
const THREADS: usize = 17;
const START_TICKS: usize = 19;
const RESIDENT_PAGES: usize = 21;

impl Process {
    /// `None` where the system does not tell.
    pub(super) fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |nth: usize| fields.get(nth)?.parse::<u64>().ok();
        let ticks = clock_ticks_per_second().max(1);
        let boot = fs::read_to_string("/proc/stat").ok()?;
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()?;
        Some(Self {
            resident_bytes: number(RESIDENT_PAGES)? * page_size() as u64,
            open_fds: open_fds()?,
            max_fds: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            threads: number(THREADS)?,
            cpu_seconds: std::time::Duration::from_millis((number(USER_TICKS)? + number(KERNEL_TICKS)?) * 1000 / ticks)
                .as_secs_f64(),
            start_time_seconds: boot + number(START_TICKS)? / ticks,
        })
    }
}

/// Since Linux 6.2 the directory's size is their number. Before that it is 0, and they are counted, which takes a
/// millisecond for 2,500 of them.
fn open_fds() -> Option<u64> {
    match fs::metadata(OPEN_FDS).ok()?.len() {
        0 => count_fds(),
        count => Some(count),
    }
}

fn count_fds() -> Option<u64> {
    Some(fs::read_dir(OPEN_FDS).ok()?.count() as u64)
}

const OPEN_FDS: &str = "/proc/self/fd";

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_as_many_whichever_way_they_are_counted() {
        let held: Vec<_> = (0..300).map(|_| fs::File::open("/proc/self/stat").expect("it is there")).collect();
        let (told, counted) = (open_fds().expect("Linux tells"), count_fds().expect("Linux tells"));
        // Other tests open and close some meanwhile.
        assert!(told.abs_diff(counted) < 100 && told >= 300, "{told}, {counted}");
        drop(held);
    }

    #[test]
    fn this_process_holds_memory_and_descriptors() {
        let process = Process::now().expect("Linux tells");
        assert!(process.resident_bytes > 100_000, "{process:?}");
        assert!(process.open_fds > 2 && process.max_fds >= process.open_fds, "{process:?}");
        assert!(process.threads > 0 && process.start_time_seconds > 1_700_000_000, "{process:?}");
    }
}
