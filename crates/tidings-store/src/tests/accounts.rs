//! What is counted is what is there.

use std::time::Duration;

use tidings_core::Engine;

use super::{NOW, World, publication, publish, topic, wait};
use crate::Durability;

#[test]
fn a_deletion_counts_until_it_is_trimmed_and_no_longer() {
    let mut world = World::new(Durability::Sync);
    world.options.history.age_max = Some(Duration::from_mins(1));
    let store = world.open();
    for _ in 0..10 {
        publish(&store, [publication("a", "one"), publication("a", "two")]);
        wait(store.delete(topic("a"), NOW)).expect("there is room");
    }
    let later = NOW.saturating_add(Duration::from_mins(2));
    publish(&store, [publication("b", "kept")]);
    let usage = store.usage(later);
    assert_eq!((usage.events, usage.bytes), (0, 0));
}
