//! Publications that may have any id: one that comes again, or one of the hub's own form.

use super::MakeEngine;
use super::world::{World, event_id, from_id, publication};
use crate::engine::AppendError;
use crate::limits::HistoryLimits;
use crate::position::{Epoch, Position, Sequence};
use crate::publication::Publication;
use crate::resume::{ResetReason, ResumeFrom};

fn any(canonical: &str, id: &str) -> Publication {
    Publication { id: Some(event_id(id)), takes_any_id: true, ..publication(canonical) }
}

pub(super) fn an_id_may_come_again_where_any_is_taken(make: MakeEngine<'_>) {
    let world = World::new(make);
    let publish = |publication| world.append(publication).expect("any id is taken").id;
    assert_eq!(publish(any("a", "one")), event_id("one"));
    assert_eq!(publish(any("b", "one")), event_id("one"));
    world.append(Publication { takes_any_id: false, ..any("a", "two") }).expect("the id is free");
    publish(any("a", "two"));
    publish(any("a", "one"));
    let taken = Err(AppendError::IdTaken { id: event_id("one") });
    assert_eq!(world.append(Publication { takes_any_id: false, ..any("a", "one") }), taken, "others ask as ever");
    assert_eq!(world.replay(&["a", "b"], from_id("one")), (None, vec![2, 3, 4, 5]), "the earliest of them");
    assert_eq!(world.replay(&["a"], from_id("two")), (None, vec![4, 5]));
}

pub(super) fn when_the_earliest_event_with_an_id_goes_the_next_one_takes_its_place(make: MakeEngine<'_>) {
    let world = World::with_history(make, HistoryLimits { events_max: Some(3), ..HistoryLimits::default() });
    for topic in ["a", "a", "b", "a"] {
        world.append(any(topic, "one")).expect("any id is taken");
    }
    assert_eq!(world.replay(&["a", "b"], from_id("one")), (None, vec![3, 4]), "1 is trimmed");
    world.publish("c");
    assert_eq!(world.replay(&["a", "b"], from_id("one")), (None, vec![4]), "and 2");
    world.delete("b");
    assert_eq!(world.replay(&["a", "c"], from_id("one")), (None, vec![5]), "3 is deleted");
    world.delete("a");
    assert_eq!(world.replay(&["c"], from_id("one")).0, Some(ResetReason::Unknown));
    world.append(Publication { takes_any_id: false, ..any("a", "one") }).expect("it is free again");
}

pub(super) fn an_id_of_the_hubs_own_form_belongs_to_the_publisher_that_used_it(make: MakeEngine<'_>) {
    let world = World::with_history(make, HistoryLimits { events_max: Some(6), ..HistoryLimits::default() });
    let own = |sequence| Position { epoch: world.engine.epoch(), sequence: Sequence(sequence) }.to_string();
    let foreign = Position { epoch: Epoch::from_unix_micros(7), sequence: Sequence(3) }.to_string();
    let reserved = Err(AppendError::IdReserved { id: event_id(&own(2)) });
    assert_eq!(world.append(Publication { takes_any_id: false, ..any("a", &own(2)) }), reserved);
    for id in [own(5), foreign.clone(), own(99), own(4)] {
        world.append(any("a", &id)).expect("any id is taken");
    }
    world.publish("a");
    world.publish("a");
    let check = |id: &str, want: &[u64]| {
        assert_eq!(world.replay(&["a"], from_id(id)), (None, want.to_vec()), "{id}");
    };
    check(&own(5), &[2, 3, 4, 5, 6]);
    check(&foreign, &[3, 4, 5, 6]);
    check(&own(99), &[4, 5, 6]);
    check(&own(4), &[5, 6]);
    check(&own(3), &[4, 5, 6]);
    check(&own(6), &[]);
    // Trimmed, they are the hub's again.
    for _ in 0..6 {
        world.publish("b");
    }
    check(&own(6), &[]);
    assert_eq!(world.replay(&["b"], from_id(&own(5))), (None, vec![7, 8, 9, 10, 11, 12]));
    assert_eq!(world.replay(&["a"], from_id(&own(5))).0, Some(ResetReason::Expired));
    assert_eq!(world.replay(&["b"], from_id(&foreign)).0, Some(ResetReason::Expired));
    assert_eq!(world.replay(&["b"], from_id(&own(99))).0, Some(ResetReason::Unknown));
}

pub(super) fn an_id_that_comes_a_thousand_times_is_still_found(make: MakeEngine<'_>) {
    let world = World::with_history(make, HistoryLimits { events_max: Some(500), ..HistoryLimits::default() });
    for nth in 0..1_000 {
        world.append(any(["a", "b"][nth % 2], "same")).expect("any id is taken");
    }
    assert_eq!(world.resolve(&["a"], from_id("same")).cursor, Sequence(501));
    assert_eq!(world.resolve(&["b"], ResumeFrom::Last(1)).cursor, Sequence(999));
}
