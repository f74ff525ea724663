//! Tables: bounds for single topics, which nobody notices who does not read those topics.

use std::time::Duration;

use tidings_topic::Selector;

use super::MakeEngine;
use super::world::{NO_LIMIT, START, World, event_id, from_id, places, publication, set};
use crate::engine::AppendError;
use crate::limits::{HistoryLimits, TopicBounds};
use crate::position::Sequence;
use crate::publication::Publication;
use crate::resume::{ResetReason, ResumeFrom};

/// A table without a bound, which exempts its topics from those after it.
fn table(raw: &str) -> TopicBounds {
    let topics = Selector::parse(raw).expect("the suite's selectors are selectors");
    TopicBounds { topics, events_max: None, bytes_max: None, age_max: None }
}

fn events_max(raw: &str, events_max: u64) -> TopicBounds {
    TopicBounds { events_max: Some(events_max), ..table(raw) }
}

fn age_max(raw: &str, secs: u64) -> TopicBounds {
    TopicBounds { age_max: Some(Duration::from_secs(secs)), ..table(raw) }
}

fn with_tables(make: MakeEngine<'_>, tables: impl Into<Vec<TopicBounds>>) -> World {
    World::with_history(make, HistoryLimits { topic_bounds: tables.into(), ..HistoryLimits::default() })
}

/// What an event of the suite's counts for, if its topic's name has one letter and its place one digit.
fn event_cost(make: MakeEngine<'_>) -> usize {
    let world = World::new(make);
    world.publish("a");
    HistoryLimits::default().cost_bytes(&world.committed(0)[0])
}

pub(super) fn each_bound_of_a_table_is_kept(make: MakeEngine<'_>) {
    let cost = event_cost(make);
    let check = |bounds: TopicBounds, wait_secs: u64, want: &[u64]| {
        let mut world = with_tables(make, [bounds.clone()]);
        let other = world.publish("b");
        for _ in 0..5 {
            world.advance(Duration::from_secs(1));
            world.publish("a");
        }
        world.advance(Duration::from_secs(wait_secs));
        assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, want.to_vec()), "{bounds:?}");
        assert_eq!(world.replay(&["b"], ResumeFrom::Earliest), (None, vec![other]), "{bounds:?}");
        let usage = world.engine.usage(world.now);
        let (events, topics) = (want.len() + 1, 1 + usize::from(!want.is_empty()));
        assert_eq!((usage.events, usage.bytes, usage.topics), (events as u64, events * cost, topics), "{bounds:?}");
        assert_eq!(usage.oldest_at, Some(START), "{bounds:?}");
    };
    let bytes_max = |bytes_max| TopicBounds { bytes_max: Some(bytes_max), ..table("a") };
    check(table("a"), 1_000, &[2, 3, 4, 5, 6]);
    check(events_max("a", 2), 0, &[5, 6]);
    check(events_max("a", 0), 0, &[]);
    check(events_max("a", 5), 0, &[2, 3, 4, 5, 6]);
    check(bytes_max(2 * cost), 0, &[5, 6]);
    check(bytes_max(3 * cost - 1), 0, &[5, 6]);
    check(bytes_max(1), 0, &[]);
    check(age_max("a", 3), 0, &[4, 5, 6]);
    check(age_max("a", 3), 2, &[6]);
    check(age_max("a", 3), 3, &[]);
    check(TopicBounds { events_max: Some(4), ..age_max("a", 3) }, 0, &[4, 5, 6]);
    check(TopicBounds { events_max: Some(1), ..age_max("a", 3) }, 0, &[6]);
}

pub(super) fn the_first_table_that_selects_a_topic_holds_for_it(make: MakeEngine<'_>) {
    let tables = [events_max("chat/lobby", 3), table("chat/log"), events_max("chat/*", 1), events_max("chat/lobby", 2)];
    let world = with_tables(make, tables);
    for _ in 0..5 {
        for topic in ["chat/lobby", "chat/log", "chat/1", "chat/2", "news"] {
            world.publish(topic);
        }
    }
    let kept = |topic: &str| world.replay(&[topic], ResumeFrom::Earliest).1.len();
    assert_eq!(["chat/lobby", "chat/log", "chat/1", "chat/2", "news"].map(kept), [3, 5, 1, 1, 5]);
}

