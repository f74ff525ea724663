//! The directory as a whole: what is derived in it is lost, two hubs want it, another version wrote it.

use std::fs;
use std::path::Path;

use tidings_e2e::{Program, newest_log, tidings};
use tidings_history::StartFrom;
use tidings_history::recorders::Publisher;

use crate::world::{World, accepted, text, verify, write_at};

/// What is derived from the log is made anew from it.
#[test]
fn an_index_and_a_checkpoint_that_are_lost_or_damaged_cost_no_event() {
    for damage in [lose as fn(&Path), spoil] {
        let mut world = World::start(&["--history-bytes", "64MiB"]);
        let reader = world.read(StartFrom::Earliest);
        let ids = world.publish(10);
        let filler = "y".repeat(100_000);
        let mut publisher = Publisher::new(&world.recorder, &world.base);
        for _ in 0..40 {
            accepted(&mut publisher, &filler);
        }
        world.hub.stop().expect_code(0);
        let segments = world.data().join("segments");
        let paths =
            fs::read_dir(&segments).expect("it is a directory").map(|entry| entry.expect("it can be read").path());
        let indices: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "idx")).collect();
        assert!(indices.len() > 1, "{indices:?}");
        for path in indices.iter().chain([&world.data().join("checkpoint")]) {
            damage(path);
        }
        world.hub.start_again();
        let behind = world.read(StartFrom::After(ids[3].clone()));
        let earliest = world.read(StartFrom::Earliest);
        let summary = world.finish(vec![reader, behind, earliest]).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(summary.verdicts.is_empty() && summary.epochs.len() == 1, "{summary}");
        world.hub.stop().expect_code(0);
        verify(world.data()).expect_code(0);
    }
}

fn lose(path: &Path) {
    fs::remove_file(path).expect("it was there");
}

fn spoil(path: &Path) {
    let bytes = fs::read(path).expect("it was there");
    let middle = bytes.len() / 2;
    write_at(path, middle, &[!bytes[middle]]);
}

#[test]
fn a_second_hub_on_the_same_directory_is_refused() {
    let world = World::start(&[]);
    let directory = text(world.data());
    let mut second = tidings(&["serve", "--data", directory, "--listen", "127.0.0.1:0"]);
    let finished = Program::start(&mut second).finish();
    assert_ne!(finished.code, Some(0), "{finished:#?}");
    assert!(finished.code.is_some(), "it ends by itself: {finished:#?}");
    assert!(finished.stderr.contains(directory) && finished.stderr.contains("in use"), "{finished:#?}");
    assert_eq!(finished.stdout, "", "it never listened");
    let looked = verify(world.data());
    assert!(looked.code == Some(1) && looked.stderr.contains("in use"), "{looked:#?}");
    world.hub.publish("/events/a", "the first is none the worse");
}

#[test]
fn a_format_of_another_version_is_refused_and_left_as_it_is() {
    let mut world = World::start(&[]);
    world.publish(3);
    world.hub.kill();
    let log = newest_log(world.data());
    // The version stands after the eight bytes that say what the file is.
    write_at(&log, 8, &99u32.to_le_bytes());
    let before = fs::read(&log).expect("the log is a file");

    let mut again = tidings(&["serve", "--data", text(world.data()), "--listen", "127.0.0.1:0"]);
    let finished = Program::start(&mut again).finish();
    assert!(matches!(finished.code, Some(1 | 2)), "{finished:#?}");
    for words in [text(&log), "version 99"] {
        assert!(finished.stderr.contains(words), "{words} in {finished:#?}");
    }
    assert!(fs::read(&log).expect("the log is a file") == before, "nothing was written to it");
}
