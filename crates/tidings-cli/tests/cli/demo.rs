//! `tidings demo`: the greeting, the clock, the hint.

use tidings_e2e::{Follower, Hub, request};

use crate::expect_all;

#[test]
fn it_greets_and_then_tells_the_time_each_second() {
    let mut demo = Hub::start(&["demo"]);
    let reader = Follower::curl(&demo.url("/events"));
    let seen = reader.wait_for_events(4);
    assert_eq!(seen[0].data, "Hello, World!");
    let ids: Vec<i64> = seen.iter().map(|seen| seen.id.parse().expect("milliseconds since 1970")).collect();
    assert!(ids.is_sorted_by(|before, after| before < after), "{ids:?}");
    for tick in &seen[1..] {
        let said: jiff::Timestamp = tick.data.parse().expect("a time by RFC 3339 with an offset");
        let told: i64 = tick.id.parse().expect("a number");
        // The data has whole seconds; the id is the very moment, soon after.
        assert_eq!(said.as_millisecond() / 1000, told / 1000, "{tick:?}");
        assert_eq!(tick.data.len(), "2026-11-23T20:00:00+01:00".len(), "{tick:?}");
    }
    drop(reader);

    let answer = request(demo.address(), "GET", "/events/none?last=0", &["Accept: text/html"], b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{}", answer.head);
    let address = demo.address().to_string();
    let finished = demo.stop().expect_code(0);
    expect_all(&finished.stderr, &[&format!("http://{address}/"), "curl -N", "curl -d"]);
}

#[test]
fn the_hint_is_for_people_only() {
    let mut demo = Hub::start(&["demo", "--log-format", "json"]);
    let finished = demo.stop().expect_code(0);
    assert!(!finished.stderr.contains("curl"), "{}", finished.stderr);
}
