//! `tidings serve`: from its first line to its end.

use std::net::{SocketAddr, TcpListener};

use tidings_e2e::{Program, RawStream, request, tidings};

use crate::signalled::{Signal, Signalled};
use crate::{expect_all, hub, run};

fn address(program: &Program, prefix: &str, nth: usize) -> SocketAddr {
    program.wait_for_stdout(prefix, |stdout| {
        let text = String::from_utf8_lossy(stdout);
        let addresses = text.lines().filter_map(|line| line.strip_prefix(prefix)?.parse().ok());
        addresses.collect::<Vec<_>>().get(nth).copied()
    })
}

#[test]
fn every_listener_is_announced_with_its_real_port_and_answers() {
    let flags = ["--memory", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let program = Program::start(&mut tidings(&[&["serve"], &flags[..]].concat()));
    let plain = [0, 1].map(|nth| address(&program, "listening on http://", nth));
    let admin = address(&program, "admin listening on http://", 0);
    assert_ne!(plain[0], plain[1]);
    for address in plain {
        assert_eq!(request(address, "GET", "/healthz", &[], b"").status, 200, "{address}");
        assert_eq!(request(address, "GET", "/metrics", &[], b"").status, 404, "{address}");
    }
    assert_eq!(request(admin, "GET", "/metrics", &[], b"").status, 200);
    assert_eq!(request(admin, "GET", "/readyz", &[], b"").status, 200);

    let finished = program.terminate().expect_code(0);
    assert_eq!(finished.stdout.lines().count(), 3, "nothing but the announcements: {}", finished.stdout);
    expect_all(&finished.stderr, &["connections", "--max-connections", "stopped"]);
}

#[test]
fn a_port_that_is_taken_ends_with_1_and_advice() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("a bound socket has an address").to_string();
    for flag in ["--listen", "--admin-listen"] {
        let other = if flag == "--listen" { "--admin-listen" } else { "--listen" };
        let finished = run(&["serve", "--memory", other, "127.0.0.1:0", flag, &taken]).expect_code(1);
        expect_all(&finished.stderr, &[&taken, flag, "choose another port"]);
        assert_eq!(finished.stdout, "", "nothing listens");
    }
}

#[test]
fn a_signal_ends_streams_between_two_frames_and_the_program_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut hub = Signalled::start(&["serve", "--memory", "--listen", "127.0.0.1:0", "--drain", "100ms"]);
        let line = hub.wait_for_stdout("listening on http://");
        let address = line.trim_start_matches("listening on http://").parse().expect("an address");
        let mut stream = RawStream::get(address, "/events", &[]);
        stream.wait_for_text("retry: ");
        hub.signal(signal);
        let bytes = stream.read_to_end();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(text.matches("retry: ").count(), 2, "a stream ends with its own time to come back: {text}");
        assert_eq!(hub.wait(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_second_signal_ends_a_long_drain_at_once() {
    let mut hub = Signalled::start(&["serve", "--memory", "--listen", "127.0.0.1:0", "--drain", "1h"]);
    let line = hub.wait_for_stdout("listening on http://");
    let address = line.trim_start_matches("listening on http://").parse().expect("an address");
    let streams: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = RawStream::get(address, "/events", &[]);
            stream.wait_for_text("retry: ");
            stream
        })
        .collect();
    hub.signal(Signal::TERM);
    hub.wait_for_stderr("asked to stop");
    hub.signal(Signal::TERM);
    assert_eq!(hub.wait(), Some(1), "the streams had no end of their own");
    drop(streams);
}

#[test]
fn logs_are_json_when_asked_for() {
    let mut hub = hub(&["--log-format", "json"]);
    let log = hub.stop().expect_code(0).stderr;
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string(), "{line}");
    }
}

#[test]
fn a_limit_that_the_system_cannot_keep_is_said_with_what_to_do() {
    let mut hub = hub(&["--max-connections", "1000000000000"]);
    let log = hub.stop().expect_code(0).stderr;
    expect_all(&log, &["WARN", "LimitNOFILE", "--max-connections"]);
}

#[test]
fn the_log_can_be_turned_off() {
    let mut hub = hub(&["--log-level", "off"]);
    assert_eq!(hub.stop().expect_code(0).stderr, "");
}
