//! Checks what the decoder gives: each event has an id, its own and always the same.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use tidings_wire::Event;

use crate::report::VerifyReport;
use crate::stamp::{RunMark, stamps_in};

/// What one reading thread has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verifier {
    counts: VerifyReport,
    /// Of each event, by publisher, topic and sequence, a hash of its id. Grows with the events, not with the deliveries.
    ids: HashMap<(u16, u32, u32), u64>,
}

impl Verifier {
    /// Takes a decoded event. Those of others are not looked at.
    pub(crate) fn take(&mut self, run: RunMark, event: &Event) {
        let stamps = stamps_in(run, &event.data);
        let Some(first) = stamps.first() else { return };
        self.counts.events += 1;
        self.counts.joined += u64::from(stamps.len() > 1);
        if event.last_event_id.is_empty() {
            self.counts.without_id += 1;
            return;
        }
        let key = (first.publisher, first.topic, first.sequence);
        note(&mut self.ids, &mut self.counts.id_changed, key, hash_of(&event.last_event_id));
    }

    /// A stream that the decoder gave up on.
    pub(crate) fn give_up(&mut self) {
        self.counts.undecodable += 1;
    }

    /// What all threads have seen together.
    pub(crate) fn report(all: impl IntoIterator<Item = Self>) -> VerifyReport {
        let mut sum = VerifyReport::default();
        let mut ids = HashMap::new();
        for Self { counts, ids: its_ids } in all {
            sum.events += counts.events;
            sum.joined += counts.joined;
            sum.without_id += counts.without_id;
            sum.id_changed += counts.id_changed;
            sum.undecodable += counts.undecodable;
            for (key, id) in its_ids {
                note(&mut ids, &mut sum.id_changed, key, id);
            }
        }
        let distinct: HashSet<_> = ids.values().collect();
        sum.id_shared = (ids.len() - distinct.len()) as u64;
        sum
    }
}

fn note(ids: &mut HashMap<(u16, u32, u32), u64>, changed: &mut u64, key: (u16, u32, u32), id: u64) {
    match ids.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(id);
        }
        Entry::Occupied(known) => *changed += u64::from(*known.get() != id),
    }
}

/// The same in all threads.
fn hash_of(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stamp::{PAYLOAD_BYTES_MIN, Stamp};

    const RUN: RunMark = RunMark(1);

    fn event(sequences: &[u32], id: &str) -> Event {
        let payload = |&sequence: &u32| {
            let mut payload = vec![0; PAYLOAD_BYTES_MIN];
            Stamp { publisher: 0, topic: 0, sequence, due: Duration::ZERO }.write(RUN, &mut payload);
            String::from_utf8(payload).expect("a stamp is text")
        };
        let data = sequences.iter().map(payload).collect();
        Event { event_type: "message".to_owned(), data, last_event_id: id.to_owned() }
    }

    fn check(threads: &[&[(&[u32], &str)]], want: VerifyReport) {
        let verifiers = threads.iter().map(|events| {
            let mut verifier = Verifier::default();
            for (sequences, id) in *events {
                verifier.take(RUN, &event(sequences, id));
            }
            verifier
        });
        assert_eq!(Verifier::report(verifiers), want, "{threads:?}");
    }

    #[test]
    fn each_event_has_an_id_of_its_own() {
        let none = VerifyReport::default();
        check(&[&[(&[0], "a"), (&[1], "b")], &[(&[1], "b")]], VerifyReport { events: 3, ..none });
        check(&[&[(&[], "a")]], none);
        check(&[&[(&[0], "")]], VerifyReport { events: 1, without_id: 1, ..none });
        check(&[&[(&[0], "a"), (&[1], "a")]], VerifyReport { events: 2, id_shared: 1, ..none });
        check(&[&[(&[0], "a")], &[(&[0], "b")]], VerifyReport { events: 2, id_changed: 1, ..none });
        check(&[&[(&[0, 1], "a")]], VerifyReport { events: 1, joined: 1, ..none });
    }
}
