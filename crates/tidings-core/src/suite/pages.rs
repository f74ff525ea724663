//! Pages of history: with any limit, one after the other, they are the whole.

use super::MakeEngine;
use super::world::{NO_LIMIT, World, places, set};
use crate::engine::{Read, ReadLimit, ReadRequest};
use crate::limits::HistoryLimits;
use crate::position::Sequence;
use crate::resume::ResumeFrom;

const TOPICS: [&str; 4] = ["a", "b", "x/1", "x/2"];

/// 200 events on four topics, of which one is rare, and one deletion.
fn filled(make: MakeEngine<'_>) -> World {
    let world = World::new(make);
    for nth in 0..200 {
        let topic = if nth % 50 == 0 { "b" } else { TOPICS[[0, 2, 3][nth * 7 % 3]] };
        world.publish_with(topic, |publication| publication.data = "x".repeat(nth % 13));
        if nth == 60 {
            world.delete("x/2");
        }
    }
    world
}

pub(super) fn pages_together_are_the_whole(make: MakeEngine<'_>) {
    let world = filled(make);
    for selectors in
        [&["a"] as &[_], &["b"], &["a", "b", "x/1"], &["x/*"], &["**"], &["b", "x/*"], &["never"], &["never/*"]]
    {
        let selectors = set(selectors);
        let whole = places(&world.read(&selectors, Sequence::ZERO, NO_LIMIT));
        let limits =
            [(usize::MAX, 1), (usize::MAX, 7), (0, usize::MAX), (1, 1), (100, usize::MAX), (1_000, 50), (0, 0)];
        for (bytes_max, scanned_max) in limits {
            let limit = ReadLimit { bytes_max, scanned_max };
            let (mut together, mut place) = (Vec::new(), Sequence::ZERO);
            while place < world.engine.tail() {
                let Read::Page(page) = world.read(&selectors, place, limit) else { panic!("nothing was trimmed") };
                assert!(page.through > place, "{selectors:?} {limit:?}: a page gets on");
                assert!(page.records.iter().all(|record| record.sequence > place && record.sequence <= page.through));
                assert!(page.records.len() <= scanned_max.max(1));
                let lengths: Vec<_> = page.records.iter().map(|record| record.chunk.wire().len()).collect();
                let but_last: usize = lengths.iter().rev().skip(1).sum();
                assert!(but_last < bytes_max.max(1), "{limit:?}: {lengths:?}");
                together.extend(page.records.iter().map(|record| record.sequence.0));
                place = page.through;
            }
            assert_eq!(together, whole, "{selectors:?} {limit:?}");
        }
    }
}

pub(super) fn a_narrow_read_is_a_filtered_scan(make: MakeEngine<'_>) {
    let world = filled(make);
    let records = world.committed(0);
    for selectors in
        [&["a"] as &[_], &["b"], &["x/2"], &["a", "x/2"], &["a", "b", "x/1", "x/2"], &["x/*"], &["b", "*/2"]]
    {
        for after in [0, 1, 59, 60, 61, 62, 150, 199, 200, 201] {
            let selectors = set(selectors);
            let scanned =
                records.iter().filter(|record| record.sequence.0 > after && selectors.matches(record.topic.as_str()));
            let want: Vec<_> =
                scanned.filter(|record| !record.chunk.is_empty()).map(|record| record.sequence.0).collect();
            let got = places(&world.read(&selectors, Sequence(after), NO_LIMIT));
            assert_eq!(got, want, "{selectors:?} after {after}");
        }
    }
    // More topics by name than there are records.
    let many: Vec<String> = (0..2_000).map(|nth| format!("many/{nth}")).chain(["a".to_owned()]).collect();
    let many = set(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let only = set(&["a"]);
    let of_many = places(&world.read(&many, Sequence(3), NO_LIMIT));
    assert_eq!(of_many, places(&world.read(&only, Sequence(3), NO_LIMIT)));
}

pub(super) fn a_page_ends_where_it_was_asked_to(make: MakeEngine<'_>) {
    let world = World::new(make);
    for topic in ["a", "b", "a", "b", "a"] {
        world.publish(topic);
    }
    for selectors in [set(&["a"]), set(&["a", "never/*"])] {
        let read = |after: u64, through: u64| {
            let (after, through) = (Sequence(after), Sequence(through));
            let selectors = selectors.clone();
            let request = ReadRequest { selectors, after, through, now: world.now, limit: NO_LIMIT };
            let read = world.read_page(request);
            let Read::Page(page) = &read else { panic!("nothing was trimmed") };
            (places(&read), page.through.0)
        };
        assert_eq!(read(0, 5), (vec![1, 3, 5], 5));
        assert_eq!(read(0, 4), (vec![1, 3], 4));
        assert_eq!(read(1, 3), (vec![3], 3));
        assert_eq!(read(0, 99), (vec![1, 3, 5], 5), "nothing is promised beyond the tail");
        assert_eq!(read(5, 5), (vec![], 5));
        assert_eq!(read(4, 2), (vec![], 4), "a page never goes back");
    }
}

pub(super) fn a_reader_behind_history_is_told(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(2), trimmed_bytes_max: 0, ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    world.publish("quiet");
    for _ in 0..5 {
        world.publish("busy");
    }
    let is_expired = |selectors: &[&str], after: u64| {
        matches!(world.read(&set(selectors), Sequence(after), NO_LIMIT), Read::Expired)
    };
    assert!(is_expired(&["busy"], 3));
    assert!(!is_expired(&["busy"], 4));
    assert!(is_expired(&["quiet"], 0));
    assert!(!is_expired(&["quiet"], 1));
    assert!(is_expired(&["*"], 3));
    assert!(!is_expired(&["*"], 4));
    assert_eq!(world.replay(&["**"], ResumeFrom::Earliest), (None, vec![5, 6]));
}
