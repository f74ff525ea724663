//! Which threads a publication wakes.

use std::fs;

use tempfile::TempDir;
use tidings_e2e::Hub;

/// How often a thread of the hub has gone to sleep so far.
fn sleeps_of(hub: &Hub, thread: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", hub.pid())).expect("it runs");
    for task in tasks {
        let status = fs::read_to_string(task.expect("it runs").path().join("status")).unwrap_or_default();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if field("Name:") == Some(thread) {
            let sleeps = field("voluntary_ctxt_switches:").expect("the system counts them");
            return sleeps.parse().expect("a number");
        }
    }
    panic!("the hub has no thread {thread}");
}

/// The thread that serves the publisher writes by itself. Without a sync, so that each write is quick here too; a few may be
/// slow all the same, and then the commit thread has the next one.
#[test]
fn a_lone_publisher_does_not_wake_the_commit_thread() {
    const PUBLICATIONS: u64 = 200;
    let data = TempDir::new().expect("there is room");
    let data = data.path().to_str().expect("temporary directories have plain names");
    let hub = Hub::start(&["serve", "--data", data, "--durability", "relaxed"]);
    hub.publish("/events/t", "x");
    let before = sleeps_of(&hub, "tidings-commit");
    for _ in 0..PUBLICATIONS {
        hub.publish("/events/t", "x");
    }
    let sleeps = sleeps_of(&hub, "tidings-commit") - before;
    assert!(sleeps < PUBLICATIONS / 2, "it was woken {sleeps} times for {PUBLICATIONS} publications");
}
