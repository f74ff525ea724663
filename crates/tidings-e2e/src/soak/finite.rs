//! Topics that end: each is followed to its end, refused to come again, and dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::stage::Stage;
use crate::http::request;
use crate::raw::RawStream;

/// Begins and ends one topic after the other, until it is to be quiet. Answers how many.
///
/// # Panics
/// When a reader does not get all of a topic and its end.
pub(super) fn begin_and_end_topics(stage: &Stage, name: &str, is_quiet: &AtomicBool) -> u64 {
    let mut ended = 0;
    while !is_quiet.load(Ordering::Relaxed) {
        begin_and_end(stage, &format!("{name}/{ended}"));
        ended += 1;
        thread::sleep(EVERY); // the pace of the load, not a wait for something
    }
    ended
}

fn begin_and_end(stage: &Stage, topic: &str) {
    let (hub, target, authorization) = (stage.hub.address(), format!("/events/{topic}"), stage.authorization());
    let ask = |method, target: &str, headers: &[&str], body: &str| {
        let response = request(hub, method, target, headers, body.as_bytes());
        (response.status, response.text())
    };
    let publish = |target: &str, data| {
        let (status, text) = ask("POST", target, &[&authorization], data);
        assert_eq!(status, 200, "{target}: {text}");
        let answer: serde_json::Value = serde_json::from_str(&text).expect("a publish is answered with JSON");
        answer["id"].as_str().expect("with the id").to_owned()
    };
    let mut readers = [RawStream::get(hub, &target, &[]), RawStream::get(hub, &target, &[])];
    for reader in &mut readers {
        reader.wait_for_text("retry:");
    }
    publish(&target, "the first");
    publish(&target, "the second");
    let last = publish(&format!("{target}?end"), "the last");
    for reader in readers {
        let text = String::from_utf8_lossy(&reader.read_to_end()).into_owned();
        let parts = ["data: the first\n", "data: the second\n", "data: the last\n", "event: tidings.end\n"];
        let places = parts.map(|part| text.find(part));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{topic}: {text}");
    }
    let end = ask("GET", &target, &[&format!("Last-Event-ID: {last}")], "");
    assert!(end.0 == 204 || end.1.contains("event: tidings.end"), "{topic}: {end:?}");
    let dropped = ask("DELETE", &target, &[&authorization], "");
    assert_eq!(dropped.0, 204, "{topic}: {dropped:?}");
}

const EVERY: Duration = Duration::from_millis(300);
