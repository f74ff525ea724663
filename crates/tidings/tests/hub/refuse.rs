//! Requests that are wrong, late, half or too many: each gets its answer or its end, and takes nothing with it.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use tidings::{CloseReason, Delivery, Limits};

use crate::support::client::{Answer, Client};
use crate::support::hub::{TestHub, wide_limits};
use crate::support::reader::{Cut, Reader};
use crate::support::{MIB, eventually_equal, over_both_ways};

over_both_ways!(
    a_head_that_is_too_long_is_refused,
    a_head_that_is_too_slow_is_closed,
    what_is_no_http_is_closed,
    bytes_after_a_subscribe_end_it_on_the_direct_way,
    half_requests_leave_their_places,
    http_1_0_gets_no_chunks,
    head_answers_the_headers,
    not_acceptable_is_said,
    pipelined_requests_are_answered_in_order,
    a_later_request_becomes_a_stream,
    a_stream_comes_behind_answers_that_were_not_read,
    too_large_is_readable_while_the_client_still_sends,
    wrong_methods_and_paths_are_named,
    beyond_the_limit_of_connections_readers_are_told_to_wait,
);

fn start(delivery: Delivery) -> TestHub {
    TestHub::start(delivery, |builder| builder)
}

fn a_head_that_is_too_long_is_refused(delivery: Delivery) {
    let hub = start(delivery);
    for (number, method) in ["GET", "POST"].into_iter().enumerate() {
        let client = hub.client();
        let head = format!("{method} /events/t HTTP/1.1\r\nhost: localhost\r\nx: {}", "y".repeat(20 * 1024));
        drop(client.stream().write_all(head.as_bytes())); // it may be closed before it has taken all
        let rest = client.rest();
        let text = String::from_utf8_lossy(&rest);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 431 "), "{method}: {text}");
        eventually_equal("bad heads", &(number as u64 + 1), || hub.counters().bad_heads.get());
    }
    assert_eq!(hub.sessions(), 0);
    // A long one within the limit is as good as any.
    let headers = format!("x: {}\r\n", "y".repeat(15 * 1024));
    assert_eq!(hub.client().request("POST", "/events/t", &headers, b"data").head.status, 200);
}

fn a_head_that_is_too_slow_is_closed(delivery: Delivery) {
    let limits = Limits { head_timeout: Duration::from_millis(200), ..wide_limits() };
    let hub = TestHub::start(delivery, |builder| builder.limits(limits));
    let beginnings = [
        "",
        "G",
        "GET /events/t HTTP/1.1\r\nhost: localhost\r\n",
        "P",
        "POST /events/t HTTP/1.1\r\nhost: localhost\r\n",
    ];
    for (number, beginning) in beginnings.into_iter().enumerate() {
        let mut client = hub.client();
        client.send(beginning);
        assert_eq!(client.rest(), b"", "{beginning:?} has an answer");
        eventually_equal(&format!("bad heads after {beginning:?}"), &(number as u64 + 1), || {
            hub.counters().bad_heads.get()
        });
    }
    assert_eq!(hub.sessions(), 0);
}

fn what_is_no_http_is_closed(delivery: Delivery) {
    let hub = start(delivery);
    for (number, bytes) in
        ["GET\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n"].into_iter().enumerate()
    {
        let mut client = hub.client();
        client.send(bytes);
        let rest = client.rest();
        let text = String::from_utf8_lossy(&rest);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400 "), "{bytes:?}: {text}");
        eventually_equal(&format!("bad heads after {bytes:?}"), &(number as u64 + 1), || {
            hub.counters().bad_heads.get()
        });
    }
}

fn bytes_after_a_subscribe_end_it_on_the_direct_way(delivery: Delivery) {
    let hub = start(delivery);
    let mut reader = Reader::open(hub.address, "/events/t");
    reader.stream().write_all(b"what is this").expect("the stream is open");
    if delivery == Delivery::Direct {
        reader.end();
        eventually_equal("ended for it", &1, || hub.counters().closed(CloseReason::UnexpectedBytes).get());
        eventually_equal("sessions", &0, || hub.sessions());
    } else {
        // There they are the next request, which waits for the end of this answer.
        hub.publish("t", "undisturbed");
        assert_eq!(reader.next_data(), "undisturbed");
    }
}

