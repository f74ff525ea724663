//! What is dropped from history, and who is told.

use std::time::Duration;

use super::MakeEngine;
use super::world::{World, from_id};
use crate::engine::EngineUsage;
use crate::limits::HistoryLimits;
use crate::resume::{ResetReason, ResumeFrom};

fn events_max(events_max: u64) -> HistoryLimits {
    HistoryLimits { events_max: Some(events_max), ..HistoryLimits::default() }
}

pub(super) fn each_bound_of_history_is_kept(make: MakeEngine<'_>) {
    let check = |history: HistoryLimits, wait: Duration, want: &[u64]| {
        let mut world = World::with_history(make, history.clone());
        for _ in 0..5 {
            world.advance(Duration::from_secs(1));
            world.publish("a");
        }
        world.advance(wait);
        assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, want.to_vec()), "{history:?}");
        assert_eq!(world.engine.usage(world.now).events, want.len() as u64);
    };
    let cost = {
        let world = World::new(make);
        world.publish("a");
        HistoryLimits::default().cost_bytes(&world.committed(0)[0])
    };
    let bytes_max = |bytes_max| HistoryLimits { bytes_max, ..HistoryLimits::default() };
    let age_max = |secs| HistoryLimits { age_max: Some(Duration::from_secs(secs)), ..HistoryLimits::default() };
    check(HistoryLimits::default(), Duration::from_hours(24), &[1, 2, 3, 4, 5]);
    check(events_max(2), Duration::ZERO, &[4, 5]);
    check(events_max(0), Duration::ZERO, &[]);
    check(bytes_max(2 * cost), Duration::ZERO, &[4, 5]);
    check(bytes_max(3 * cost - 1), Duration::ZERO, &[4, 5]);
    check(bytes_max(1), Duration::ZERO, &[]);
    check(age_max(3), Duration::ZERO, &[3, 4, 5]);
    check(age_max(3), Duration::from_secs(2), &[5]);
    check(age_max(3), Duration::from_secs(3), &[]);
}

pub(super) fn usage_counts_what_is_kept(make: MakeEngine<'_>) {
    let mut world = World::with_history(make, events_max(3));
    assert_eq!(world.usage_but_of_disk(), EngineUsage::default());
    let mut times = Vec::new();
    for topic in ["a", "b", "b", "c", "c"] {
        world.advance(Duration::from_secs(1));
        times.push(world.now);
        world.publish(topic);
    }
    let usage = world.engine.usage(world.now);
    let costs: usize =
        world.committed(0).iter().skip(2).map(|record| HistoryLimits::default().cost_bytes(record)).sum();
    assert_eq!((usage.events, usage.bytes, usage.topics, usage.marks), (3, costs, 2, 2));
    assert_eq!(usage.oldest_at, Some(times[2]));
}

pub(super) fn a_quiet_topic_gets_no_verdict_for_a_busy_one(make: MakeEngine<'_>) {
    let world = World::with_history(make, events_max(100));
    let quiet = world.publish("quiet");
    for _ in 0..100 {
        world.publish("busy");
    }
    // The quiet event is trimmed itself; whoever has it has missed nothing.
    for _ in 0..100_000 {
        world.publish("busy");
    }
    assert_eq!(world.replay(&["quiet"], world.id(quiet)), (None, vec![]));
    assert_eq!(world.replay(&["quiet"], world.id(quiet - 1)).0, Some(ResetReason::Expired));
    assert_eq!(world.replay(&["quiet", "never"], world.id(quiet)), (None, vec![]));
    assert_eq!(world.replay(&["never"], world.id(0)), (None, vec![]));
    assert_eq!(world.replay(&["quiet", "busy"], world.id(quiet)).0, Some(ResetReason::Expired));
    let next = world.publish("quiet");
    assert_eq!(world.replay(&["quiet"], world.id(quiet)), (None, vec![next]));
}

pub(super) fn beyond_the_marks_verdicts_are_more_careful(make: MakeEngine<'_>) {
    let history = HistoryLimits { marks_max: 2, ..events_max(0) };
    let world = World::with_history(make, history);
    for topic in ["a", "b", "c", "d"] {
        world.publish(topic);
    }
    // a and b are folded into the floor, which holds for everybody; c and d have marks of their own.
    let check = |topic: &str, place: u64, want: Option<ResetReason>| {
        assert_eq!(world.replay(&[topic], world.id(place)).0, want, "{topic} after {place}");
    };
    check("a", 1, Some(ResetReason::Expired));
    check("a", 2, None);
    check("never", 1, Some(ResetReason::Expired));
    check("never", 2, None);
    check("c", 2, Some(ResetReason::Expired));
    check("c", 3, None);
    check("d", 3, Some(ResetReason::Expired));
    check("d", 4, None);
}

pub(super) fn an_event_past_its_age_is_skipped_without_a_verdict(make: MakeEngine<'_>) {
    let mut world = World::with_history(make, events_max(2));
    let first = world.publish("a");
    let short = world.publish_with("a", |publication| {
        publication.ttl = Some(Duration::from_secs(1));
        publication.id = Some(super::world::event_id("short"));
    });
    assert_eq!(world.replay(&["a"], world.id(first)), (None, vec![short]));
    world.advance(Duration::from_millis(999));
    assert_eq!(world.replay(&["a"], world.id(first)), (None, vec![short]));
    world.advance(Duration::from_millis(1));
    assert_eq!(world.replay(&["a"], world.id(first)), (None, vec![]));
    assert_eq!(world.replay(&["a"], from_id("short")), (None, vec![]), "its id is still known");
    // Both are trimmed; the second leaves no mark.
    world.publish("b");
    world.publish("b");
    assert_eq!(world.replay(&["a"], world.id(first)), (None, vec![]));
    assert_eq!(world.replay(&["a"], world.id(0)).0, Some(ResetReason::Expired));
}

pub(super) fn an_event_trimmed_before_its_age_gives_a_verdict(make: MakeEngine<'_>) {
    let world = World::with_history(make, events_max(1));
    let first = world.publish("a");
    world.publish_with("a", |publication| publication.ttl = Some(Duration::from_secs(1)));
    world.publish("b");
    assert_eq!(world.replay(&["a"], world.id(first)).0, Some(ResetReason::Expired));
}
