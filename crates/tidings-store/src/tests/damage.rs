//! Something that was synced is damaged, or gone: it is noticed and told, and no id is used again.

use std::fs;

use tidings_core::{Engine, Publication, ResetReason, ResumeFrom, Sequence};

use super::{World, publication, publish, read_all, read_topics, resume, resume_after, scan, topic};
use crate::header::SegmentHeader;
use crate::{Durability, Store};

/// A directory as it stands while a hub runs, with ten events that were acknowledged one by one.
fn ten_events() -> World {
    let world = World::new(Durability::Sync);
    let store = world.open();
    publish(&store, (1..=10).map(|nth| publication("a", format!("{nth}"))));
    world.copy()
}

/// The same, after the hub has ended in order.
fn ten_events_and_an_end() -> World {
    let world = World::new(Durability::Sync);
    publish(&world.open(), (1..=10).map(|nth| publication("a", format!("{nth}"))));
    world
}

fn sequences(store: &Store, after: u64) -> Option<Vec<u64>> {
    Some(read_all(store, Sequence(after))?.into_iter().map(|(sequence, _)| sequence).collect())
}

/// The history begins with the event after `lost`; whoever was before that is told.
fn check_begins_after(store: &Store, lost: u64, want: &[u64]) {
    assert_eq!(sequences(store, lost).as_deref(), Some(want));
    assert_eq!(sequences(store, lost - 1), None, "something is gone");
    assert_eq!(resume(store, ResumeFrom::Earliest).cursor, Sequence(lost));
    let usage = store.usage(super::NOW);
    assert_eq!(usage.events, want.len() as u64, "what is lost counts no more");
}

#[test]
fn damage_before_what_was_synced_later_is_found_and_the_history_begins_after_it() {
    let damaged: [fn(&mut [u8]); 3] = [|frame| frame[20] ^= 1, |frame| frame.fill(0), |frame| frame[..8].fill(0)];
    for damage in damaged {
        let world = ten_events();
        let (frames, _) = scan(&world.newest_log());
        let [from, end] = [4, 5].map(|nth: usize| usize::try_from(frames[nth].offset).expect("small"));
        let mut bytes = fs::read(world.newest_log()).expect("it was written");
        damage(&mut bytes[from..end]);
        fs::write(world.newest_log(), bytes).expect("there is room");
        world.open_and_kill();
        check_begins_after_five(&world, &world.open());
        check_begins_after_five(&world, &world.open());
        publish(&world.open(), [publication("a", "after")]);
        check_begins_after(&world.open(), 5, &[6, 7, 8, 9, 10, 11]);
    }
}

fn check_begins_after_five(world: &World, store: &Store) {
    check_begins_after(store, 5, &[6, 7, 8, 9, 10]);
    assert_eq!(resume_after(store, 4).reset.map(|reset| reset.reason), Some(ResetReason::Expired));
    assert_eq!((store.tail(), world.damaged()), (Sequence(10), 1), "it is kept, once");
}

/// Without an index, nobody knows what was in a damaged file.
#[test]
fn a_damaged_file_that_is_not_sealed_is_put_aside_and_the_history_begins_after_it() {
    let mut world = World::new(Durability::Sync);
    world.options.segment_bytes = 1024;
    publish(&world.open(), (1..=10).map(|nth| publication("a", format!("{nth} {}", "x".repeat(280)))));
    let log = world.logs().remove(1);
    let (frames, _) = scan(&log);
    let (first, last) = (frames[0].frame.sequence.0, frames[frames.len() - 1].frame.sequence.0);
    let mut bytes = fs::read(&log).expect("it was written");
    bytes[usize::try_from(frames[1].offset).expect("small") + 20] ^= 1;
    fs::write(&log, bytes).expect("there is room");
    fs::remove_file(log.with_extension("idx")).expect("it was sealed");
    let want: Vec<u64> = (last + 1..=10).collect();
    world.open_and_kill();
    check_begins_after(&world.open(), last, &want);
    let store = world.open();
    check_begins_after(&store, last, &want);
    assert_eq!(resume_after(&store, first).reset.map(|reset| reset.reason), Some(ResetReason::Expired));
}

