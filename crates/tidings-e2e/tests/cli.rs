//! The command line: exit codes, what goes where, `publish` and `tail` against a hub.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use serde_json::Value;
use tidings_e2e::{Finished, Hub, Program, RawStream, tidings};

/// Runs the program to its end.
fn run(arguments: &[&str]) -> Finished {
    Program::start(&mut tidings(arguments)).finish()
}

/// Runs the program to its end with this input.
fn run_with_stdin(arguments: &[&str], input: &str) -> Finished {
    let mut program = Program::start(&mut tidings(arguments));
    program.give_stdin(input.as_bytes());
    program.finish()
}

/// The events that `tail --json` has printed.
fn json_lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("--json prints one JSON value a line")).collect()
}

/// What `tail` gives for all events of a topic up to now.
fn tail_all(hub: &Hub, topic: &str, count: usize) -> Vec<Value> {
    let count = count.to_string();
    let hub_url = hub.url("");
    let finished = run(&["tail", topic, "--hub", &hub_url, "--since", "earliest", "--count", &count, "--json"]);
    json_lines(&finished.expect_code(0).stdout)
}

#[test]
fn help_is_a_result_and_names_the_commands() {
    let help = run(&["--help"]).expect_code(0);
    for command in ["serve", "demo", "publish", "tail"] {
        assert!(help.stdout.contains(command), "{command} in {help:#?}");
    }
    assert_eq!(help.stderr, "", "nothing went wrong");
}

#[test]
fn wrong_usage_exits_with_2_and_names_what_is_wrong() {
    check_usage(&["serve", "--memory", "--no-such-flag"], "--no-such-flag");
    check_usage(&["no-such-command"], "no-such-command");
    check_usage(&["serve", "--memory", "--heartbeat", "soon"], "soon");
    check_usage(&["serve", "--memory", "--listen", "nowhere"], "nowhere");
    check_usage(&["serve", "--memory", "--max-event-bytes", "1 Zog"], "1 Zog");
    check_usage(&["publish"], "TOPIC");
}

fn check_usage(arguments: &[&str], want: &str) {
    let finished = run(arguments).expect_code(2);
    assert!(finished.stderr.contains(want), "{want:?} in {finished:#?}");
    assert_eq!(finished.stdout, "", "results alone go to stdout");
}

#[test]
fn a_listener_for_others_needs_a_key_and_the_refusal_names_the_flags() {
    // 192.0.2.1 is for documentation (RFC 5737): no machine has it, so a hub that got this wrong
    // would not open a port to anyone.
    let finished = run(&["serve", "--memory", "--listen", "192.0.2.1:0"]).expect_code(2);
    for flag in ["--publisher-jwt-key", "--subscriber-jwt-key", "--open"] {
        assert!(finished.stderr.contains(flag), "{flag} in {finished:#?}");
    }
}

#[test]
fn a_port_that_is_taken_exits_with_1_and_names_it() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let address = taken.local_addr().expect("it is bound").to_string();
    let finished = run(&["serve", "--memory", "--listen", &address]).expect_code(1);
    assert!(finished.stderr.contains(&address), "{finished:#?}");
    assert_eq!(finished.stdout, "", "it never listened");
}

#[test]
fn an_argument_is_published_and_its_id_printed() {
    let hub = Hub::start(&["serve", "--memory"]);
    let hub_url = hub.url("");
    let plain = run(&["publish", "chat/42", "hello", "--hub", &hub_url]).expect_code(0);
    let full = run(&["publish", "chat/42", "", "--hub", &hub_url, "--type", "left", "--id", "mine", "--retry", "3s"])
        .expect_code(0);
    assert_eq!(full.stdout, "mine\n");

    let events = tail_all(&hub, "chat/42", 2);
    assert_eq!(events[0]["data"], "hello");
    assert_eq!(events[0]["type"], "message");
    assert_eq!(events[0]["lastEventId"], plain.stdout.trim_end());
    assert_eq!(events[1]["data"], "");
    assert_eq!(events[1]["type"], "left");
    assert_eq!(events[1]["lastEventId"], "mine");
}

