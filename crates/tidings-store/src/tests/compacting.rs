//! Log files are written anew without what is dead: nobody notices, also when a crash comes between.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use tidings_core::{Engine, EngineUsage, Reset, Resolution, ResumeFrom, Sequence};
use tidings_wire::EventId;

use super::{
    NOW, World, copy_tree, publication, publish, publish_together, read_all, resume, resume_after, scan, topic, wait,
};
use crate::operate::{Compaction, Damage, Verification, compact, inspect, verify};
use crate::options::OpenError;
use crate::recover::recover;
use crate::{Durability, Store};

/// What somebody does to a history.
#[derive(Clone, Debug)]
enum Act {
    Publish { topic: usize, size: usize, has_id: bool },
    PublishMany(usize),
    Delete(usize),
    End(usize),
}

const TOPICS: [&str; 4] = ["a", "b", "c/1", "c/2"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (0..4usize, 0..300usize, any::<bool>()).prop_map(|(topic, size, has_id)| Act::Publish { topic, size, has_id }),
        1 => (0..30usize).prop_map(Act::PublishMany),
        2 => (0..4usize).prop_map(Act::Delete),
        1 => (0..4usize).prop_map(Act::End),
    ];
    prop::collection::vec(act, 1..60)
}

fn play(store: &Store, acts: &[Act]) {
    for (nth, act) in acts.iter().enumerate() {
        match *act {
            Act::Publish { topic, size, has_id } => {
                let mut publication = publication(TOPICS[topic], "x".repeat(size));
                publication.id = has_id.then(|| EventId::parse(&format!("id {nth}")).expect("an id"));
                drop(wait(store.append(publication, NOW))); // it may have ended
            }
            Act::PublishMany(count) => publish_together(store, (0..count).map(|_| publication("many", "x"))),
            Act::Delete(name) => drop(wait(store.delete(topic(TOPICS[name]), NOW)).expect("there is room")),
            Act::End(name) => {
                let mut end = publication(TOPICS[name], "");
                end.ends_topic = true;
                drop(wait(store.append(end, NOW)));
            }
        }
    }
}

/// Small files, and little in memory.
fn world(events_max: Option<u64>) -> World {
    let mut world = World::new(Durability::Sync);
    (world.options.segment_bytes, world.options.window_bytes_max) = (1024, 1024);
    world.options.history.events_max = events_max;
    world
}

/// All that anybody may ask.
#[derive(Debug, PartialEq)]
struct Answers {
    usage: EngineUsage,
    pages: Vec<Option<Events>>,
    /// With the events that come after, for places without events between them are one and the same.
    resolutions: Vec<(Option<Reset>, bool, Option<Events>)>,
}

type Events = Vec<(u64, String)>;

fn ask(store: &Store) -> Answers {
    let tail = store.tail().0;
    let given = |found: Resolution| (found.reset, found.is_over, read_all(store, found.cursor));
    let ids = (0..=tail).map(|sequence| resume_after(store, sequence));
    let own = (0..60).map(|nth| resume(store, ResumeFrom::EventId(format!("id {nth}").into())));
    let others = [ResumeFrom::Earliest, ResumeFrom::Last(3), ResumeFrom::Live].map(|from| resume(store, from));
    Answers {
        // What it takes of the disk is what compacting is to change.
        usage: EngineUsage { disk: None, ..store.usage(NOW) },
        pages: (0..=tail).map(|after| read_all(store, Sequence(after))).collect(),
        resolutions: ids.chain(own).chain(others).map(given).collect(),
    }
}

/// The first difference is told, not all there is.
fn check_same(got: &Answers, want: &Answers, which: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.usage, want.usage, "{}", which);
    for (after, (got, want)) in got.pages.iter().zip(&want.pages).enumerate() {
        prop_assert_eq!(got, want, "{}: after {}", which, after);
    }
    for (got, want) in got.resolutions.iter().zip(&want.resolutions) {
        prop_assert_eq!(got, want, "{}", which);
    }
    prop_assert_eq!(got.pages.len(), want.pages.len());
    Ok(())
}

