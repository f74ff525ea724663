//! What the keeper removes while it has more to do than it can.

use tidings_core::Engine as _;
use tidings_core::suite::wait;

use super::{NOW, World, publication};
use crate::Durability;
use crate::segment::list_logs;

/// So few records are in a log file here that the commit thread waits for the keeper all the time.
const SEGMENT_BYTES: usize = 256;
const EVENTS: usize = 20_000;
const RETAINED: u64 = 10;
/// Log files that hold the retained events, wait to be sealed, or are about to be removed.
const LOGS_MAX: usize = 40;

#[test]
fn what_is_trimmed_is_removed_under_any_load() {
    let mut world = World::new(Durability::Relaxed);
    (world.options.segment_bytes, world.options.window_bytes_max) = (SEGMENT_BYTES, 2 * 1024);
    world.options.history.events_max = Some(RETAINED);
    let store = world.open();
    let (mut most, segments) = (0, world.directory.path().join("segments"));
    for number in 0..EVENTS {
        wait(store.append(publication("t", "x"), NOW)).expect("nothing speaks against it");
        if number % 100 == 0 {
            most = most.max(list_logs(&segments).expect("it can be listed").len());
        }
    }
    assert!(most <= LOGS_MAX, "{most} log files for {RETAINED} retained events");
}