pub(super) fn the_bounds_of_the_hub_hold_beside_a_table(make: MakeEngine<'_>) {
    let history = HistoryLimits {
        events_max: Some(4),
        age_max: Some(Duration::from_secs(10)),
        topic_bounds: vec![TopicBounds { events_max: Some(3), ..age_max("a", 60) }],
        ..HistoryLimits::default()
    };
    let mut world = World::with_history(make, history);
    for topic in ["a", "b", "a", "b", "a", "b"] {
        world.publish(topic);
    }
    assert_eq!(world.replay(&["**"], world.id(2)), (None, vec![3, 4, 5, 6]));
    world.publish("b");
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![5]), "the hub's count is reached first");
    world.publish("a");
    world.publish("a");
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![8, 9]));
    assert_eq!(world.replay(&["b"], ResumeFrom::Earliest), (None, vec![6, 7]));
    world.advance(Duration::from_secs(10));
    assert_eq!(world.replay(&["**"], ResumeFrom::Earliest), (None, vec![]), "so is its age");
    assert_eq!(world.engine.usage(world.now).events, 0);
}

pub(super) fn other_topics_are_untouched_by_a_table(make: MakeEngine<'_>) {
    let world = with_tables(make, [events_max("busy", 1)]);
    for _ in 0..100 {
        world.publish("quiet");
        world.publish("busy");
    }
    let after = |place: u64| (place + 1..=200).filter(|place| place % 2 == 1).collect::<Vec<_>>();
    for place in [0, 1, 2, 99, 100, 198, 199, 200] {
        assert_eq!(world.replay(&["quiet"], world.id(place)), (None, after(place)));
        assert_eq!(world.replay(&["quiet", "never"], world.id(place)), (None, after(place)));
        assert_eq!(places(&world.read(&set(&["quiet"]), Sequence(place), NO_LIMIT)), after(place));
        assert_eq!(world.replay(&["never"], world.id(place)), (None, vec![]));
    }
    let since = ResumeFrom::Since { at: START, requested: "1m".into() };
    for from in [ResumeFrom::Earliest, ResumeFrom::Last(100), since] {
        assert_eq!(world.replay(&["quiet"], from), (None, after(0)));
    }
}

/// A reader of a busy topic that keeps one event, and of others, started over after the last event that was dropped.
pub(super) fn a_table_takes_nothing_from_readers_of_other_topics_too(make: MakeEngine<'_>) {
    let world = with_tables(make, [events_max("busy", 1)]);
    for topic in ["quiet", "busy", "quiet", "busy", "busy", "quiet", "busy"] {
        world.publish(topic);
    }
    for selectors in [&["quiet", "busy"][..], &["*"]] {
        let all = vec![1, 3, 6, 7];
        assert_eq!(world.replay(selectors, ResumeFrom::Earliest), (None, all.clone()), "{selectors:?}");
        assert_eq!(world.replay(selectors, ResumeFrom::Last(4)), (None, all.clone()), "{selectors:?}");
        assert_eq!(world.replay(selectors, world.id(0)), (Some(ResetReason::Expired), all), "{selectors:?}");
    }
}

pub(super) fn who_is_behind_a_table_gets_a_verdict(make: MakeEngine<'_>) {
    let mut world = with_tables(make, [events_max("a", 2)]);
    for topic in ["a", "b", "a", "b", "a", "b", "a", "b"] {
        world.publish(topic);
        world.advance(Duration::from_secs(1));
    }
    // Of a only 5 and 7 are kept.
    let check = |selectors: &[&str], place: u64, want: Option<&[u64]>| {
        let (reason, seen) = world.replay(selectors, world.id(place));
        match want {
            Some(want) => assert_eq!((reason, seen.as_slice()), (None, want), "{selectors:?} after {place}"),
            None => assert_eq!(reason, Some(ResetReason::Expired), "{selectors:?} after {place}"),
        }
    };
    check(&["a"], 0, None);
    check(&["a"], 2, None);
    check(&["a"], 3, Some(&[5, 7]));
    check(&["a"], 4, Some(&[5, 7]));
    check(&["a"], 7, Some(&[]));
    check(&["a", "b"], 2, None);
    check(&["a", "b"], 3, Some(&[4, 5, 6, 7, 8]));
    check(&["*"], 2, None);
    check(&["*"], 5, Some(&[6, 7, 8]));
    check(&["b"], 0, Some(&[2, 4, 6, 8]));
    let since =
        |secs| ResumeFrom::Since { at: START.saturating_add(Duration::from_secs(secs)), requested: "1m".into() };
    assert_eq!(world.replay(&["a"], since(2)), (Some(ResetReason::Expired), vec![5, 7]));
    assert_eq!(world.replay(&["a"], since(3)), (None, vec![5, 7]));
    assert_eq!(world.replay(&["a"], since(6)), (None, vec![7]));
    assert_eq!(world.replay(&["a"], from_id("nobody")), (Some(ResetReason::Unknown), vec![5, 7]));
    assert_eq!(world.replay(&["a"], ResumeFrom::Last(1)), (None, vec![7]));
    assert_eq!(world.replay(&["a"], ResumeFrom::Last(9)), (None, vec![5, 7]));
    let reset = world.resolve(&["a"], world.id(0)).reset.expect("something is missing");
    let told = (reset.oldest.map(|at| at.sequence.0), reset.latest.map(|at| at.sequence.0));
    assert_eq!(told, (Some(5), Some(7)));
}

