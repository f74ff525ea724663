//! `tidings publish`: one event, and many lines.

use std::net::TcpListener;

use tidings_e2e::{Program, request, tidings};

use crate::scripted::Scripted;
use crate::{expect_all, hub, lines, run, run_with};

/// What a hub has kept of a topic, as `tail --json` prints it: type, data, id.
#[track_caller]
fn kept(hub: &str, topic: &str, count: usize) -> Vec<(String, String, String)> {
    let count = count.to_string();
    let tail = run(&["tail", topic, "--hub", hub, "--since", "earliest", "--json", "--count", &count]).expect_code(0);
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    tail.stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|event| (text(&event["type"]), text(&event["data"]), text(&event["lastEventId"])))
        .collect()
}

#[test]
fn one_event_is_published_with_all_its_flags_and_its_id_printed() {
    let hub = hub(&[]);
    let url = hub.url("");
    let flags = ["--type", "a&b", "--id", "order 42", "--retry", "3s", "--ttl", "10m", "--idempotency-key", "k"];
    let words = [&["publish", "chat/ä b", "Good\nnews", "--hub", &url], &flags[..]].concat();
    for _again in 0..2 {
        let finished = run(&words).expect_code(0);
        assert_eq!((&*finished.stdout, &*finished.stderr), ("order 42\n", ""));
    }
    let plain = run(&["publish", "chat/ä b", "-7", "--hub", &url]).expect_code(0).stdout;
    let want = [("a&b", "Good\nnews", "order 42"), ("message", "-7", plain.trim_end())];
    let got = kept(&url, "chat/ä b", 2);
    let got: Vec<_> = got.iter().map(|(kind, data, id)| (&**kind, &**data, &**id)).collect();
    assert_eq!(got, want);
}

#[test]
fn without_data_all_of_stdin_is_the_data() {
    let hub = hub(&[]);
    let url = hub.url("/");
    run_with(&["publish", "t", "--hub", &url], b"one\ntwo\n").expect_code(0);
    assert_eq!(kept(&url, "t", 1)[0].1, "one\ntwo\n");
}

#[test]
fn each_line_is_an_event_and_has_its_id() {
    let hub = hub(&[]);
    let url = hub.url("");
    let words = ["publish", "t", "--lines", "--hub", &url, "--type", "line", "--idempotency-key", "k"];
    let mut ids = Vec::new();
    for _again in 0..2 {
        let finished = run_with(&words, b"one\r\n\n\"two\"\nthree").expect_code(0);
        assert_eq!(finished.stderr, "");
        ids.push(finished.stdout);
    }
    assert_eq!(ids[0], ids[1], "each line has a key of its own");
    let got = kept(&url, "t", 4);
    let data: Vec<_> = got.iter().map(|(kind, data, _)| (&**kind, &**data)).collect();
    assert_eq!(data, [("line", "one"), ("line", ""), ("line", "\"two\""), ("line", "three")]);
    let seen: Vec<_> = got.iter().map(|(_, _, id)| &**id).collect();
    assert_eq!(seen, lines(&ids[0]));
}

#[test]
fn many_lines_go_while_their_answers_come() {
    const COUNT: usize = 50_000; // answers of more than a megabyte, so that nobody may wait for the other's end
    let hub = hub(&[]);
    let input = "a line\n".repeat(COUNT);
    let finished = run_with(&["publish", "t", "--lines", "--hub", &hub.url("")], input.as_bytes()).expect_code(0);
    assert_eq!(finished.stdout.lines().count(), COUNT);
}

#[test]
fn a_bad_line_is_told_with_its_number_and_does_not_stop_the_others() {
    let hub = hub(&["--max-event-bytes", "5B"]);
    let url = hub.url("");
    let finished = run_with(&["publish", "t", "--lines", "--hub", &url], b"one\n123456\nb\xff\nfour\n").expect_code(1);
    assert_eq!(finished.stdout.lines().count(), 2);
    expect_all(&finished.stderr, &["line 2: ", "at most 5 bytes", "line 3: ", "UTF-8", "2 of 4 lines"]);
    let data: Vec<_> = kept(&url, "t", 2).into_iter().map(|(_, data, _)| data).collect();
    assert_eq!(data, ["one", "four"]);
}