fn check_is_sound(world: &World) {
    let Verification { damage, torn_tail, .. } = verify(world.directory.path(), |_, _| {}).expect("it can be read");
    assert_eq!((damage, torn_tail), (Vec::<Damage>::new(), None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn a_compacted_history_answers_as_before(
        acts in acts(),
        more in acts(),
        events_max in prop::option::of(1..100u64),
    ) {
        let before = world(events_max);
        play(&before.open(), &acts);
        let after = before.copy();
        let mut told = Vec::new();
        let compaction = compact(after.directory.path(), |done, total| told.push((done, total))).expect("it can be read");
        prop_assert_eq!(&compaction.damage, &Vec::new());
        prop_assert_eq!(compaction.files_after, after.logs().len());
        prop_assert!(told.is_sorted() && told.last().is_some_and(|(done, total)| done == total));
        check_is_sound(&after);
        let inspection = inspect(after.directory.path(), 10).expect("it can be read");
        prop_assert_eq!(inspection.dead.events, 0);
        prop_assert_eq!(inspection.file_bytes, compaction.bytes_after);
        let again = compact(after.directory.path(), |_, _| {}).expect("it can be read");
        prop_assert_eq!((again.rewritten, again.bytes_after), (0, compaction.bytes_after));

        let crashed = crashed_before_the_checkpoint(&before, &after);
        let (one, other, third) = (before.open(), after.open(), crashed.open());
        let want = ask(&one);
        check_same(&ask(&other), &want, "compacted")?;
        check_same(&ask(&third), &want, "crashed")?;
        for store in [&one, &other, &third] {
            play(store, &more);
        }
        let want = ask(&one);
        check_same(&ask(&other), &want, "compacted")?;
        check_same(&ask(&third), &want, "crashed")?;
        drop((one, other, third));
        check_is_sound(&crashed);
        check_same(&ask(&crashed.open()), &want, "opened again")?;
    }
}

/// The files as they were written anew, and the checkpoint as it was before that.
fn crashed_before_the_checkpoint(before: &World, after: &World) -> World {
    let directory = tempfile::tempdir().expect("there is room");
    copy_tree(after.directory.path(), directory.path());
    let checkpoint = |directory: &Path| directory.join("checkpoint");
    fs::copy(checkpoint(before.directory.path()), checkpoint(directory.path())).expect("it is there");
    let options = crate::StoreOptions { directory: directory.path().to_owned(), ..before.options.clone() };
    World { directory, options }
}

#[test]
fn what_is_dead_is_freed_also_in_the_file_that_was_written_last() {
    let world = world(None);
    let store = world.open();
    publish(&store, (0..50).map(|_| publication("a", "x".repeat(100))));
    publish(&store, [publication("b", "kept")]);
    wait(store.delete(topic("a"), NOW)).expect("there is room");
    drop(store);
    let compaction = compact(world.directory.path(), |_, _| {}).expect("it can be read");
    assert!(compaction.bytes_after < 20_000 && compaction.bytes_before > compaction.bytes_after, "{compaction:?}");
    assert!(compaction.files_after <= 3, "{compaction:?}");
    let store = world.open();
    assert_eq!(read_all(&store, Sequence(51)).map(|events| events.len()), Some(0));
    assert_eq!(read_all(&store, Sequence::ZERO), Some(vec![(51, "kept".to_owned())]));
    publish(&store, [publication("b", "next")]);
    assert_eq!(store.tail(), Sequence(53), "the deletion has a place too");
}

/// The checkpoint counts what was dead in a file as it was; once that is written anew, it would count for ever.
#[test]
fn what_was_dead_in_a_file_that_was_written_anew_counts_no_more_after_a_crash() {
    let before = world(None);
    let store = before.open();
    publish(&store, (0..50).map(|nth| publication(if nth % 3 == 0 { "a" } else { "b" }, "x".repeat(100))));
    wait(store.delete(topic("a"), NOW)).expect("there is room");
    publish(&store, (0..20).map(|_| publication("b", "x".repeat(100))));
    drop(store);
    // Full files are sealed when it opens. None is written anew before a checkpoint that knows it as sealed.
    drop(before.open());
    let after = before.copy();
    compact(after.directory.path(), |_, _| {}).expect("it can be read");
    let crashed = crashed_before_the_checkpoint(&before, &after);
    let dead_in = |world: &World| {
        let (shared, _) = recover(world.options.clone()).expect("it can be opened");
        let state = shared.state();
        state.segments.dead().map(|dead| dead.bytes).sum::<u64>()
    };
    assert!(dead_in(&before) > 0, "else nothing is tested");
    assert_eq!((dead_in(&crashed), dead_in(&after)), (0, 0));
}

#[test]
fn a_damaged_file_stays_as_it_is_and_the_others_are_compacted() {
    let world = world(None);
    let store = world.open();
    // A hub does it only where more is dead.
    publish(&store, (0..50).map(|nth| publication(if nth % 3 == 0 { "a" } else { "b" }, "x".repeat(100))));
    wait(store.delete(topic("a"), NOW)).expect("there is room");
    drop(store);
    let log = world.logs().remove(2);
    let (frames, _) = scan(&log);
    let kept = frames.iter().find(|frame| frame.frame.topic == topic("b")).expect("there are more of them");
    let mut bytes = fs::read(&log).expect("it is there");
    bytes[usize::try_from(kept.offset).expect("small") + 20] ^= 1;
    fs::write(&log, &bytes).expect("there is room");
    let Compaction { damage, rewritten, .. } =
        compact(world.directory.path(), |_, _| {}).expect("the rest can be read");
    let [Damage { file, offset, .. }] = &*damage else { panic!("{damage:?}") };
    assert_eq!((file, *offset, rewritten), (&log, kept.offset, world.logs().len() - 2), "but for it and the newest");
    assert_eq!(fs::read(&log).expect("it is there"), bytes);
}

#[test]
fn a_directory_that_a_hub_has_or_that_is_none_is_not_compacted() {
    let world = world(None);
    let store = world.open();
    assert!(matches!(compact(world.directory.path(), |_, _| {}), Err(OpenError::InUse { .. })));
    drop(store);
    let empty = TempDir::new().expect("there is room");
    assert!(matches!(compact(empty.path(), |_, _| {}), Err(OpenError::Io { .. })));
    assert_eq!(fs::read_dir(empty.path()).expect("a directory").count(), 0, "nothing was made in it");
}

/// All records of the newest full file are gone, and the file that was begun after it too: its places are not used again.
#[test]
fn places_of_records_that_are_gone_are_not_given_out_again() {
    let world = world(None);
    let store = world.open();
    publish(&store, (0..3).map(|_| publication("b", "kept")));
    publish(&store, (0..50).map(|_| publication("a", "x".repeat(100))));
    wait(store.delete(topic("a"), NOW)).expect("there is room");
    publish(&store, [publication("b", "kept")]);
    drop(store);
    compact(world.directory.path(), |_, _| {}).expect("it can be read");
    fs::remove_file(world.newest_log()).expect("it is there");
    fs::remove_file(world.directory.path().join("checkpoint")).expect("it is there");
    let store = world.open();
    assert!(store.tail() >= Sequence(55), "{}", store.tail());
    publish(&store, [publication("b", "kept")]);
    drop(store);
    check_is_sound(&world);
}
