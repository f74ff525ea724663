//! What a group gets at once, as each of its readers may see it: one encoding for all who may see the same.
//!
//! Without private events, which is nearly always, there is one part and nobody is asked for anything. With some, each
//! reader's rights are asked once for a batch, and a part is made for each choice of private events that they allow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidings_core::{Kind, Record};
use tidings_wire::Chunk;

use super::rights::Rights;

/// Most bytes of parts that a batch keeps to share. Beyond it those made so far are forgotten and made again as they are
/// needed: many readers, each with a private event of its own among the same public ones. A shard has one live batch at a
/// time, and as many pages of history as it fetches.
const PARTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a group gets at once: the same bytes for all who may see the same.
pub(super) struct Batch {
    /// Its public events.
    public: Part,
    /// What there is beside them; `None` when it has no private events.
    private: Option<Box<Private>>,
    /// With it the topics of the group have ended.
    pub(super) ends: bool,
}

/// A batch as some of its readers get it.
#[derive(Clone, Default)]
pub(super) struct Part {
    pub(super) chunk: Chunk,
    pub(super) events: u64,
}

struct Private {
    /// The whole batch, private events and public ones.
    records: Vec<Arc<Record>>,
    /// Uncontended: a page is shared by sessions of one shard.
    parts: Mutex<Parts>,
}

/// The parts that were made. They go with the batch.
#[derive(Default)]
struct Parts {
    /// By the number of the rights.
    by_rights: HashMap<u64, Part>,
    /// By which of the private events are in it.
    by_choice: HashMap<Choice, Part>,
    /// What is in `by_choice`. `bytes <= PARTS_BYTES_MAX` and one part more
    bytes: usize,
}

/// For each private event of a batch, in order: may it be seen?
type Choice = Box<[bool]>;

impl Batch {
    pub(super) fn of(records: &[Arc<Record>]) -> Self {
        let has_private = records.iter().any(|record| record.private);
        let ends = records.iter().any(|record| record.kind == Kind::End);
        let public = Part::of(records.iter().filter(|record| !record.private));
        let private = || Box::new(Private { records: records.to_vec(), parts: Mutex::default() });
        Self { public, private: has_private.then(private), ends }
    }

    /// What every reader gets, whoever it is; `None` when that depends on its rights.
    pub(super) fn for_all(&self) -> Option<&Part> {
        if self.private.is_none() { Some(&self.public) } else { None }
    }

    /// What a reader with these rights gets.
    pub(super) fn part_for(&self, rights: &Rights) -> Part {
        match &self.private {
            None => self.public.clone(),
            Some(private) => private.part_for(rights, &self.public),
        }
    }
}

impl Private {
    fn part_for(&self, rights: &Rights, public: &Part) -> Part {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.by_rights.get(&rights.number()) {
            return part.clone();
        }
        let private = self.records.iter().filter(|record| record.private);
        let choice: Choice = private.map(|record| rights.may_read(record)).collect();
        let part = if choice.contains(&true) { parts.of_choice(choice, &self.records) } else { public.clone() };
        parts.by_rights.insert(rights.number(), part.clone());
        part
    }
}

impl Parts {
    fn of_choice(&mut self, choice: Choice, records: &[Arc<Record>]) -> Part {
        if let Some(part) = self.by_choice.get(&choice) {
            return part.clone();
        }
        if self.bytes > PARTS_BYTES_MAX {
            *self = Self::default();
        }
        let mut seen = choice.iter();
        let chosen: Vec<&Arc<Record>> =
            records.iter().filter(|record| !record.private || seen.next() == Some(&true)).collect();
        let part = Part::of(chosen.into_iter());
        self.bytes += part.chunk.wire().len() + choice.len();
        self.by_choice.insert(choice, part.clone());
        part
    }
}

