//! Many publications in one request: each line answered, in order, while the body is read.

use axum::body::{Body, Bytes};
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tidings_core::Limits;

use crate::bodies::{Broken, fed, in_frames, stalled};
use crate::world::{Answer, World, position, request};

const NDJSON: (&str, &str) = ("content-type", "Application/X-NDJSON; charset=utf-8");

async fn send(world: &World, target: &str, body: impl Into<Body>) -> Answer {
    let answer = world.ask("POST", target, &[NDJSON], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/x-ndjson")));
    answer
}

fn shape(lines: &[Value]) -> Vec<(Option<&str>, Option<u64>, Option<&str>)> {
    lines.iter().map(|line| (line["id"].as_str(), line["line"].as_u64(), line["field"].as_str())).collect()
}

#[tokio::test]
async fn every_line_is_answered_in_order() {
    let world = World::new();
    let mut stream = world.listen("/events?topic=a&topic=default", &[]).await.opened().await;
    let body = concat!(
        "{\"topic\":\"a\",\"data\":\"one\"}\r\n",
        "\n",
        "{\"data\":{\"b\": 1.50, \"a\": 12345678901234567890123}}\n",
        "not json\n",
        "{\"data\":\"x\",\"tpoic\":\"a\"}\n",
        "{\"data\":\"x\",\"type\":\"tidings.end\"}\n",
        "{\"data\":\"three\",\"id\":\"own\",\"type\":\"t\",\"retry\":5}"
    );
    let answer = send(&world, "/events", body).await;
    let (first, second) = (position(1), position(2));
    let want = [
        (Some(&*first), None, None),
        (Some(&*second), None, None),
        (None, Some(4), Some("line")),
        (None, Some(5), Some("tpoic")),
        (None, Some(6), Some("type")),
        (Some("own"), None, None),
    ];
    assert_eq!(shape(&answer.lines()), want);
    assert!(answer.lines()[3]["error"].as_str().is_some_and(|error| error.contains("tpoic")));
    assert_eq!(stream.frame().await, format!("id: {first}\ndata: one"));
    assert_eq!(stream.frame().await, format!("id: {second}\ndata: {}", r#"{"b":1.50,"a":12345678901234567890123}"#));
    assert_eq!(stream.frame().await, "event: t\nretry: 5\nid: own\ndata: three");
    assert_eq!((world.state.counters.published.get(), world.state.counters.published_bytes.get()), (3, 3 + 38 + 5));
}

#[tokio::test]
async fn frames_may_cut_lines_anywhere() {
    let world = World::new();
    let answer = send(&world, "/events", in_frames(&["{\"da", "ta\":\"a\"}\n{\"data\"", ":\"b\"}", "\n", ""])).await;
    assert_eq!(answer.text, format!("{{\"id\":\"{}\"}}\n{{\"id\":\"{}\"}}\n", position(1), position(2)));
}

#[tokio::test]
async fn errors_of_the_history_are_answered_too() {
    let world = World::new();
    let body = concat!(
        "{\"data\":\"x\",\"id\":\"taken\"}\n",
        "{\"data\":\"x\",\"id\":\"taken\"}\n",
        "{\"data\":\"x\",\"key\":\"k\"}\n",
        "{\"data\":\"x\",\"key\":\"k\"}\n",
        "{\"data\":\"y\",\"key\":\"k\"}\n",
        "{\"topic\":\"t\",\"end\":true}\n",
        "{\"topic\":\"t\",\"data\":\"x\"}\n",
    );
    let answer = send(&world, "/events", body).await;
    let lines = answer.lines();
    assert_eq!(lines[2], lines[3], "a repeat has the first id");
    let faults: Vec<_> = shape(&lines).into_iter().filter_map(|(_, line, field)| line.zip(field)).collect();
    assert_eq!(faults, [(2, "id"), (5, "idempotency-key"), (7, "topic")]);
}

#[tokio::test]
async fn a_summary_counts() {
    let world = World::new();
    let good = "{\"data\":\"x\",\"key\":\"k\"}\n".repeat(3);
    let answer = send(&world, "/events?summary", format!("{good}{}", "bad\n".repeat(12))).await;
    let [summary] = &answer.lines()[..] else { panic!("one line: {}", answer.text) };
    assert_eq!([&summary["accepted"], &summary["repeated"], &summary["rejected"]], [1, 2, 12]);
    let errors = summary["errors"].as_array().expect("the first errors");
    assert_eq!((errors.len(), &errors[0]["line"], &errors[0]["field"]), (10, &json!(4), &json!("line")));
    let every_line = send(&world, "/events?summary=0", "{\"data\":\"x\"}\n{\"data\":\"x\"}\n").await;
    assert_eq!(every_line.lines().len(), 2);
    assert_eq!(send(&world, "/events", "").await.text, "");
}

#[tokio::test]
async fn the_query_names_the_default_topic_and_nothing_else() {
    let world = World::new();
    let mut stream = world.listen("/events/a%20b", &[]).await.opened().await;
    send(&world, "/events?topic=a+b", "{\"data\":\"x\"}\n{\"topic\":\"c\",\"data\":\"no\"}\n{\"data\":\"y\"}").await;
    assert_eq!(stream.frame().await, format!("id: {}\ndata: x", position(1)));
    assert_eq!(stream.frame().await, format!("id: {}\ndata: y", position(3)));
    for (target, field) in [
        ("/events?private", "private"),
        ("/events?type=t", "type"),
        ("/events?ttl=1m", "ttl"),
        ("/events?end=0", "end"),
        ("/events?topic=", "topic"),
        ("/events?summary=perhaps", "summary"),
    ] {
        world.refuses("POST", target, &[NDJSON], 400, field).await;
    }
    world.refuses("POST", "/events", &[NDJSON, ("idempotency-key", "k")], 400, "idempotency-key").await;
    world.refuses("POST", "/events", &[NDJSON, ("content-encoding", "gzip")], 415, "content-encoding").await;
}

#[tokio::test]
async fn only_a_line_has_a_limit() {
    let world = World::limited(Limits { event_bytes_max: 100, ..Limits::default() });
    let line = |len: usize| format!("{{\"data\":\"{}\"}}\n", "x".repeat(len));
    let body = format!("{}{}{}{}", line(100).repeat(1000), line(101), line(20_000), line(1));
    let answer = send(&world, "/events", body).await;
    let lines = answer.lines();
    assert_eq!(lines.len(), 1003);
    assert_eq!(shape(&lines[1000..1002]), [(None, Some(1001), Some("data")), (None, Some(1002), Some("line"))]);
    assert_eq!(lines[1002]["id"], position(1001).as_str());
}

#[tokio::test]
async fn a_line_is_answered_before_the_next_one_is_sent() {
    let world = World::new();
    let (client, body) = fed();
    let mut answer = world.send(request("POST", "/events", &[NDJSON], body)).await.into_body();
    for sequence in 1..=3 {
        client.send(Ok(Bytes::from_static(b"{\"data\":\"x\"}\n"))).expect("the hub reads");
        let frame =
            answer.frame().await.expect("more to come").expect("a whole body").into_data().expect("no trailers");
        assert_eq!(frame, format!("{{\"id\":\"{}\"}}\n", position(sequence)));
    }
    drop(client);
    assert!(answer.frame().await.is_none());
}

#[tokio::test]
async fn a_body_that_breaks_off_says_where() {
    let world = World::new();
    let (client, body) = fed();
    client.send(Ok(Bytes::from_static(b"{\"data\":\"x\"}\n{\"data\":\"half a li"))).expect("the hub reads");
    client.send(Err(Broken)).expect("the hub reads");
    let answer = send(&world, "/events", body).await;
    assert_eq!(shape(&answer.lines()), [(Some(&*position(1)), None, None), (None, Some(2), Some("body"))]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let world = World::limited(Limits { body_timeout: std::time::Duration::from_secs(5), ..Limits::default() });
    let answer = send(&world, "/events", stalled()).await;
    assert_eq!(shape(&answer.lines()), [(None, Some(1), Some("body"))]);
}

/// A client that sends all before it reads: answers are held, reading goes on until they are a megabyte, and then waits.
#[tokio::test]
async fn answers_that_nobody_reads_hold_up_the_reading() {
    const LINES: usize = 100_000;
    let world = World::new();
    let (client, body) = fed();
    let answer = world.send(request("POST", "/events", &[NDJSON], body)).await.into_body();
    let some_lines = Bytes::from("{\"data\":\"x\"}\n".repeat(100));
    for _ in 0..LINES / 100 {
        client.send(Ok(some_lines.clone())).expect("the hub reads");
    }
    drop(client);
    let published = || world.state.counters.published.get();
    let mut before = 0;
    while published() == 0 || published() > before {
        before = published();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await; // nothing tells that a task waits
    }
    let held_bytes: usize = (1..=published()).map(|sequence| position(sequence).len() + "{'id':''}\n".len()).sum();
    let one_frame = 100 * 28; // is read before the limit is looked at again
    assert!((1024 * 1024..1024 * 1024 + one_frame).contains(&held_bytes), "{held_bytes} bytes of answers are held");

    let text = answer.collect().await.expect("a whole body").to_bytes();
    assert_eq!((text.split(|byte| *byte == b'\n').count() - 1, published()), (LINES, LINES as u64));
}