#[test]
fn the_input_is_published_whole_or_line_by_line() {
    let hub = Hub::start(&["serve", "--memory"]);
    let hub_url = hub.url("");
    let whole = run_with_stdin(&["publish", "whole", "--hub", &hub_url], "one\ntwo");
    let whole = whole.expect_code(0);
    let events = tail_all(&hub, "whole", 1);
    assert_eq!(events[0]["data"], "one\ntwo");
    assert_eq!(events[0]["lastEventId"], whole.stdout.trim_end());

    let lines = run_with_stdin(&["publish", "lines", "--lines", "--hub", &hub_url], "one\ntwo \"quoted\"\nthree");
    let lines = lines.expect_code(0);
    let events = tail_all(&hub, "lines", 3);
    let data: Vec<&Value> = events.iter().map(|event| &event["data"]).collect();
    assert_eq!(data, ["one", "two \"quoted\"", "three"]);
    let ids: Vec<&Value> = events.iter().map(|event| &event["lastEventId"]).collect();
    assert_eq!(ids, lines.stdout.lines().collect::<Vec<_>>());
}

#[test]
fn tail_replays_then_follows_and_ends_after_its_count() {
    let hub = Hub::start(&["serve", "--memory"]);
    let hub_url = hub.url("");
    let first = hub.publish("/events/news", "kept");
    let tail = Program::start(&mut tidings(&[
        "tail", "news", "--hub", &hub_url, "--since", "earliest", "--count", "2", "--json",
    ]));
    // Once the replay is here the stream is open, so the next one comes live.
    tail.wait_for_line("the replay", |line| line.contains("kept").then_some(()));
    let second = hub.publish("/events/news", "live");

    let events = json_lines(&tail.finish().expect_code(0).stdout);
    let got: Vec<_> = events.iter().map(|event| (&event["lastEventId"], &event["data"])).collect();
    assert_eq!(got, [(&Value::from(first), &Value::from("kept")), (&Value::from(second), &Value::from("live")),]);
}

#[test]
fn tail_comes_back_after_the_hub_did_and_goes_on() {
    let mut hub = Hub::start(&["serve", "--memory"]);
    let hub_url = hub.url("");
    hub.publish("/events/news", "before");
    let tail = Program::start(&mut tidings(&[
        "tail", "news", "--hub", &hub_url, "--since", "earliest", "--count", "2", "--json",
    ]));
    tail.wait_for_line("the replay", |line| line.contains("before").then_some(()));
    hub.stop().expect_code(0);
    hub.start_again();
    // A hub in memory forgets with its process: this is published before the tail is back, and
    // its resume point is of an earlier epoch, so it goes on from the oldest event there is.
    hub.publish("/events/news", "after");

    let events = json_lines(&tail.finish().expect_code(0).stdout);
    let last = events.last().expect("two were counted");
    assert_eq!(last["data"], "after", "{events:?}");
}

#[test]
fn publishing_to_a_hub_that_is_not_there_exits_with_1_and_says_where() {
    // The port of a connected socket: taken, so nobody else gets it, and with no listener.
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let held = TcpStream::connect(peer.local_addr().expect("it is bound")).expect("it listens");
    let address = held.local_addr().expect("it is connected");

    let hub_url = format!("http://{address}");
    let finished = run(&["publish", "chat/42", "hello", "--hub", &hub_url]).expect_code(1);
    assert!(finished.stderr.contains(&address.to_string()), "{finished:#?}");
    assert!(finished.stderr.to_lowercase().contains("connect"), "it says what failed: {finished:#?}");
    assert_eq!(finished.stdout, "", "no id was given");
}

#[test]
fn a_hub_that_is_told_to_end_ends_its_streams_between_two_events_and_exits_with_0() {
    let mut hub = Hub::start(&["serve", "--memory"]);
    let mut stream = RawStream::get(hub.address(), "/events/chat", &[]);
    assert_eq!(stream.status(), 200);
    hub.publish("/events/chat", "hello");
    stream.wait_for_text("data: hello\n\n");

    hub.stop().expect_code(0);
    let bytes = stream.read_to_end();
    let text = String::from_utf8_lossy(&bytes);
    let (_, rest) = text.split_once("data: hello\n\n").expect("it was waited for");
    assert!(rest.contains("retry: "), "when to come back: {text:?}");
    assert!(text.ends_with("0\r\n\r\n"), "the end is told, not cut: {text:?}");
}
