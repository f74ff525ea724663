//! A million events of history, as a reader who speaks Mercure comes back to them: on disk, and after a restart.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use tempfile::TempDir;
use tidings_e2e::{DEADLINE, Hub};
use tidings_wire::{Decoder, Item};

const EVENTS: u32 = 1_000_000;
/// The reader has seen this one.
const SEEN: u32 = 900_001;

#[test]
fn a_resume_within_a_million_events_is_exact_and_all_are_there_after_a_restart() {
    let directory = TempDir::new().expect("there is room");
    let data = directory.path().to_str().expect("a temporary directory has a plain name");
    let mut hub = Hub::start_to_return(&["serve", "--data", data]);
    publish_all(&hub);
    assert_eq!(read(&hub, &format!("Last-Event-ID: {SEEN}\r\n"), SEEN + 1), EVENTS - SEEN);
    hub.stop().expect_code(0);
    hub.start_again();
    assert_eq!(read(&hub, "Last-Event-ID: earliest\r\n", 1), EVENTS);
    assert_eq!(read(&hub, &format!("Last-Event-ID: {SEEN}\r\n"), SEEN + 1), EVENTS - SEEN);
}

/// Publishes events with the ids 1 to [`EVENTS`] in one request, and waits until all are acknowledged.
#[track_caller]
fn publish_all(hub: &Hub) {
    let mut stream = connect(hub);
    let mut body = String::new();
    for number in 1..=EVENTS {
        writeln!(body, r#"{{"topic":"https://example.com/books","id":"{number}","data":"book {number}"}}"#)
            .expect("a String takes all that is written");
    }
    let head = format!(
        "POST /events?summary HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("the hub reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the hub answers");
    assert!(answer.contains(&EVENTS.to_string()), "{answer}");
}

/// Reads until the newest event; answers how many came, which must be all from `first` on, in order.
#[track_caller]
fn read(hub: &Hub, header: &str, first: u32) -> u32 {
    let mut stream = connect(hub);
    // By HTTP/1.0 there is no chunk framing.
    let request = format!(
        "GET /.well-known/mercure?topic=https%3A%2F%2Fexample.com%2Fbooks HTTP/1.0\r\nHost: {}\r\n{header}\r\n",
        hub.address()
    );
    stream.write_all(request.as_bytes()).expect("the hub reads");
    let mut stream = BufReader::with_capacity(1 << 20, stream);
    let mut status = String::new();
    stream.read_line(&mut status).expect("the hub answers");
    assert!(status.contains(" 200 "), "{status}");
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).expect("the head ends");
    }
    let mut decoder = Decoder::new();
    let mut next = first;
    loop {
        let bytes = stream.fill_buf().unwrap_or_else(|error| panic!("after {} events: {error}", next - first));
        assert!(!bytes.is_empty(), "the stream ended after {} events", next - first);
        decoder.push(bytes);
        let taken = bytes.len();
        stream.consume(taken);
        while let Some(item) = decoder.poll() {
            let Item::Event(event) = item.expect("the hub's events are far below the decoder's limit") else {
                continue;
            };
            assert_eq!((&*event.last_event_id, &*event.data), (&*next.to_string(), &*format!("book {next}")));
            if next == EVENTS {
                return next - first + 1;
            }
            next += 1;
        }
    }
}

#[track_caller]
fn connect(hub: &Hub) -> TcpStream {
    let stream = TcpStream::connect(hub.address()).expect("the hub listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time that is not zero");
    stream
}
