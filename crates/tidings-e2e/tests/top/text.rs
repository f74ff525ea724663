//! `tidings top` without a terminal: once, as JSON, into a pipe, and where no hub is.

use serde_json::Value;
use tidings_e2e::{Finished, Program, tidings};

use crate::world::{World, hub};

fn top(arguments: &[&str]) -> Finished {
    Program::start(&mut tidings(&[&["top"], arguments].concat())).finish()
}

#[test]
fn once_prints_one_picture_as_text() {
    let world = World::start();
    world.publish_some();
    let admin = world.admin_url();
    let shown = top(&["--once", "--admin", &admin]).expect_code(0);
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("tidings top   {admin}   ready   version ")), "{}", shown.stdout);
    assert!(shown.stdout.contains("\nconnections  6 of "), "{}", shown.stdout);
    assert!(shown.stdout.contains("sessions 6: 4 live, 2 behind"), "{}", shown.stdout);
    for (topic, readers) in [("prices/eur", "3"), ("chat/42", "1")] {
        let line = lines.iter().find(|line| line.ends_with(&format!("  {topic}")));
        let words: Vec<_> = line.map(|line| line.split_whitespace().collect()).unwrap_or_default();
        assert_eq!(words.iter().rev().nth(1), Some(&readers), "{topic} in {}", shown.stdout);
    }
    let blocked: Vec<_> = lines.iter().filter(|line| line.contains("blocked")).collect();
    assert!(blocked.len() == 2 && blocked.iter().any(|line| line.ends_with("  video")), "{}", shown.stdout);
    assert!(!shown.stdout.contains('\x1b') && shown.stderr.is_empty(), "{shown:?}");
}

#[test]
fn json_is_a_picture_a_line() {
    let world = World::start();
    let admin = world.admin_url();
    let once = top(&["--json", "--once", "--admin", &admin]).expect_code(0);
    let picture: Value = serde_json::from_str(&once.stdout).expect("one JSON value");
    assert!(picture["rates"].is_object() && picture["connections"]["open"] == 6, "{picture:#}");
    let program = Program::start(tidings(&["top", "--json"]).env("TIDINGS_ADMIN", &admin));
    let pictures = program.wait_for_stdout("three pictures", |stdout| {
        let lines: Vec<_> = stdout.split(|&byte| byte == b'\n').collect();
        let pictures = lines.iter().filter_map(|line| serde_json::from_slice::<Value>(line).ok()).collect::<Vec<_>>();
        (pictures.len() >= 3).then_some(pictures)
    });
    assert!(pictures.is_sorted_by(|before, after| before["at_ms"].as_u64() < after["at_ms"].as_u64()), "{pictures:?}");
    program.terminate().expect_code(0);
}

#[test]
fn into_a_pipe_pictures_are_text_and_go_on_when_the_hub_comes_back() {
    let mut hub = hub(&[]);
    let admin = format!("http://{}", hub.admin_address());
    let program = Program::start(&mut tidings(&["top", "--admin", &admin]));
    let count = |stdout: &[u8]| String::from_utf8_lossy(stdout).matches("tidings top   http").count();
    let before = program.wait_for_stdout("two pictures", |stdout| Some(count(stdout)).filter(|&count| count >= 2));
    hub.stop();
    program.wait_for_stderr("a word of the loss", |stderr| {
        String::from_utf8_lossy(stderr).contains("the hub does not answer; trying again: ").then_some(())
    });
    hub.start_again();
    program.wait_for_stdout("two more", |stdout| (count(stdout) >= before + 2).then_some(()));
    let finished = program.terminate().expect_code(0);
    assert!(!finished.stdout.contains('\x1b') && !finished.stderr.contains('\x1b'), "{finished:?}");
}

#[test]
fn where_no_hub_is_it_says_what_to_do() {
    let hub = hub(&[]);
    let public = hub.url("");
    let check = |arguments: &[&str], code: i32, wants: &[&str]| {
        let finished = top(arguments).expect_code(code);
        assert!(finished.stdout.is_empty(), "{finished:?}");
        for want in wants {
            assert!(finished.stderr.contains(want), "{arguments:?}: expected {want:?} in {}", finished.stderr);
        }
    };
    // Port 1 is nobody's.
    let nobody = "http://127.0.0.1:1";
    check(&["--once", "--admin", nobody], 1, &[nobody, "refused", "--admin-listen", "--admin"]);
    check(&["--once", "--json", "--admin", nobody], 1, &["--admin-listen"]);
    check(&["--once", "--admin", &public], 1, &[&public, "404", "--admin-listen"]);
    check(&["--json", "--admin", &public], 1, &["404"]);
    check(&["--admin", "127.0.0.1:9090"], 2, &["--admin", "no scheme", "http://"]);
    check(&["--admin", "ftp://h"], 2, &["ftp"]);
    check(&["--once", "--token", "two words"], 2, &["--token", "without spaces"]);
    check(&["--once", "--token", "file:///no/such/file"], 2, &["--token", "/no/such/file"]);
    check(&["--twice"], 2, &["--twice"]);
}