impl Part {
    fn of<'a>(records: impl Iterator<Item = &'a Arc<Record>> + Clone) -> Self {
        Self { chunk: Chunk::join(records.clone().map(|record| &record.chunk)), events: records.count() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidings_core::{Epoch, Grants, Position, Publication, Sequence, Timestamp};
    use tidings_topic::{Selector, SelectorSet, Topic};

    use super::super::rights::RightsTable;
    use super::*;

    fn record(number: usize, topic: &str, private: bool, data: &str) -> Arc<Record> {
        let topic = Topic::parse(topic).expect("a good topic");
        let publication = Publication { private, ..Publication::new(topic, data) };
        let position = Position { epoch: Epoch::from_unix_micros(1), sequence: Sequence(number as u64) };
        Arc::new(Record::event(position, publication, Timestamp::from_millis(0)))
    }

    fn only(selectors: &[String]) -> Grants {
        let selectors = selectors.iter().map(|raw| Selector::parse(raw).expect("a good selector"));
        SelectorSet::new(selectors).map_or(Grants::Anonymous, Grants::Only)
    }

    fn parts_of(batch: &Batch) -> (usize, usize) {
        let parts = batch.private.as_ref().expect("it has private events").parts.lock().expect("nothing panicked");
        (parts.by_rights.len(), parts.by_choice.len())
    }

    #[test]
    fn readers_who_may_see_the_same_share_its_bytes() {
        let records: Vec<_> = (0..4).map(|number| record(number, "inbox", number % 2 == 1, "data")).collect();
        let (batch, mut table) = (Batch::of(&records), RightsTable::new());
        assert!(batch.for_all().is_none());
        let rights: Vec<_> =
            (0..1000).map(|user| table.take(only(&["inbox".to_owned(), format!("user/{user}")]))).collect();
        let first = batch.part_for(&rights[0]);
        assert_eq!(first.events, 4);
        for rights in &rights {
            assert_eq!(batch.part_for(rights).chunk.wire().as_ptr(), first.chunk.wire().as_ptr());
        }
        assert_eq!(parts_of(&batch), (1000, 1));
        let outsider = table.take(only(&["user/1".to_owned()]));
        assert_eq!(batch.part_for(&outsider).chunk.wire().as_ptr(), batch.public.chunk.wire().as_ptr());
    }

    #[test]
    fn a_batch_without_private_events_is_the_same_for_all() {
        let batch = Batch::of(&[record(1, "a", false, "data")]);
        assert_eq!(batch.for_all().map(|part| part.events), Some(1));
        assert_eq!(batch.part_for(&RightsTable::new().take(Grants::Anonymous)).events, 1);
    }

    #[test]
    fn what_is_kept_to_be_shared_is_bounded() {
        const READERS: usize = 40;
        let data = "x".repeat(PARTS_BYTES_MAX / 10);
        let private = (0..READERS).map(|user| record(user, &format!("user/{user}"), true, "mine"));
        let records: Vec<_> = private.chain([record(READERS, "all", false, &data)]).collect();
        let (batch, mut table) = (Batch::of(&records), RightsTable::new());
        for user in 0..READERS {
            let part = batch.part_for(&table.take(only(&[format!("user/{user}")])));
            assert_eq!(part.events, 2);
            assert!(parts_of(&batch).1 <= 11, "{:?}", parts_of(&batch));
        }
    }

    proptest! {
        /// Whoever asks, in whatever order, gets what their own rights say.
        #[test]
        fn every_reader_gets_what_it_may_see(
            events in proptest::collection::vec((0..4_u8, any::<bool>()), 0..12),
            readers in proptest::collection::vec(proptest::collection::vec(0..4_u8, 0..4), 1..12),
        ) {
            let event = |(number, (topic, private)): (usize, &(u8, bool))| {
                record(number, &topic.to_string(), *private, &number.to_string())
            };
            let records: Vec<_> = events.iter().enumerate().map(event).collect();
            let (batch, mut table) = (Batch::of(&records), RightsTable::new());
            for topics in readers {
                let grants = only(&topics.iter().map(ToString::to_string).collect::<Vec<_>>());
                let want = Chunk::join(records.iter().filter(|it| grants.may_read(it)).map(|it| &it.chunk));
                let part = batch.part_for(&table.take(grants));
                prop_assert_eq!(part.chunk.wire(), want.wire());
            }
        }
    }
}
