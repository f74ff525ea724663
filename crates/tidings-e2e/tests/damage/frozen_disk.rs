//! A disk that does not answer: nothing fails, and nothing comes back.

use std::thread;

use rustix::process::geteuid;
use tidings_e2e::{DEADLINE, FreezingDisk, Hub, eventually, request};

fn readiness(hub: &Hub) -> (u16, String) {
    let response = request(hub.address(), "GET", "/readyz", &[], b"");
    (response.status, response.text())
}

#[track_caller]
fn wait_for_readiness(hub: &Hub, status: u16, word: &str) {
    let began = std::time::Instant::now();
    loop {
        let (got, text) = readiness(hub);
        if got == status && text.starts_with(word) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "waited for {status} {word}, still {got} {text}");
        thread::sleep(std::time::Duration::from_millis(100)); // between two looks
    }
}

/// Found while nobody publishes, and while somebody does; publications wait and are taken when the disk goes on.
#[test]
fn a_disk_that_hangs_is_not_ready_and_loses_nothing() {
    check("sync");
}

/// Here each write is quick, so the thread that serves the publisher waits for the disk itself, and others are served
/// without it.
#[test]
fn a_disk_that_hangs_keeps_nobody_waiting_but_publishers() {
    check("relaxed");
}

fn check(durability: &str) {
    let disk = match FreezingDisk::mount(64) {
        Ok(disk) => disk,
        Err(reason) => {
            assert!(!geteuid().is_root() || reason.contains("loop"), "root may mount: {reason}");
            #[expect(clippy::print_stderr, reason = "what is not tested must be said")]
            {
                eprintln!("NOT TESTED: a disk that can be frozen cannot be mounted: {reason}");
            }
            return;
        }
    };
    let data = disk.path().join("data");
    let data = data.to_str().expect("temporary directories have plain names");
    let flags = ["--durability", durability, "--history-bytes", "8MiB", "--admin-listen", "127.0.0.1:0"];
    let hub = Hub::start(&[&["serve", "--data", data][..], &flags].concat());
    let mut disk = disk; // dropped before the hub, which cannot end while its disk hangs
    hub.publish("/events/t?id=before", "x");
    wait_for_readiness(&hub, 200, "ready");

    disk.freeze();
    wait_for_readiness(&hub, 503, "stalled");
    let address = hub.address();
    let waits = thread::spawn(move || request(address, "POST", "/events/t?id=meanwhile", &[], b"y"));
    eventually("the publication to wait", || hub.metric("tidings_commit_waiting_bytes") > 0.0);
    for _ in 0..10 {
        let (_, text) = readiness(&hub); // each worker has its turn
        assert!(text.contains("has not answered for"), "{text}");
    }

    disk.thaw();
    let answer = waits.join().expect("it is answered");
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_for_readiness(&hub, 200, "ready");
    hub.publish("/events/t?id=after", "z");
}