fn half_requests_leave_their_places(delivery: Delivery) {
    let limits = Limits { connections_max: 2, ..wide_limits() };
    let hub = TestHub::start(delivery, |builder| builder.limits(limits));
    let halves = [
        "",
        "GE",
        "GET /events/t HTTP/1.1\r\nhost: loc",
        "POST /events/t HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf",
        "POST /events/t HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
        "PUT",
    ];
    for half in halves.repeat(3) {
        let mut client = hub.client();
        client.send(half);
        client.finish();
        let rest = client.rest();
        let text = String::from_utf8_lossy(&rest);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400 "), "{half:?}: {text}");
    }
    // Nothing of them was published, and a place is free again.
    let mut reader = loop {
        let mut client = hub.client();
        client.ask("GET", "/events/t?since=earliest&prime=1", "", b"");
        let head = client.head();
        if head.status == 200 {
            break client;
        }
        assert_eq!(head.status, 503, "{head:?}");
    };
    hub.publish("t", "first");
    let text = read_until(&mut reader, "data: first\n");
    assert!(!text.contains("hal"), "{text}");
    assert_eq!(hub.counters().published.get(), 1);
}

fn http_1_0_gets_no_chunks(delivery: Delivery) {
    let hub = start(delivery);
    hub.publish("t", "before");
    let mut client = hub.client();
    client.send("GET /events/t?since=earliest HTTP/1.0\r\nhost: localhost\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None), "{head:?}");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert!(
        head.is_last_of_connection() || head.version == "HTTP/1.0" && head.header("connection").is_none(),
        "{head:?}"
    );
    hub.publish("t", "after");
    let text = read_until(&mut client, "data: after\n\n");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("id: ")).collect();
    assert!(lines[0].starts_with("retry: "), "{text}");
    assert_eq!(lines[1..], [":", "data: before", "", "data: after", ""], "{text}");
    hub.block_on(hub.hub.drain(Duration::ZERO));
    let rest = String::from_utf8(client.rest()).expect("text");
    assert!(rest.is_empty() || rest.starts_with("retry: "), "{rest}");
}

/// Reads the bytes of an answer that has no end, until `what` is among them.
#[track_caller]
fn read_until(client: &mut Client, what: &str) -> String {
    let mut bytes = Vec::new();
    loop {
        bytes.extend(client.read_some());
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(what) {
            return text.into_owned();
        }
    }
}

fn head_answers_the_headers(delivery: Delivery) {
    let hub = start(delivery);
    let mut client = hub.client();
    let answer = client.request("HEAD", "/events/t", "", b"");
    assert_eq!((answer.head.status, answer.head.header("content-type")), (200, Some("text/event-stream")));
    // It has ended: the connection is free for the next request.
    client.publish("/events/t", "next");
    assert_eq!(hub.counters().joined_direct.get() + hub.counters().joined_body.get(), 0);
}

fn not_acceptable_is_said(delivery: Delivery) {
    let hub = start(delivery);
    let cases = [
        ("application/json", 406),
        ("text/html, application/*", 406),
        ("text/event-stream;q=0", 406),
        ("text/event-stream", 200),
        ("text/*;q=0.1", 200),
        ("*/*", 200),
    ];
    for (accept, status) in cases {
        let mut client = hub.client();
        client.ask("GET", "/events/t", &format!("accept: {accept}\r\n"), b"");
        let head = client.head();
        assert_eq!(head.status, status, "{accept}: {head:?}");
    }
    hub.client().request("GET", "/events/t", "accept: image/png\r\n", b"").expect_problem(406);
}

