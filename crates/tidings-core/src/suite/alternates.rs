//! Events that are found under several topics.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tidings_topic::{Selector, Topic};

use super::MakeEngine;
use super::world::{NO_LIMIT, World, publication, set, topic};
use crate::engine::{AppendError, CommitListener, Read, ReadLimit};
use crate::grants::Grants;
use crate::limits::{HistoryLimits, TopicBounds};
use crate::position::Sequence;
use crate::publication::Publication;
use crate::resume::{OnReset, ResetReason, ResumeFrom};

fn under(canonical: &str, alternates: &[&str]) -> Publication {
    Publication { alternates: alternates.iter().map(|raw| topic(raw)).collect(), ..publication(canonical) }
}

fn publish(world: &World, canonical: &str, alternates: &[&str]) -> u64 {
    world.append(under(canonical, alternates)).expect("nothing speaks against it").position.sequence.0
}

fn events_max(raw: &str, events_max: u64) -> TopicBounds {
    let topics = Selector::parse(raw).expect("the suite's selectors are selectors");
    TopicBounds { topics, events_max: Some(events_max), bytes_max: None, age_max: None }
}

pub(super) fn an_event_is_found_under_each_of_its_topics_once(make: MakeEngine<'_>) {
    let world = World::new(make);
    publish(&world, "a", &["x/1", "x/2", "a", "x/1"]);
    publish(&world, "b", &[]);
    publish(&world, "x/2", &["b"]);
    publish(&world, "c", &["d"]);
    let topics: Vec<Vec<String>> =
        world.committed(0).iter().map(|record| record.topics().map(Topic::to_string).collect()).collect();
    assert_eq!(topics, [&["a", "x/1", "x/2"][..], &["b"], &["x/2", "b"], &["c", "d"]]);
    let check = |selectors: &[&str], want: &[u64]| {
        assert_eq!(world.replay(selectors, ResumeFrom::Earliest), (None, want.to_vec()), "{selectors:?}");
        let after_first: Vec<u64> = want.iter().copied().filter(|place| *place > 1).collect();
        assert_eq!(world.replay(selectors, world.id(1)), (None, after_first), "{selectors:?} after the first");
        for nth in 0..want.len() {
            let last = ResumeFrom::Last(nth as u64 + 1);
            let rest = want[want.len() - nth - 1..].to_vec();
            assert_eq!(world.replay(selectors, last), (None, rest), "{selectors:?}, the last {}", nth + 1);
        }
        for scanned_max in [1, 2] {
            let (mut seen, mut after) = (Vec::new(), Sequence::ZERO);
            while after < world.engine.tail() {
                let limit = ReadLimit { bytes_max: usize::MAX, scanned_max };
                let Read::Page(page) = world.read(&set(selectors), after, limit) else { panic!("nothing was trimmed") };
                seen.extend(page.records.iter().map(|record| record.sequence.0));
                after = page.through;
            }
            assert_eq!(seen, want, "{selectors:?}, {scanned_max} a page");
        }
    };
    check(&["a"], &[1]);
    check(&["x/1"], &[1]);
    check(&["x/2"], &[1, 3]);
    check(&["b"], &[2, 3]);
    check(&["x/*"], &[1, 3]);
    check(&["d"], &[4]);
    check(&["a", "x/1", "x/2"], &[1, 3]);
    check(&["a", "x/*", "b"], &[1, 2, 3]);
    check(&["**"], &[1, 2, 3, 4]);
    let reset = world.resolve(&["b"], super::world::from_id("nobody")).reset.expect("it was never seen");
    let told = (reset.oldest.map(|at| at.sequence.0), reset.latest.map(|at| at.sequence.0));
    assert_eq!(told, (Some(2), Some(3)));
    assert_eq!(world.engine.usage(world.now).topics, 6);
}

