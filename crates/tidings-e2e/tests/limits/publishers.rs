//! Limits of those who publish: size, time, rate, topics and keys.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tidings_auth::{Algorithm, Claims, KeySource, mint};
use tidings_e2e::{DEADLINE, Hub, RawStream, Response, request};

use crate::support::{eventually, expect_reached, hub};

fn post(hub: &Hub, target: &str, headers: &[&str], data: &str) -> Response {
    request(hub.address(), "POST", target, headers, data.as_bytes())
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const NDJSON: &str = "Content-Type: application/x-ndjson";

#[test]
fn an_event_that_is_too_long_is_refused_however_it_comes() {
    let hub = hub(&["--max-event-bytes", "10B"]);
    let plain = post(&hub, "/events/t", &[], "eleven byte");
    assert_eq!(plain.status, 413, "{}", plain.text());
    let line = post(&hub, "/events", &[NDJSON], "{\"data\":\"eleven byte\"}\n{\"data\":\"ten bytes.\"}\n");
    assert!(line.text().contains("error") && line.text().contains("\"id\""), "{}", line.text());
    let mercure = post(&hub, "/.well-known/mercure", &[FORM], "topic=t&data=eleven+byte");
    assert_eq!(mercure.status, 413, "{}", mercure.text());
    hub.publish("/events/t", "ten bytes.");
    expect_reached(&hub, "event_bytes", 3.0, None);
}

#[test]
fn bodies_hold_so_much_in_all_however_they_come() {
    let hub = hub(&["--max-incoming-bytes", "64KiB"]);
    let data = "x".repeat(200_000);
    for (target, headers, data) in
        [("/events/t", &[][..], data.clone()), ("/.well-known/mercure", &[FORM][..], format!("topic=t&data={data}"))]
    {
        let full = post(&hub, target, headers, &data);
        assert_eq!(full.status, 503, "{}", full.text());
        assert!(full.header("retry-after").is_some(), "{}", full.head);
    }
    let lines = format!("{{\"data\":\"{data}\"}}\n{{\"data\":\"the next line\"}}\n");
    let answer = post(&hub, "/events", &[NDJSON], &lines).text();
    let answers: Vec<_> = answer.lines().collect();
    assert_eq!(answers.len(), 2, "{answer}");
    assert!(answers[0].contains("\"line\":1") && answers[1].contains("\"id\""), "{answer}");
    // What fits into a body's own room always finds some.
    hub.publish("/events/t", &data[..16_000]);
    expect_reached(&hub, "incoming_bytes", 3.0, None);
    assert!(hub.metric("tidings_limit_use{limit=\"incoming_bytes\"}") < 0.5, "all is given back");
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let hub = hub(&["--body-timeout", "200ms"]);
    let mut stream = TcpStream::connect(hub.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
    let head = "POST /events/t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer); // it may be reset once the answer is there
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    expect_reached(&hub, "body_timeout", 1.0, None);
}

/// Publishes until it is told to wait; how often that went well, and what it was told.
fn publish_until_refused(hub: &Hub, target: &str, headers: &[&str], data: &str) -> (usize, Response) {
    for published in 0..1000 {
        let response = post(hub, target, headers, data);
        if response.status != 200 {
            return (published, response);
        }
        assert!(response.header("ratelimit-policy").is_some(), "{}", response.head);
        assert!(response.header("ratelimit").is_some_and(|left| left.contains(";r=")), "{}", response.head);
    }
    panic!("a thousand publications were taken");
}

#[test]
fn a_publisher_has_a_rate_of_events_at_both_endpoints() {
    for (target, headers, data) in
        [("/events/t", &[][..], "x"), ("/.well-known/mercure", &[FORM][..], "topic=t&data=x")]
    {
        let hub = hub(&["--max-publish-events-per-second", "2"]);
        let (published, refused) = publish_until_refused(&hub, target, headers, data);
        assert!((20..30).contains(&published), "{published}: ten seconds' worth, and a little");
        assert_eq!(refused.status, 429, "{}", refused.text());
        let after = refused.header("retry-after").and_then(|after| after.parse::<u64>().ok());
        assert_eq!(after, Some(1), "{}", refused.head);
        assert_eq!(refused.header("ratelimit"), Some("\"events\";r=0;t=1"), "{}", refused.head);
        expect_reached(&hub, "publish_events_per_second", 1.0, Some("127.0.0.1"));
        eventually("the next event's turn", || post(&hub, target, headers, data).status == 200);
    }
}

#[test]
fn a_publisher_has_a_rate_of_bytes() {
    let hub = hub(&["--max-publish-bytes-per-second", "1KiB"]);
    let (published, refused) = publish_until_refused(&hub, "/events/t", &[], &"x".repeat(4096));
    assert_eq!((published, refused.status), (3, 429), "10 KiB, and what is begun is finished");
    assert!(refused.text().contains("publish_bytes_per_second"), "{}", refused.text());
    expect_reached(&hub, "publish_bytes_per_second", 1.0, Some("127.0.0.1"));
}

#[test]
fn subjects_have_rates_of_their_own() {
    const KEY: &str = "a secret of publishers that is long enough";
    let token = |subject: &str| {
        let claims = Claims { subject: Some(subject.to_owned()), publish: vec!["**".to_owned()], ..Claims::default() };
        let token = mint(&claims, &KeySource::new(KEY.to_owned(), Algorithm::Hs256)).expect("a good key");
        format!("Authorization: Bearer {token}")
    };
    let hub = hub(&["--publisher-jwt-key", KEY, "--max-publish-events-per-second", "1"]);
    let (_, refused) = publish_until_refused(&hub, "/events/t", &[&token("ann")], "x");
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(post(&hub, "/events/t", &[&token("bob")], "x").status, 200);
    expect_reached(&hub, "publish_events_per_second", 1.0, Some("ann"));
}

#[test]
fn a_batch_is_slowed_down_and_loses_nothing() {
    const LINES: usize = 130;
    let hub = hub(&["--max-publish-events-per-second", "10", "--body-timeout", "1s"]);
    let lines: Vec<_> = (0..LINES).map(|number| format!("{{\"data\":\"{number}\"}}\n")).collect();
    let body = lines.concat();
    let began = Instant::now();
    let answer = post(&hub, "/events?summary", &[NDJSON], &body);
    let took = began.elapsed();
    assert!(answer.text().contains(&format!("\"accepted\":{LINES},\"rejected\":0")), "{}", answer.text());
    assert!(took >= Duration::from_millis(2500), "30 events beyond the burst took {took:?}");
    expect_reached(&hub, "publish_events_per_second", 1.0, Some("127.0.0.1"));
}

#[test]
fn idempotency_keys_are_limited_and_none_is_forgotten() {
    let hub = hub(&["--max-idempotency-keys", "2"]);
    let keyed = |key: &str| post(&hub, "/events/t", &[&format!("Idempotency-Key: {key}")], "x");
    assert_eq!([keyed("1").status, keyed("2").status, keyed("1").status], [200, 200, 200]);
    let full = keyed("3");
    assert_eq!(full.status, 503, "{}", full.text());
    assert!(full.header("retry-after").is_some(), "{}", full.head);
    let line = post(&hub, "/events", &[NDJSON], "{\"data\":\"x\",\"key\":\"4\"}\n");
    assert!(line.text().contains("error"), "{}", line.text());
    expect_reached(&hub, "idempotency_keys", 2.0, None);
}

/// Asks for so many tickets over one connection, without waiting for each answer; how many were issued.
fn ask_for_tickets(address: SocketAddr, token: &str, count: usize) -> usize {
    const AT_ONCE: usize = 500;
    const BODY: &str = "{\"topics\":[\"t\"]}";
    let ask = format!(
        "POST /tickets HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
    let mut issued = 0;
    for from in (0..count).step_by(AT_ONCE) {
        let asked = AT_ONCE.min(count - from);
        stream.write_all(ask.repeat(asked).as_bytes()).expect("it reads");
        let (mut answers, mut seen) = (Vec::new(), 0);
        while seen < asked {
            let mut more = [0; 16 * 1024];
            let read = stream.read(&mut more).expect("it answers");
            assert!(read > 0, "it ended after {seen} of {asked}");
            answers.extend_from_slice(&more[..read]);
            // Each answer is a head and one JSON object, whose end is its only closing brace.
            seen += more[..read].split(|byte| *byte == b'}').count() - 1;
        }
        issued += String::from_utf8_lossy(&answers).matches("HTTP/1.1 200").count();
    }
    issued
}

#[test]
fn tickets_are_limited_and_none_is_forgotten() {
    const KEY: &str = "a secret of readers that is long enough";
    const TICKETS_MAX: usize = 100_000;
    const CONNECTIONS: usize = 4;
    let claims = Claims { subscribe: vec!["t".to_owned()], ..Claims::default() };
    let token = mint(&claims, &KeySource::new(KEY.to_owned(), Algorithm::Hs256)).expect("a good key");
    let hub = hub(&["--subscriber-jwt-key", KEY]);
    let first = post(&hub, "/tickets", &[&format!("Authorization: Bearer {token}")], "{\"topics\":[\"t\"]}");
    assert_eq!(first.status, 200, "{}", first.text());
    // One that is used stays; the others would go after a minute, and this is done in some seconds.
    let first: serde_json::Value = serde_json::from_slice(&first.body).expect("a ticket is JSON");
    let url = first["url"].as_str().expect("it has an address").to_owned();
    let mut reader = RawStream::get(hub.address(), &url, &[]);
    assert_eq!(reader.status(), 200);

    let issued: usize = thread::scope(|scope| {
        let asks = [(); CONNECTIONS]
            .map(|()| scope.spawn(|| ask_for_tickets(hub.address(), &token, TICKETS_MAX / CONNECTIONS + 500)));
        asks.into_iter().map(|ask| ask.join().expect("it was answered")).sum()
    });
    assert_eq!(issued, TICKETS_MAX - 1);
    let kept = format!("tidings_limit_use{{limit=\"tickets\"}} {TICKETS_MAX}\n");
    assert!(hub.metrics().text().contains(&kept), "{}", hub.metrics().text());
    let full = post(&hub, "/tickets", &[&format!("Authorization: Bearer {token}")], "{\"topics\":[\"t\"]}");
    assert_eq!(full.status, 503, "{}", full.text());
    assert!(full.header("retry-after").is_some(), "{}", full.head);
    expect_reached(&hub, "tickets", 1.0, None);
    // The first one was not forgotten: it still lets its reader in.
    let mut again = RawStream::get(hub.address(), &url, &[]);
    assert_eq!(again.status(), 200);
}

#[test]
fn topics_with_history_are_limited_in_memory() {
    let hub = hub(&["--max-topics", "2", "--history-events", "2"]);
    hub.publish("/events/a", "x");
    hub.publish("/events/b", "x");
    for (target, headers, data) in
        [("/events/c", &[][..], "x"), ("/.well-known/mercure", &[FORM][..], "topic=c&data=x")]
    {
        let full = post(&hub, target, headers, data);
        assert_eq!(full.status, 503, "{}", full.text());
        assert!(full.header("retry-after").is_some(), "{}", full.head);
    }
    expect_reached(&hub, "topics", 2.0, None);
    // Where there is history it goes on, and what is trimmed makes room.
    hub.publish("/events/b", "y");
    hub.publish("/events/c", "z");
}
