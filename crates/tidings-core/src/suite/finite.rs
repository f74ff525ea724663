//! Topics that end, and topics that are deleted.

use std::time::Duration;

use super::MakeEngine;
use super::world::{NO_LIMIT, World, event_id, from_id, places, publication, set, topic};
use crate::engine::AppendError;
use crate::limits::HistoryLimits;
use crate::position::Sequence;
use crate::publication::Publication;
use crate::record::Kind;
use crate::resume::{ResetReason, ResumeFrom};

pub(super) fn an_end_comes_after_the_last_event(make: MakeEngine<'_>) {
    let world = World::new(make);
    let with_data = Publication { ends_topic: true, id: Some(event_id("last")), ..publication("a") };
    let answer = world.append(with_data).expect("the topic is open");
    assert_eq!((answer.position.sequence, answer.id), (Sequence(1), event_id("last")), "the answer is the event's");
    let end = world.append(Publication { ends_topic: true, data: String::new(), ..publication("b") });
    let end = end.expect("the topic is open");
    assert_eq!(end.position.sequence, Sequence(3), "without data there is only the end");
    let records = world.committed(0);
    let kinds: Vec<_> = records.iter().map(|record| (record.topic.as_str(), record.kind)).collect();
    assert_eq!(kinds, [("a", Kind::Event), ("a", Kind::End), ("b", Kind::End)]);
    assert_eq!(end.id, records[2].id);
}

pub(super) fn an_ended_topic_takes_nothing_more(make: MakeEngine<'_>) {
    let world = World::new(make);
    let end = world.end("a");
    let ended = || Err(AppendError::TopicEnded { topic: topic("a") });
    assert_eq!(world.append(publication("a")), ended());
    assert_eq!(world.append(Publication { ends_topic: true, ..publication("a") }), ended());
    world.publish("b");
    let ended_through = |selectors: &[&str]| world.engine.ended_through(&set(selectors)).map(|place| place.0);
    assert_eq!(ended_through(&["a"]), Some(end));
    assert_eq!(ended_through(&["b"]), None);
    assert_eq!(ended_through(&["a", "b"]), None);
    assert_eq!(ended_through(&["*"]), None, "a pattern may match a topic to come");
    let last = world.end("b");
    assert_eq!(ended_through(&["a", "b"]), Some(last));
}

pub(super) fn who_comes_late_gets_all_and_the_end(make: MakeEngine<'_>) {
    let mut world = World::new(make);
    world.publish("a");
    world.publish("b");
    world.publish("a");
    let end = world.end("a");
    world.advance(Duration::from_mins(1));
    let late = world.now;
    world.publish("b");
    let check = |from: ResumeFrom, want: &[u64]| {
        assert!(!world.resolve(&["a"], from.clone()).is_over, "{from:?}: it has not seen the end");
        assert_eq!(world.replay(&["a"], from.clone()), (None, want.to_vec()), "{from:?}");
    };
    check(ResumeFrom::Live, &[1, 3, end]);
    check(ResumeFrom::Earliest, &[1, 3, end]);
    check(ResumeFrom::Last(1), &[3, end]);
    check(ResumeFrom::Last(0), &[end]);
    check(ResumeFrom::Since { at: late, requested: "1s".into() }, &[end]);
    check(world.id(1), &[3, end]);
    check(world.id(3), &[end]);
    assert_eq!(world.replay(&["a"], from_id("nobody")), (Some(ResetReason::Unknown), vec![1, 3, end]));
    assert_eq!(world.replay(&["a", "b"], ResumeFrom::Live), (None, vec![]), "b goes on");
}

pub(super) fn an_end_outlives_the_history(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(2), ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    let last = world.publish("a");
    let end = world.end("a");
    for _ in 0..1_000 {
        world.publish("b");
    }
    assert_eq!(world.replay(&["a"], ResumeFrom::Live), (None, vec![end]), "all that is retained, and the end");
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![end]));
    assert_eq!(world.replay(&["a"], world.id(last)), (None, vec![end]), "whoever has the last event missed nothing");
    assert_eq!(world.replay(&["a"], world.id(last - 1)), (Some(ResetReason::Expired), vec![end]));
    assert!(world.resolve(&["a"], world.id(end)).is_over);
}