/// No listener is told later.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn listeners_are_told_of_all_topics_of_an_event(make: MakeEngine<'_>) {
    struct Tell(Mutex<mpsc::Sender<Vec<String>>>);
    impl CommitListener for Tell {
        fn on_commit(&self, topic: &Topic, tail: Sequence) {
            self.on_group_commit(std::slice::from_ref(topic), tail);
        }

        fn on_group_commit(&self, topics: &[Topic], _: Sequence) {
            let mut names: Vec<String> = topics.iter().map(Topic::to_string).collect();
            names.sort_unstable();
            drop(self.0.lock().expect("nobody panics with it").send(names)); // who asked may be gone
        }
    }
    let world = World::new(make);
    let (tell, told) = mpsc::channel();
    world.engine.listen(Arc::new(Tell(Mutex::new(tell))));
    // The publisher's answer may be there first.
    for (alternates, want) in [(&["a", "c"][..], &["a", "b", "c"][..]), (&["b"], &["b"])] {
        publish(&world, "b", alternates);
        assert_eq!(told.recv_timeout(DEADLINE).expect("a commit is told"), want);
    }
}

pub(super) fn what_is_trimmed_is_missed_under_each_of_its_topics(make: MakeEngine<'_>) {
    let world = World::with_history(make, HistoryLimits { events_max: Some(1), ..HistoryLimits::default() });
    publish(&world, "a", &["x/1"]);
    publish(&world, "b", &[]);
    publish(&world, "c", &[]);
    for selectors in [&["a"][..], &["x/1"], &["never", "x/1"], &["x/*"]] {
        assert_eq!(world.replay(selectors, world.id(0)).0, Some(ResetReason::Expired), "{selectors:?}");
        assert_eq!(world.replay(selectors, world.id(2)), (None, vec![]), "{selectors:?}");
    }
    assert_eq!(world.replay(&["x/1"], world.id(1)), (None, vec![]));
    assert_eq!(world.replay(&["x/2"], world.id(0)), (None, vec![]));
    assert_eq!(world.engine.usage(world.now).topics, 1, "c; nothing of the rest is left");
}

pub(super) fn tables_go_by_the_canonical_topic(make: MakeEngine<'_>) {
    let topic_bounds = vec![events_max("a", 1), events_max("x/1", 0)];
    let world = World::with_history(make, HistoryLimits { topic_bounds, ..HistoryLimits::default() });
    publish(&world, "b", &["x/1", "a"]);
    publish(&world, "a", &["x/1"]);
    publish(&world, "a", &["x/1", "x/2"]);
    publish(&world, "b", &["x/1"]);
    publish(&world, "a", &[]);
    // Of a, only 5 is kept; what it took from the readers of x/1 is between what they keep.
    assert_eq!(world.replay(&["x/1"], ResumeFrom::Earliest), (None, vec![1, 4]));
    assert_eq!(world.replay(&["x/1"], world.id(2)), (Some(ResetReason::Expired), vec![1, 4]));
    assert_eq!(world.replay(&["x/1"], world.id(3)), (None, vec![4]));
    assert_eq!(world.replay(&["x/2"], world.id(2)), (Some(ResetReason::Expired), vec![]));
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![1, 5]));
    assert_eq!(world.replay(&["b"], world.id(0)), (None, vec![1, 4]));
}

pub(super) fn a_mark_of_several_topics_never_goes_back(make: MakeEngine<'_>) {
    let age_max = |raw: &str, secs| TopicBounds {
        events_max: None,
        age_max: Some(Duration::from_secs(secs)),
        ..events_max(raw, 0)
    };
    let topic_bounds = vec![age_max("quick", 1), age_max("slow", 2)];
    let mut world = World::with_history(make, HistoryLimits { topic_bounds, ..HistoryLimits::default() });
    publish(&world, "slow", &["x"]);
    publish(&world, "quick", &["x"]);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.replay(&["x"], world.id(1)), (Some(ResetReason::Expired), vec![1]));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.replay(&["x"], world.id(1)), (Some(ResetReason::Expired), vec![]));
    assert_eq!(world.replay(&["x"], world.id(2)), (None, vec![]));
}