fn pipelined_requests_are_answered_in_order(delivery: Delivery) {
    let hub = start(delivery);
    let mut client = hub.client();
    let post = |data: &str| {
        format!("POST /events/t HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{data}", data.len())
    };
    let health = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    client.send(
        [&*post("one"), health, &post("two"), "PUT / HTTP/1.1\r\nhost: localhost\r\n\r\n", &post("three")].concat(),
    );
    let ids: Vec<_> = [true, false, true, false, true]
        .into_iter()
        .filter_map(|is_post| {
            let answer = client.answer();
            is_post.then(|| answer.json()["id"].as_str().expect("an id").to_owned())
        })
        .collect();
    let mut reader = Reader::new(hub.address, "/events/t?since=earliest");
    reader.connect();
    for (data, id) in ["one", "two", "three"].into_iter().zip(ids) {
        let event = reader.next();
        assert_eq!((&*event.data, event.last_event_id), (data, id));
    }
    // Two requests of which the first could have gone the direct way: both by one connection's bytes.
    let mut client = hub.client();
    client.send([health, health].concat());
    assert_eq!([client.answer().head.status, client.answer().head.status], [200, 200]);
    // A publish and, behind it, a subscribe.
    let mut client = hub.client();
    client.send([&*post("four"), "GET /events/t?last=1 HTTP/1.1\r\nhost: localhost\r\n\r\n"].concat());
    assert_eq!(client.answer().head.status, 200);
    assert_eq!(client.head().header("content-type"), Some("text/event-stream"));
    read_until(&mut client, "data: four\n\n");
}

fn a_later_request_becomes_a_stream(delivery: Delivery) {
    let hub = start(delivery);
    let counters = hub.counters();
    let readers: Vec<_> = (0..20)
        .map(|number| {
            let mut client = hub.client();
            assert_eq!(client.request("GET", "/healthz", "", b"").head.status, 200);
            client.publish("/events/t", &"x".repeat(number * 10_000));
            client.request("GET", "/nothing/here", "", b"").expect_problem(404);
            let mut reader = Reader::new(hub.address, "/events/t?last=1");
            reader.connect_on(client);
            assert_eq!(reader.next_data().len(), number * 10_000);
            reader
        })
        .collect();
    hub.publish("t", "for all");
    for mut reader in readers {
        while reader.next_data() != "for all" {}
        reader.cut(Cut::Rst);
    }
    let joined = (counters.joined_direct.get(), counters.joined_body.get());
    assert_eq!(joined, if delivery == Delivery::Direct { (20, 0) } else { (0, 20) });
    eventually_equal("sessions", &0, || hub.sessions());
}

/// The answers before it fill every buffer, each time a little more, so the stream waits until they are written.
fn a_stream_comes_behind_answers_that_were_not_read(delivery: Delivery) {
    const STREAMS: u64 = 60;
    let hub = start(delivery);
    hub.publish("t", "first");
    let page = hub.client().request("GET", "/", "accept: text/html\r\n", b"");
    assert_eq!(page.head.status, 200);
    let joined = || hub.counters().joined_direct.get() + hub.counters().joined_body.get();
    // Some kilobytes each: the last ones are far more than the buffers of both sides hold.
    assert!((4096..100_000).contains(&page.body.len()), "{} bytes", page.body.len());
    for stream in 1..=STREAMS {
        let answers = 6 * stream;
        let mut client = hub.client();
        for _ in 0..answers {
            client.ask("GET", "/", "accept: text/html\r\n", b"");
        }
        client.ask("GET", "/events/t?since=earliest", "", b"");
        // It may join before anything is read, or only after; both are right, and both are to happen.
        let until = Instant::now() + Duration::from_millis(20);
        while joined() < stream && Instant::now() < until {
            thread::yield_now();
        }
        for number in 0..answers {
            assert_eq!(client.answer().body, page.body, "answer {number} of {answers}");
        }
        assert_eq!(client.head().header("content-type"), Some("text/event-stream"));
        read_until(&mut client, "data: first\n\n");
        assert_eq!(joined(), stream);
    }
    let joined = (hub.counters().joined_direct.get(), hub.counters().joined_body.get());
    assert_eq!(joined, if delivery == Delivery::Direct { (STREAMS, 0) } else { (0, STREAMS) });
}

