//! One order for publishers and readers, with nothing twice and nothing missing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::MakeEngine;
use super::world::{World, publication, set, wait};
use tidings_topic::Topic;

use crate::engine::{CommitListener, Engine};
use crate::limits::HistoryLimits;
use crate::position::Sequence;
use crate::publication::Publication;
use crate::resume::ResumeFrom;

const PUBLISHERS: u64 = 4;
const EVENTS_EACH: u64 = 2_000;

pub(super) fn what_is_acknowledged_is_what_readers_are_given(make: MakeEngine<'_>) {
    let world = World::new(make);
    let (engine, now) = (&*world.engine, world.now);
    let publish = move |publisher: u64| {
        let topic = publication(&format!("t/{publisher}")).topic;
        let append = |nth: u64| wait(engine.append(Publication::new(topic.clone(), nth.to_string()), now));
        (0..EVENTS_EACH).map(|nth| append(nth).expect("there is room")).collect::<Vec<_>>()
    };
    let read = move || {
        let (mut seen, mut place) = (Vec::new(), Sequence::ZERO);
        while seen.len() < usize::try_from(PUBLISHERS * EVENTS_EACH).expect("it is small") {
            place = engine.committed(place, 4096, &mut seen).expect("all of it fits the window");
        }
        seen
    };
    let (answers, seen) = thread::scope(|scope| {
        let reader = scope.spawn(read);
        let publishers: Vec<_> = (0..PUBLISHERS).map(|publisher| scope.spawn(move || publish(publisher))).collect();
        let answers: Vec<_> = publishers.into_iter().map(|thread| thread.join().expect("a publisher ends")).collect();
        (answers, reader.join().expect("the reader ends"))
    });

    for (index, record) in seen.iter().enumerate() {
        assert_eq!(record.sequence.0, index as u64 + 1, "no gap, nothing twice");
    }
    let by_place: HashMap<_, _> = seen.iter().map(|record| (record.sequence, record)).collect();
    for (publisher, answers) in answers.iter().enumerate() {
        assert!(answers.is_sorted_by(|a, b| a.position < b.position), "a publisher's own order is kept");
        for answer in answers {
            let record = by_place[&answer.position.sequence];
            assert_eq!(record.topic.as_str(), format!("t/{publisher}"));
            assert_eq!(record.id, answer.id);
            assert_eq!(answer.position.epoch, engine.epoch());
        }
    }
    let replayed = world.replay(&["**"], ResumeFrom::Earliest).1;
    assert_eq!(replayed, seen.iter().map(|record| record.sequence.0).collect::<Vec<_>>(), "replay is the same order");
}

pub(super) fn commits_are_handed_out_by_bytes(make: MakeEngine<'_>) {
    let world = World::new(make);
    for _ in 0..10 {
        world.publish("a");
    }
    let event_bytes = world.committed(0)[0].chunk.wire().len();
    let check = |after: u64, bytes_max: usize, want: std::ops::RangeInclusive<u64>| {
        let mut out = Vec::new();
        let through = world.engine.committed(Sequence(after), bytes_max, &mut out).expect("all is at hand");
        let got: Vec<u64> = out.iter().map(|record| record.sequence.0).collect();
        assert_eq!(got, want.clone().collect::<Vec<_>>(), "after {after}, {bytes_max} bytes");
        assert_eq!(through, Sequence(*want.end()));
    };
    check(0, 0, 1..=1);
    check(0, 1, 1..=1);
    check(0, event_bytes, 1..=1);
    check(0, event_bytes + 1, 1..=2);
    check(3, 3 * event_bytes, 4..=6);
    check(8, usize::MAX, 9..=10);
    assert!(world.committed(10).is_empty());
}

pub(super) fn commit_times_never_go_backwards(make: MakeEngine<'_>) {
    let mut world = World::new(make);
    world.publish("a");
    let start = world.now;
    world.now = start.saturating_sub(Duration::from_secs(5));
    world.publish("a");
    world.now = start.saturating_add(Duration::from_secs(5));
    world.publish("a");
    let times: Vec<_> = world.committed(0).iter().map(|record| record.committed_at).collect();
    assert_eq!(times, [start, start, world.now]);
}

pub(super) fn listeners_are_told_of_each_commit(make: MakeEngine<'_>) {
    /// Remembers how often it was told, and that the commit could be seen by then.
    struct Count {
        engine: Arc<dyn Engine>,
        told: AtomicU64,
    }
    impl CommitListener for Count {
        fn on_commit(&self, topic: &Topic, tail: Sequence) {
            let told = self.told.fetch_add(1, Ordering::SeqCst) + 1;
            assert_eq!(tail, Sequence(told), "it is told of the newest commit");
            assert!(self.engine.tail() >= tail, "told of a commit that cannot be seen");
            let mut records = Vec::new();
            self.engine.committed(Sequence(told - 1), usize::MAX, &mut records).expect("it is at hand");
            assert_eq!(records.iter().map(|record| &record.topic).collect::<Vec<_>>(), [topic]);
        }

        fn on_group_commit(&self, topics: &[Topic], _: Sequence) {
            panic!("this publisher waits for each answer, so there are no groups: {topics:?}");
        }
    }
    let world = World::new(make);
    let counts = [0, 1].map(|_| Arc::new(Count { engine: Arc::clone(&world.engine), told: AtomicU64::new(0) }));
    for count in &counts {
        world.engine.listen(Arc::<Count>::clone(count));
    }
    world.publish("a");
    world.publish("b");
    world.delete("a");
    world.end("c");
    world.append(publication("c")).expect_err("it has ended");
    assert_eq!(counts.map(|count| count.told.load(Ordering::SeqCst)), [4, 4]);
}

pub(super) fn a_burst_passes_through_a_short_history(make: MakeEngine<'_>) {
    let history = HistoryLimits { events_max: Some(3), ..HistoryLimits::default() };
    let world = World::with_history(make, history);
    for _ in 0..100 {
        world.publish("a");
    }
    assert_eq!(world.committed(0).len(), 100, "whoever is live gets all of it");
    assert_eq!(world.replay(&["a"], ResumeFrom::Earliest), (None, vec![98, 99, 100]), "nobody is replayed more");
    assert_eq!(super::world::places(&world.read(&set(&["a"]), Sequence(97), super::world::NO_LIMIT)), [98, 99, 100]);
}
