//! `tidings top` on a real terminal: what it shows, what keys do, and how it leaves.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use tidings_e2e::{RawStream, Terminal, tidings};

use crate::world::{TOKEN, World, ended, escaped, eventually, hub, sessions};

/// A shell command that runs `tidings top` and tells of the terminal before and after it.
fn watched(environment: &str, arguments: &str) -> String {
    let program = tidings(&[]);
    let program = program.get_program().to_string_lossy().into_owned();
    let top = format!("exec env {environment} {program} top {arguments}");
    format!("echo before $(stty -g | cksum); sh -c '{top}'; echo ended $?; echo after $(stty -g | cksum); cat")
}

/// The word after `word` at the beginning of a line.
fn told(screen: &str, word: &str) -> Option<String> {
    screen.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ').map(|rest| rest.trim().to_owned()))
}

/// It has ended with 0, and the terminal is what it was.
#[track_caller]
fn expect_left(terminal: &Terminal) {
    let (before, ended, after) = terminal.wait_for("the end of top", |screen| {
        Some((told(screen, "before")?, told(screen, "ended")?, told(screen, "after")?))
    });
    assert_eq!(ended, "0");
    assert_eq!(before, after, "the settings of the terminal");
    assert_eq!((terminal.state("alternate_on"), terminal.state("cursor_flag")), ("0".to_owned(), "1".to_owned()));
    assert!(!terminal.screen().contains("tidings top   http"), "{}", terminal.screen());
}

/// The rows of a list, from the one after its head to the next empty one.
fn rows<'a>(screen: &'a str, head: &str) -> Vec<&'a str> {
    let lines = screen.lines().skip_while(|line| !line.contains(head)).skip(1);
    lines.take_while(|line| !line.trim().is_empty()).collect()
}

const TOPICS: &str = "BUSIEST TOPICS";
const SESSIONS: &str = "SLOWEST SESSIONS";

#[test]
fn an_operator_sees_who_is_slow_and_ends_them() {
    let mut world = World::start();
    let arguments = format!("--admin {} --token {TOKEN}", world.admin_url());
    let terminal = Terminal::start(120, 40, &watched("", &arguments));

    // ## What is there
    let screen = terminal.wait_for("readers, a busy topic and a blocked session", |screen| {
        world.publish_some();
        let busiest = *rows(screen, TOPICS).first()?;
        let slowest = *rows(screen, SESSIONS).first()?;
        let has_rates = screen.contains("CPU "); // the first picture has none
        let is_there = has_rates
            && screen.contains("connections  6 of ")
            && screen.contains("sessions 6: 4 live, 2 behind")
            && busiest.ends_with(" 3  prices/eur")
            && slowest.contains(" blocked ")
            && rows(screen, TOPICS).iter().any(|row| row.ends_with(" 1  chat/42"));
        is_there.then(|| screen.to_owned())
    });
    assert!(screen.lines().next().is_some_and(|title| title.contains(&world.admin_url()) && title.contains("ready")));
    assert!(screen.trim_end().ends_with("? help"), "{screen}");
    assert_eq!(rows(&screen, SESSIONS).len(), 6, "{screen}");
    assert!(terminal.painted().contains("\x1b[31mblocked"), "what needs care is red");
    terminal.picture("top");

    // ## One session
    terminal.press(&["Tab", "e"]);
    let asked = terminal.wait_for_text("y yes");
    let name = told(&asked, "End session").and_then(|rest| Some(rest.split_once('?')?.0.to_owned())).expect("a name");
    assert!(rows(&asked, SESSIONS)[0].contains(&format!(" {name} ")), "{asked}");
    terminal.press(&["n"]);
    terminal.wait_for_text("q quit");
    assert_eq!(ended(&world.hub), 0, "a no is a no");
    terminal.press(&["e", "y"]);
    terminal.wait_for("the end of a session", |screen| screen.contains("ended: session ").then_some(()));
    eventually("it is counted", || ended(&world.hub) == 1);
    terminal.wait_for("its row is gone", |screen| {
        (rows(screen, SESSIONS).len() == 5 && screen.contains("operator 1")).then_some(())
    });
    terminal.press(&["e", "y"]); // the other one that takes nothing
    eventually("it is counted", || ended(&world.hub) == 2);
    world.blocked.expect_ended();
    world.replaying.expect_ended();

    // ## All of a topic
    terminal.press(&["Tab"]);
    terminal.wait_for("the busiest topic is the first", |screen| {
        world.publish_some();
        rows(screen, TOPICS).first()?.ends_with("  prices/eur").then_some(())
    });
    terminal.press(&["e"]);
    terminal.wait_for_text("End all that listen to prices/eur?");
    terminal.press(&["y"]);
    terminal.wait_for_text("3 sessions ended: all that listen to prices/eur");
    for reader in world.live.drain(..3) {
        assert!(reader.read_to_end().ends_with(b"0\r\n\r\n"), "it ends in good order");
    }
    eventually("they are counted", || ended(&world.hub) == 5);

    // ## Another size, a hub that goes and comes, the end
    terminal.press(&["Up"]); // what was said is read
    terminal.resize(80, 24);
    let small = terminal.wait_for("all of it on 80 x 24", |screen| {
        let lines: Vec<_> = screen.lines().collect();
        (lines.len() == 24 && lines[23].contains("? help")).then(|| screen.to_owned())
    });
    assert!(small.contains(TOPICS) && small.contains("SLOWEST"), "{small}");
    terminal.picture("top-80x24");
    world.live.clear();
    world.hub.stop();
    let gone = terminal.wait_for_text("the hub does not answer since ");
    assert!(gone.contains("connections  "), "the last picture stays: {gone}");
    terminal.picture("top-gone");
    world.hub.start_again();
    terminal.wait_for("the hub that came back", |screen| {
        (!screen.contains("does not answer") && screen.contains("nobody listens")).then_some(())
    });
    terminal.press(&["q"]);
    expect_left(&terminal);
}

