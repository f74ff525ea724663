//! A hub in memory loses its history with its process, and says so.

use std::time::Instant;

use tidings_e2e::Hub;
use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, StartFrom, check, sentences};

use crate::world::DEADLINE;

#[test]
fn a_hub_in_memory_begins_a_new_epoch_and_says_so() {
    let mut hub = Hub::start_to_return(&["serve", "--memory"]);
    let base = Base::parse(&hub.url("")).expect("a hub's own URL");
    let recorder = Recorder::new();
    let reader = Reader::start(&recorder, &base, Listener::new(Interest::in_topics(["a"]), StartFrom::Earliest));
    let mut publisher = Publisher::new(&recorder, &base);
    let before = publisher.publish(&Wish::new("a", "before")).expect("nobody stops the recorder");
    assert!(reader.wait_for(&[before.name], Instant::now() + DEADLINE));
    hub.kill();
    hub.start_again();
    // The connection that was kept died with the hub: the first of these may be lost.
    publisher.publish(&Wish::new("a", "perhaps lost"));
    let after = publisher.publish(&Wish::new("a", "after")).expect("nobody stops the recorder");
    reader.wait_for(&[after.name], Instant::now() + DEADLINE);
    reader.finish();
    let summary = check(&recorder.history()).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
    assert_eq!(summary.epochs.len(), 2, "{summary}");
    assert_eq!(summary.verdicts.into_iter().collect::<Vec<_>>(), [("expired".to_owned(), 1)]);
}
