//! Beyond each limit the hub's memory stays under what docs/limits.md computes from the flags: "Memory in the worst case".

use std::fmt::Write as _;

use tidings_e2e::{Hub, Kind, request};

use crate::support::{KIB, MIB, eventually, flood, hub, memory};

/// What the table of docs/limits.md says of each, in bytes.
const SILENT: u64 = 400;
const HALF_HEAD: u64 = 800;
const REQUEST: u64 = 48 * KIB;
const DIRECT: u64 = 800;
const BODY: u64 = 20_000;
const EVENT: u64 = 400;
const TOPIC: u64 = 400;
const SUBSCRIBED_TOPIC: u64 = 400;
const KEY: u64 = 300;
/// What large blocks that come and go leave unused between them: half as much again.
const fn with_gaps(bytes: u64) -> u64 {
    bytes + bytes / 2
}
/// What is no flood's: code that runs the first time, rounding of the allocator.
const BASE: u64 = 6 * MIB;

/// How much more the hub takes than before `flood`, at the most of several looks; and `bound` for it.
#[track_caller]
fn check(hub: &Hub, what: &str, bound: u64, mut flood: impl FnMut()) {
    let before = memory(hub);
    flood();
    let most = (0..10)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50)); // looks at what goes on
            memory(hub)
        })
        .max()
        .unwrap_or_default();
    let growth = most.saturating_sub(before);
    assert!(growth <= bound + BASE, "{what}: {growth} bytes more, at most {} computed", bound + BASE);
}

fn reached(hub: &Hub, limit: &str) -> f64 {
    hub.metric(&format!("tidings_limit_reached_total{{limit=\"{limit}\"}}"))
}

#[test]
fn connections_without_a_head() {
    const COUNT: u64 = 5000;
    let hub = hub(&["--memory", "--max-connections", "5000"]);
    let mut attack = None;
    check(&hub, "silent connections", COUNT * SILENT, || {
        attack = Some(flood(&hub, Kind::Silent, "/", 6000, 0));
        eventually("places change hands", || reached(&hub, "head_timeout") >= 100.0);
    });
}

#[test]
fn connections_with_half_a_head() {
    const COUNT: u64 = 1500;
    let hub = hub(&["--memory", "--max-connections", "1500", "--max-head-bytes", "16KiB"]);
    let mut attack = None;
    check(&hub, "half heads", COUNT * (16 * KIB + HALF_HEAD), || {
        attack = Some(flood(&hub, Kind::Heads, "/events/t", 2000, 15 * KIB));
        eventually("places change hands", || reached(&hub, "head_timeout") >= 100.0);
    });
}

#[test]
fn bodies_that_are_read_at_once() {
    const COUNT: u64 = 200;
    let hub = hub(&["--memory", "--max-incoming-bytes", "16MiB"]);
    let mut attack = None;
    check(&hub, "bodies", with_gaps(16 * MIB) + COUNT * REQUEST, || {
        attack = Some(flood(&hub, Kind::Bodies, "/events/t", 200, 1000 * KIB));
        eventually("too many bodies", || reached(&hub, "incoming_bytes") >= 50.0);
    });
    assert!(hub.metric("tidings_limit_use{limit=\"incoming_bytes\"}") <= 16.0 * 1024.0 * 1024.0);
    hub.publish("/events/t", &"small events have room ".repeat(700));
    // Whoever holds a share and drips is late once others want it: the place comes back though the flood goes on.
    drop(attack);
    eventually("all is given back", || hub.metric("tidings_limit_use{limit=\"incoming_bytes\"}") < 0.5);
}

#[test]
fn lines_and_answers_of_batches() {
    const COUNT: u64 = 40;
    let hub = hub(&["--memory", "--max-incoming-bytes", "8MiB", "--history-bytes", "1MiB"]);
    let mut streams = Vec::new();
    check(&hub, "batches", with_gaps(8 * MIB + MIB) + COUNT * 2 * REQUEST, || {
        for _ in 0..COUNT {
            streams.push(half_a_line(&hub, 1000 * KIB));
        }
        eventually("too many lines", || reached(&hub, "incoming_bytes") >= 1.0);
    });
    let line = "{\"topic\":\"t\",\"data\":\"small\"}\n";
    let answer = request(hub.address(), "POST", "/events?summary", &[NDJSON], line.as_bytes());
    assert!(answer.text().contains("\"accepted\":1"), "{}", answer.text());
}

const NDJSON: &str = "Content-Type: application/x-ndjson";

/// A batch whose first line is long and never ends.
fn half_a_line(hub: &Hub, bytes: u64) -> std::net::TcpStream {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(hub.address()).expect("it listens");
    let data = "x".repeat(usize::try_from(bytes).expect("it is small"));
    let head = format!("POST /events HTTP/1.1\r\nHost: localhost\r\n{NDJSON}\r\nContent-Length: 100000000\r\n\r\n");
    stream.write_all(format!("{head}{{\"data\":\"{data}").as_bytes()).expect("it reads");
    stream
}

