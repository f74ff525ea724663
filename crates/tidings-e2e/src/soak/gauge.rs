//! What the hub holds: asked of the system, from outside, while it rests.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::DEADLINE;
use crate::memory::Memory;

/// What a process holds that everybody has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) memory: Memory,
    pub(super) held: Held,
    /// Idempotency keys of the last ten minutes, topics of which something was trimmed: what a hub is to remember.
    pub(super) remembered: u64,
}

/// What is counted, one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) threads: usize,
    pub(super) sockets: usize,
    /// Descriptors of the files of the history. There are as many as there is history.
    pub(super) history_files: usize,
    /// Descriptors of all else.
    pub(super) others: usize,
}

impl Held {
    /// What must come back to where it was.
    fn returning(self) -> (usize, usize, usize) {
        (self.threads, self.sockets, self.others)
    }

    pub(super) fn descriptors(self) -> usize {
        self.sockets + self.history_files + self.others
    }
}

/// What the hub holds now.
#[track_caller]
pub(super) fn look(stage: &Stage) -> Rest {
    let process = Path::new("/proc").join(stage.hub.pid().to_string());
    Rest { memory: Memory::of(stage.hub.pid()), held: held(&process, &stage.data()), remembered: 0 }
}

/// Waits until the hub holds again what it held when it `began`, but for memory. What it holds at the deadline, if it
/// does not.
#[track_caller]
pub(super) fn wait_for_rest(stage: &Stage, began: &Rest) -> Rest {
    wait_until(stage, |held| held.returning() == began.held.returning())
}

/// Waits until everybody has left. A thread may stay a while longer: one that has read the settings goes after 10 s.
#[track_caller]
pub(super) fn wait_for_sockets(stage: &Stage, began: &Rest) -> Rest {
    wait_until(stage, |held| held.sockets == began.held.sockets)
}

#[track_caller]
fn wait_until(stage: &Stage, is_so: impl Fn(Held) -> bool) -> Rest {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let rest = look(stage);
        if is_so(rest.held) || Instant::now() >= deadline {
            return Rest { remembered: remembered(stage), ..rest };
        }
        thread::sleep(Duration::from_millis(50)); // between two looks
    }
}

#[track_caller]
fn remembered(stage: &Stage) -> u64 {
    let metrics = stage.hub.metrics();
    metrics.count("tidings_idempotency_keys") + metrics.count("tidings_history_marks")
}

#[track_caller]
fn held(process: &Path, data: &Path) -> Held {
    let entries = |name| fs::read_dir(process.join(name)).expect("Linux tells what a process holds");
    let mut held = Held { threads: entries("task").count(), ..Held::default() };
    // A descriptor that is closed while it is looked at is none.
    for target in entries("fd").flatten().filter_map(|entry| fs::read_link(entry.path()).ok()) {
        if target.to_string_lossy().starts_with("socket:") {
            held.sockets += 1;
        } else if target.starts_with(data) {
            held.history_files += 1;
        } else {
            held.others += 1;
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_a_process_holds_is_counted_by_kind() {
        let folder = tempfile::tempdir().expect("there is room");
        let data = folder.path().canonicalize().expect("it is there");
        let process = Path::new("/proc/self");
        // Other tests of this process open and close things meanwhile, so only what is certain is asked.
        let _file = fs::File::create(data.join("log")).expect("there is room");
        let _socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let held = held(process, &data);
        assert_eq!(held.history_files, 1, "{held:?}");
        assert!(held.sockets >= 1 && held.threads >= 2 && held.others >= 1, "{held:?}");
    }
}
