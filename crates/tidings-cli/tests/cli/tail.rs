//! `tidings tail`: what it prints, when it ends, how it comes back.

use std::io::Read;
use std::process::Stdio;

use rustix::process::{Pid, kill_process};
use tidings_e2e::{Program, tidings};

use crate::scripted::Scripted;
use crate::signalled::{Signal, Signalled};
use crate::{expect_all, hub, lines, run};

#[test]
fn events_are_objects_with_exactly_the_names_of_a_browsers() {
    let hub = hub(&[]);
    let id = hub.publish("/events/chat/42?type=typing", "one\n\"two\"");
    let url = hub.url("");
    let tail = run(&["tail", "chat/*", "--hub", &url, "--since", "1h", "--json", "--count", "1"]).expect_code(0);
    let want = format!(r#"{{"type":"typing","data":"one\n\"two\"","lastEventId":"{id}","origin":"{url}"}}"#);
    assert_eq!((&*tail.stdout, &*tail.stderr), (&*format!("{want}\n"), ""));
}

#[test]
fn people_get_time_id_type_and_data_without_colours_in_a_pipe() {
    let hub = hub(&[]);
    let id = hub.publish("/events/t?type=typing", "one\ntwo \x1b[31m");
    let tail = run(&["tail", "t", "--hub", &hub.url(""), "--since", "earliest", "--count", "1"]).expect_code(0);
    let lines = lines(&tail.stdout);
    assert_eq!(lines[0].get(8..), Some(&*format!("  {id}  typing  one")), "{lines:?}");
    assert_eq!(lines[1..], ["          two \\u{1b}[31m"]);
}

#[test]
fn it_begins_after_the_id_it_is_given() {
    let hub = hub(&[]);
    let first = hub.publish("/events/t", "one");
    hub.publish("/events/t", "two");
    let url = hub.url("");
    let tail = run(&["tail", "t", "--hub", &url, "--last-event-id", &first, "--json", "--count", "1"]).expect_code(0);
    expect_all(&tail.stdout, &["\"two\""]);
    let tail = run(&["tail", "t", "--hub", &url, "--last-event-id", "of-nobody", "--json", "--count", "2"]);
    expect_all(&tail.expect_code(0).stderr, &["gap", "of-nobody", "unknown"]);
}

/// A hub in memory forgets with its process: the reader that comes back is told so, and goes on.
#[test]
fn it_comes_back_to_a_hub_that_was_started_again_and_tells_of_the_gap() {
    let mut hub = hub(&["--retry", "50ms"]);
    let url = hub.url("");
    let tail =
        Program::start(&mut tidings(&["tail", "t", "--hub", &url, "--since", "earliest", "--json", "--count", "2"]));
    let first = hub.publish("/events/t", "one");
    tail.wait_for_line("the first event", |line| line.contains("\"one\"").then_some(()));
    hub.stop().expect_code(0);
    hub.start_again();
    hub.publish("/events/t", "two");
    let finished = tail.finish().expect_code(0);
    let lines = lines(&finished.stdout);
    assert_eq!(lines.len(), 2, "nothing twice: {lines:?}");
    assert!(lines[1].contains("\"two\""), "{lines:?}");
    expect_all(&finished.stderr, &["trying again in", "gap", &first, "expired"]);
}

#[test]
fn it_ends_with_its_topics() {
    let hub = hub(&[]);
    let url = hub.url("");
    hub.publish("/events/t", "one");
    let end = hub.publish("/events/t?end", "two");
    let tail = run(&["tail", "t", "--hub", &url, "--since", "earliest", "--json"]).expect_code(0);
    assert_eq!((tail.stdout.lines().count(), &*tail.stderr), (2, ""));
    let tail = run(&["tail", "t", "--hub", &url, "--last-event-id", &end, "--json"]).expect_code(0);
    assert_eq!((tail.stdout.lines().count(), &*tail.stderr), (0, ""));
}

#[test]
fn a_signal_ends_it_well() {
    let hub = hub(&[]);
    let url = hub.url("");
    hub.publish("/events/t", "one");
    for signal in [Signal::INT, Signal::TERM] {
        let mut tail = Signalled::start(&["tail", "t", "--hub", &url, "--since", "earliest"]);
        tail.wait_for_stdout("one");
        tail.signal(signal);
        assert_eq!(tail.wait(), Some(0), "{signal:?}");
    }
}

/// A pager that shows one page takes no more; the person who then stops the program must not have to wait for it.
#[test]
fn a_signal_ends_it_well_while_nobody_takes_its_output() {
    let hub = hub(&[]);
    for _ in 0..4 {
        hub.publish("/events/t", &"x".repeat(512 * 1024)); // far more than a pipe holds
    }
    let url = hub.url("");
    let mut command = tidings(&["tail", "t", "--hub", &url, "--since", "earliest"]);
    let mut tail = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut pipe = tail.stdout.take().expect("stdout is piped");
    pipe.read_exact(&mut [0; 1]).expect("it prints");
    kill_process(Pid::from_child(&tail), Signal::TERM).expect("one's own child takes signals");
    assert_eq!(tail.wait().expect("nobody else waits for it").code(), Some(0));
}

#[test]
fn a_hub_ends_well_while_it_is_followed() {
    let mut hub = hub(&[]);
    let url = hub.url("");
    hub.publish("/events/t", "one");
    let mut tail = Signalled::start(&["tail", "t", "--hub", &url, "--since", "earliest"]);
    tail.wait_for_stdout("one");
    hub.stop().expect_code(0);
    tail.wait_for_stderr("trying again in");
    tail.signal(Signal::INT);
    assert_eq!(tail.wait(), Some(0), "also while it waits");
}

#[test]
fn a_reader_of_its_output_may_leave() {
    let hub = hub(&[]);
    for number in 0..2_000 {
        hub.publish("/events/t", &format!("{number} {}", "x".repeat(100)));
    }
    let binary = tidings(&[]).get_program().to_string_lossy().into_owned();
    let script = format!("'{binary}' tail t --since earliest --hub {} | head -n 1; wait", hub.url(""));
    let mut sh = std::process::Command::new("sh");
    let finished = Program::start(sh.args(["-c", &script])).finish().expect_code(0);
    assert_eq!((finished.stdout.lines().count(), &*finished.stderr), (1, ""));
}

#[test]
fn a_url_is_followed_as_it_is_and_resumed_by_the_header() {
    let server = Scripted::start([
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\nretry: 1\nid: é 1\ndata: one\n\ndata: cut",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 19\r\n\r\nid\n\nid: 3\nid\ndata\n\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nid: 4\n\nre\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ]);
    let url = server.url("/stream?x=y");
    let tail = run(&["tail", &url, "--json"]).expect_code(0);
    let heads: Vec<String> = (0..4).map(|_| server.next_head()).collect();
    for head in &heads {
        assert!(head.starts_with("GET /stream?x=y HTTP/1.1\r\n"), "no prime=1 and no topic: {head}");
        expect_all(head, &["accept: text/event-stream\r\n"]);
    }
    let ids: Vec<_> = heads.iter().map(|head| head.lines().find(|line| line.starts_with("last-event-id"))).collect();
    assert_eq!(ids, [None, Some("last-event-id: é 1"), None, Some("last-event-id: 4")]);
    assert_eq!(tail.stdout.lines().count(), 2, "{}", tail.stdout);
    assert_eq!(tail.stderr.matches("trying again").count(), 3, "{}", tail.stderr);
}

#[test]
fn it_asks_a_hub_for_its_position_and_comes_back_with_it() {
    let server = Scripted::start([
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\n:\nevent: tidings.open\nid: e-9\ndata:\n\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: tidings.end\ndata:\n\n",
    ]);
    let hub = server.url("");
    let tail = run(&["tail", "a/*", "b", "--hub", &hub]).expect_code(0);
    assert_eq!(tail.stdout, "", "the hub's own frames are not printed");
    assert!(server.next_head().starts_with("GET /events?prime=1&topic=a/%2A&topic=b HTTP/1.1\r\n"));
    expect_all(&server.next_head(), &["last-event-id: e-9\r\n"]);
}

const SOON: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\n";

#[test]
fn it_comes_back_when_the_server_is_busy_and_ends_when_it_says_no() {
    let busy =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 21\r\n\r\n{\"detail\":\"too busy\"}";
    let no = "HTTP/1.1 403 Forbidden\r\nContent-Length: 39\r\n\r\n{\"detail\":\"no\",\"expected\":\"a password\"}";
    let server = Scripted::start([SOON, busy, no]);
    let tail = run(&["tail", &server.url("/")]).expect_code(1);
    expect_all(&tail.stderr, &["the stream ended; trying again in", "429: too busy; trying again"]);
    expect_all(&tail.stderr, &["error: the server refused: 403: no; expected a password"]);
}

#[test]
fn it_comes_back_when_the_server_fails() {
    let failed = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let server = Scripted::start([SOON, failed, "", "HTTP/1.1 204 No Content\r\n\r\n"]);
    let tail = run(&["tail", &server.url("/")]).expect_code(0);
    expect_all(&tail.stderr, &["503: Service Unavailable; trying again", "no answer from", "trying again"]);
}

#[test]
fn what_is_no_event_stream_ends_it_with_the_reason() {
    let check = |answer: &'static str, want: &str| {
        let server = Scripted::start([answer]);
        let tail = run(&["tail", &server.url("/")]).expect_code(1);
        expect_all(&tail.stderr, &[want]);
    };
    let expected = "expected text/event-stream";
    check("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", "\"text/html\"; expected");
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", expected);
    check("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "302: Found");
    check("HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n", "206");
    check("HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", "the server refused: 404: Not Found");
}

#[test]
fn it_counts_the_events_of_one_read() {
    let server = Scripted::start([
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\ndata: 3\n\n",
    ]);
    let tail = run(&["tail", &server.url("/"), "--json", "--count", "2"]).expect_code(0);
    assert_eq!((tail.stdout.lines().count(), &*tail.stderr), (2, ""));
}
