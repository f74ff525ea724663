//! Who publishes while the hub is killed: publishers of four kinds on eight topics, as fast as they are answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use tidings_history::recorders::{Base, Publisher, Recorder, Wish};
use tidings_history::{Outcome, PublicationName};

use super::{CrashPlan, Retention};
use crate::quiet::join_publishers;

/// All topics of the load.
pub(super) const TOPICS: [&str; 8] =
    ["crash/a/0", "crash/a/1", "crash/a/2", "crash/a/3", "crash/b/0", "crash/b/1", "crash/b/2", "crash/b/3"];

/// The type that some events have.
pub(super) const PRICE: &str = "price";

const PUBLISHERS: u64 = 4;

/// The publishers, at work until they are told to be quiet.
pub(super) struct Load<'scope> {
    threads: Vec<ScopedJoinHandle<'scope, ()>>,
    ids: Arc<Mutex<Vec<String>>>,
}

impl<'scope> Load<'scope> {
    pub(super) fn start<'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        recorder: &Recorder,
        base: &Base,
        plan: &CrashPlan,
        is_quiet: &'scope AtomicBool,
    ) -> Self {
        let ids = Arc::new(Mutex::new(Vec::new()));
        let threads = (0..PUBLISHERS).map(|number| {
            let mut publisher = Publisher::new(recorder, base);
            let (mut chance, ids) = (plan.chance(1 + number), Arc::clone(&ids));
            // With neither, with an id of its own, with a key, with both.
            let (has_own_id, has_key) = (number % 2 == 1, number >= 2);
            // What is trimmed must first be there.
            let scale = if plan.retention == Retention::All { 1 } else { 8 };
            scope.spawn(move || {
                while !is_quiet.load(Ordering::Relaxed) {
                    let filler = any_filler(&mut chance, scale);
                    let topic = *chance.choice(&TOPICS).expect("there are some");
                    let event_type = (chance.u8(..3) == 0).then_some(PRICE);
                    let wish = Wish { event_type, has_own_id, has_key, ..Wish::new(topic, &filler) };
                    let Some(answer) = publisher.publish(&wish) else { return };
                    if let Outcome::Accepted(id) = answer.outcome {
                        lock(&ids).push(id);
                    }
                }
            })
        });
        Self { threads: threads.collect(), ids }
    }

    /// Some id that was acknowledged, of any time and kind.
    pub(super) fn some_id(&self, chance: &mut fastrand::Rng) -> Option<String> {
        chance.choice(lock(&self.ids).iter()).cloned()
    }

    /// Waits until all have got their last answer.
    pub(super) fn join(self) {
        join_publishers(self.threads);
    }
}

fn lock(ids: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One event on each topic after all others, so that whoever has seen it has seen all.
pub(super) fn publish_markers(recorder: &Recorder, base: &Base) -> Vec<(&'static str, PublicationName)> {
    let mut publisher = Publisher::new(recorder, base);
    let mut publish = |topic| {
        let wish = Wish { event_type: Some(PRICE), has_key: true, ..Wish::new(topic, "the last of its topic") };
        publisher.publish(&wish).expect("the recorder is not stopped yet").name
    };
    TOPICS.iter().map(|&topic| (topic, publish(topic))).collect()
}

/// Mostly short, seldom long; with all that ends a line, and with what a stream or a log could be forged by.
pub(crate) fn any_filler(chance: &mut fastrand::Rng, scale: usize) -> String {
    const PIECES: [&str; 12] =
        ["a", "b ", " ", "\r", "\n", "\r\n", "\n\n", "é", "🦀", "data: x", "id: forged", "\u{0}"];
    let len = match chance.u8(..100) {
        0..80 => chance.usize(..200),
        80..98 => chance.usize(200..2048),
        _ => chance.usize(2048..64 * 1024),
    };
    let len = scale * len;
    let mut filler = String::with_capacity(len + 64);
    while filler.len() < len {
        let piece = chance.choice(PIECES).expect("there are some");
        // Long stretches, so that large events are not made of lines alone.
        let times = if len > 2048 { chance.usize(1..200) } else { 1 };
        filler.extend(std::iter::repeat_n(piece, times));
    }
    filler
}
