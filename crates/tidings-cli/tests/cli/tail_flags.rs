//! What the flags of `tidings tail` add: `--raw`, `--timeout`, `--exec`, `--save`; and servers that are no hub.

use std::fs;

use tidings_e2e::{Program, tidings};

use crate::data::Directory;
use crate::scripted::Scripted;
use crate::signalled::{Signal, Signalled};
use crate::{expect_all, hub, lines, run};

/// A stream that ends; the list goes on with what the client is to find then.
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
    retry: 1\n: hello\n\nid: a\ndata: one\n\nid: b\n\nevent: late\ndata: two\n\n";
const NO_MORE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn raw_prints_all_that_the_stream_says() {
    let server = Scripted::start([STREAM, NO_MORE]);
    let url = server.url("/s");
    let origin = server.url("");
    let tail = run(&["tail", &url, "--json", "--raw"]).expect_code(0);
    let event = |kind: &str, data: &str, id: &str| {
        format!(r#"{{"type":"{kind}","data":"{data}","lastEventId":"{id}","origin":"{origin}"}}"#)
    };
    let want = [
        r#"{"retry":1}"#.to_owned(),
        r#"{"comment":" hello"}"#.to_owned(),
        event("message", "one", "a"),
        r#"{"lastEventId":"b"}"#.to_owned(),
        event("late", "two", "b"),
    ];
    assert_eq!(lines(&tail.stdout), want);

    let server = Scripted::start([STREAM, NO_MORE]);
    let tail = run(&["tail", &server.url("/s"), "--raw"]).expect_code(0);
    let texts: Vec<_> = lines(&tail.stdout).iter().map(|line| line[10..].to_owned()).collect();
    assert_eq!(texts, ["retry: 1", ": hello", "a  one", "id: b", "b  late  two"]);
}

#[test]
fn raw_shows_the_frames_of_a_hub_which_are_not_counted() {
    let hub = hub(&[]);
    hub.publish("/events/t", "one");
    let url = hub.url("");
    let tail = run(&["tail", "t", "--hub", &url, "--since", "earliest", "--json", "--raw", "--count", "1"]);
    let tail = tail.expect_code(0);
    expect_all(&tail.stdout, &["{\"retry\":", "\"type\":\"tidings.open\"", "\"data\":\"one\""]);
    assert_eq!(lines(&tail.stdout).last().map(|line| line.contains("\"one\"")), Some(true), "{}", tail.stdout);
}

#[test]
fn a_timeout_ends_it_and_with_a_count_it_has_failed() {
    let hub = hub(&[]);
    let url = hub.url("");
    hub.publish("/events/t", "one");
    let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--json", "--timeout", "400ms"];
    let tail = run(&words).expect_code(0);
    assert_eq!((tail.stdout.lines().count(), &*tail.stderr), (1, ""));
    let tail = run(&[&words[..], &["--count", "2"]].concat()).expect_code(1);
    assert_eq!(tail.stdout.lines().count(), 1);
    expect_all(&tail.stderr, &["1 of 2 events came within 400ms"]);
    run(&[&words[..], &["--count", "1"]].concat()).expect_code(0);
}

#[test]
fn a_silent_connection_is_made_anew() {
    let hub = hub(&["--heartbeat", "0"]);
    let tail = Program::start(&mut tidings(&["tail", "t", "--hub", &hub.url(""), "--idle-timeout", "100ms"]));
    tail.wait_for_stderr("the watchdog", |stderr| {
        String::from_utf8_lossy(stderr).contains("no byte for 100ms; trying again in").then_some(())
    });
}

#[test]
fn a_command_is_run_for_each_event() {
    let hub = hub(&[]);
    let id = hub.publish("/events/t?type=typing", "one\ntwo");
    hub.publish("/events/t", "");
    let url = hub.url("");
    let command = r#"echo "$TIDINGS_EVENT_TYPE $TIDINGS_EVENT_ID $TIDINGS_EVENT_ORIGIN [$(cat)]""#;
    let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--count", "2", "--exec", command];
    let tail = run(&words).expect_code(0);
    assert!(tail.stdout.starts_with(&format!("typing {id} {url} [one\ntwo]\nmessage ")), "{}", tail.stdout);
    assert_eq!((tail.stdout.lines().count(), &*tail.stderr), (3, ""));

    let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--count", "1", "--json", "--exec", "echo ran"];
    let both = run(&words).expect_code(0);
    assert_eq!(lines(&both.stdout)[1..], ["ran"], "the event stands before what its command says");
}

#[test]
fn the_first_command_that_fails_ends_it_and_the_place_stays_before_its_event() {
    let hub = hub(&[]);
    let url = hub.url("");
    let place = Directory::new("exec");
    fs::create_dir(place.word()).expect("a new directory");
    let file = format!("{}/id", place.word());
    let first = hub.publish("/events/t", "good");
    hub.publish("/events/t", "bad");
    let last = hub.publish("/events/t", "good");
    let command = "grep good";
    let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--save", &file, "--exec", command];
    for want in ["good\n", ""] {
        let tail = run(&words).expect_code(1);
        assert_eq!(tail.stdout, want, "once dealt with, it does not come again");
        expect_all(&tail.stderr, &["exit status: 1"]);
        assert_eq!(fs::read_to_string(&file).expect("it is kept"), format!("{first}\n"));
    }
    let tail = run(&[&words[..], &["--keep-going", "--count", "2"]].concat()).expect_code(0);
    assert_eq!(tail.stdout, "good\n");
    expect_all(&tail.stderr, &["exit status: 1"]);
    assert_eq!(fs::read_to_string(&file).expect("it is kept"), format!("{last}\n"));
}

#[test]
fn the_end_of_a_topic_does_not_pass_over_a_command_that_failed() {
    let hub = hub(&[]);
    let url = hub.url("");
    let place = Directory::new("failed-end");
    fs::create_dir(place.word()).expect("a new directory");
    let file = format!("{}/id", place.word());
    let good = hub.publish("/events/t", "good");
    hub.publish("/events/t?end", "bad");
    let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--save", &file, "--keep-going", "--exec"];
    run(&[&words[..], &["grep good"]].concat()).expect_code(0);
    assert_eq!(fs::read_to_string(&file).expect("it is kept"), format!("{good}\n"));
    let tail = run(&[&words[..], &["cat"]].concat()).expect_code(0);
    assert_eq!(tail.stdout, "bad", "it comes again");
    let tail = run(&[&words[..], &["cat"]].concat()).expect_code(0);
    assert_eq!(tail.stdout, "", "all is dealt with");
}

#[test]
fn a_signal_waits_for_the_command_and_keeps_its_place() {
    let hub = hub(&[]);
    let url = hub.url("");
    let place = Directory::new("signal");
    fs::create_dir(place.word()).expect("a new directory");
    let (file, gate) = (format!("{}/id", place.word()), format!("{}/gate", place.word()));
    let made = std::process::Command::new("mkfifo").arg(&gate).status().expect("it runs");
    assert!(made.success());
    let id = hub.publish("/events/t", "one");
    let command = format!("echo begun; cat '{gate}'");
    let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--save", &file, "--exec", &command];
    let mut tail = Signalled::start(&words);
    tail.wait_for_stdout("begun");
    tail.signal(Signal::TERM);
    tail.wait_for_stderr("waiting for the command");
    fs::write(&gate, "end\n").expect("the command reads");
    assert_eq!(tail.wait(), Some(0));
    assert_eq!(fs::read_to_string(&file).expect("it is kept"), format!("{id}\n"));
}

#[test]
fn a_place_that_is_given_counts_before_the_one_that_is_kept() {
    let place = Directory::new("given");
    fs::create_dir(place.word()).expect("a new directory");
    let file = format!("{}/id", place.word());
    fs::write(&file, "kept 1\n").expect("it can be written");
    let server = Scripted::start([NO_MORE, NO_MORE]);
    let url = server.url("/s");
    run(&["tail", &url, "--save", &file]).expect_code(0);
    expect_all(&server.next_head(), &["last-event-id: kept 1\r\n"]);
    run(&["tail", &url, "--save", &file, "--last-event-id", "mine"]).expect_code(0);
    expect_all(&server.next_head(), &["last-event-id: mine\r\n"]);
    fs::write(&file, "two\nlines\n").expect("it can be written");
    expect_all(&run(&["tail", &url, "--save", &file]).expect_code(2).stderr, &["--save", "one line"]);
}

#[test]
fn redirects_are_followed_and_the_token_goes_along_at_home() {
    let to = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b?x=1\r\nContent-Length: 0\r\n\r\n";
    let server = Scripted::start([to, STREAM, to, NO_MORE]);
    let tail = run(&["tail", &server.url("/a"), "--json", "--token", "secret"]).expect_code(0);
    assert_eq!(tail.stdout.lines().count(), 2);
    for want in ["GET /a ", "GET /b?x=1 ", "GET /a ", "GET /b?x=1 "] {
        let head = server.next_head();
        assert!(head.starts_with(want), "{want}: {head}");
        expect_all(&head, &["authorization: Bearer secret\r\n"]);
    }
}

#[test]
fn a_token_of_the_environment_is_used() {
    let server = Scripted::start([NO_MORE]);
    let mut command = tidings(&["tail", "t"]);
    command.env("TIDINGS_HUB", server.url("/live")).env("TIDINGS_TOKEN", "secret");
    Program::start(&mut command).finish().expect_code(0);
    let head = server.next_head();
    assert!(head.starts_with("GET /live/events?prime=1&topic=t HTTP/1.1\r\n"), "{head}");
    expect_all(&head, &["authorization: Bearer secret\r\n"]);
}