#[test]
fn topics_that_are_published_to() {
    const COUNT: u64 = 20_000;
    let hub = hub(&["--memory", "--max-topics", "20000", "--history-bytes", "1GiB"]);
    let name = "x".repeat(100);
    // The name, and the number that is its end.
    let each = TOPIC + 2 * (name.len() as u64 + 8) + EVENT;
    let mut attack = None;
    check(&hub, "topics", COUNT * each + 8 * REQUEST, || {
        attack = Some(flood(&hub, Kind::Topics, &format!("/events/{name}{{n}}"), 8, 1));
        eventually("all topics are taken", || reached(&hub, "topics") >= 1.0);
    });
}

#[test]
fn names_of_topics_are_a_part_of_the_history() {
    // The longest names: they would outgrow the history if it did not count them.
    let hub = hub(&["--memory", "--history-bytes", "8MiB"]);
    let name = "x".repeat(4000);
    let marks = MARKS_MAX * (MARK + 4 * KIB);
    let mut attack = None;
    check(&hub, "long names", with_gaps(8 * MIB) + marks / 10, || {
        attack = Some(flood(&hub, Kind::Topics, &format!("/events/{name}{{n}}"), 8, 1));
        eventually("history is trimmed", || hub.metric("tidings_history_marks") >= 10_000.0);
        drop(attack.take());
    });
}

const MARKS_MAX: u64 = 100_000;
const MARK: u64 = 200;

#[test]
fn topics_that_are_listened_to() {
    const COUNT: u64 = 20_000;
    let hub = hub(&["--memory", "--max-subscribed-topics", "20000"]);
    let topics: Vec<_> = (0..50).map(|at| format!("topic=t{at}-{{n}}")).collect();
    let mut attack = None;
    check(&hub, "selectors", COUNT * SUBSCRIBED_TOPIC + 600 * DIRECT + 200 * REQUEST, || {
        attack = Some(flood(&hub, Kind::Selectors, &format!("/events?{}", topics.join("&")), 600, 0));
        eventually("all topics are taken", || reached(&hub, "subscribed_topics") >= 1.0);
    });
}

#[test]
fn idempotency_keys() {
    const COUNT: u64 = 20_000;
    let hub = hub(&["--memory", "--max-idempotency-keys", "20000", "--history-bytes", "1MiB"]);
    let mut lines = String::new();
    for number in 0..COUNT + 1000 {
        writeln!(lines, "{{\"topic\":\"t\",\"data\":\"x\",\"key\":\"key-{number:026}\"}}")
            .expect("a string takes every text");
    }
    check(&hub, "keys", COUNT * (KEY + 30) + MIB + 4 * REQUEST, || {
        let answer = request(hub.address(), "POST", "/events?summary", &[NDJSON], lines.as_bytes());
        assert!(answer.text().contains("\"rejected\":1000"), "{}", answer.text());
    });
    assert!(reached(&hub, "idempotency_keys") >= 1000.0);
}

#[test]
fn readers_that_never_read() {
    const COUNT: u64 = 200;
    let data = "x".repeat(1024 * 1024);
    for (way, each) in [("direct", DIRECT), ("body", BODY)] {
        let flags = ["--max-buffered-bytes", "8MiB", "--history-bytes", "16MiB", "--slow-client-timeout", "0"];
        let hub = hub(&[&["--memory", "--delivery", way], &flags[..]].concat());
        let mut attack = None;
        // What they are in the middle of may have left the history.
        let bound = with_gaps(8 * MIB + 16 * MIB + 4 * MIB) + COUNT * each + 4 * REQUEST;
        check(&hub, &format!("slow readers, {way}"), bound, || {
            attack = Some(flood(&hub, Kind::Readers, "/events/heavy", 200, 0));
            for _ in 0..30 {
                hub.publish("/events/heavy", &data);
            }
            // A body's reader holds what it is in the middle of until it is ended: that is a part of `each`.
            eventually("the slowest are closed", || way == "body" || reached(&hub, "buffered_bytes") >= 1.0);
        });
    }
}

#[test]
fn publications_under_way() {
    const COUNT: u64 = 32;
    let hub = hub(&["--memory", "--history-bytes", "16MiB", "--max-incoming-bytes", "8MiB"]);
    let mut attack = None;
    check(&hub, "publications", with_gaps(8 * MIB + 16 * MIB + 4 * MIB) + COUNT * REQUEST, || {
        attack = Some(flood(&hub, Kind::Publishes, "/events/large", 32, 1024 * KIB));
        eventually("too many publications", || reached(&hub, "incoming_bytes") >= 1.0);
    });
}
