//! The recorders against servers that misbehave on purpose. (Against a real hub they are in `tidings-e2e`.)

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tidings_history::recorders::{Base, Cuts, Listener, Pace, Publisher, Reader, Recorder, Wish};
use tidings_history::{End, Entry, Interest, Outcome, StartFrom, check, sentences};

const DEADLINE: Duration = Duration::from_secs(20);

fn listen() -> (TcpListener, Base) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    (listener, Base::parse(&base).expect("a URL"))
}

/// Reads a request to the end of this many bytes of its body.
fn read_request(stream: &mut TcpStream, ends_with: &str) -> String {
    stream.set_read_timeout(Some(DEADLINE)).expect("a time that is not zero");
    let mut bytes = Vec::new();
    while !bytes.ends_with(ends_with.as_bytes()) {
        let mut room = [0; 1024];
        let count = stream.read(&mut room).expect("the client sends");
        assert!(count > 0, "the client ended after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&room[..count]);
    }
    String::from_utf8(bytes).expect("requests are text")
}

fn answer(stream: &mut TcpStream, status: &str, body: &str) {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).expect("the client reads");
}

fn outcomes(recorder: &Recorder) -> Vec<Outcome> {
    let history = recorder.history();
    let outcomes = history.entries().iter().filter_map(|entry| match entry {
        Entry::Answered { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    outcomes.collect()
}

#[test]
fn without_a_key_a_lost_answer_is_unknown_and_nothing_is_sent_twice() {
    let (listener, base) = listen();
    let hub = thread::spawn(move || {
        let (mut first, _) = listener.accept().expect("it comes");
        read_request(&mut first, "p0/0 one");
        drop(first);
        let (mut second, _) = listener.accept().expect("it comes again");
        let request = read_request(&mut second, "p0/1 two");
        assert!(request.starts_with("POST /events/chat/42 HTTP/1.1\r\n"), "{request}");
        answer(&mut second, "503 Service Unavailable", "{}");
        let request = read_request(&mut second, "p0/2 three");
        assert!(
            request.starts_with("POST /events/chat/42?id=own%20%C3%A9%20p0%2F2&type=price HTTP/1.1\r\n"),
            "{request}"
        );
        answer(&mut second, "200 OK", r#"{"id":"own é p0/2"}"#);
    });
    let recorder = Recorder::new();
    let mut publisher = Publisher::new(&recorder, &base);
    publisher.publish(&Wish::new("chat/42", "one")).expect("it is not stopped");
    publisher.publish(&Wish::new("chat/42", "two")).expect("it is not stopped");
    let wish = Wish { event_type: Some("price"), has_own_id: true, ..Wish::new("chat/42", "three") };
    let third = publisher.publish(&wish).expect("it is not stopped");
    hub.join().expect("the server got what it expected");

    assert_eq!(third.outcome, Outcome::Accepted("own é p0/2".to_owned()));
    assert_eq!(outcomes(&recorder), [Outcome::Unknown, Outcome::Refused(503), third.outcome]);
    let summary = check(&recorder.history()).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
    assert_eq!((summary.acknowledged, summary.unknown, summary.refused), (1, 1, 1));
}

#[test]
fn with_a_key_it_asks_until_it_knows() {
    let (listener, base) = listen();
    let hub = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("it comes");
            let request = read_request(&mut stream, "p0/0 one");
            assert!(request.contains("\r\nIdempotency-Key: key-p0/0\r\n"), "{request}");
            // An answer that breaks off is none.
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"id\"").expect("the client reads");
        }
        let (mut stream, _) = listener.accept().expect("it comes");
        read_request(&mut stream, "p0/0 one");
        answer(&mut stream, "200 OK", r#"{"id":"3vq8k0aa-1"}"#);
    });
    let recorder = Recorder::new();
    let wish = Wish { has_key: true, ..Wish::new("a", "one") };
    let published = Publisher::new(&recorder, &base).publish(&wish).expect("it is not stopped");
    hub.join().expect("the server got what it expected");
    assert_eq!(published.outcome, Outcome::Accepted("3vq8k0aa-1".to_owned()));
    assert_eq!(outcomes(&recorder), [Outcome::Unknown, Outcome::Unknown, published.outcome]);
    assert_eq!(check(&recorder.history()).expect("it is true").unknown, 0);
}

#[test]
fn a_publisher_that_is_stopped_waits_no_longer_for_a_hub() {
    let (listener, base) = listen();
    drop(listener);
    let recorder = Recorder::new();
    let mut publisher = Publisher::new(&recorder, &base);
    let waiting = thread::spawn(move || publisher.publish(&Wish::new("a", "one")));
    recorder.stop();
    assert_eq!(waiting.join().expect("it gives up"), None);
    assert!(recorder.history().entries().is_empty(), "nothing was sent, so nothing was asked for");
}

#[test]
fn a_batch_is_one_request_and_each_line_has_an_outcome() {
    let (listener, base) = listen();
    let base = base.with_token("a.b.c");
    let hub = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it comes");
        let request = read_request(&mut stream, "\"key\":\"key-p7/1\"}\n");
        let head = "POST /events HTTP/1.1\r\n";
        assert!(request.starts_with(head) && request.contains("\r\nAuthorization: Bearer a.b.c\r\n"), "{request}");
        let lines = "{\"topic\":\"a\",\"data\":\"p7/0 one\\ntwo\"}\n{\"topic\":\"b\",\"data\":\"p7/1 three\",\"type\":";
        assert!(request.contains(lines), "{request}");
        answer(&mut stream, "200 OK", "{\"id\":\"3vq8k0aa-1\"}\n{\"error\":\"no\",\"line\":2}\n");
        // What is published after it has the next number.
        read_request(&mut stream, "p7/2 four");
        answer(&mut stream, "200 OK", r#"{"id":"3vq8k0aa-2"}"#);
    });
    let recorder = Recorder::with_publishers_from(7);
    let mut publisher = Publisher::new(&recorder, &base);
    let keyed = Wish { event_type: Some("price"), has_key: true, ..Wish::new("b", "three") };
    let batch = publisher.publish_batch(&[Wish::new("a", "one\ntwo"), keyed]).expect("it is not stopped");
    publisher.publish(&Wish::new("b", "four")).expect("it is not stopped");
    hub.join().expect("the server got what it expected");
    let accepted = |id: &str| Outcome::Accepted(id.to_owned());
    let got: Vec<_> = batch.into_iter().map(|published| published.outcome).collect();
    assert_eq!(got, [accepted("3vq8k0aa-1"), Outcome::Refused(400)]);
    assert_eq!(outcomes(&recorder), [&got[..], &[accepted("3vq8k0aa-2")]].concat());
    let summary = check(&recorder.history()).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
    assert_eq!((summary.acknowledged, summary.refused), (2, 1));
}

