//! A room: a few topics, those who listen to them, and what they recorded. Rooms know nothing of each other, so each is
//! judged by itself, and a proof over thousands of readers stays cheap.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, PublicationName, ReaderName, StartFrom};

use super::stage::Stage;
use crate::DEADLINE;

/// A room and all who are in it.
#[derive(Debug)]
pub(super) struct Room<'a> {
    stage: &'a Stage,
    pub(super) recorder: Recorder,
    pub(super) topics: Vec<String>,
    /// Each comes back within [`DELAY_MAX`].
    regulars: Vec<(Reader, Interest)>,
    /// These stay away longer than history goes back.
    sleepers: Vec<Reader>,
    /// Those that have left for good, as long as something of them runs.
    leavers: VecDeque<Reader>,
    chance: fastrand::Rng,
    /// Ids that readers may come with: of all rooms, and of before.
    ids: &'a Ids,
}

impl<'a> Room<'a> {
    /// An empty one. `name` is the beginning of its topics, and its publishers are counted from `first_publisher` on.
    pub(super) fn new(stage: &'a Stage, ids: &'a Ids, chance: fastrand::Rng, name: &str, first_publisher: u32) -> Self {
        Self {
            stage,
            recorder: Recorder::with_publishers_from(first_publisher),
            topics: (0..TOPICS).map(|topic| format!("{name}/{topic}")).collect(),
            regulars: Vec::new(),
            sleepers: Vec::new(),
            leavers: VecDeque::new(),
            chance,
            ids,
        }
    }

    /// Lets some come.
    pub(super) fn fill(&mut self, readers: usize) {
        for _ in 0..readers {
            if self.chance.u8(..100) < SLEEPERS_PERCENT {
                let mut sleeper = self.any_listener();
                sleeper.delay = Duration::from_millis(self.chance.u64(7000..8000));
                let base = self.any_base();
                self.sleepers.push(Reader::start(&self.recorder, base, sleeper));
            } else {
                self.admit();
            }
        }
    }

    /// One is cut, or leaves for good and another comes in its place.
    pub(super) fn stir(&mut self) {
        while self.leavers.front().is_some_and(Reader::is_gone) {
            self.leavers.pop_front();
        }
        let everybody = self.regulars.len() + self.sleepers.len();
        let nth = self.chance.usize(..everybody.max(1));
        match self.regulars.get(nth) {
            None => {
                if let Some(sleeper) = self.sleepers.get(nth - self.regulars.len()) {
                    sleeper.cut();
                }
            }
            Some((regular, _)) if self.chance.u8(..3) > 0 => regular.cut(),
            Some(_) => {
                let (leaver, _) = self.regulars.swap_remove(nth);
                leaver.leave();
                self.leavers.push_back(leaver);
                self.admit();
            }
        }
    }

    /// Lets all read on until they have everything that was published, and go. Only those who sleep are not waited for.
    /// Answers who did not get it in time.
    pub(super) fn read_to_the_end(&mut self) -> Vec<ReaderName> {
        let deadline = Instant::now() + DEADLINE;
        for (reader, _) in &self.regulars {
            // Who has seen nothing yet and comes back later is a new reader, and the markers are not for it.
            reader.wait_until_open(deadline);
        }
        let markers = self.publish_markers();
        let mut late = Vec::new();
        for (reader, interest) in self.regulars.drain(..) {
            let last: Vec<_> =
                markers.iter().filter(|(topic, _)| interest.matches_topic(topic)).map(|(_, name)| *name).collect();
            if !reader.wait_for(&last, deadline) {
                late.push(reader.name());
            }
            reader.finish();
        }
        self.recorder.stop();
        self.sleepers.clear();
        self.leavers.clear();
        late
    }

    /// One event on each topic after all others, so that whoever has seen it has seen all.
    fn publish_markers(&self) -> Vec<(String, PublicationName)> {
        let mut publisher = Publisher::new(&self.recorder, &self.stage.publishers);
        let mut publish = |topic: &str| {
            let wish = Wish { event_type: Some(PRICE), ..Wish::new(topic, "the last of its topic") };
            publisher.publish(&wish).expect("the recorder is not stopped yet").name
        };
        self.topics.iter().map(|topic| (topic.clone(), publish(topic))).collect()
    }

    fn admit(&mut self) {
        let mut listener = self.any_listener();
        listener.delay = Duration::from_millis(self.chance.u64(10..DELAY_MAX));
        let (interest, base) = (listener.interest.clone(), self.any_base());
        self.regulars.push((Reader::start(&self.recorder, base, listener), interest));
    }

    /// By topic and by pattern, from the beginning, from now and from places of all kinds, with and without the opening
    /// frame, by HTTP/1.1 and HTTP/1.0.
    fn any_listener(&mut self) -> Listener {
        let topic = self.any_topic();
        let room = topic.rsplit_once('/').expect("each topic is in a room").0.to_owned();
        let selectors = match self.chance.u8(..100) {
            0..50 => vec![topic],
            50..65 => vec![topic, self.any_topic()],
            65..85 => vec![format!("{room}/*")],
            _ => vec![format!("{room}/**")],
        };
        let mut interest = Interest::in_topics(selectors);
        if self.chance.u8(..10) == 0 {
            interest.types.push(PRICE.to_owned());
        }
        let (start, wants_opening) = match self.chance.u8(..100) {
            0..60 => (StartFrom::Live, self.chance.bool()),
            // What is retained: only the opening frame says where that begins.
            60..75 => (StartFrom::Earliest, true),
            75..80 => (StartFrom::Last(self.chance.u64(1..20)), true),
            80..95 => {
                let id = self.ids.some(&mut self.chance);
                (id.map_or(StartFrom::Live, StartFrom::After), self.chance.bool())
            }
            _ => (StartFrom::After(format!("nobody-{}", self.chance.u32(..))), self.chance.bool()),
        };
        let mut listener = Listener::new(interest, start);
        listener.wants_opening = wants_opening;
        listener.is_http_1_0 = self.chance.u8(..10) == 0;
        listener
    }

    fn any_topic(&mut self) -> String {
        self.chance.choice(&self.topics).expect("a room has topics").clone()
    }

    fn any_base(&mut self) -> &'a Base {
        let stage = self.stage;
        // Most have no token.
        let nth = if self.chance.u8(..4) == 0 { self.chance.usize(..stage.readers.len()) } else { 0 };
        &stage.readers[nth]
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        // Also when a check fails: those who rest could not be waited for otherwise.
        self.recorder.stop();
    }
}

/// Ids of the hub's own form that were acknowledged, some of all times.
#[derive(Debug, Default)]
pub(super) struct Ids(Mutex<Vec<String>>);

impl Ids {
    /// Takes the place of another one when there are many.
    pub(super) fn remember(&self, id: &str, chance: &mut fastrand::Rng) {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() < IDS_MAX {
            ids.push(id.to_owned());
        } else {
            id.clone_into(&mut ids[chance.usize(..IDS_MAX)]);
        }
    }

    fn some(&self, chance: &mut fastrand::Rng) -> Option<String> {
        chance.choice(self.0.lock().unwrap_or_else(PoisonError::into_inner).iter()).cloned()
    }
}

/// The type that some events have.
pub(super) const PRICE: &str = "price";
const TOPICS: usize = 5;
const SLEEPERS_PERCENT: u8 = 3;
/// How long a regular stays away at most. Unit: milliseconds.
const DELAY_MAX: u64 = 1500;
const IDS_MAX: usize = 2000;
