//! File descriptors at the start: the soft limit is raised to the hard one, and one that is too low is said.

use std::net::SocketAddr;
use std::process::Command;

use tidings_e2e::{Program, request, tidings};

/// The program under limits of descriptors, soft and hard, and its admin listener.
fn start_under(limits: &str, flags: &[&str]) -> (Program, SocketAddr) {
    let hub = tidings(&[]);
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={limits}")).arg(hub.get_program());
    for (name, value) in hub.get_envs().filter(|(_, value)| value.is_none()) {
        assert!(value.is_none());
        command.env_remove(name);
    }
    command.args(["serve", "--memory", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).args(flags);
    let program = Program::start(&mut command);
    let admin = program.wait_for_line("where the admin listener is", |line| {
        line.strip_prefix("admin listening on http://")?.trim().parse().ok()
    });
    (program, admin)
}

fn has_line(log: &str, words: &[&str]) -> bool {
    log.lines().any(|line| words.iter().all(|word| line.contains(word)))
}

fn check(limits: &str, flags: &[&str], connections: u32, descriptors: u32, needed: Option<u32>) {
    let (program, admin) = start_under(limits, flags);
    let metrics = request(admin, "GET", "/metrics", &[], b"").text();
    for series in
        [format!("process_max_fds {descriptors}"), format!("tidings_limit{{limit=\"connections\"}} {connections}")]
    {
        assert!(metrics.lines().any(|line| line == series), "{limits} {flags:?}: {series} is not in\n{metrics}");
    }
    let log = program.terminate().stderr;
    let (connections, descriptors) = (format!("connections={connections}"), format!("descriptors={descriptors}"));
    assert!(has_line(&log, &["INFO", &connections, &descriptors]), "{log}");
    match needed.map(|needed| format!("needed={needed}")) {
        Some(needed) => {
            let words = ["WARN", "too few file descriptors", "LimitNOFILE", &descriptors, &needed];
            assert!(has_line(&log, &words), "{log}");
        }
        None => assert!(!has_line(&log, &["WARN"]), "{log}"),
    }
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    check("300:2000", &[], 1500, 2000, None);
}

#[test]
fn a_hard_limit_that_is_too_low_is_said() {
    check("300:700", &[], 200, 700, Some(1500));
    check("2000:2000", &["--max-connections", "5000"], 5000, 2000, Some(5500));
    check("700:700", &["--max-connections", "200"], 200, 700, None);
}
