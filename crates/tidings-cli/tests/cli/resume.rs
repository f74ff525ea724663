//! Nothing is lost and nothing comes twice: when a tail is killed, when a hub is killed under a tail or a publisher.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::{self, Command};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tidings_e2e::{DEADLINE, Hub, Program, artifact, tidings};

use crate::data::Directory;
use crate::{expect_all, run_with};

/// The data of the whole lines that `tail --json` has printed.
fn data(stdout: &str) -> Vec<String> {
    let whole = stdout.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let events = whole.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    events.map(|event| event["data"].as_str().expect("a text").to_owned()).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

fn input(count: usize) -> Vec<u8> {
    numbers(count).into_iter().flat_map(|number| (number + "\n").into_bytes()).collect()
}

/// The event that was written when the tail was killed, and whose id was not yet kept, may come once more.
#[test]
fn a_tail_that_is_killed_goes_on_where_it_was() {
    const COUNT: usize = 3_000;
    let hub = crate::hub(&[]);
    let url = hub.url("");
    let place = Directory::new("killed");
    fs::create_dir(place.word()).expect("a new directory");
    let file = format!("{}/id", place.word());
    let publisher = thread::spawn({
        let url = url.clone();
        move || run_with(&["publish", "t", "--lines", "--end", "--hub", &url], &input(COUNT)).expect_code(0)
    });
    let mut seen: Vec<String> = Vec::new();
    let (mut kills, mut repeats) = (0, 0);
    loop {
        let words = ["tail", "t", "--hub", &url, "--since", "earliest", "--save", &file, "--json"];
        let tail = Program::start(&mut tidings(&words));
        let is_last = kills == 8;
        let finished = if is_last {
            tail.finish().expect_code(0)
        } else {
            tail.wait_for_stdout("some events", |stdout| {
                (stdout.split(|&byte| byte == b'\n').count() > 100).then_some(())
            });
            tail.kill()
        };
        let mut came = data(&finished.stdout);
        if !came.is_empty() && came.first() == seen.last() {
            came.remove(0);
            repeats += 1;
        }
        seen.extend(came);
        if is_last {
            break;
        }
        kills += 1;
    }
    publisher.join().expect("all was published");
    assert_eq!(seen, numbers(COUNT), "after {kills} kills and {repeats} repeated events");
}

#[test]
fn a_tail_that_is_killed_before_its_first_event_has_its_place() {
    let hub = crate::hub(&[]);
    let url = hub.url("");
    let place = Directory::new("early");
    fs::create_dir(place.word()).expect("a new directory");
    let file = format!("{}/id", place.word());
    let words = ["tail", "t", "--hub", &url, "--save", &file, "--json", "--raw"];
    let tail = Program::start(&mut tidings(&words));
    tail.wait_for_line("the opening frame", |line| line.contains("tidings.open").then_some(()));
    let deadline = Instant::now() + DEADLINE;
    while fs::read(&file).is_err() {
        assert!(Instant::now() < deadline, "it is written right after the line");
        thread::yield_now();
    }
    tail.kill();
    hub.publish("/events/t", "meanwhile");
    let tail = crate::run(&["tail", "t", "--hub", &url, "--save", &file, "--json", "--count", "1"]).expect_code(0);
    assert_eq!(data(&tail.stdout), ["meanwhile"]);
}

/// Killed: neither the readers nor the publisher are told anything.
#[test]
fn a_hub_that_is_killed_under_a_publisher_and_a_tail_costs_nothing() {
    check_restarts("killed-hub", |hub| drop(hub.kill()));
}

#[test]
fn a_hub_that_is_stopped_under_a_publisher_and_a_tail_costs_nothing() {
    check_restarts("stopped-hub", |hub| drop(hub.stop().expect_code(0)));
}

fn check_restarts(name: &str, end: impl Fn(&mut Hub)) {
    const COUNT: usize = 20_000;
    let directory = Directory::new(name);
    let mut hub = Hub::start_to_return(&["serve", "--data", directory.word(), "--durability", "relaxed"]);
    let url = hub.url("");
    let tail = Program::start(&mut tidings(&["tail", "t", "--hub", &url, "--since", "earliest", "--json"]));
    // Its input stays open while the hub is gone, so that it must come back.
    let pipe = artifact(&format!("{name}-{}.pipe", process::id()));
    let _ = fs::remove_file(&pipe);
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    let binary = tidings(&[]).get_program().to_string_lossy().into_owned();
    let script = format!("exec '{binary}' publish t --lines --end --hub {url} < '{}'", pipe.display());
    let publish = Program::start(Command::new("sh").args(["-c", &script]));
    let mut input = fs::File::create(&pipe).expect("the program reads it");
    fs::remove_file(&pipe).expect("it is there");
    for (round, lines) in numbers(COUNT).chunks(COUNT / 4).enumerate() {
        input.write_all((lines.join("\n") + "\n").as_bytes()).expect("it is read");
        if round == 3 {
            break; // the last ones end it
        }
        // The tail sees them as they are published.
        tail.wait_for_stdout("some events", |stdout| {
            (stdout.split(|&byte| byte == b'\n').count() > round * COUNT / 4 + 1_000).then_some(())
        });
        end(&mut hub);
        hub.start_again();
    }
    drop(input);
    let published = publish.finish().expect_code(0);
    let followed = tail.finish().expect_code(0);
    assert_eq!(published.stdout.lines().count(), COUNT + 1, "an id for each, and for the end");
    expect_all(&published.stderr, &["trying again in"]);
    assert_eq!(data(&followed.stdout), numbers(COUNT));
    assert!(!followed.stderr.contains("gap"), "{}", followed.stderr);
}

const BATCH: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n";

/// A server that answers each request once it holds the given text, and then ends the connection. Gives what each had sent.
fn batch_server(script: Vec<(&'static str, String)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let serving = thread::spawn(move || {
        let answer = |(awaited, answer): (&str, String)| {
            let (mut stream, _) = listener.accept().expect("another connection");
            stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes it");
            let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&came).contains(awaited) {
                let len = stream.read(&mut buffer).expect("more comes");
                assert!(len > 0, "waited for {awaited:?}");
                came.extend_from_slice(&buffer[..len]);
            }
            stream.write_all(answer.as_bytes()).expect("it is read");
            let _ = stream.shutdown(Shutdown::Write);
            while matches!(stream.read(&mut buffer), Ok(1..)) {}
            String::from_utf8_lossy(&came).into_owned()
        };
        script.into_iter().map(answer).collect()
    });
    (url, serving)
}

