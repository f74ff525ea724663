//! A hub that keeps every promise, its publishers and its readers, all in one value: what they record is true.
//!
//! Two watchers read everything from the beginning and are never behind, so that the order of all events is known.

use tidings_history::{Asked, End, Entry, Interest, Outcome, Place, PublicationName, ReaderName, Saw, StartFrom};

/// The world and what was recorded in it.
pub(crate) struct Ideal {
    pub(crate) entries: Vec<Entry>,
    /// For each event that came: its entry, and of which stretch of which reader it is.
    pub(crate) sights: Vec<Sight>,
    /// The verdicts without which an event would be missing, certainly: their readers had seen events, and what they miss
    /// comes after these.
    pub(crate) needed_verdicts: Vec<usize>,
    log: Vec<Stored>,
    /// Of the log so many are no longer kept.
    trimmed: usize,
    epoch: usize,
    sequence: u64,
    publishers: Vec<Publisher>,
    readers: Vec<Reader>,
}

/// An event that came to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) entry: usize,
    pub(crate) place: Place,
    /// The how-manieth stretch of this reader.
    pub(crate) stretch: usize,
}

struct Stored {
    id: String,
    epoch: usize,
    sequence: u64,
    asked: Asked,
}

#[derive(Default)]
struct Publisher {
    number: u64,
    pending: Option<Asked>,
}

struct Reader {
    name: ReaderName,
    interest: Interest,
    start: StartFrom,
    wants_opening: bool,
    is_watcher: bool,
    connection: u32,
    is_connected: bool,
    stretch: usize,
    last_id: String,
    /// It has all of its topics of the log before this.
    cursor: usize,
}

const EPOCHS: [&str; 4] = ["3vq8k0aa", "3vq8k0ab", "3vq9k0aa", "zzzzzzzz"];
const TOPICS: [&str; 4] = ["a", "b", "x/1", "x/2"];

impl Ideal {
    /// What comes of some random numbers, each of which stands for something that happens.
    pub(crate) fn of(bits: &[u64]) -> Self {
        let mut ideal = Self {
            entries: Vec::new(),
            sights: Vec::new(),
            needed_verdicts: Vec::new(),
            log: Vec::new(),
            trimmed: 0,
            epoch: 0,
            sequence: 0,
            publishers: (0..3).map(|_| Publisher::default()).collect(),
            readers: Vec::new(),
        };
        ideal.add_reader(&["**"], StartFrom::Earliest, false, true);
        ideal.add_reader(&["**"], StartFrom::Live, false, true);
        ideal.add_reader(&["a"], StartFrom::Earliest, true, false);
        ideal.add_reader(&["x/*", "b"], StartFrom::Live, false, false);
        ideal.add_reader(&["**"], StartFrom::Live, true, false);
        for &bits in bits {
            ideal.step(bits);
        }
        for publisher in 0..ideal.publishers.len() {
            ideal.finish(publisher, 0);
        }
        for reader in 0..ideal.readers.len() {
            ideal.connect(reader);
            ideal.deliver(reader, usize::MAX);
            let reader = ideal.readers[reader].name;
            ideal.entries.push(Entry::Done { reader });
        }
        ideal
    }

    /// The stretch that a reader ended with.
    pub(crate) fn last_stretch(&self, name: ReaderName) -> usize {
        self.readers.iter().find(|reader| reader.name == name).expect("it is one of its own").stretch
    }

    fn add_reader(&mut self, selectors: &[&str], start: StartFrom, wants_opening: bool, is_watcher: bool) {
        let name = ReaderName(u32::try_from(self.readers.len()).expect("a few"));
        let interest = Interest::in_topics(selectors.iter().copied());
        self.entries.push(Entry::Listens { reader: name, interest: interest.clone() });
        self.readers.push(Reader {
            name,
            interest,
            start,
            wants_opening,
            is_watcher,
            connection: 0,
            is_connected: false,
            stretch: 0,
            last_id: String::new(),
            cursor: 0,
        });
        if is_watcher {
            self.connect(self.readers.len() - 1);
        }
    }

