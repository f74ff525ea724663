//! The power is lost: of what was written and not synced, any page may have reached the disk and any other not.

use std::fs;

use proptest::prelude::*;
use tidings_core::{Engine, Publication, ResetReason, ResumeFrom, Sequence};
use tidings_wire::EventId;

use super::{World, publication, publish, publish_together, read_all, read_topics, resume, resume_after, scan, topic};
use crate::Durability;

/// What a disk writes whole. Unit: bytes.
const PAGE_BYTES: usize = 4096;

/// What is left of the newest log when of its pages with something after `synced` not all reached the disk: two bits of
/// `fate` for each say whether it did, or is as it was when the file was synced, or as it was between the two.
fn lose_pages(world: &World, synced: u64, fate: u128) {
    let log = world.newest_log();
    let mut bytes = fs::read(&log).expect("it was written");
    let synced = usize::try_from(synced).expect("small");
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for page in synced / PAGE_BYTES..written.div_ceil(PAGE_BYTES) {
        let from = match fate >> (page % 64 * 2) & 3 {
            0 | 1 => continue,
            2 => page * PAGE_BYTES,
            _ => page * PAGE_BYTES + PAGE_BYTES / 3,
        };
        let end = ((page + 1) * PAGE_BYTES).min(bytes.len());
        bytes[from.max(synced).min(end)..end].fill(0);
    }
    fs::write(&log, bytes).expect("there is room");
}

/// Events of all sizes, each of its own.
fn events(sizes: &[usize], mark: &str) -> Vec<(String, String)> {
    let event =
        |(nth, size): (usize, &usize)| (format!("t/{}", nth % 3), format!("{mark} {nth} {}", "x".repeat(*size)));
    sizes.iter().enumerate().map(event).collect()
}

/// Each is found under another topic too, and all have the same id.
fn of_several((name, data): &(String, String)) -> Publication {
    let id = EventId::parse("again").ok();
    Publication { id, takes_any_id: true, alternates: [topic("other")].into(), ..publication(name, data) }
}

fn sizes(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![4 => 0..100usize, 2 => 1000..6000usize, 1 => 10_000..40_000usize], count)
}