#[test]
fn whatever_ends_it_the_terminal_is_given_back() {
    let hub = hub(&[]);
    let arguments = format!("--admin http://{}", hub.admin_address());
    let start = || {
        let terminal = Terminal::start(80, 24, &watched("", &arguments));
        terminal.wait_for_text("nobody listens");
        assert_eq!((terminal.state("alternate_on"), terminal.state("cursor_flag")), ("1".to_owned(), "0".to_owned()));
        terminal
    };
    for keys in [&["q"][..], &["C-c"], &["?", "q"], &["?", "x", "q"]] {
        let terminal = start();
        terminal.press(keys);
        expect_left(&terminal);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    for signal in [Signal::TERM, Signal::INT] {
        let tells_pid = format!("sh -c 'echo $$ > {};", pid_file.display());
        let terminal = Terminal::start(80, 24, &watched("", &arguments).replace("sh -c '", &tells_pid));
        terminal.wait_for_text("nobody listens");
        let pid = fs::read_to_string(&pid_file).expect("its process was told");
        let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process has a number");
        kill_process(pid, signal).expect("it runs");
        expect_left(&terminal);
    }
}

#[test]
fn a_terminal_shows_what_a_topic_is_and_never_what_it_would_do() {
    let hub = hub(&[]);
    // Turned around, hidden, wide; and longer than the screen.
    let names = ["a\u{202e}gnp.exe", "zero\u{200b}width", "日本語", "<b>x</b>"].map(str::to_owned);
    let long = "long/".repeat(100);
    let terminal = Terminal::start(80, 24, &watched("NO_COLOR=1", &format!("--admin http://{}", hub.admin_address())));
    let screen = terminal.wait_for("all topics", |screen| {
        names.iter().chain([&long]).for_each(|name| drop(hub.publish(&format!("/events/{}", escaped(name)), "x")));
        (rows(screen, TOPICS).len() == 5).then(|| screen.to_owned())
    });
    for shown in ["  a\\u{202e}gnp.exe", "  zero\\u{200b}width", "  日本語", "  <b>x</b>"] {
        assert!(screen.contains(shown), "{shown} in {screen}");
    }
    assert!(screen.lines().any(|line| line.contains("  long/long/") && line.ends_with('…')), "{screen}");
    let painted = terminal.painted();
    let has_colours = (1..=7).any(|colour| painted.contains(&format!("\x1b[3{colour}m")));
    assert!(painted.contains("\x1b[1m") && !has_colours, "{painted:?}");
    terminal.press(&["q"]);
    expect_left(&terminal);
}

#[test]
fn nothing_is_ended_without_the_token_and_it_is_said_why() {
    let hub = hub(&["--admin-token", TOKEN]);
    let mut reader = RawStream::get(hub.address(), "/events/t", &[]);
    reader.wait_for_text("retry:");
    let admin = format!("--admin http://{}", hub.admin_address());
    for (environment, arguments, want) in [
        ("", "", "ending needs the operators' token"),
        ("", " --token wrong-and-wrong-again", "not ended: 401"),
        ("TIDINGS_ADMIN_TOKEN=wrong-and-wrong-again", "", "not ended: 401"),
    ] {
        let terminal = Terminal::start(100, 30, &watched(environment, &format!("{admin}{arguments}")));
        terminal.wait_for("the reader", |screen| rows(screen, SESSIONS).first()?.ends_with("  t").then_some(()));
        terminal.press(&["Tab", "e", "y"]);
        terminal.wait_for_text(want);
        terminal.press(&["q"]);
        expect_left(&terminal);
    }
    assert_eq!((sessions(&hub), ended(&hub)), (1, 0));
    let terminal = Terminal::start(100, 30, &watched(&format!("TIDINGS_ADMIN_TOKEN={TOKEN}"), &admin));
    terminal.wait_for("the reader", |screen| rows(screen, SESSIONS).first()?.ends_with("  t").then_some(()));
    terminal.press(&["Tab", "e", "y"]);
    terminal.wait_for_text("ended: session ");
    reader.read_to_end();
}

#[test]
fn it_may_be_there_before_the_hub_is() {
    let mut hub = hub(&[]);
    let arguments = format!("--admin http://{}", hub.admin_address());
    hub.stop();
    let terminal = Terminal::start(80, 24, &watched("", &arguments));
    terminal.wait_for_text("the hub does not answer since ");
    hub.start_again();
    terminal.wait_for_text("nobody listens");
    terminal.press(&["q"]);
    expect_left(&terminal);
}