#[test]
fn a_publisher_that_is_cut_asks_again_only_with_a_key() {
    let (listener, base) = listen();
    let hub = thread::spawn(move || {
        for (want, is_answered) in [("POST /events", false), ("POST /events/a HT", false), ("p0/1 two", true)] {
            let (mut stream, _) = listener.accept().expect("it comes");
            read_request(&mut stream, want);
            if is_answered {
                answer(&mut stream, "200 OK", r#"{"id":"3vq8k0aa-1"}"#);
            } else {
                assert_eq!(stream.read(&mut [0]).expect("it ends as it should"), 0, "nothing comes after {want}");
            }
        }
    });
    let recorder = Recorder::new();
    let mut publisher = Publisher::new(&recorder, &base);
    publisher.publish_cut(&Wish::new("a", "one"), "POST /events".len()).expect("it is not stopped");
    let keyed = Wish { has_key: true, ..Wish::new("a", "two") };
    publisher.publish_cut(&keyed, "POST /events/a HT".len()).expect("it is not stopped");
    hub.join().expect("the server got what it expected");
    assert_eq!(outcomes(&recorder), [Outcome::Unknown, Outcome::Unknown, Outcome::Accepted("3vq8k0aa-1".to_owned())]);
}

#[test]
fn a_slow_reader_by_http_1_0_takes_a_few_bytes_at_a_time_until_it_leaves() {
    let (listener, base) = listen();
    let hub = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it comes");
        let request = read_request(&mut stream, "\r\n\r\n");
        assert!(request.starts_with("GET /events/a?prime=0 HTTP/1.0\r\n"), "{request}");
        let events: Vec<_> = (1..=3).map(|number| format!("id: 3vq8k0aa-{number}\ndata: p0/{number} x\n\n")).collect();
        let answer = format!("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{}", events.concat());
        stream.write_all(answer.as_bytes()).expect("the client reads");
        assert_eq!(stream.read(&mut [0]).expect("it ends as it should"), 0, "it leaves");
    });
    let recorder = Recorder::new();
    let mut listener = Listener::new(Interest::in_topics(["a"]), StartFrom::Live);
    listener.is_http_1_0 = true;
    listener.pace = Some(Pace { bytes: 7, every: Duration::from_millis(1) });
    let reader = Reader::start(&recorder, &base, listener);
    recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.seen == 3).expect("all events come");
    assert!(reader.wait_until_open(Instant::now() + DEADLINE) && !reader.is_gone());
    reader.leave();
    hub.join().expect("the server got what it expected");
    recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.cuts == 1).expect("it writes that down");
    assert!(!reader.wait_until_open(Instant::now()), "it has left");
    drop(reader);
    let ends: Vec<_> = recorder
        .history()
        .entries()
        .iter()
        .filter_map(|entry| if let Entry::Ended { end, .. } = entry { Some(*end) } else { None })
        .collect();
    assert_eq!(ends, [End::Cut]);
}

