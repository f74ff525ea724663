//! While a flood goes on: others lose nothing, newcomers are served, the hub is ready; after it nothing is left of it.

use std::time::Duration;

use tempfile::TempDir;
use tidings_e2e::{Hub, Kind, request};

use crate::support::{KIB, MIB, Others, descriptors, eventually, flood, hub, memory, most_connections, newcomers};

/// Between 10 and 30 s in all, most of it work of the hub.
const NEWCOMERS_TIME: Duration = Duration::from_secs(3);
/// What the allocator keeps to use again, beside what it keeps of each request that was under way.
const KEPT_BYTES: u64 = 16 * MIB;
const KEPT_OF_REQUEST: u64 = 32 * KIB;

/// A flood with room for others: `path` and `bytes` are those of the attack, and `history` is what stays of it. Answers
/// how often it connected.
#[track_caller]
fn check(hub: &Hub, kind: Kind, path: &str, count: usize, bytes: u64, history: u64) -> u64 {
    let others = Others::start(hub);
    let (memory_before, descriptors_before) = (memory(hub), descriptors(hub));
    let attack = flood(hub, kind, path, count, bytes);
    others.publish_more(10);
    let new = newcomers(hub, 20, NEWCOMERS_TIME).newcomers();
    assert_eq!(new.served, new.asked, "{kind:?}: newcomers were refused");
    let ready = request(hub.address(), "GET", "/readyz", &[], b"");
    assert_eq!(ready.status, 200, "{kind:?}: {}", ready.text());
    let connected = match kind {
        Kind::Topics | Kind::Publishes => attack.stop("accepted"),
        _ => attack.stop("begun"),
    };
    others.publish_more(10);
    others.expect_untouched();
    eventually(&format!("{kind:?}: the descriptors come back"), || descriptors(hub) <= descriptors_before);
    let requests = if matches!(kind, Kind::Bodies | Kind::Publishes | Kind::Topics) { count as u64 } else { 0 };
    let kept = KEPT_BYTES + history * 3 / 2 + requests * KEPT_OF_REQUEST;
    eventually(&format!("{kind:?}: the memory comes back"), || memory(hub) <= memory_before + kept);
    connected
}

#[test]
fn connections_that_send_nothing() {
    let count = most_connections(20_000);
    let hub = hub(&["--memory"]);
    let connected = check(&hub, Kind::Silent, "/", count, 0, 0);
    assert!(connected >= count as u64, "{connected}");
}

#[test]
fn more_silent_connections_than_there_are_places() {
    // Who connects and says nothing gives its place to who comes next.
    let hub = hub(&["--memory", "--max-connections", "2000"]);
    let others = Others::start(&hub);
    let attack = flood(&hub, Kind::Silent, "/", 4000, 0);
    let late = "tidings_limit_reached_total{limit=\"head_timeout\"}";
    eventually("places change hands", || hub.metric(late) >= 1000.0);
    let new = newcomers(&hub, 20, NEWCOMERS_TIME).newcomers();
    assert!(new.served * 10 >= new.asked * 9, "newcomers find a place: {new:?}");
    others.publish_more(10);
    attack.stop("begun");
    others.expect_untouched();
}

#[test]
fn heads_that_never_end() {
    let hub = hub(&["--memory"]);
    check(&hub, Kind::Heads, "/events/t", most_connections(3000), 200, 0);
    eventually("late heads were closed", || hub.metric("tidings_connections") < 1.5);
}

#[test]
fn bodies_that_never_end() {
    let hub = hub(&["--memory"]);
    check(&hub, Kind::Bodies, "/events/t", most_connections(2000), 200, 0);
}

#[test]
fn bodies_that_never_end_and_are_large() {
    let hub = hub(&["--memory", "--max-incoming-bytes", "16MiB"]);
    check(&hub, Kind::Bodies, "/events/t", 100, 900 * KIB, 16 * MIB);
    assert!(hub.metric("tidings_limit_reached_total{limit=\"incoming_bytes\"}") >= 1.0);
}

#[test]
fn topics_without_end() {
    let directory = TempDir::new().expect("the system has room for a directory");
    let data = directory.path().to_str().expect("the name of a temporary directory is text");
    // On disk: what is recent is in memory, and a place for each of 100,000 topics that were trimmed.
    let on_disk = 100 * MIB;
    for (place, history) in [
        (&["--memory", "--history-bytes", "4MiB"][..], 4 * MIB + on_disk / 2),
        (&["--data", data, "--history-bytes", "64MiB"], on_disk),
    ] {
        let accepted = check(&hub(place), Kind::Topics, "/events/flood/{n}", 8, 20, history);
        assert!(accepted > 1000, "{place:?}: {accepted}");
    }
}

#[test]
fn selectors_without_end() {
    let hub = hub(&["--memory"]);
    let path = "/events?topic=a{n}&topic=b{n}/*&topic=c{n}/**&topic=d{n}&topic=others/*/{n}";
    check(&hub, Kind::Selectors, path, most_connections(3000), 0, 0);
    eventually("nobody listens any more", || hub.metric("tidings_subscribed_topics") < 0.5);
}

#[test]
fn readers_that_never_read() {
    let hub = hub(&["--memory", "--max-buffered-bytes", "16MiB", "--history-bytes", "16MiB"]);
    let others = Others::start(&hub);
    let attack = flood(&hub, Kind::Readers, "/events/heavy", 200, 0);
    let data = "x".repeat(512 * 1024);
    for _ in 0..40 {
        hub.publish("/events/heavy", &data);
    }
    eventually("the slowest are closed", || hub.metric("tidings_limit_reached_total{limit=\"buffered_bytes\"}") >= 1.0);
    others.publish_more(10);
    attack.stop("begun");
    others.expect_untouched();
}

#[test]
fn publications_without_end() {
    let hub = hub(&["--memory", "--history-bytes", "16MiB", "--max-incoming-bytes", "32MiB"]);
    let accepted = check(&hub, Kind::Publishes, "/events/large", 16, 256 * KIB, (16 + 4 + 32) * MIB);
    assert!(accepted > 100, "{accepted}");
}
