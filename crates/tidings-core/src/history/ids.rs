//! The ids that publishers gave to retained events. The hub's own ids need no index: they say their place.

use std::collections::{BTreeSet, HashMap};

use tidings_wire::EventId;

use crate::position::Sequence;
use crate::record::{IdFrom, Record};

/// Publisher's id → the places of the events that have it, mostly one.
#[derive(Debug, Default)]
pub struct PublisherIds {
    first: HashMap<EventId, Sequence>,
    /// Where an id came again. `first[id] < later[id]`, and none of them is empty.
    later: HashMap<EventId, BTreeSet<Sequence>>,
}

impl PublisherIds {
    /// Where the earliest retained event with this id of a publisher's stands.
    pub fn place(&self, raw: &str) -> Option<Sequence> {
        self.first.get(raw).copied()
    }

    /// The id of `record`, which is after all others, belongs to it from now on, if a publisher gave it.
    pub fn take(&mut self, record: &Record) {
        if record.id_from == IdFrom::Hub {
            return;
        }
        if self.first.contains_key(&record.id) {
            self.later.entry(record.id.clone()).or_default().insert(record.sequence);
        } else {
            self.first.insert(record.id.clone(), record.sequence);
        }
    }

    /// Frees the id of a record that is no longer retained, if a publisher gave it. The next event that has it takes its
    /// place.
    pub fn free(&mut self, record: &Record) {
        let (id, place) = (&record.id, record.sequence);
        let Some(first) = self.first.get_mut(id) else { return };
        let is_first = *first == place;
        let Some(later) = self.later.get_mut(id) else {
            if is_first {
                self.first.remove(id);
            }
            return;
        };
        if is_first {
            *first = later.pop_first().expect("an id that never came again is not here");
        } else {
            later.remove(&place);
        }
        if later.is_empty() {
            self.later.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_topic::Topic;

    use super::*;
    use crate::position::{Epoch, Position};
    use crate::publication::Publication;
    use crate::time::Timestamp;

    #[test]
    fn the_earliest_event_has_the_id_and_the_next_one_takes_its_place() {
        let record = |place: u64, id: Option<&str>| {
            let id = id.map(|raw| EventId::parse(raw).expect("an id"));
            let publication =
                Publication { id, takes_any_id: true, ..Publication::new(Topic::parse("a").expect("a topic"), "data") };
            let position = Position { epoch: Epoch::from_unix_micros(1), sequence: Sequence(place) };
            Record::event(position, publication, Timestamp::default())
        };
        let mut ids = PublisherIds::default();
        let own = record(5, None);
        let records = [1, 2, 3, 4].map(|place| record(place, Some(own.id.as_str())));
        records.iter().chain([&own]).for_each(|record| ids.take(record));
        let mut check = |gone: &Record, want: Option<u64>| {
            ids.free(gone);
            assert_eq!(ids.place(own.id.as_str()), want.map(Sequence), "without {}", gone.sequence);
        };
        check(&own, Some(1));
        check(&records[1], Some(1));
        check(&records[0], Some(3));
        check(&records[0], Some(3));
        check(&records[3], Some(3));
        check(&records[2], None);
        assert!(ids.later.is_empty());
    }
}