fn too_large_is_readable_while_the_client_still_sends(delivery: Delivery) {
    let hub = start(delivery);
    let body = vec![b'x'; 20 * MIB];
    for is_chunked in [false, true] {
        let framing = if is_chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {}", body.len())
        };
        let client = hub.client();
        let mut sender = client.stream().try_clone().expect("a socket can be shared");
        let head = format!("POST /events/t HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n");
        let mut client = client;
        let answer: Answer = thread::scope(|scope| {
            scope.spawn(|| {
                let mut send_all = || {
                    sender.write_all(head.as_bytes())?;
                    if is_chunked {
                        write!(sender, "{:x}\r\n", body.len())?;
                    }
                    sender.write_all(&body)?;
                    sender.shutdown(Shutdown::Write)
                };
                drop(send_all()); // the hub may end it once its answer is out
            });
            client.answer()
        });
        answer.expect_problem(413);
        assert!(answer.head.is_last_of_connection(), "{:?}", answer.head);
    }
    // A client that reads only when it has sent all gets the answer too.
    let mut client = hub.client();
    let head = format!("POST /events/t HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = client.stream();
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    client.answer().expect_problem(413);
    assert!(sent.is_ok(), "the connection was ended under its hands: {sent:?}");
    assert_eq!(hub.counters().published.get(), 0);
    // Exactly the limit is no byte too much.
    assert_eq!(hub.client().request("POST", "/events/t", "", &body[..MIB]).head.status, 200);
    hub.client().request("POST", "/events/t", "", &body[..=MIB]).expect_problem(413);
}

fn wrong_methods_and_paths_are_named(delivery: Delivery) {
    let hub = start(delivery);
    let mut client = hub.client();
    for method in ["PUT", "PATCH"] {
        let answer = client.request(method, "/events/t", "", b"");
        answer.expect_problem(405);
        let allow = answer.head.header("allow").expect("405 says what is allowed");
        assert!(["GET", "POST", "DELETE"].iter().all(|method| allow.contains(method)), "{allow}");
    }
    for target in ["/event", "/eventsx", "/events2/t"] {
        client.request("GET", target, "", b"").expect_problem(404);
    }
    client.request("POST", "/events/t?id=", "", b"x").expect_problem(400);
    client.request("GET", "/events/%FF", "", b"").expect_problem(400);
    client.request("GET", "/events/t", "host: other.example\r\n", b"").expect_problem(400);
    client.request("POST", "/events/t", "content-encoding: gzip\r\n", b"x").expect_problem(415);
    client.request("POST", "/events/t", "", b"\xff").expect_problem(400);
    // All on one connection, which is still good.
    client.publish("/events/t", "good");
}

fn beyond_the_limit_of_connections_readers_are_told_to_wait(delivery: Delivery) {
    let limits = Limits { connections_max: 2, ..wide_limits() };
    let hub = TestHub::start(delivery, |builder| builder.limits(limits).retry(Duration::from_secs(2)));
    let mut first = Reader::open(hub.address, "/events/t");
    let mut second = Reader::open(hub.address, "/events/t");

    let refused = hub.client().request("GET", "/events/t", "user-agent: curl/8\r\n", b"");
    refused.expect_problem(503);
    assert!(refused.head.is_last_of_connection(), "{:?}", refused.head);
    let after: u64 =
        refused.head.header("retry-after").and_then(|after| after.parse().ok()).expect("when to come again");
    assert!(after > 0);
    for browser in ["user-agent: Mozilla/5.0 (X11)\r\n", "sec-fetch-mode: cors\r\n"] {
        let told = hub.client().request("GET", "/events/t", browser, b"");
        assert_eq!((told.head.status, told.head.header("content-type")), (200, Some("text/event-stream")));
        let lines: Vec<_> = told.text().lines().collect();
        let retry = lines.iter().find_map(|line| line.strip_prefix("retry: ")).and_then(|ms| ms.parse::<u64>().ok());
        assert!(retry.is_some_and(|ms| ms >= 500), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with(": ")) && !told.text().contains("data"), "{lines:?}");
    }
    hub.client().request("POST", "/events/t", "", b"x").expect_problem(503);
    assert_eq!(hub.counters().refused_limits.get(), 4);

    // Nobody was ended for those; and when one leaves there is room.
    hub.publish("t", "for both");
    assert_eq!([first.next_data(), second.next_data()], ["for both", "for both"]);
    first.cut(Cut::Rst);
    eventually_equal("sessions", &1, || hub.sessions());
    let third = (0..1000).find_map(|_| {
        // The place comes back when the connection is ended, a moment after its session.
        let mut client = hub.client();
        client.ask("GET", "/events/t", "", b"");
        (client.head().status == 200).then_some(client)
    });
    let mut third = third.expect("a place is free again");
    hub.publish("t", "for the third");
    read_until(&mut third, "data: for the third\n");
}
