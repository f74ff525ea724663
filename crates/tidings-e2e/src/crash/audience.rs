//! Who reads while the hub is killed: by topic and by pattern, from the beginning and from now, with and without the
//! opening frame, cut by the kills alone and cut by themselves.

use std::time::Instant;

use tidings_history::recorders::{Base, Cuts, Listener, Reader, Recorder};
use tidings_history::{Interest, PublicationName, StartFrom};

use super::load::{PRICE, TOPICS};
use super::{CrashPlan, Retention};
use crate::DEADLINE;

/// All readers of a run.
pub(super) struct Audience<'a> {
    recorder: &'a Recorder,
    base: &'a Base,
    readers: Vec<(Reader, Interest)>,
    /// Who asks for everything gets what is retained, and only the opening frame says where that begins.
    is_trimmed: bool,
    /// Ids of all times, from which somebody goes on at the end.
    remembered: Vec<String>,
}

impl<'a> Audience<'a> {
    /// Those that are there from the beginning.
    pub(super) fn gather(recorder: &'a Recorder, base: &'a Base, plan: &CrashPlan) -> Self {
        let mut audience = Self {
            recorder,
            base,
            readers: Vec::new(),
            is_trimmed: plan.retention == Retention::Little,
            remembered: Vec::new(),
        };
        let cuts = |part| Cuts { seed: plan.chance(part).u64(..), bytes_between: 20_000, idle: None, count: 200 };
        let of = |selectors: &[&str], start| Listener::new(Interest::in_topics(selectors.iter().copied()), start);
        audience.add(of(&["crash/**"], StartFrom::Earliest));
        audience.add(of(&["crash/**"], StartFrom::Live).with_opening().with_cuts(cuts(100)));
        audience.add(of(&["crash/a/0"], StartFrom::Live).with_opening());
        audience.add(of(&["crash/*/1"], StartFrom::Live));
        audience.add(of(&["crash/a/2", "crash/b/3"], StartFrom::Live).with_opening().with_cuts(cuts(101)));
        let mut prices = of(&["crash/b/0"], StartFrom::Earliest);
        prices.interest.types.push(PRICE.to_owned());
        audience.add(prices);
        audience
    }

    /// One that comes now and asks for everything.
    pub(super) fn add_late_reader(&mut self) {
        self.add(Listener::new(Interest::in_topics(["crash/**"]), StartFrom::Earliest));
    }

    /// An id from which somebody is to go on at the end.
    pub(super) fn remember(&mut self, id: Option<String>) {
        self.remembered.extend(id);
    }

    /// With readers from the beginning and from remembered ids, lets all of them read on until they have the markers.
    pub(super) fn read_to_the_end(mut self, markers: &[(&str, PublicationName)]) {
        self.add_late_reader();
        for id in std::mem::take(&mut self.remembered) {
            self.add(Listener::new(Interest::in_topics(TOPICS), StartFrom::After(id)));
        }
        let deadline = Instant::now() + DEADLINE;
        for (reader, interest) in self.readers {
            let last: Vec<_> =
                markers.iter().filter(|(topic, _)| interest.matches_topic(topic)).map(|(_, name)| *name).collect();
            // Who does not get them by then lacks them, and the judge says what else.
            reader.wait_for(&last, deadline);
            reader.finish();
        }
    }

    fn add(&mut self, mut listener: Listener) {
        listener.wants_opening |= self.is_trimmed && listener.start == StartFrom::Earliest;
        let interest = listener.interest.clone();
        self.readers.push((Reader::start(self.recorder, self.base, listener), interest));
    }
}