/// The keys of the lines in a request.
fn keys(request: &str) -> Vec<String> {
    let objects = request.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    objects.filter_map(|line| Some(line.get("key")?.as_str()?.to_owned())).collect()
}

#[test]
fn lines_without_an_answer_are_sent_again_with_the_keys_they_had() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let (url, serving) = batch_server(vec![
        ("-3\"}\n", format!("{BATCH}{{\"id\":\"a\"}}\n")),
        ("-3\"}\n", BATCH.to_owned()),
        ("\r\n\r\n", busy.to_owned()),
        ("-3\"}\n", format!("{BATCH}{{\"id\":\"b\"}}\n{{\"id\":\"c\"}}\n")),
    ]);
    let finished = run_with(&["publish", "t", "--lines", "--hub", &url], b"1\n2\n3\n").expect_code(0);
    assert_eq!(finished.stdout, "a\nb\nc\n");
    assert_eq!(finished.stderr.matches("trying again").count(), 3, "{}", finished.stderr);
    expect_all(&finished.stderr, &["the hub ended the connection", "503"]);
    let requests = serving.join().expect("all were answered");
    let first = keys(&requests[0]);
    assert_eq!(first.len(), 3, "{}", requests[0]);
    assert_eq!((&keys(&requests[1])[..], &keys(&requests[3])[..]), (&first[1..], &first[1..]));
}

#[test]
fn a_refusal_in_between_ends_it_with_what_was_published() {
    let no = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let first = format!("{BATCH}{{\"id\":\"a\"}}\n");
    let (url, serving) = batch_server(vec![("-2\"}\n", first), ("\r\n\r\n", no.to_owned())]);
    let finished = run_with(&["publish", "t", "--lines", "--hub", &url], b"1\n2\n").expect_code(1);
    assert_eq!(finished.stdout, "a\n");
    expect_all(&finished.stderr, &["the hub refused: 401", "1 line published before"]);
    serving.join().expect("all were answered");
}