#[test]
fn an_end_that_the_checkpoint_knows_of_and_that_is_gone_is_told_and_its_ids_are_not_used_again() {
    let world = ten_events_and_an_end();
    let (frames, end) = scan(&world.newest_log());
    let last = frames[9].offset;
    let damaged: [fn(&mut Vec<u8>, usize); 3] = [
        |bytes, last| bytes.truncate(last + 5),
        |bytes, last| bytes[last + 20] ^= 1,
        |bytes, last| bytes[last..].fill(0),
    ];
    for damage in damaged {
        let world = world.copy();
        let mut bytes = fs::read(world.newest_log()).expect("it was written");
        assert_eq!(bytes.len() as u64, end);
        damage(&mut bytes, usize::try_from(last).expect("small"));
        fs::write(world.newest_log(), bytes).expect("there is room");
        let store = world.open();
        assert_eq!(sequences(&store, 3), None, "something after it is gone");
        assert_eq!(resume_after(&store, 10).reset.map(|reset| reset.reason), Some(ResetReason::Lost));
        assert_eq!(resume_after(&store, 9).reset.map(|reset| reset.reason), Some(ResetReason::Expired));
        let through = store.tail().0;
        assert!(through > 1000, "nobody knows how many there were: {through}");
        publish(&store, [publication("a", "after")]);
        check_begins_after(&store, through, &[through + 1]);
        drop(store);
        check_begins_after(&world.open(), through, &[through + 1]);
    }
}

#[test]
fn a_newest_log_without_a_head_is_put_aside() {
    let world = ten_events_and_an_end();
    let mut bytes = fs::read(world.newest_log()).expect("it was written");
    bytes[SegmentHeader::BYTES - 1] ^= 1;
    fs::write(world.newest_log(), bytes).expect("there is room");
    let store = world.open();
    assert_eq!((world.damaged(), sequences(&store, 0)), (1, None));
    let through = store.tail().0;
    publish(&store, [publication("a", "after")]);
    check_begins_after(&store, through, &[through + 1]);
}

/// The start after a loss of power tells of the hole in the checkpoint, then begins a log behind it: between the two the
/// power may go again.
#[test]
fn a_start_that_was_cut_short_after_it_knew_of_a_hole_is_gone_on_with() {
    let mut world = World::new(Durability::Relaxed);
    let store = world.open();
    publish(&store, (1..=10).map(|nth| publication("a", format!("{nth}"))));
    world = world.copy();
    drop(store);
    world.options.boot_id = Some("the second boot".to_owned());
    let through = world.open().tail();
    assert!(through > Sequence(1000), "{through}");
    fs::remove_file(world.newest_log()).expect("it is there");
    world.options.boot_id = Some("the third boot".to_owned());
    let store = world.open();
    assert!(store.tail() >= through);
    assert_eq!((sequences(&store, 0), world.damaged()), (Some((1..=10).collect()), 0));
    assert_eq!(resume_after(&store, 10).reset, None);
    assert_eq!(resume_after(&store, 11).reset.map(|reset| reset.reason), Some(ResetReason::Lost));
    publish(&store, [publication("a", "after")]);
    assert_eq!(store.usage(super::NOW).events, 11);
}

/// The frame of an event is damaged that other topics have too, and only it knows which: nobody misses it without a word.
#[test]
fn a_damaged_event_of_several_topics_is_told_to_readers_of_all() {
    let mut world = World::new(Durability::Sync);
    (world.options.segment_bytes, world.options.window_bytes_max) = (1024, 1);
    let filler = "x".repeat(280);
    let of_two =
        |nth: u64| Publication { alternates: [topic("b")].into(), ..publication("a", format!("{nth} {filler}")) };
    publish(&world.open(), (1..=10).map(of_two));
    let log = world.logs().remove(1);
    let (frames, _) = scan(&log);
    let damaged = frames[0].frame.sequence.0;
    let mut bytes = fs::read(&log).expect("it was written");
    bytes[usize::try_from(frames[0].offset).expect("small") + 100] ^= 1;
    fs::write(&log, bytes).expect("there is room");
    for read_first in ["a", "b", "*", "c", "never/*"] {
        let damaged_world = world.copy();
        let store = damaged_world.open();
        // Whoever comes upon it is told, and from then on everybody who was before it.
        let is_told = read_topics(&store, read_first, Sequence::ZERO).is_none();
        assert_eq!(is_told, ["a", "b", "*"].contains(&read_first), "{read_first}");
        let want: Vec<u64> = (damaged + 1..=10).collect();
        for selector in ["a", "b", "*"].iter().filter(|_| is_told) {
            assert_eq!(read_topics(&store, selector, Sequence(damaged)).as_ref(), Some(&want), "{selector}");
            assert_eq!(read_topics(&store, selector, Sequence(damaged - 1)), None, "{selector}");
        }
        if is_told {
            assert_eq!(resume_after(&store, damaged - 1).reset.map(|it| it.reason), Some(ResetReason::Expired));
            assert_eq!(resume(&store, ResumeFrom::Earliest).cursor, Sequence(damaged));
        }
    }
}
