//! The history on disk: what outlives the program, who may have the directory, and what an operator sees of it.

use std::fs;
use std::path::PathBuf;
use std::process;

use tidings_e2e::{Hub, Program, artifact, request, tidings};

use crate::{expect_all, run};

/// A directory that is not there yet; each test has its own name for it. Deleted at the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = artifact(&format!("data-{name}-{}", process::id()));
        // A process id comes round again, and an ended run may have left its own.
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn word(&self) -> &str {
        self.0.to_str().expect("a path of ours is text")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is kept of a topic that has not ended: data and id.
fn kept(hub: &Hub, topic: &str, from: &[&str], count: usize) -> Vec<(String, String)> {
    let (url, count) = (hub.url(""), count.to_string());
    let words = [&["tail", topic, "--hub", &url, "--json", "--count", &count], from].concat();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let tail = run(&words).expect_code(0);
    let events = tail.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    events.map(|event| (text(&event["data"]), text(&event["lastEventId"]))).collect()
}

#[test]
fn a_history_outlives_its_hub() {
    for durability in ["sync", "relaxed"] {
        let directory = Directory::new(durability);
        let mut hub = Hub::start(&["serve", "--data", directory.word(), "--durability", durability]);
        let mut want: Vec<_> = (1..=3).map(|number| format!("{durability} {number}")).collect();
        let mut ids: Vec<_> = want.iter().map(|data| hub.publish("/events/news", data)).collect();
        hub.publish("/events/other", "not asked for");

        let log = hub.stop().expect_code(0).stderr;
        expect_all(&log, &[directory.word(), "epoch"]);
        hub.start_again();
        want.push("after".to_owned());
        ids.push(hub.publish("/events/news", "after"));

        let all = kept(&hub, "news", &["--since", "earliest"], 4);
        assert_eq!(all, want.iter().cloned().zip(ids.iter().cloned()).collect::<Vec<_>>());
        let resumed = kept(&hub, "news", &["--last-event-id", &ids[1]], 2);
        assert_eq!(resumed, all[2..], "an id of before the restart is good");
    }
}

#[test]
fn the_clock_of_a_demo_goes_on_from_its_history() {
    let directory = Directory::new("demo");
    let mut demo = Hub::start(&["demo", "--data", directory.word()]);
    // Whoever asks for what there was is greeted first, without an id.
    let ticks = |demo: &Hub, count: usize| kept(demo, "default", &["--since", "earliest"], 1 + count).split_off(1);
    let first = ticks(&demo, 1);
    demo.stop().expect_code(0);
    demo.start_again();
    let again = ticks(&demo, 2);
    assert_eq!(again[0], first[0]);
    // Between them: a time that no event has. It is found by its place in time, so nothing is `unknown`.
    let between = (first[0].1.parse::<u64>().expect("milliseconds") + 1).to_string();
    let target = format!("/events?lastEventID={between}&prime=0&since=earliest");
    let mut stream = tidings_e2e::RawStream::get(demo.address(), &target, &[]);
    stream.wait_for_text(&format!("id: {}", again[1].1));
    let text = String::from_utf8_lossy(&stream.wait_for("all so far", |bytes| Some(bytes.to_vec()))).into_owned();
    assert!(!text.contains("tidings.reset"), "{text}");
}

#[test]
fn a_directory_has_one_hub() {
    let directory = Directory::new("taken");
    let hub = Hub::start(&["serve", "--data", directory.word()]);
    let second = run(&["serve", "--data", directory.word(), "--listen", "127.0.0.1:0"]).expect_code(1);
    expect_all(&second.stderr, &[directory.word(), "in use by process", "--data"]);
    assert_eq!(second.stdout, "", "it never listened");
    assert_eq!(request(hub.address(), "GET", "/readyz", &[], b"").status, 200, "the first one goes on");
}

#[test]
fn a_directory_that_cannot_be_had_is_told_with_what_to_do() {
    let directory = Directory::new("file");
    fs::write(directory.word(), "a file").expect("the folder of artifacts is writable");
    let finished = run(&["serve", "--data", directory.word(), "--listen", "127.0.0.1:0"]).expect_code(1);
    let _ = fs::remove_file(directory.word());
    expect_all(&finished.stderr, &[directory.word(), "a file stands in the way", "--data"]);
}

#[test]
fn without_a_word_the_history_is_in_the_working_directory() {
    let directory = Directory::new("working");
    fs::create_dir(directory.word()).expect("the folder of artifacts is writable");
    let mut command = tidings(&["serve", "--listen", "127.0.0.1:0", "--drain", "0"]);
    let program = Program::start(command.current_dir(directory.word()));
    program.wait_for_line("where it listens", |line| line.strip_prefix("listening on ").map(str::to_owned));
    program.terminate().expect_code(0);
    assert!(directory.0.join("tidings-data").is_dir());
}

/// A directory with three topics, one of them ended; no hub has it any more.
fn filled(name: &str) -> Directory {
    let directory = Directory::new(name);
    let mut hub = Hub::start(&["serve", "--data", directory.word()]);
    for number in 1..=20 {
        hub.publish("/events/orders", &format!("order {number}"));
    }
    hub.publish("/events/news", "one");
    hub.publish("/events/builds/7?end", "passed");
    hub.stop().expect_code(0);
    directory
}

#[test]
fn an_operator_sees_what_is_in_a_directory() {
    let directory = filled("inspected");
    let table = run(&["data", "inspect", directory.word()]).expect_code(0);
    let wants = ["22 events", "in 3 topics", "oldest", "newest", "s ago", "ended       1 topic", "orders", "builds/7"];
    expect_all(&table.stdout, &wants);
    assert_eq!(table.stderr, "");
    let short = run(&["data", "inspect", directory.word(), "--topics", "1"]).expect_code(0);
    expect_all(&short.stdout, &["orders", "and 2 more topics"]);
    assert!(!short.stdout.contains("builds/7"), "{}", short.stdout);

    let json = run(&["data", "inspect", directory.word(), "--json"]).expect_code(0);
    let found: serde_json::Value = serde_json::from_str(&json.stdout).expect("one object");
    assert_eq!((&found["kept"]["events"], &found["topics"]), (&22.into(), &3.into()), "{found}");
    assert_eq!(found["largest"][0]["topic"], "orders", "{found}");
    assert!(found["newest"]["at_ms"].as_u64() >= found["oldest"]["at_ms"].as_u64(), "{found}");
}

#[test]
fn a_directory_that_is_well_is_found_well() {
    let directory = filled("verified");
    let table = run(&["data", "verify", directory.word()]).expect_code(0);
    expect_all(&table.stdout, &["22 events", "damage      none"]);
    assert_eq!(table.stderr, "", "no bar without a terminal");
    let json = run(&["data", "verify", directory.word(), "--json"]).expect_code(0);
    let found: serde_json::Value = serde_json::from_str(&json.stdout).expect("one object");
    assert_eq!((&found["events"], &found["damage"]), (&22.into(), &serde_json::json!([])), "{found}");
}

#[test]
fn a_flipped_byte_is_found_and_its_place_told() {
    let directory = filled("flipped");
    let segments = fs::read_dir(directory.0.join("segments")).expect("a directory of ours");
    let log = segments
        .map(|entry| entry.expect("it can be read").path())
        .find(|path| path.extension() == Some("log".as_ref()));
    let log = log.expect("there is a log");
    let mut bytes = fs::read(&log).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&log, bytes).expect("it can be written");

    let table = run(&["data", "verify", directory.word()]).expect_code(1);
    expect_all(&table.stdout, &["DAMAGE", log.to_str().expect("a path of ours is text"), "at byte"]);
    expect_all(&table.stderr, &[directory.word(), "is damaged in 1 place"]);
    let json = run(&["data", "verify", directory.word(), "--json"]).expect_code(1);
    let found: serde_json::Value = serde_json::from_str(&json.stdout).expect("one object");
    let place = found["damage"][0]["offset"].as_u64().expect("a place");
    assert!(place <= middle as u64 && place + 200 > middle as u64, "{found}, flipped at {middle}");
}

