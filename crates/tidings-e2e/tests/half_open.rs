//! Readers whose network is gone: no packet tells of it, so the kernel is asked to find out.
//!
//! A network namespace of its own stands for the reader's machine; its cable is drawn.

use std::process::Command;

use rustix::process::geteuid;
use tidings_e2e::{Hub, Program, eventually};

/// Another machine, at the other end of a cable. Gone when this is dropped.
struct OtherMachine {
    name: String,
    cable: String,
    ours: String,
}

impl OtherMachine {
    /// `number` tells it apart from those of other tests.
    ///
    /// # Errors
    /// Why the system does not give one.
    fn new(number: u8) -> Result<Self, String> {
        let id = std::process::id() % 10_000;
        let name = format!("tidings-{id}-{number}");
        let cable = format!("td{id}-{number}");
        let (ours, theirs) = (format!("10.213.{number}.1"), format!("10.213.{number}.2"));
        let machine = Self { name: name.clone(), cable: cable.clone(), ours: ours.clone() };
        ip(&["netns", "add", &name])?;
        ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
        ip(&["addr", "add", &format!("{ours}/30"), "dev", &cable])?;
        ip(&["link", "set", &cable, "up"])?;
        ip(&["-n", &name, "addr", "add", &format!("{theirs}/30"), "dev", "eth0"])?;
        ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        Ok(machine)
    }

    /// A reader over there, which has its stream.
    #[track_caller]
    fn reader(&self, port: u16) -> Program {
        let url = format!("http://{}:{port}/events/t", self.ours);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "curl", "--silent", "--no-buffer", &url]);
        let reader = Program::start(&mut command);
        reader.wait_for_stdout("an open stream", |stdout| stdout.starts_with(b"retry:").then_some(()));
        reader
    }

    /// From now on nothing comes or goes, and nobody is told.
    #[track_caller]
    fn draw_the_cable(&self) {
        // Not `link down`, which tells the kernel of this side: what comes is heard, and no word of it gets back.
        ip(&["-n", &self.name, "route", "add", "blackhole", &format!("{}/32", self.ours)])
            .expect("a new namespace takes a route");
    }
}

impl Drop for OtherMachine {
    fn drop(&mut self) {
        // The cable goes with its other end; what was never made cannot be removed.
        drop(ip(&["link", "del", &self.cable]));
        drop(ip(&["netns", "del", &self.name]));
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// A reader is there, its cable is drawn, and the hub finds out by itself.
fn check(number: u8, heartbeat: &str, has_event: bool) {
    let machine = match OtherMachine::new(number) {
        Ok(machine) => machine,
        Err(fault) => {
            assert!(!geteuid().is_root(), "root may make a namespace: {fault}");
            #[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
            {
                eprintln!("NOT TESTED, for only root may make a network namespace: {fault}");
            }
            return;
        }
    };
    let hub = Hub::start(&[
        "serve",
        "--memory",
        "--open",
        "--listen",
        &format!("{}:0", machine.ours),
        "--admin-listen",
        "127.0.0.1:0",
        "--slow-client-timeout",
        "5s",
        "--heartbeat",
        heartbeat,
    ]);
    let port = hub.address().port();
    let reader = machine.reader(port);
    let sessions = || hub.metric("tidings_sessions{way=\"direct\"}");
    eventually("the reader has a session", || sessions() > 0.5);
    machine.draw_the_cable();
    if has_event {
        hub.publish("/events/t", "nobody is there");
    }
    eventually("the hub finds out by itself", || sessions() < 0.5);
    let closed = hub.metric("tidings_sessions_closed_total{reason=\"broken\"}");
    assert!(closed > 0.5, "it was found by the kernel");
    drop(reader.kill());
}

#[test]
fn a_reader_who_is_gone_is_found_by_what_it_does_not_acknowledge() {
    check(1, "15s", true);
}

#[test]
fn a_reader_who_is_gone_is_found_on_a_quiet_stream_too() {
    check(2, "0", false);
}
