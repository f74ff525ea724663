//! Storms of clients that do something wrong, of each kind: the log stays short, and others are served.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tidings_e2e::{DEADLINE, Hub, Program, request, tidings};

/// So many clients of a kind.
const CROWD: usize = 300;
/// A hub's lines from its start to its end, when nothing happens.
const QUIET_LINES_MAX: usize = 6;
/// Lines about tokens in a minute.
const TOKEN_LINES_MAX: usize = 20;

/// Sends bytes, and reads whatever comes until the end or a reset.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
    let mut answer = Vec::new();
    // Whoever is refused early may be reset while it still writes or reads.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[track_caller]
fn expect_short(log: &str, lines_max: usize) {
    let lines = log.lines().count();
    assert!(lines <= lines_max, "{lines} lines, at most {lines_max}:\n{log}");
}

#[test]
fn heads_that_are_no_heads() {
    let mut hub = Hub::start(&["serve", "--memory", "--admin-listen", "127.0.0.1:0", "--max-head-bytes", "8KiB"]);
    let long = format!("GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", "x".repeat(9000));
    let heads: [&[u8]; 8] = [
        b"\x00\x01\x02\xff\xfe\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /events HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all",
        b"POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /events HTTP/1.1\r\n\r\n",
        long.as_bytes(),
    ];
    for number in 0..CROWD {
        exchange(hub.address(), heads[number % heads.len()]);
    }
    hub.publish("/events/t", "others are served");
    assert!(hub.metric("tidings_bad_heads_total") >= 30.0, "{}", hub.metrics().text());
    expect_short(&hub.stop().stderr, QUIET_LINES_MAX + 1); // one of the limit of heads
}

#[test]
fn bodies_that_are_no_bodies() {
    let mut hub = Hub::start(&["serve", "--memory", "--max-event-bytes", "100B"]);
    let large = "x".repeat(1000);
    let bodies: [(&str, &[&str], &[u8], u16); 5] = [
        ("/events/t", &[], b"\xff\xfe", 400),
        ("/events", &["Content-Type: application/x-ndjson"], b"{\"data\":\n[]\n\xff\n", 200),
        ("/events/t", &["Content-Encoding: gzip"], b"x", 415),
        ("/events/t", &[], large.as_bytes(), 413),
        ("/.well-known/mercure", &["Content-Type: application/x-www-form-urlencoded"], b"data=%zz", 400),
    ];
    for number in 0..CROWD {
        let (target, headers, body, status) = bodies[number % bodies.len()];
        assert_eq!(request(hub.address(), "POST", target, headers, body).status, status, "{target} {body:?}");
        // One that leaves in the middle.
        exchange(hub.address(), b"POST /events/t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
    }
    expect_short(&hub.stop().stderr, QUIET_LINES_MAX + 1); // one of the limit of events
}

#[test]
fn tokens_that_are_no_tokens() {
    const KEY: &str = "a secret that is long enough for HS256";
    let mut hub = Hub::start(&["serve", "--memory", "--publisher-jwt-key", KEY, "--subscriber-jwt-key", KEY]);
    for number in 0..CROWD {
        let bearer = format!("Authorization: Bearer e30.e30.{number}");
        for (method, target) in [
            ("GET", "/events/t"),
            ("POST", "/events/t"),
            ("POST", "/tickets"),
            ("GET", "/.well-known/mercure?topic=t"),
            ("POST", "/.well-known/mercure"),
        ] {
            assert_eq!(request(hub.address(), method, target, &[&bearer], b"").status, 401, "{method} {target}");
        }
    }
    let log = hub.stop().stderr;
    assert!(log.contains("a reader was refused"), "{log}");
    expect_short(&log, QUIET_LINES_MAX + TOKEN_LINES_MAX);
}

#[test]
fn limits_that_are_reached_by_all() {
    let mut hub =
        Hub::start(&["serve", "--memory", "--max-connections-per-ip", "1", "--max-publish-events-per-second", "1"]);
    let held = TcpStream::connect(hub.address()).expect("it listens");
    for _ in 0..CROWD {
        let answer = exchange(hub.address(), b"GET /events/t HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 429"), "{}", String::from_utf8_lossy(&answer));
    }
    drop(held);
    let publish = || request(hub.address(), "POST", "/events/t", &["Content-Type: text/plain"], b"x").status;
    let refused = (0..CROWD).filter(|_| publish() == 429).count();
    assert!(refused > CROWD / 2, "{refused}");
    // The log is told twice a second.
    hub.wait_for_log(&["WARN", "limit=\"connections_per_ip\""]);
    hub.wait_for_log(&["WARN", "limit=\"publish_events_per_second\""]);
    expect_short(&hub.stop().stderr, QUIET_LINES_MAX + 2);
}

#[test]
fn handshakes_that_are_no_handshakes() {
    let files = TempDir::new().expect("there is room for two small files");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a name is all it takes");
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    fs::write(&certificate, cert.pem()).expect("a temporary directory is writable");
    fs::write(&key, signing_key.serialize_pem()).expect("a temporary directory is writable");
    let mut command = tidings(&["serve", "--memory", "--listen", "127.0.0.1:0", "--drain", "100ms"]);
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let hub = Program::start(&mut command);
    let address: SocketAddr =
        hub.wait_for_line("where it is", |line| line.strip_prefix("listening on https://")?.trim().parse().ok());
    // A record of a handshake with nonsense in it, an alert, the beginning of a good one, and no TLS at all.
    let hellos: [&[u8]; 4] = [
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    for number in 0..CROWD {
        exchange(address, hellos[number % hellos.len()]);
    }
    // A client that knows TLS and not this certificate, and so ends each handshake with an alert.
    for _ in 0..20 {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "20"]).arg(format!("https://localhost:{}/healthz", address.port()));
        assert_ne!(Program::start(&mut curl).finish().code, Some(0));
    }
    expect_short(&hub.terminate().stderr, QUIET_LINES_MAX);
}

/// More connections than descriptors: the door finds again and again that there is none, until those that send nothing
/// have had their time. It says so once.
#[test]
fn connections_without_a_descriptor() {
    let hub = tidings(&[]);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=200:200").arg(hub.get_program());
    command.args(["serve", "--memory", "--listen", "127.0.0.1:0", "--drain", "100ms"]);
    command.args(["--max-connections", "5000", "--head-timeout", "1s"]);
    let hub = Program::start(&mut command);
    let address: SocketAddr =
        hub.wait_for_line("where it is", |line| line.strip_prefix("listening on http://")?.trim().parse().ok());
    let silent: Vec<_> = (0..CROWD).map(|_| TcpStream::connect(address).expect("the system takes it")).collect();
    for mut stream in silent {
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
        let mut nothing = Vec::new();
        let end = stream.read_to_end(&mut nothing);
        assert!(end.is_ok() && nothing.is_empty(), "{end:?} {nothing:?}");
    }
    assert_eq!(request(address, "GET", "/healthz", &[], b"").status, 200, "others are served after that");
    let log = hub.terminate().stderr;
    let lines = log.lines().filter(|line| line.contains("no connection can be accepted")).count();
    assert_eq!(lines, 1, "{log}");
    expect_short(&log, QUIET_LINES_MAX + 3); // this one, too few descriptors, and the limit of the time of heads
}
