//! Where readers go on, and what they are told when that cannot be kept.

use std::time::Duration;

use super::world::{START, World, event_id, from_id};
use super::{MakeEngine, SuiteOptions};
use crate::grants::Grants;
use crate::limits::HistoryLimits;
use crate::position::{Epoch, Position, Sequence};
use crate::resume::{OnReset, Reset, ResetReason, ResumeFrom};
use crate::time::Timestamp;

fn since(at: Timestamp) -> ResumeFrom {
    ResumeFrom::Since { at, requested: "10m".into() }
}

pub(super) fn a_resume_goes_on_after_its_event(make: MakeEngine<'_>) {
    let world = World::new(make);
    for (topic, id) in [("a", "order-1"), ("b", "order-2"), ("a", "order-3")] {
        world.publish_with(topic, |publication| publication.id = Some(event_id(id)));
    }
    let check = |selectors: &[&str], from: ResumeFrom, want: &[u64]| {
        assert_eq!(world.replay(selectors, from.clone()), (None, want.to_vec()), "{selectors:?} from {from:?}");
    };
    check(&["a"], ResumeFrom::Live, &[]);
    check(&["a"], ResumeFrom::Earliest, &[1, 3]);
    check(&["**"], ResumeFrom::Earliest, &[1, 2, 3]);
    check(&["never"], ResumeFrom::Earliest, &[]);
    check(&["a"], world.id(0), &[1, 3]);
    check(&["a"], world.id(1), &[3]);
    check(&["a", "b"], world.id(1), &[2, 3]);
    check(&["*"], world.id(2), &[3]);
    check(&["a"], world.id(3), &[]);
    check(&["a"], from_id("order-1"), &[3]);
    check(&["a"], from_id("order-2"), &[3]);
    check(&["b"], from_id("order-3"), &[]);
    assert_eq!(world.resolve(&["b"], from_id("order-2")).cursor, Sequence(2));
}

pub(super) fn a_resume_that_cannot_be_kept_gets_its_verdict(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(2), ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    for _ in 0..4 {
        world.publish("a");
    }
    let own_epoch = world.engine.epoch();
    let position = |sequence| Position { epoch: own_epoch, sequence: Sequence(sequence) };
    let of_epoch = |micros, sequence| {
        let epoch = Epoch::from_unix_micros(micros);
        assert_ne!(epoch, own_epoch, "the suite's engines begin at another time");
        Position { epoch, sequence: Sequence(sequence) }.to_string()
    };
    let check = |raw: String, want: Option<ResetReason>| {
        let resolution = world.resolve(&["a"], from_id(&raw));
        let reset = want.map(|reason| Reset {
            requested: raw.as_str().into(),
            reason,
            oldest: Some(position(3)),
            latest: Some(position(4)),
        });
        assert_eq!(resolution.reset, reset, "{raw:?}");
        assert!(want.is_none() || resolution.cursor == Sequence(2), "{raw:?}: it goes on from the oldest");
    };
    check(position(2).to_string(), None);
    check(position(4).to_string(), None);
    check(position(1).to_string(), Some(ResetReason::Expired));
    check(position(0).to_string(), Some(ResetReason::Expired));
    check(position(5).to_string(), Some(ResetReason::Unknown));
    check(position(u64::MAX).to_string(), Some(ResetReason::Unknown));
    check(of_epoch(7, 3), Some(ResetReason::Expired));
    check(of_epoch(7, u64::MAX), Some(ResetReason::Expired));
    check(of_epoch(3_600_000_000_000_000, 3), Some(ResetReason::Expired));
    check("order-1".to_owned(), Some(ResetReason::Unknown));
    check("1795464000000".to_owned(), Some(ResetReason::Unknown));
    check(" \u{0} ".to_owned(), Some(ResetReason::Unknown));
    check(String::new(), Some(ResetReason::Unknown));
}

pub(super) fn a_verdict_names_only_what_its_reader_may_see(make: MakeEngine<'_>) {
    let mut world = World::new(make);
    world.publish_with("a", |publication| publication.private = true);
    world.publish_with("a", |publication| publication.ttl = Some(Duration::from_secs(1)));
    world.publish("a");
    world.publish("b");
    world.publish("a");
    world.publish_with("a", |publication| publication.private = true);
    world.advance(Duration::from_secs(1));
    let check = |grants: Grants, want: Option<(u64, u64)>, selectors: &[&str]| {
        let resolution = world.resolve_as(selectors, from_id("nobody"), grants, OnReset::Oldest);
        let reset = resolution.reset.expect("the id was never seen");
        let got = reset.oldest.zip(reset.latest).map(|(oldest, latest)| (oldest.sequence.0, latest.sequence.0));
        assert_eq!(got, want, "{selectors:?}");
    };
    check(Grants::Anonymous, Some((3, 5)), &["a"]);
    check(Grants::Everything, Some((1, 6)), &["a"]);
    check(Grants::Anonymous, Some((3, 5)), &["*"]);
    check(Grants::Anonymous, Some((4, 4)), &["b"]);
    check(Grants::Anonymous, None, &["never"]);
}

pub(super) fn a_reader_may_start_over_or_live_after_a_verdict(make: MakeEngine<'_>) {
    let world = World::new(make);
    world.publish("a");
    world.publish("a");
    let cursor = |on_reset| world.resolve_as(&["a"], from_id("nobody"), Grants::Anonymous, on_reset).cursor;
    assert_eq!(cursor(OnReset::Oldest), Sequence::ZERO);
    assert_eq!(cursor(OnReset::Live), Sequence(2));
}