pub(super) fn a_deletion_drops_what_was_published_on_its_topic_alone(make: MakeEngine<'_>) {
    let world = World::new(make);
    publish(&world, "a", &["x"]);
    publish(&world, "b", &["a", "x"]);
    publish(&world, "c", &["x"]);
    assert!(!world.delete("x"), "nothing was published on it");
    assert_eq!(world.replay(&["x"], ResumeFrom::Earliest), (None, vec![1, 2, 3]));
    assert!(world.delete("a"));
    let deleted = world.engine.tail().0;
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![2]));
    assert_eq!(world.replay(&["a"], world.id(deleted)), (None, vec![]));
    assert_eq!(world.replay(&["x"], world.id(0)), (Some(ResetReason::Expired), vec![2, 3]), "1 is gone for x too");
    assert_eq!(world.replay(&["x"], world.id(1)), (None, vec![2, 3]), "and nothing after it");
    assert_eq!(world.replay(&["b"], world.id(0)), (None, vec![2]));
    assert_eq!(world.engine.usage(world.now).events, 2);
    assert!(!world.delete("a"));
}

pub(super) fn an_event_on_a_topic_that_has_ended_is_refused_whichever_it_is(make: MakeEngine<'_>) {
    let world = World::new(make);
    world.end("over");
    let ended = || Err(AppendError::TopicEnded { topic: topic("over") });
    assert_eq!(world.append(under("over", &["a"])), ended());
    assert_eq!(world.append(under("a", &["b", "over"])), ended());
    publish(&world, "a", &["b"]);
    let end = world.append(Publication { ends_topic: true, ..under("a", &["b"]) }).expect("it is open");
    assert_eq!(world.replay(&["b"], world.id(end.position.sequence.0)), (None, vec![]), "b goes on, without an end");
    publish(&world, "b", &[]);
    assert_eq!(world.append(under("b", &["a"])), Err(AppendError::TopicEnded { topic: topic("a") }));
}

pub(super) fn a_private_event_is_told_of_to_whoever_may_read_one_of_its_topics(make: MakeEngine<'_>) {
    let world = World::new(make);
    world.append(Publication { private: true, ..under("a", &["mine/1"]) }).expect("it is the first");
    world.append(Publication { private: true, ..under("a", &["theirs"]) }).expect("it is the second");
    publish(&world, "b", &[]);
    let check = |grants: Grants, want: Option<u64>| {
        let resolution = world.resolve_as(&["a"], super::world::from_id("nobody"), grants.clone(), OnReset::Oldest);
        let reset = resolution.reset.expect("it was never seen");
        let told = (reset.oldest.map(|at| at.sequence.0), reset.latest.map(|at| at.sequence.0));
        assert_eq!(told, (want, want), "{grants:?}");
    };
    check(Grants::Anonymous, None);
    check(Grants::Only(set(&["mine/*"])), Some(1));
    check(Grants::Only(set(&["theirs"])), Some(2));
    check(Grants::Only(set(&["b"])), None);
}

pub(super) fn an_event_may_have_a_thousand_topics_and_they_count(make: MakeEngine<'_>) {
    let names: Vec<String> = (0..999).map(|nth| format!("many/{nth}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cost = {
        let world = World::new(make);
        publish(&world, "a", &names);
        assert_eq!(world.engine.usage(world.now).topics, 1_000);
        world.engine.usage(world.now).bytes
    };
    assert!(cost > 999 * 100, "{cost}");
    let world = World::with_history(make, HistoryLimits { bytes_max: 2 * cost, ..HistoryLimits::default() });
    for _ in 0..5 {
        publish(&world, "a", &names);
    }
    for selectors in [&["a"][..], &["many/7"], &["many/*"], &["many/1", "many/998", "a"]] {
        assert_eq!(world.replay(selectors, ResumeFrom::Earliest), (None, vec![4, 5]), "{selectors:?}");
        assert_eq!(world.replay(selectors, world.id(2)).0, Some(ResetReason::Expired), "{selectors:?}");
        assert_eq!(world.replay(selectors, world.id(3)), (None, vec![4, 5]), "{selectors:?}");
    }
    assert_eq!(super::world::places(&world.read(&set(&["many/500"]), Sequence(4), NO_LIMIT)), [5]);
}
