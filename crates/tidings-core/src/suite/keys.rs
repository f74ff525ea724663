//! Idempotency keys, and the ids that publishers give.

use std::thread;
use std::time::Duration;

use super::MakeEngine;
use super::world::{World, event_id, from_id, publication, wait};
use crate::engine::{AppendError, Appended};
use crate::limits::HistoryLimits;
use crate::publication::{IdempotencyKey, Publication};
use crate::resume::{ResetReason, ResumeFrom};

fn keyed(raw_topic: &str, subject: &str, key: &str) -> Publication {
    let idempotency = Some(IdempotencyKey { subject: subject.into(), key: key.into() });
    Publication { idempotency, ..publication(raw_topic) }
}

fn with_id(raw_topic: &str, id: &str) -> Publication {
    Publication { id: Some(event_id(id)), ..publication(raw_topic) }
}

pub(super) fn a_repeat_gets_the_first_answer(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(1), ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    let publications = [
        keyed("a", "alice", "1"),
        Publication { id: Some(event_id("order-1")), ..keyed("a", "alice", "2") },
        Publication { ends_topic: true, ..keyed("a", "alice", "3") },
    ];
    for publication in publications {
        let first = world.append(publication.clone()).expect("it is the first");
        assert!(!first.is_repeat);
        let repeat = world.append(publication.clone()).expect("it is a repeat");
        assert_eq!(repeat, Appended { is_repeat: true, ..first.clone() });
        world.publish("b");
        world.publish("b");
        let late = world.append(publication).expect("the event is trimmed, the key is kept");
        assert_eq!(late, repeat);
    }
    for other_scope in [keyed("b", "alice", "1"), keyed("b", "bob", "1"), keyed("b", "", "1")] {
        assert!(!world.append(other_scope).expect("it is another scope").is_repeat);
    }
}

pub(super) fn another_publication_under_a_key_is_refused(make: MakeEngine<'_>) {
    let world = World::new(make);
    let first = keyed("a", "alice", "1");
    world.append(first.clone()).expect("it is the first");
    let others = [
        Publication { data: "other".to_owned(), ..first.clone() },
        Publication { private: true, ..first.clone() },
        Publication { retry_ms: Some(1), ..first.clone() },
        Publication { ttl: Some(Duration::from_secs(1)), ..first.clone() },
        Publication { id: Some(event_id("order-1")), ..first.clone() },
        Publication { ends_topic: true, ..first },
    ];
    for other in others {
        assert_eq!(world.append(other), Err(AppendError::KeyReused));
    }
    assert_eq!(world.engine.tail().0, 1);
}

pub(super) fn a_key_is_kept_for_its_window_and_no_longer(make: MakeEngine<'_>) {
    let mut world = World::new(make);
    let first = world.append(keyed("a", "alice", "1")).expect("it is the first");
    world.advance(Duration::from_secs(599));
    let repeat = world.append(keyed("a", "alice", "1")).expect("it is a repeat");
    assert_eq!(repeat.position, first.position);
    world.advance(Duration::from_secs(1));
    let anew = world.append(keyed("a", "alice", "1")).expect("the key is free: a repeat does not prolong it");
    assert!(!anew.is_repeat);
    assert_eq!(world.engine.usage(world.now).idempotency_keys, 1);
}

pub(super) fn no_key_is_forgotten_early(make: MakeEngine<'_>) {
    let history = HistoryLimits { idempotency_keys_max: 2, ..HistoryLimits::default() };
    let mut world = World::with_history(make, history);
    world.append(keyed("a", "alice", "1")).expect("there is room");
    world.advance(Duration::from_mins(1));
    world.append(keyed("a", "alice", "2")).expect("there is room");
    let full = AppendError::KeysFull { keys_max: 2, retry_after: Duration::from_mins(9) };
    assert_eq!(world.append(keyed("a", "alice", "3")), Err(full));
    assert!(world.append(keyed("a", "alice", "1")).expect("it is kept").is_repeat);
    world.publish("a");
    world.advance(Duration::from_mins(9));
    world.append(keyed("a", "alice", "3")).expect("the oldest is free");
    assert!(world.append(keyed("a", "alice", "2")).expect("it is kept").is_repeat);
}

pub(super) fn a_refused_publication_leaves_no_trace(make: MakeEngine<'_>) {
    let world = World::new(make);
    world.append(with_id("a", "order-1")).expect("the id is free");
    world.end("over");
    let before = (world.engine.tail(), world.usage_but_of_disk());
    let taken = Publication { id: Some(event_id("order-1")), ..keyed("a", "alice", "1") };
    let refused =
        [taken, keyed("over", "alice", "1"), Publication { id: Some(event_id("order-2")), ..publication("over") }];
    for publication in refused {
        world.append(publication).expect_err("it cannot be stored");
    }
    assert_eq!((world.engine.tail(), world.usage_but_of_disk()), before);
    assert!(!world.append(keyed("a", "alice", "1")).expect("its key was not kept").is_repeat);
    world.append(with_id("a", "order-2")).expect("its id was not kept");
}

pub(super) fn concurrent_repeats_store_one_event(make: MakeEngine<'_>) {
    let world = World::new(make);
    let (engine, now) = (&*world.engine, world.now);
    let answers: Vec<Appended> = thread::scope(|scope| {
        let repeat = || wait(engine.append(keyed("a", "alice", "1"), now)).expect("first or repeat");
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(repeat)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a publisher ends")).collect()
    });
    assert_eq!(answers.iter().filter(|answer| !answer.is_repeat).count(), 1);
    assert!(answers.iter().all(|answer| answer.id == answers[0].id));
    assert_eq!(engine.tail().0, 1);
}

pub(super) fn an_id_belongs_to_one_retained_event(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(2), ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    let first = world.append(with_id("a", "order-1")).expect("the id is free");
    assert_eq!(first.id, event_id("order-1"));
    assert_eq!(world.committed(0)[0].id, event_id("order-1"));
    let taken = AppendError::IdTaken { id: event_id("order-1") };
    assert_eq!(world.append(with_id("b", "order-1")), Err(taken), "ids are unique in the whole hub");
    assert_eq!(world.replay(&["a", "b"], from_id("order-1")), (None, vec![]));
    world.publish("b");
    world.publish("b");
    assert_eq!(world.replay(&["b"], from_id("order-1")).0, Some(ResetReason::Unknown), "it is no longer kept");
    world.append(with_id("b", "order-1")).expect("a trimmed event frees its id");
    world.delete("b");
    world.append(with_id("a", "order-1")).expect("a deleted event frees its id");
}

pub(super) fn the_hubs_own_ids_are_reserved(make: MakeEngine<'_>) {
    let world = World::new(make);
    let ResumeFrom::EventId(own) = world.id(7) else { unreachable!("an id is an id") };
    let reserved = AppendError::IdReserved { id: event_id(&own) };
    assert_eq!(world.append(with_id("a", &own)), Err(reserved));
    world.append(with_id("a", "invoices-42")).expect("it only looks like one");
}