/// Answers a stream with these bytes of payload, and ends the connection.
fn stream_once(listener: &TcpListener, want_last_id: &str, payload: &str, is_whole: bool) {
    let (mut stream, _) = listener.accept().expect("it comes");
    let request = read_request(&mut stream, "\r\n\r\n");
    assert!(request.contains(want_last_id), "{want_last_id:?} in {request}");
    let end = if is_whole { "0\r\n\r\n" } else { "" };
    let answer =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{payload}\r\n{end}", payload.len());
    // A reader that cuts its connection may do so before all is written.
    drop(stream.write_all(answer.as_bytes()));
}

#[test]
fn a_reader_comes_back_with_its_last_id() {
    let (listener, base) = listen();
    let recorder = Recorder::new();
    let interest = Interest::in_topics(["chat/42"]);
    let reader = Reader::start(&recorder, &base, Listener::new(interest, StartFrom::Earliest).with_opening());
    stream_once(
        &listener,
        "GET /events/chat/42?since=earliest&prime=1 ",
        "event: tidings.open\nid: 3vq8k0aa-0\ndata\n\n",
        true,
    );
    stream_once(&listener, "Last-Event-ID: 3vq8k0aa-0\r\n", "id: é 1\ndata: p0/0 one\n\nid: half\ndata: p0/1", false);
    stream_once(
        &listener,
        "Last-Event-ID: é 1\r\n",
        "id: 3vq8k0aa-2\nevent: price\ndata: p0/1 two\ndata: lines\n\n",
        false,
    );
    let names = ["p0/0", "p0/1"].map(|name| name.parse().expect("a name"));
    assert!(reader.wait_for(&names, Instant::now() + DEADLINE));
    let name = reader.name();
    reader.finish();

    let history = recorder.history();
    let seen = history.entries().iter().filter_map(|entry| match entry {
        Entry::Saw(saw) => Some((saw.place.connection, &*saw.id, &*saw.event_type, &*saw.data)),
        _ => None,
    });
    let want = [
        (1, "3vq8k0aa-0", "tidings.open", ""),
        (2, "é 1", "message", "p0/0 one"),
        (3, "3vq8k0aa-2", "price", "p0/1 two\nlines"),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), want);
    let ends = history.entries().iter().filter_map(|entry| match entry {
        Entry::Ended { end, .. } => Some(*end),
        _ => None,
    });
    assert_eq!(ends.take(2).collect::<Vec<_>>(), [End::Whole, End::Broken]);
    assert_eq!(history.entries().last(), Some(&Entry::Done { reader: name }));
}

#[test]
fn a_reader_that_cuts_itself_does_so_as_often_as_it_was_told() {
    let (listener, base) = listen();
    let recorder = Recorder::new();
    let cuts = Cuts { seed: 7, bytes_between: 100, idle: None, count: 3 };
    let listener_of_all = Listener::new(Interest::in_topics(["**"]), StartFrom::Live).with_cuts(cuts);
    let reader = Reader::start(&recorder, &base, listener_of_all);
    // More than a cut ever lets through.
    let long = format!("data: p0/0 {}\n\n", "x".repeat(20_000));
    for _ in 0..3 {
        stream_once(&listener, "GET /events?topic=%2A%2A&prime=0 ", &long, true);
    }
    stream_once(&listener, "GET ", &long, true);
    let names = ["p0/0"].map(|name| name.parse().expect("a name"));
    assert!(reader.wait_for(&names, Instant::now() + DEADLINE), "the fourth is not cut");
    drop(reader);
    let history = recorder.history();
    let cuts = history.entries().iter().filter(|entry| matches!(entry, Entry::Ended { end: End::Cut, .. }));
    assert!(cuts.count() >= 3, "three by itself, and perhaps one when it was dropped");
}