    fn step(&mut self, bits: u64) {
        let byte = |nth: u32| usize::try_from(bits >> (8 * nth) & 0xff).expect("a byte fits");
        let publisher = byte(1) % self.publishers.len();
        let reader = 2 + byte(1) % (self.readers.len() - 2);
        match byte(0) % 24 {
            0..=5 => self.ask(publisher, byte(2), byte(3)),
            6..=12 => self.finish(publisher, byte(2)),
            13..=16 => {
                self.connect(reader);
                self.deliver(reader, byte(2) % 8);
            }
            17..=18 => self.deliver(reader, byte(2)),
            19..=21 => self.cut(reader, End::Cut),
            22 => self.trim(byte(2) % 6),
            _ if byte(2).is_multiple_of(4) => self.restart(),
            _ => {}
        }
    }

    fn ask(&mut self, publisher: usize, topic: usize, kind: usize) {
        let Publisher { number, pending } = &mut self.publishers[publisher];
        if pending.is_some() {
            return;
        }
        *number += 1;
        let publication = PublicationName { publisher: u32::try_from(publisher).expect("a few"), number: *number };
        let asked = Asked {
            publication,
            topic: TOPICS[topic % TOPICS.len()].to_owned(),
            id: kind.is_multiple_of(2).then(|| format!("own {publication}")),
            event_type: kind.is_multiple_of(3).then(|| "price".to_owned()),
            data: publication.data("something").into(),
            key: None,
        };
        self.entries.push(Entry::Asked(asked.clone()));
        *pending = Some(asked);
    }

    fn finish(&mut self, publisher: usize, kind: usize) {
        let Some(asked) = self.publishers[publisher].pending.take() else { return };
        let publication = asked.publication;
        let outcome = match kind % 16 {
            0 => Outcome::Refused(503),
            1 => Outcome::Unknown,
            2 => {
                self.store(asked);
                Outcome::Unknown
            }
            _ => Outcome::Accepted(self.store(asked)),
        };
        self.entries.push(Entry::Answered { publication, outcome });
    }

    fn store(&mut self, asked: Asked) -> String {
        self.sequence += 1;
        let hub_id = format!("{}-{}", EPOCHS[self.epoch], self.sequence);
        let id = asked.id.clone().unwrap_or(hub_id);
        self.log.push(Stored { id: id.clone(), epoch: self.epoch, sequence: self.sequence, asked });
        for reader in 0..self.readers.len() {
            if self.readers[reader].is_watcher {
                self.deliver(reader, usize::MAX);
            }
        }
        id
    }

    fn trim(&mut self, count: usize) {
        self.trimmed = (self.trimmed + count).min(self.log.len());
        for reader in 0..self.readers.len() {
            if self.lacks_trimmed(reader, self.readers[reader].cursor) {
                self.cut(reader, End::Whole);
            }
        }
    }

    /// A hub in memory: all is gone, a new epoch begins.
    fn restart(&mut self) {
        if self.epoch + 1 == EPOCHS.len() {
            return;
        }
        for publisher in 0..self.publishers.len() {
            self.finish(publisher, 1);
        }
        for reader in 0..self.readers.len() {
            self.cut(reader, End::Broken);
        }
        (self.trimmed, self.epoch, self.sequence) = (self.log.len(), self.epoch + 1, 0);
        for reader in 0..self.readers.len() {
            if self.readers[reader].is_watcher {
                self.connect(reader);
            }
        }
    }

    fn cut(&mut self, reader: usize, end: End) {
        let place = self.place(reader);
        if std::mem::take(&mut self.readers[reader].is_connected) {
            self.entries.push(Entry::Ended { place, end });
        }
    }

