//! The configuration file: what counts before what, what is told of its faults, and that it reaches the hub.

use std::path::{Path, PathBuf};
use std::{fs, process};

use tidings_e2e::{Hub, Program, artifact, tidings};

use crate::data::Directory;
use crate::{expect_all, lines, run};

/// A file with this text; each test has its own name for it.
fn file(name: &str, text: &str) -> PathBuf {
    let path = artifact(&format!("{name}-{}.toml", process::id()));
    fs::write(&path, text).expect("the folder of artifacts is writable");
    path
}

fn word(path: &Path) -> &str {
    path.to_str().expect("a path of ours is text")
}

#[test]
fn flags_count_before_variables_before_the_file_before_the_default() {
    // No hub listens beyond its machine without being told to: the refusal names the address that counted.
    let config = file("order", "[listening]\nlisten = \"192.0.2.3:1\"\n[store]\nmemory = true\n");
    let check = |flags: &[&str], variable: Option<&str>, want: &str| {
        let mut command = tidings(&[&["serve", "--config", word(&config)], flags].concat());
        command.envs(variable.map(|value| ("TIDINGS_LISTEN", value)));
        let finished = Program::start(&mut command).finish().expect_code(2);
        expect_all(&finished.stderr, &[want, "--open"]);
    };
    check(&[], None, "192.0.2.3:1");
    check(&[], Some("192.0.2.2:1"), "192.0.2.2:1");
    check(&["--listen", "192.0.2.1:1"], Some("192.0.2.2:1"), "192.0.2.1:1");

    let mut command = tidings(&["demo"]);
    command.env("TIDINGS_CONFIG", &config);
    expect_all(&Program::start(&mut command).finish().expect_code(2).stderr, &["192.0.2.3:1"]);
}

#[test]
fn every_fault_of_a_file_is_told_with_its_line() {
    let text = "[store]\nhistroy-bytes = \"1GiB\"\nmemory = true\n\n[streams]\nheartbeat = 15\nretry = 2s\n\n[[history]]\ntopics = \"a\"\n";
    let config = file("faults", text);
    let path = word(&config);
    for words in [&["serve", "--config", path][..], &["demo", "--config", path], &["config", "check", path]] {
        let finished = run(words).expect_code(2);
        assert_eq!(finished.stdout, "", "{words:?}");
        let told = lines(&finished.stderr);
        assert_eq!(told.len(), 5, "{told:?}");
        expect_all(told[0], &["4 faults"]);
        expect_all(told[1], &[&format!("{path}:2: "), "histroy-bytes", "did you mean history-bytes?"]);
        expect_all(told[2], &[&format!("{path}:6: "), "heartbeat = 15", "expected"]);
        expect_all(told[3], &[&format!("{path}:7: "), "quotes"]);
        expect_all(told[4], &[&format!("{path}:9: "), "at least one of events, bytes, age"]);
    }
}

#[test]
fn a_file_that_is_not_there_is_wrong_usage() {
    for words in [&["serve", "--config", "/no/such.toml"][..], &["config", "check", "/no/such.toml"]] {
        expect_all(&run(words).expect_code(2).stderr, &["/no/such.toml", "tidings config default"]);
    }
}

#[test]
fn the_default_file_is_good() {
    let printed = run(&["config", "default"]).expect_code(0);
    assert_eq!(printed.stderr, "");
    let config = file("default", &printed.stdout);
    let checked = run(&["config", "check", word(&config)]).expect_code(0);
    expect_all(&checked.stdout, &[word(&config), "is good", "keys"]);
    assert_eq!(checked.stderr, "");
}

#[test]
fn a_file_that_needs_a_flag_is_good_and_says_so() {
    let config = file("exposed", "[listening]\nlisten = \"0.0.0.0:3000\"\n");
    let checked = run(&["config", "check", word(&config)]).expect_code(0);
    expect_all(&checked.stdout, &["is good: 1 key"]);
    expect_all(&checked.stderr, &["note: ", "--open"]);
}

#[test]
fn the_history_has_one_place() {
    let config = file("places", "[store]\nmemory = true\ndata = \"d\"\n");
    let wants = ["memory in [store]", "data in [store]", "one place"];
    expect_all(&run(&["serve", "--config", word(&config)]).expect_code(2).stderr, &wants);
    expect_all(&run(&["config", "check", word(&config)]).expect_code(2).stderr, &wants);
    let both = run(&["serve", "--memory", "--data", "d"]).expect_code(2);
    expect_all(&both.stderr, &["--memory and --data", "one place"]);
    let mut command = tidings(&["serve"]);
    command.envs([("TIDINGS_MEMORY", "yes"), ("TIDINGS_DATA", "d")]);
    expect_all(&Program::start(&mut command).finish().expect_code(2).stderr, &["TIDINGS_MEMORY and TIDINGS_DATA"]);
}

/// What is replayed of a topic that has ended.
fn replayed(hub: &Hub, topic: &str) -> Vec<String> {
    let tail = run(&["tail", topic, "--hub", &hub.url(""), "--since", "earliest", "--json"]).expect_code(0);
    let data = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["data"].clone();
    tail.stdout.lines().map(|line| data(line).as_str().expect("a text").to_owned()).collect()
}

#[test]
fn tables_for_topics_bound_what_is_replayed() {
    let directory = Directory::new("bounds");
    for place in ["memory = true".to_owned(), format!("data = {:?}", directory.word())] {
        let tables = [("chat/long", 4), ("chat/typing", 0), ("chat/**", 2)]
            .map(|(topics, events)| format!("[[history]]\ntopics = \"{topics}\"\nevents = {events}\n"));
        let config = file("bounds", &format!("[store]\n{place}\n{}", tables.concat()));
        let mut hub = Hub::start(&["serve", "--config", word(&config)]);
        let wants = [("chat/a", 2), ("chat/b", 2), ("chat/long", 4), ("chat/typing", 0), ("news", 5)];
        let check = |hub: &Hub| {
            for (topic, kept) in wants {
                let want: Vec<_> = (6 - kept..=5).map(|number| format!("{topic} {number}")).collect();
                assert_eq!(replayed(hub, topic), want, "{place}");
            }
        };
        for (topic, _) in wants {
            for number in 1..=5 {
                hub.publish(&format!("/events/{topic}"), &format!("{topic} {number}"));
            }
            // Ended, so that a reader ends by itself after all that is kept.
            run(&["publish", topic, "--end", "--hub", &hub.url("")]).expect_code(0);
        }
        check(&hub);
        if place.starts_with("data") {
            hub.stop().expect_code(0);
            hub.start_again();
            check(&hub);
        }
    }
}