#[test]
fn lines_are_sent_as_they_come() {
    let hub = hub(&[]);
    let url = hub.url("");
    let tail = Program::start(&mut tidings(&["tail", "t", "--hub", &url, "--since", "earliest", "--json"]));
    // Its stdin stays open until it is finished below.
    let mut sh = std::process::Command::new("sh");
    let binary = tidings(&[]).get_program().to_string_lossy().into_owned();
    sh.arg("-c").arg(format!("(echo first; cat) | '{binary}' publish t --lines --hub {url}"));
    let mut publish = Program::start(&mut sh);
    tail.wait_for_line("the first line", |line| line.contains("\"first\"").then_some(()));
    publish.wait_for_line("the first id", |_| Some(()));
    publish.give_stdin(b"second\n");
    tail.wait_for_line("the second line", |line| line.contains("\"second\"").then_some(()));
    assert_eq!(publish.finish().expect_code(0).stdout.lines().count(), 2);
}

#[test]
fn a_topic_is_ended_by_its_last_line_or_without_one() {
    let hub = hub(&[]);
    let url = hub.url("");
    run_with(&["publish", "a", "--lines", "--end", "--hub", &url], b"one\ntwo\n").expect_code(0);
    run(&["publish", "b", "only", "--end", "--hub", &url]).expect_code(0);
    run(&["publish", "c", "only", "--hub", &url]).expect_code(0);
    run(&["publish", "c", "--end", "--hub", &url]).expect_code(0);
    for (topic, want) in [("a", 2), ("b", 1), ("c", 1)] {
        let tail = run(&["tail", topic, "--hub", &url, "--since", "earliest", "--json"]).expect_code(0);
        assert_eq!(tail.stdout.lines().count(), want, "{topic}: {}", tail.stdout);
    }
    let again = run(&["publish", "a", "more", "--hub", &url]).expect_code(1);
    expect_all(&again.stderr, &["409", "has ended", "expected"]);
}

#[test]
fn a_refusal_says_what_was_wrong_and_what_was_expected() {
    let hub = hub(&["--max-event-bytes", "10B"]);
    let url = hub.url("");
    for (words, wants) in [
        (&["t", "x", "--type", "tidings.open"][..], &["400 type", "tidings.", "expected"][..]),
        (&["t", "12345678901"], &["413", "10 bytes"]),
    ] {
        let finished = run(&[&["publish", "--hub", &url], words].concat()).expect_code(1);
        expect_all(&finished.stderr, wants);
        assert_eq!(finished.stdout, "");
    }
    let lines = run_with(&["publish", "t", "--lines", "--hub", &hub.url("/nowhere")], b"x\n").expect_code(1);
    expect_all(&lines.stderr, &["the hub refused: 404"]);
}

#[test]
fn a_hub_that_is_not_there_is_named_with_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    for flag in ["x", "--lines"] {
        let finished = run(&["publish", "t", flag, "--hub", &format!("http://{free}")]).expect_code(1);
        expect_all(&finished.stderr, &[&free.to_string(), "tidings demo", "--hub"]);
    }
}

#[test]
fn what_is_no_hub_is_found_out() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
    let server = Scripted::start([ok, "", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"]);
    let hub = server.url("");
    let publish = || run(&["publish", "t", "x", "--hub", &hub]).expect_code(1).stderr;
    expect_all(&publish(), &["has no id"]);
    expect_all(&publish(), &["gave no answer"]);
    expect_all(&publish(), &["502: Bad Gateway"]);
}

#[test]
fn the_token_and_the_prefix_of_a_hub_are_used() {
    let accepted = "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"id\":\"7\",\"topic\":\"t\"}";
    let server = Scripted::start([accepted]);
    let mut command = tidings(&["publish", "t", "x", "--private"]);
    command.env("TIDINGS_HUB", server.url("/live/")).env("TIDINGS_TOKEN", "secret");
    assert_eq!(Program::start(&mut command).finish().expect_code(0).stdout, "7\n");
    let head = server.next_head();
    assert!(head.starts_with("POST /live/events/t?private HTTP/1.1\r\n"), "{head}");
    expect_all(&head, &["authorization: Bearer secret\r\n", "content-length: 1\r\n"]);
    assert!(!head.to_ascii_lowercase().contains("mozilla"), "a hub answers browsers in another way: {head}");
}

#[test]
fn a_reader_of_the_ids_may_leave() {
    let hub = hub(&[]);
    let binary = tidings(&[]).get_program().to_string_lossy().into_owned();
    let script = format!("yes | '{binary}' publish t --lines --hub {} | head -n 1", hub.url(""));
    let mut sh = std::process::Command::new("sh");
    let finished = Program::start(sh.args(["-c", &script])).finish().expect_code(0);
    assert_eq!((finished.stdout.lines().count(), &*finished.stderr), (1, ""));
    assert_eq!(request(hub.address(), "GET", "/readyz", &[], b"").status, 200, "the hub goes on");
}