    fn connect(&mut self, reader: usize) {
        if self.readers[reader].is_connected {
            return;
        }
        let Reader { connection, is_connected, last_id, start, wants_opening, .. } = &mut self.readers[reader];
        let wants_opening = *wants_opening;
        *connection += 1;
        *is_connected = true;
        let from = if last_id.is_empty() { start.clone() } else { StartFrom::After(last_id.clone()) };
        let place = self.place(reader);
        self.entries.push(Entry::Connecting { place, from: from.clone() });
        self.entries.push(Entry::Opened { place, status: 200 });

        let verdict = match &from {
            StartFrom::After(id) => self.resolve(reader, id).map(|reason| (id.clone(), reason)),
            from => {
                self.readers[reader].stretch += 1;
                self.readers[reader].cursor = if *from == StartFrom::Live { self.log.len() } else { self.trimmed };
                None
            }
        };
        if let Some((requested, reason)) = verdict {
            let Reader { name, stretch, cursor, .. } = self.readers[reader];
            let has_events = self.sights.iter().any(|sight| (sight.place.reader, sight.stretch) == (name, stretch));
            if reason == "expired" && has_events && self.lacks_trimmed(reader, cursor) {
                self.needed_verdicts.push(self.entries.len());
            }
            self.readers[reader].stretch += 1;
            self.readers[reader].cursor = self.trimmed;
            let data = format!(r#"{{"requested":"{requested}","reason":"{reason}","oldest":null,"latest":null}}"#);
            self.show(reader, self.position(self.trimmed), "tidings.reset", data.into());
        } else if wants_opening {
            self.show(reader, self.position(self.readers[reader].cursor), "tidings.open", "".into());
        }
    }

    /// Why a reader cannot go on from an id, if it cannot.
    fn resolve(&self, reader: usize, id: &str) -> Option<&'static str> {
        let cursor = match self.log.iter().position(|stored| stored.id == id && stored.asked.id.is_some()) {
            Some(index) if index < self.trimmed => return Some("unknown"),
            Some(index) => index + 1,
            None => {
                let (epoch, sequence) = id.split_once('-').expect("all other ids are the hub's own");
                if epoch != EPOCHS[self.epoch] {
                    return Some("expired");
                }
                let sequence: u64 = sequence.parse().expect("it made this id");
                let is_later = |stored: &Stored| stored.epoch == self.epoch && stored.sequence > sequence;
                self.log.iter().position(is_later).unwrap_or(self.log.len())
            }
        };
        self.lacks_trimmed(reader, cursor).then_some("expired")
    }

    fn lacks_trimmed(&self, reader: usize, cursor: usize) -> bool {
        let interest = &self.readers[reader].interest;
        let gone = self.log.get(cursor..self.trimmed).unwrap_or_default();
        gone.iter().any(|stored| interest.matches(&stored.asked.topic, stored.asked.type_seen()))
    }

    fn deliver(&mut self, reader: usize, mut count: usize) {
        while self.readers[reader].is_connected && count > 0 && self.readers[reader].cursor < self.log.len() {
            let stored = &self.log[self.readers[reader].cursor];
            self.readers[reader].cursor += 1;
            if !self.readers[reader].interest.matches(&stored.asked.topic, stored.asked.type_seen()) {
                continue;
            }
            count -= 1;
            let (id, event_type) = (stored.id.clone(), stored.asked.type_seen().to_owned());
            let data = stored.asked.data_seen();
            let (place, stretch) = (self.place(reader), self.readers[reader].stretch);
            self.sights.push(Sight { entry: self.entries.len(), place, stretch });
            self.show(reader, id, &event_type, data);
        }
    }

    fn show(&mut self, reader: usize, id: String, event_type: &str, data: std::sync::Arc<str>) {
        self.readers[reader].last_id.clone_from(&id);
        let place = self.place(reader);
        self.entries.push(Entry::Saw(Saw { place, id, event_type: event_type.to_owned(), data }));
    }

    /// The place before what stands at `index` of the log.
    fn position(&self, index: usize) -> String {
        let before = index.checked_sub(1).map(|last| &self.log[last]);
        let sequence = before.filter(|stored| stored.epoch == self.epoch).map_or(0, |stored| stored.sequence);
        format!("{}-{sequence}", EPOCHS[self.epoch])
    }

    fn place(&self, reader: usize) -> Place {
        Place { reader: self.readers[reader].name, connection: self.readers[reader].connection }
    }
}
