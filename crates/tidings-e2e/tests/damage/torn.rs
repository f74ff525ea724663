//! What a crash leaves of a write that was not finished is cut off and told, and all before it is there.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use tidings_e2e::newest_log;
use tidings_history::StartFrom;

use crate::world::{World, end_of_frames, text, verify, write_at};

/// What a crash leaves of a write that was not finished is cut off and told, and all before it is there.
fn check_torn(tear: impl FnOnce(&Path)) {
    let mut world = World::start(&[]);
    let reader = world.read(StartFrom::Earliest);
    world.publish(20);
    world.hub.kill();
    tear(&newest_log(world.data()));

    let verified = verify(world.data()).expect_code(0);
    assert!(verified.stdout.contains(".log"), "it tells of the torn end: {verified:#?}");
    world.hub.start_again();
    let line = world.hub.wait_for_log(&["WARN", "cut off"]);
    assert!(line.contains(text(&newest_log(world.data()))), "{line}");
    let summary = world.finish(vec![reader, world.read(StartFrom::Earliest)]).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(summary.verdicts.is_empty() && summary.acknowledged == 21, "{summary}");

    world.hub.stop().expect_code(0);
    let verified = verify(world.data()).expect_code(0);
    assert!(!verified.stdout.contains("not finished"), "the torn end is gone: {verified:#?}");
}

#[test]
fn the_beginning_of_a_frame_at_the_end_is_cut() {
    check_torn(|log| {
        let (end, bytes) = end_of_frames(log);
        // The frame before begins where the text of the one before that ended.
        let ends: Vec<_> = bytes[..end].windows(4).enumerate().filter(|(_, four)| four.ends_with(b".")).collect();
        let (before, _) = ends[ends.len() - 2];
        let frame = bytes[before + 4..end].to_vec();
        write_at(log, end, &frame[..frame.len() * 2 / 3]);
    });
}

#[test]
fn noise_at_the_end_is_cut() {
    check_torn(|log| {
        let (end, _) = end_of_frames(log);
        write_at(log, end, &[0xA5; 777]);
    });
}

#[test]
fn noise_at_the_end_of_a_file_without_room_ahead_is_cut() {
    check_torn(|log| {
        let (end, _) = end_of_frames(log);
        File::options().write(true).open(log).and_then(|file| file.set_len(end as u64)).expect("a file can be cut");
        let mut file = File::options().append(true).open(log).expect("the log is a file");
        file.write_all(&[1, 2, 3]).expect("the disk has room");
    });
}

#[test]
fn of_a_last_frame_that_is_cut_nothing_is_served_and_all_before_it_is() {
    let mut world = World::start(&[]);
    world.publish(20);
    // Nobody promised this one to the history that is judged: it plays a write that was not finished.
    world.hub.publish("/events/a", &"half of this is gone".repeat(10));
    world.hub.kill();
    let log = newest_log(world.data());
    let (end, _) = end_of_frames(&log);
    File::options().write(true).open(&log).and_then(|file| file.set_len(end as u64 - 100)).expect("a file can be cut");

    world.hub.start_again();
    world.hub.wait_for_log(&["WARN", "cut off"]);
    let summary = world.finish(vec![world.read(StartFrom::Earliest)]).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((summary.acknowledged, summary.events_seen), (21, 21), "{summary}");
}