#[test]
fn a_directory_of_a_running_hub_or_of_nobody_is_refused() {
    let directory = Directory::new("open");
    let hub = Hub::start(&["serve", "--data", directory.word()]);
    for command in ["inspect", "verify", "compact"] {
        let taken = run(&["data", command, directory.word()]).expect_code(1);
        expect_all(&taken.stderr, &["in use by process", "stop that hub"]);
        let none = run(&["data", command, "/no/such/directory"]).expect_code(2);
        expect_all(&none.stderr, &["/no/such/directory", "tidings serve --data"]);
        assert_eq!((taken.stdout, none.stdout), (String::new(), String::new()));
    }
    drop(hub);
}

#[test]
fn a_directory_is_compacted_and_keeps_what_is_kept() {
    let directory = Directory::new("compacted");
    let mut hub = Hub::start(&["serve", "--data", directory.word()]);
    for number in 1..=20 {
        hub.publish("/events/dropped", &format!("{number} {}", "x".repeat(1000)));
        hub.publish("/events/orders", &format!("order {number}"));
    }
    let deleted = request(hub.address(), "DELETE", "/events/dropped", &[], b"");
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    let before = kept(&hub, "orders", &["--since", "earliest"], 20);
    hub.stop().expect_code(0);

    let json = run(&["data", "compact", directory.word(), "--json"]).expect_code(0);
    let done: serde_json::Value = serde_json::from_str(&json.stdout).expect("one object");
    let freed = done["bytes_before"].as_u64().zip(done["bytes_after"].as_u64()).map(|(before, after)| before - after);
    assert!(freed > Some(15_000), "{done}");
    let again = run(&["data", "compact", directory.word()]).expect_code(0);
    expect_all(&again.stdout, &["before", "after", "freed       0 B"]);

    hub.start_again();
    assert_eq!(kept(&hub, "orders", &["--since", "earliest"], 20), before);
}