pub(super) fn what_a_table_trims_makes_room_in_the_hub(make: MakeEngine<'_>) {
    let cost = event_cost(make);
    let check = |bounds: HistoryLimits| {
        let topic_bounds = vec![events_max("quiet", 1), events_max("busy", 10)];
        let mut world = World::with_history(make, HistoryLimits { topic_bounds, ..bounds });
        world.publish("quiet");
        let last = world.publish("quiet");
        for _ in 0..5_000 {
            world.publish("busy");
        }
        world.advance(Duration::from_secs(1));
        assert_eq!(world.replay(&["quiet"], ResumeFrom::Earliest), (None, vec![last]));
        assert_eq!(world.replay(&["quiet"], world.id(last)), (None, vec![]));
        assert_eq!(world.replay(&["quiet"], world.id(last - 1)), (None, vec![last]));
        assert_eq!(world.replay(&["quiet"], world.id(last - 2)).0, Some(ResetReason::Expired));
        let usage = world.engine.usage(world.now);
        assert_eq!((usage.events, usage.topics, usage.oldest_at), (11, 2, Some(START)));
    };
    check(HistoryLimits { events_max: Some(11), ..HistoryLimits::default() });
    check(HistoryLimits { bytes_max: 20 * cost, ..HistoryLimits::default() });
}

pub(super) fn a_burst_passes_through_a_table(make: MakeEngine<'_>) {
    let world = with_tables(make, [events_max("never-kept", 0), events_max("*", 1)]);
    let mut place = 0;
    for burst in 0..10 {
        for nth in 0..30 {
            world.publish(["a", "never-kept", "b"][nth % 3]);
        }
        world.publish("b");
        let seen: Vec<_> = world.committed(place).iter().map(|record| record.sequence.0).collect();
        assert_eq!(seen, (place + 1..=place + 31).collect::<Vec<_>>(), "burst {burst}: whoever is live gets all of it");
        place += 31;
    }
    let last_of = |topic: &str| world.replay(&[topic], ResumeFrom::Earliest);
    assert_eq!(last_of("a"), (None, vec![place - 3]), "nobody is replayed more");
    assert_eq!(last_of("b"), (None, vec![place]));
    assert_eq!(last_of("never-kept"), (None, vec![]));
    assert_eq!(world.engine.usage(world.now).events, 2);
}

pub(super) fn what_a_table_trims_frees_its_id(make: MakeEngine<'_>) {
    let world = with_tables(make, [events_max("a", 1), events_max("b", 0)]);
    let named = |topic: &str, id: &str| Publication { id: Some(event_id(id)), ..publication(topic) };
    world.append(named("a", "order-1")).expect("the id is free");
    assert_eq!(world.append(named("a", "order-1")), Err(AppendError::IdTaken { id: event_id("order-1") }));
    world.append(named("a", "order-2")).expect("the id is free");
    assert_eq!(world.replay(&["a"], from_id("order-1")).0, Some(ResetReason::Unknown));
    assert_eq!(world.replay(&["a"], from_id("order-2")), (None, vec![]));
    world.append(named("b", "order-1")).expect("a trimmed event frees its id");
    world.append(named("b", "order-1")).expect("so does one that is never kept");
}

pub(super) fn a_topic_begins_anew_under_its_table(make: MakeEngine<'_>) {
    let mut world = with_tables(make, [TopicBounds { events_max: Some(2), ..age_max("a", 10) }]);
    for topic in ["a", "a", "a", "b"] {
        world.publish(topic);
    }
    assert!(world.delete("a"));
    let deleted = world.engine.tail().0;
    assert_eq!(world.engine.usage(world.now).events, 1);
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![]));
    world.advance(Duration::from_secs(5));
    let first = world.publish("a");
    let second = world.publish("a");
    assert_eq!(world.replay(&["a"], world.id(deleted)), (None, vec![first, second]), "it has its whole bound again");
    world.advance(Duration::from_secs(5));
    assert_eq!(world.replay(&["a"], world.id(deleted)), (None, vec![first, second]), "and its whole age");
    let third = world.publish("a");
    assert_eq!(world.replay(&["a"], world.id(deleted)), (Some(ResetReason::Expired), vec![second, third]));
    world.advance(Duration::from_secs(10));
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![]));
    assert!(!world.delete("a"), "its age has left nothing to drop");
    assert_eq!(world.replay(&["b"], world.id(0)), (None, vec![4]));
}