fn data(events: &[(String, String)]) -> Vec<&str> {
    events.iter().map(|(_, data)| data.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn what_was_acknowledged_in_sync_is_there_whatever_of_the_last_group_is(
        before in sizes(0..20),
        last in sizes(1..30),
        fate in any::<u128>(),
    ) {
        let world = World::new(Durability::Sync);
        let store = world.open();
        let (before, last) = (events(&before, "before"), events(&last, "last"));
        publish(&store, before.iter().map(of_several));
        publish_together(&store, last.iter().map(of_several));
        let all = [data(&before), data(&last)].concat();
        let lossy = world.copy();

        // The last group had not been acknowledged when the power went.
        let (frames, _) = scan(&lossy.newest_log());
        let begin = frames.iter().rposition(|frame| frame.frame.unsynced_bytes == 0).expect("each group has a first");
        let (acknowledged, synced) = (frames[begin].frame.sequence.0 - 1, frames[begin].offset);
        lose_pages(&lossy, synced, fate);

        let store = lossy.open();
        let tail = store.tail().0;
        prop_assert!((acknowledged..=all.len() as u64).contains(&tail), "{acknowledged} {tail} {}", all.len());
        check_history(&store, &all[..usize::try_from(tail).expect("small")])?;
        publish(&store, [publication("t/0", "after")]);
        prop_assert_eq!(store.tail(), Sequence(tail + 1));
        prop_assert_eq!(lossy.damaged(), 0);
        drop(store);
        let store = lossy.open();
        check_history(&store, &[&all[..usize::try_from(tail).expect("small")], &["after"]].concat())?;
    }

    #[test]
    fn in_relaxed_what_was_synced_is_there_and_no_id_is_used_again(
        before in sizes(0..20),
        last in prop::collection::vec(sizes(1..10), 1..6),
        fate in any::<u128>(),
    ) {
        let world = World::new(Durability::Relaxed);
        let store = world.open();
        let before = events(&before, "before");
        let last: Vec<_> = last.iter().map(|sizes| events(sizes, "last")).collect();
        publish(&store, before.iter().map(of_several));
        for group in &last {
            publish_together(&store, group.iter().map(of_several));
        }
        let last = last.concat();
        let all = [data(&before), data(&last)].concat();
        let mut lossy = world.copy();
        lossy.options.boot_id = Some("the second boot".to_owned());

        // The last frame says how far the file was synced when it was written.
        let (frames, _) = scan(&lossy.newest_log());
        let newest = frames.last().expect("something was published");
        let synced = newest.offset - newest.frame.unsynced_bytes;
        let safe = frames.iter().rfind(|frame| frame.offset < synced).map_or(0, |frame| frame.frame.sequence.0);
        lose_pages(&lossy, synced, fate);

        let store = lossy.open();
        let rest = resume(&store, ResumeFrom::Earliest);
        prop_assert_eq!(rest.reset, None);
        let kept = read_all(&store, rest.cursor).expect("nothing was trimmed");
        let count = kept.len() as u64;
        prop_assert!((safe..=all.len() as u64).contains(&count), "{safe} {count} {}", all.len());
        prop_assert_eq!(kept.iter().map(|(_, data)| data.as_str()).collect::<Vec<_>>(), &all[..kept.len()]);
        publish(&store, [publication("t/0", "after")]);
        prop_assert!(store.tail().0 > all.len() as u64, "{} was given out", store.tail());
        for lost in count + 1..=all.len() as u64 {
            let reset = resume_after(&store, lost).reset.expect("its event is gone");
            prop_assert_eq!(reset.reason, ResetReason::Lost);
        }
        for kept in 1..=count {
            prop_assert_eq!(resume_after(&store, kept).reset, None);
        }
        prop_assert_eq!(lossy.damaged(), 0);
        drop(store);
        let store = lossy.open();
        let again = read_all(&store, Sequence::ZERO).expect("nothing was trimmed");
        prop_assert_eq!(again.len(), kept.len() + 1);
    }
}

/// The store has these events and no others, each at its place.
fn check_history(store: &crate::Store, want: &[&str]) -> Result<(), TestCaseError> {
    let events = read_all(store, Sequence::ZERO).expect("nothing was trimmed");
    let got: Vec<(u64, &str)> = events.iter().map(|(sequence, data)| (*sequence, data.as_str())).collect();
    let want: Vec<(u64, &str)> = (1..).zip(want.iter().copied()).collect();
    prop_assert_eq!(&got, &want);
    let of_several = got.iter().filter(|(_, data)| *data != "after").map(|(sequence, _)| *sequence).collect();
    prop_assert_eq!(read_topics(store, "other", Sequence::ZERO), Some(of_several), "under the other topic too");
    if want.iter().any(|(_, data)| *data != "after") {
        let resolution = resume(store, ResumeFrom::EventId("again".into()));
        prop_assert_eq!((resolution.reset, resolution.cursor), (None, Sequence(1)), "the earliest with the id");
    }
    Ok(())
}

/// The process ends, the machine does not: nothing that was written is lost, and the ids go on without a hole.
#[test]
fn in_relaxed_a_kill_loses_nothing() {
    let world = World::new(Durability::Relaxed);
    let store = world.open();
    publish(&store, (0..100).map(|nth| publication("a", format!("{nth}"))));
    let killed = world.copy();
    let store = killed.open();
    assert_eq!((store.tail(), read_all(&store, Sequence::ZERO).expect("all of it").len()), (Sequence(100), 100));
    publish(&store, [publication("a", "after")]);
    assert_eq!(store.tail(), Sequence(101));
}
