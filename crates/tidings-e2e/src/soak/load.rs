//! Who publishes: alone and in batches, with and without ids and keys, and some that die in the middle of a request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tidings_history::Outcome;
use tidings_history::recorders::{Published, Publisher, Wish};

use super::room::{Ids, PRICE};
use crate::crash::any_filler;

/// The publisher of a room.
pub(super) struct Load<'a> {
    pub(super) publisher: Publisher,
    pub(super) topics: Vec<String>,
    pub(super) chance: fastrand::Rng,
    pub(super) ids: &'a Ids,
}

impl Load<'_> {
    /// Publishes until it is to be quiet.
    pub(super) fn run(mut self, is_quiet: &AtomicBool) {
        while !is_quiet.load(Ordering::Relaxed) {
            let Some(published) = self.publish() else { return };
            if let Some(id) = published.iter().find_map(id_of_the_hub) {
                self.ids.remember(id, &mut self.chance);
            }
            thread::sleep(Duration::from_millis(self.chance.u64(100..300))); // the pace of the load, no wait
        }
    }

    /// `None`: it has been stopped.
    fn publish(&mut self) -> Option<Vec<Published>> {
        let (batched, cut) = match self.chance.u8(..100) {
            0..10 => (self.chance.usize(2..9), None),
            // Within the head, within the body, and after all of it.
            10..20 => (1, Some(self.chance.usize(..600))),
            _ => (1, None),
        };
        let fillers: Vec<_> = (0..batched).map(|_| any_filler(&mut self.chance, 1)).collect();
        let (topics, chance) = (&self.topics, &mut self.chance);
        let mut wish = |filler| Wish {
            event_type: (chance.u8(..3) == 0).then_some(PRICE),
            has_own_id: chance.u8(..5) == 0,
            // The hub keeps each key for minutes, so few have one; more of those that can be asked for again.
            has_key: chance.u8(..if cut.is_some() { 5 } else { 100 }) == 0,
            ..Wish::new(chance.choice(topics).expect("a room has topics"), filler)
        };
        let wishes: Vec<_> = fillers.iter().map(|filler| wish(filler)).collect();
        match (&*wishes, cut) {
            ([wish], Some(bytes)) => Some(vec![self.publisher.publish_cut(wish, bytes)?]),
            ([wish], None) => Some(vec![self.publisher.publish(wish)?]),
            (wishes, _) => self.publisher.publish_batch(wishes),
        }
    }
}

/// The id of a publication, if the hub has made it.
fn id_of_the_hub(published: &Published) -> Option<&str> {
    match &published.outcome {
        Outcome::Accepted(id) if !id.starts_with("own ") => Some(id),
        _ => None,
    }
}
