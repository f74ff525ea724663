//! A byte that is not as it was written is found and told, and what it belongs to is never served.

use tidings_e2e::{RawStream, newest_log};
use tidings_history::StartFrom;
use tidings_history::recorders::Publisher;

use crate::world::{World, accepted, first_frame, flip_a_byte, replay, text, verify};

/// The offset in the first line that tells of this file.
fn offset_told(stdout: &str, log: &str) -> Option<usize> {
    let told = stdout.lines().find_map(|line| line.split_once(&format!("{log} at byte ")))?.1;
    told.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn a_flipped_byte_is_found_told_and_never_served() {
    let mut world = World::start(&[]);
    let ids = world.publish(30);
    world.hub.kill();
    verify(world.data()).expect_code(0);
    let (log, at) = flip_a_byte(world.data(), 10);

    let verified = verify(world.data()).expect_code(1);
    let told = offset_told(&verified.stdout, &log);
    assert!(told.is_some_and(|told| (at - 100..=at).contains(&told)), "{told:?} for {at} in {verified:#?}");

    world.hub.start_again();
    let line = world.hub.wait_for_log(&["ERROR", "damaged"]);
    assert!(line.contains(&log), "{line}");
    // Who had the events before the damage is told that something is missing; who had those after it is not.
    let frame = first_frame(&world.hub, &ids[5]);
    assert!(frame.contains("event: tidings.reset\n") && frame.contains(r#""reason":"expired""#), "{frame}");
    let frame = first_frame(&world.hub, &ids[20]);
    assert!(!frame.contains("tidings.reset") && frame.contains("number 021."), "{frame}");
    let replayed = replay(&world.hub, "number 029.");
    assert!(!replayed.contains("umber 010") && !replayed.contains("NUMBER"), "{replayed}");
    for number in 11..30 {
        assert!(replayed.contains(&format!("number {number:03}.")), "{number} in {replayed}");
    }

    // It goes on, with ids that nobody had.
    let more = world.hub.publish("/events/a", "after the damage");
    assert!(!ids.contains(&more), "{more} is given again");
    assert!(replay(&world.hub, "after the damage").contains("number 029."));
    world.hub.stop().expect_code(0);
    verify(world.data()).expect_code(0);
    world.hub.start_again();
    assert!(replay(&world.hub, "after the damage").contains("number 029."), "and after one more start");
}

#[test]
fn a_reader_that_was_told_of_damage_misses_nothing_else() {
    let mut world = World::start(&[]);
    let reader = world.read(StartFrom::Earliest);
    let ids = world.publish(30);
    world.hub.kill();
    flip_a_byte(world.data(), 10);
    world.hub.start_again();
    let behind = world.read(StartFrom::After(ids[3].clone()));
    let ahead = world.read(StartFrom::After(ids[25].clone()));
    let summary = world.finish(vec![reader, behind, ahead]).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(summary.verdicts.get("expired"), Some(&1), "the one that was behind: {summary}");
    assert_eq!(summary.epochs.len(), 1, "{summary}");
}

/// More than one log file, and the damage in the first of them.
#[test]
fn a_flipped_byte_in_an_older_file_is_found_told_and_never_served() {
    let mut world = World::start(&["--history-bytes", "64MiB"]);
    let ids = world.publish(10);
    let filler = "y".repeat(100_000);
    let mut publisher = Publisher::new(&world.recorder, &world.base);
    let later: Vec<_> = (0..30).map(|_| accepted(&mut publisher, &filler)).collect();
    world.hub.stop().expect_code(0);
    let (log, at) = flip_a_byte(world.data(), 4);
    assert_ne!(log, text(&newest_log(world.data())), "the files are small");
    let verified = verify(world.data()).expect_code(1);
    let told = offset_told(&verified.stdout, &log);
    assert!(told.is_some_and(|told| (at - 100..=at).contains(&told)), "{told:?} for {at} in {verified:#?}");

    world.hub.start_again();
    let behind = world.read(StartFrom::After(ids[1].clone()));
    let ahead = world.read(StartFrom::After(later[25].clone()));
    let earliest = RawStream::get(world.hub.address(), "/events/a?since=earliest&prime=1", &[]);
    let summary = world.finish(vec![behind, ahead]).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(summary.verdicts.get("expired"), Some(&1), "the one that was behind: {summary}");
    world.hub.wait_for_log(&["damaged"]);
    world.hub.stop().expect_code(0);
    let replayed = String::from_utf8_lossy(&earliest.read_to_end()).into_owned();
    assert!(!replayed.contains("NUMBER") && !replayed.contains("umber 004"), "the damaged event was served");
}

/// The file is damaged while the hub has it open, and its events are no longer in memory.
#[test]
fn a_byte_that_flips_under_a_running_hub_is_found_told_and_never_served() {
    let mut world = World::start(&["--history-bytes", "64MiB"]);
    let ids = world.publish(10);
    let filler = "y".repeat(500_000);
    let mut publisher = Publisher::new(&world.recorder, &world.base);
    for _ in 0..90 {
        accepted(&mut publisher, &filler); // 45 MB: more than is kept in memory
    }
    flip_a_byte(world.data(), 4);
    let behind = world.read(StartFrom::After(ids[1].clone()));
    let line = world.hub.wait_for_log(&["damaged"]);
    assert!(line.contains("ERROR") && line.contains("0001.log"), "{line}");
    // Whatever it got before the damage was found, what comes after it comes whole.
    let summary = world.finish(vec![behind]).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(summary.verdicts.get("expired"), Some(&1), "{summary}");
    assert!(!first_frame(&world.hub, &ids[9]).contains("tidings.reset"), "what is after the damage is still kept");
    world.hub.stop().expect_code(0);
    let verified = verify(world.data());
    assert_eq!(verified.code, Some(1), "the damage is still there: {verified:#?}");
}
