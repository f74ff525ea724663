//! Readers that stay through all cycles, and a publisher that never stops: the hub rests, but not quite.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings_history::recorders::{Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, StartFrom};

use super::cycle::Recorded;
use super::stage::Stage;
use crate::DEADLINE;

/// All residents.
#[derive(Debug)]
pub(super) struct Residents {
    pub(super) recorder: Recorder,
    readers: Vec<Reader>,
}

impl Residents {
    /// Lets them come, and waits until all are there.
    #[track_caller]
    pub(super) fn settle(stage: &Stage) -> Self {
        let recorder = Recorder::new();
        let start = |number: usize| {
            let mut listener = Listener::new(Interest::in_topics([TOPIC]), StartFrom::Live);
            listener.is_http_1_0 = number % 4 == 3;
            Reader::start(&recorder, &stage.readers[number % stage.readers.len()], listener)
        };
        let readers: Vec<_> = (0..RESIDENTS).map(start).collect();
        let residents = Self { recorder, readers };
        let all_there =
            residents.recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.streams == RESIDENTS as u64);
        all_there.unwrap_or_else(|tally| panic!("waited for {RESIDENTS} residents, came to {tally:?}"));
        residents
    }

    /// A publisher for them, which is connected.
    pub(super) fn publisher(&self, stage: &Stage) -> Publisher {
        let mut publisher = Publisher::new(&self.recorder, &stage.publishers);
        publisher.publish(&Wish::new(TOPIC, "welcome")).expect("nobody has stopped it");
        publisher
    }

    /// Publishes for them until it is to be quiet.
    pub(super) fn publish(mut publisher: Publisher, is_quiet: &AtomicBool) {
        while !is_quiet.load(Ordering::Relaxed) && publisher.publish(&Wish::new(TOPIC, "as always")).is_some() {
            thread::sleep(EVERY); // the pace of the load, not a wait for something
        }
    }

    /// Lets them read to the end. Answers what they recorded.
    #[track_caller]
    pub(super) fn leave(mut self, stage: &Stage) -> Recorded {
        let marker = Publisher::new(&self.recorder, &stage.publishers).publish(&Wish::new(TOPIC, "the last"));
        let marker = marker.expect("nobody has stopped it").name;
        let deadline = Instant::now() + DEADLINE;
        let mut late = Vec::new();
        for reader in self.readers.drain(..) {
            if !reader.wait_for(&[marker], deadline) {
                late.push(reader.name());
            }
            reader.finish();
        }
        Recorded::of(&self.recorder, late)
    }
}

impl Drop for Residents {
    fn drop(&mut self) {
        self.recorder.stop();
    }
}

const RESIDENTS: usize = 16;
const TOPIC: &str = "soak/home";
const EVERY: Duration = Duration::from_millis(200);