pub(super) fn a_time_finds_what_was_published_since(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(3), ..HistoryLimits::default() };
    let mut world = World::with_history(make, history);
    // One event a second: 1 and 2 are trimmed, 2 and 4 are of the quiet topic.
    for topic in ["a", "b", "a", "b", "a"] {
        world.publish(topic);
        world.advance(Duration::from_secs(1));
    }
    let at = |secs| START.saturating_add(Duration::from_secs(secs));
    let check = |selectors: &[&str], from: Timestamp, reason: Option<ResetReason>, want: &[u64]| {
        assert_eq!(world.replay(selectors, since(from)), (reason, want.to_vec()), "{selectors:?} since {from:?}");
    };
    check(&["a"], at(2), None, &[3, 5]);
    check(&["a"], at(3), None, &[5]);
    check(&["a"], at(1), None, &[3, 5]);
    check(&["a"], at(0), Some(ResetReason::Expired), &[3, 5]);
    check(&["b"], at(2), None, &[4]);
    check(&["b"], at(1), Some(ResetReason::Expired), &[4]);
    check(&["never"], at(0), None, &[]);
    check(&["*"], at(2), None, &[3, 4, 5]);
    check(&["*"], at(1), Some(ResetReason::Expired), &[3, 4, 5]);
    check(&["a"], at(60), None, &[]);
    let reset = world.resolve(&["a"], since(Timestamp::default())).reset.expect("something was trimmed since 1970");
    assert_eq!(&*reset.requested, "10m");
}

pub(super) fn the_last_events_are_those_a_reader_can_be_given(make: MakeEngine<'_>) {
    let mut world = World::new(make);
    world.publish("a");
    world.publish_with("a", |publication| publication.private = true);
    world.publish("b");
    world.publish_with("a", |publication| publication.ttl = Some(Duration::from_secs(1)));
    world.publish("a");
    world.advance(Duration::from_secs(1));
    let check = |grants: Grants, selectors: &[&str], count: u64, want: u64| {
        let resolution = world.resolve_as(selectors, ResumeFrom::Last(count), grants, OnReset::Oldest);
        assert_eq!((resolution.cursor, resolution.reset), (Sequence(want), None), "{selectors:?}, the last {count}");
    };
    check(Grants::Everything, &["a"], 0, 5);
    check(Grants::Everything, &["a"], 1, 4);
    check(Grants::Everything, &["a"], 2, 1);
    check(Grants::Everything, &["a"], 3, 0);
    check(Grants::Everything, &["a"], u64::MAX, 0);
    check(Grants::Anonymous, &["a"], 2, 0);
    check(Grants::Anonymous, &["*"], 2, 2);
    check(Grants::Anonymous, &["b", "a"], 3, 0);
}

pub(super) fn an_id_that_is_a_time_finds_its_place(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(3), ..HistoryLimits::default() };
    let mut world = World::with_options(make, SuiteOptions { history, ids_resolve_by_time: true });
    let clock = |world: &World| {
        let id = world.now.as_millis().to_string();
        world.publish_with("clock", |publication| publication.id = Some(event_id(&id)))
    };
    for _ in 0..5 {
        clock(&world);
        world.advance(Duration::from_secs(1));
    }
    let check = |ms_after_start: u64, reason: Option<ResetReason>, want: &[u64]| {
        let raw = (START.as_millis() + ms_after_start).to_string();
        assert_eq!(world.replay(&["clock"], from_id(&raw)), (reason, want.to_vec()), "{ms_after_start} ms");
    };
    check(3_000, None, &[5]); // the id of an event that is kept: after it
    check(3_500, None, &[5]);
    check(2_999, None, &[4, 5]);
    check(1_001, None, &[3, 4, 5]);
    check(1_000, Some(ResetReason::Expired), &[3, 4, 5]);
    check(5_000, None, &[]);
    check(5_001, Some(ResetReason::Unknown), &[3, 4, 5]); // a time to come
    for not_a_time in ["999999999", "12345678901234567", "+795464000000", "1795464000000.", "order-1"] {
        assert_eq!(world.replay(&["clock"], from_id(not_a_time)).0, Some(ResetReason::Unknown), "{not_a_time:?}");
    }
}

pub(super) fn a_time_before_the_epoch_is_gone_with_the_history_before_it(make: MakeEngine<'_>) {
    let options = SuiteOptions { ids_resolve_by_time: true, ..SuiteOptions::default() };
    let world = World::with_options(make, options);
    world.publish("clock");
    let began = world.engine.epoch().began_at().as_millis();
    let before = (began - 1).to_string();
    assert_eq!(world.replay(&["clock"], from_id(&before)), (Some(ResetReason::Expired), vec![1]));
    assert_eq!(world.replay(&["clock"], from_id(&began.to_string())), (None, vec![1]));
}

pub(super) fn a_time_mark_stands_between_what_was_and_what_comes(make: MakeEngine<'_>) {
    let options = SuiteOptions { ids_resolve_by_time: true, ..SuiteOptions::default() };
    let mut world = World::with_options(make, options);
    let mut marks = vec![world.engine.time_mark(world.now)];
    for step in [0, 0, 1, 5_000, 0] {
        world.advance(Duration::from_millis(step));
        world.publish("a");
        marks.push(world.engine.time_mark(world.now));
        world.publish("a");
        // Even a clock that goes backwards does not put later events before a mark.
        let mark = world.engine.time_mark(world.now.saturating_sub(Duration::from_hours(1)));
        marks.push(mark);
    }
    let records = world.committed(0);
    for (at, tail) in marks {
        for record in &records {
            let is_before = record.committed_at < at;
            assert_eq!(is_before, record.sequence <= tail, "{record:?} and the mark {at:?} at {tail}");
        }
        let resolution = world.resolve(&["a"], from_id(&at.as_millis().to_string()));
        assert_eq!((resolution.cursor, resolution.reset), (tail, None), "the id made from {at:?}");
    }
}