pub(super) fn who_has_seen_all_ends_is_over(make: MakeEngine<'_>) {
    let world = World::new(make);
    world.publish("a");
    let first = world.end("a");
    let last = world.end("b");
    world.publish_with("c", |publication| publication.id = Some(event_id("after")));
    let is_over = |selectors: &[&str], from: ResumeFrom| world.resolve(selectors, from).is_over;
    assert!(!is_over(&["a"], world.id(first - 1)));
    assert!(is_over(&["a"], world.id(first)));
    assert!(is_over(&["a"], world.id(last)));
    assert!(!is_over(&["a", "b"], world.id(first)));
    assert!(is_over(&["a", "b"], world.id(last)));
    assert!(is_over(&["a", "b"], from_id("after")));
    assert!(!is_over(&["a", "c"], world.id(last)), "c goes on");
    assert!(!is_over(&["a"], from_id("nobody")), "a verdict is to be told first");
    assert!(!is_over(&["a"], ResumeFrom::Live));
}

pub(super) fn the_topic_that_ended_first_is_open_again_beyond_the_limit(make: MakeEngine<'_>) {
    let history = HistoryLimits { ended_topics_max: 2, events_max: Some(1), ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    world.end("a");
    world.publish("x");
    world.publish("x");
    world.end("b");
    world.end("c");
    assert_eq!(world.engine.ended_through(&set(&["a"])), None);
    assert_eq!(world.engine.usage(world.now).topics, 3, "b, c and x; nothing of a is left");
    let anew = world.publish("a");
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![anew]));
    world.publish("x");
    assert_eq!(world.replay(&["a"], world.id(anew - 1)).0, Some(ResetReason::Expired), "it is trimmed like any other");
    world.append(publication("b")).expect_err("b is remembered");
}

pub(super) fn a_deleted_topic_begins_anew(make: MakeEngine<'_>) {
    let world = World::new(make);
    world.publish_with("a", |publication| publication.id = Some(event_id("order-1")));
    let other = world.publish("b");
    let end = world.end("a");
    assert!(world.delete("a"));
    let deleted = world.engine.tail().0;
    assert_eq!(world.engine.ended_through(&set(&["a"])), None);
    assert_eq!(world.engine.usage(world.now).events, 1);
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![]));
    assert_eq!(world.replay(&["a"], ResumeFrom::Live), (None, vec![]));
    for place in [0, end] {
        assert_eq!(world.replay(&["a"], world.id(place)).0, Some(ResetReason::Expired), "it was dropped after {place}");
    }
    assert_eq!(world.replay(&["a"], world.id(deleted)), (None, vec![]));
    assert_eq!(world.replay(&["a"], from_id("order-1")).0, Some(ResetReason::Unknown));
    let first = world.publish_with("a", |publication| publication.id = Some(event_id("order-1")));
    assert_eq!(world.replay(&["a"], world.id(deleted)), (None, vec![first]));
    assert_eq!(world.replay(&["a"], world.id(end)), (Some(ResetReason::Expired), vec![first]));

    assert_eq!(world.replay(&["b"], world.id(other - 1)), (None, vec![other]), "other topics are as they were");
    let all = (Some(ResetReason::Expired), vec![other, first]);
    assert_eq!(world.replay(&["a", "b"], world.id(0)), all, "and lose nothing beside it");
    assert_eq!(world.replay(&["*"], world.id(0)), all);
}

pub(super) fn a_deletion_is_passed_on_without_what_it_dropped(make: MakeEngine<'_>) {
    let world = World::new(make);
    for _ in 0..5 {
        world.publish("a");
    }
    world.publish("b");
    world.delete("a");
    world.delete("b");
    let kinds: Vec<_> = world.committed(0).iter().map(|record| (record.topic.to_string(), record.kind)).collect();
    assert_eq!(kinds, [("a".to_owned(), Kind::Deleted), ("b".to_owned(), Kind::Deleted)]);
    // Page by page, too, a reader comes to the tail.
    let (mut place, mut out) = (Sequence::ZERO, Vec::new());
    for _ in 0..8 {
        place = world.engine.committed(place, 1, &mut out).expect("nothing was trimmed");
    }
    assert_eq!((place, out.len()), (world.engine.tail(), 2));
    assert_eq!(places(&world.read(&set(&["**"]), Sequence::ZERO, NO_LIMIT)), [], "nobody is replayed a deletion");
}

pub(super) fn deleting_nothing_changes_nothing(make: MakeEngine<'_>) {
    let world = World::new(make);
    assert!(!world.delete("a"));
    world.publish("a");
    assert!(world.delete("a"));
    assert!(!world.delete("a"));
    assert_eq!(world.engine.tail(), Sequence(2));
    world.end("a");
    assert!(world.delete("a"), "an end is something");
}