pub(super) fn an_end_outlives_its_table(make: MakeEngine<'_>) {
    let check = |bounds: TopicBounds, want: &[u64]| {
        let mut world = with_tables(make, [bounds.clone()]);
        for _ in 0..3 {
            world.publish("a");
        }
        let end = world.end("a");
        world.publish("b");
        world.advance(Duration::from_secs(10));
        let want: Vec<_> = want.iter().copied().chain([end]).collect();
        assert_eq!(world.replay(&["a"], ResumeFrom::Live), (None, want.clone()), "{bounds:?}");
        assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, want.clone()), "{bounds:?}");
        let (before, reason) = (want[0] - 1, (want[0] > 1).then_some(ResetReason::Expired));
        assert_eq!(world.replay(&["a"], world.id(before)), (None, want.clone()), "{bounds:?}");
        assert_eq!(world.replay(&["a"], world.id(0)), (reason, want.clone()), "{bounds:?}");
        assert!(world.resolve(&["a"], world.id(end)).is_over, "{bounds:?}");
        assert_eq!(world.engine.usage(world.now).events, want.len() as u64, "{bounds:?}: of a and b");
        assert!(world.delete("a"), "{bounds:?}");
        let anew = world.publish("a");
        assert_eq!(world.committed(anew - 1).len(), 1, "{bounds:?}");
    };
    check(events_max("a", 3), &[1, 2, 3]);
    check(events_max("a", 1), &[3]);
    check(events_max("a", 0), &[]);
    check(TopicBounds { bytes_max: Some(0), ..table("a") }, &[]);
    check(age_max("a", 10), &[]);
    check(age_max("a", 11), &[1, 2, 3]);
}

pub(super) fn a_topic_that_is_open_again_keeps_to_its_table(make: MakeEngine<'_>) {
    let check = |bounds: TopicBounds| {
        let history =
            HistoryLimits { ended_topics_max: 1, topic_bounds: vec![bounds.clone()], ..HistoryLimits::default() };
        let world = World::with_history(make, history);
        world.publish("x");
        world.publish("a");
        world.end("a");
        world.end("b");
        // The end of a is forgotten, so a is open.
        let events: Vec<_> = (0..3).map(|_| world.publish("a")).collect();
        let kept = &events[3 - usize::try_from(bounds.events_max.unwrap_or(0)).expect("it is small")..];
        assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, kept.to_vec()), "{bounds:?}");
        assert_eq!(world.replay(&["a"], world.id(events[0])).0, Some(ResetReason::Expired), "{bounds:?}");
        let usage = world.engine.usage(world.now);
        let topics = 2 + usize::from(!kept.is_empty());
        assert_eq!((usage.events, usage.topics), (1 + kept.len() as u64, topics), "{bounds:?}: x, a, and the end of b");
    };
    check(events_max("a", 1));
    check(TopicBounds { bytes_max: Some(0), ..table("a") });
}

pub(super) fn an_event_has_its_own_age_beside_its_tables(make: MakeEngine<'_>) {
    let mut world = with_tables(make, [age_max("a", 10), events_max("b", 1)]);
    let with_ttl = |world: &World, topic: &str, secs: u64| {
        world.publish_with(topic, |publication| publication.ttl = Some(Duration::from_secs(secs)))
    };
    let before = world.engine.tail().0;
    let short = with_ttl(&world, "a", 5);
    let long = with_ttl(&world, "a", 20);
    assert_eq!(world.replay(&["a"], world.id(before)), (None, vec![short, long]));
    world.advance(Duration::from_secs(5));
    assert_eq!(world.replay(&["a"], world.id(before)), (None, vec![long]), "its own age gives no verdict");
    world.advance(Duration::from_secs(5));
    let expired = (Some(ResetReason::Expired), vec![]);
    assert_eq!(world.replay(&["a"], world.id(before)), expired, "the table's age does, for it is the shorter one");
    assert_eq!(world.replay(&["a"], world.id(short)), expired);
    assert_eq!(world.replay(&["a"], world.id(long)), (None, vec![]));

    // An event that is past its own age counts until it is trimmed, and then leaves no mark.
    let before = world.engine.tail().0;
    with_ttl(&world, "b", 1);
    world.advance(Duration::from_secs(1));
    let last = world.publish("b");
    assert_eq!(world.replay(&["b"], world.id(before)), (None, vec![last]));
}
