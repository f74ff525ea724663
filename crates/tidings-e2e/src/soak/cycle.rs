//! One cycle: everybody comes, does what they do for a while, reads to the end, and leaves; and what they recorded is
//! judged.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tidings_history::recorders::{Publisher, Recorder, Tally};
use tidings_history::{Entry, History, Outcome, ReaderName, Summary, check, sentences};

use super::SoakFault;
use super::finite::begin_and_end_topics;
use super::http2::{ByHttp2, come_and_go_by_http2};
use super::load::Load;
use super::plan::{Part, READERS_IN_A_ROOM, SoakPlan};
use super::room::{Ids, Room};
use super::slow::{Firehose, be_in_the_way, pour};
use super::stage::Stage;
use crate::quiet::{QuietAtEnd, join_publishers};

/// A cycle that is to be run.
pub(super) struct Cycle<'a> {
    pub(super) plan: &'a SoakPlan,
    pub(super) stage: &'a Stage,
    /// Those of all cycles.
    pub(super) ids: &'a Ids,
    /// Counted from 0.
    pub(super) number: u32,
}

/// Who was there beside the recorded readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passers {
    /// Connections that were in the way.
    pub(super) idlers: u64,
    pub(super) by_http2: ByHttp2,
    /// Topics that ended.
    pub(super) topics_ended: u64,
}

/// What those of a room recorded.
pub(super) struct Recorded {
    pub(super) history: History,
    pub(super) tally: Tally,
    /// They did not get the last events in time.
    pub(super) late: Vec<ReaderName>,
}

impl Recorded {
    pub(super) fn of(recorder: &Recorder, late: Vec<ReaderName>) -> Self {
        Self { history: recorder.history(), tally: recorder.tally(), late }
    }
}

impl Cycle<'_> {
    /// Runs it until everybody has left. Answers what was recorded, and who was there beside.
    pub(super) fn run(&self) -> (Vec<Recorded>, Passers) {
        let (stage, number) = (self.stage, self.number);
        let is_quiet = AtomicBool::new(false);
        let mut rooms: Vec<_> = (0..self.plan.rooms()).map(|room| self.room(room)).collect();
        let topic = format!("soak/{number}/firehose");
        let mut firehose = Firehose::open(stage, topic, self.first_publisher(rooms.len()));
        let http2 = stage.hub.url(&format!("/events?topic=soak/{number}/0/**"));
        let recorders = rooms.iter().map(|room| &room.recorder).chain([&firehose.recorder]).cloned().collect();
        let passers = thread::scope(|scope| {
            let _quiet = QuietAtEnd { is_quiet: &is_quiet, recorders };
            let mut publishers: Vec<ScopedJoinHandle<'_, ()>> = Vec::new();
            for (nth, room) in rooms.iter().enumerate() {
                let load = self.load(nth, &room.recorder, &room.topics);
                publishers.push(scope.spawn(|| load.run(&is_quiet)));
            }
            let (publisher, topic) = (firehose.publisher(), firehose.topic());
            let is_quiet = &is_quiet;
            publishers.push(scope.spawn(move || pour(publisher, &topic, is_quiet)));
            let (topic, chance) = (firehose.topic(), self.chance(KIND_IDLERS, 0));
            let idlers = scope.spawn(move || be_in_the_way(stage, &topic, chance, is_quiet));
            let by_http2 = scope.spawn(|| come_and_go_by_http2(&http2, is_quiet));
            let name = format!("soak/{number}/finite");
            let finite = scope.spawn(move || begin_and_end_topics(stage, &name, is_quiet));

            self.come_and_go(&mut rooms);
            is_quiet.store(true, Ordering::Relaxed);
            join_publishers(publishers);
            Passers {
                idlers: idlers.join().expect("nobody is kept from being in the way"),
                by_http2: by_http2.join().expect("a reader by HTTP/2 failed"),
                topics_ended: finite.join().expect("a topic did not end as it should"),
            }
        });
        let mut recorded: Vec<_> = rooms
            .iter_mut()
            .map(|room| {
                let late = room.read_to_the_end();
                Recorded::of(&room.recorder, late)
            })
            .collect();
        let late = firehose.read_to_the_end();
        recorded.push(Recorded::of(&firehose.recorder, late));
        (recorded, passers)
    }

    /// Fills the rooms, and stirs them for as long as the load is to last.
    fn come_and_go(&self, rooms: &mut [Room<'_>]) {
        let until = Instant::now() + self.plan.load;
        let mut left = self.plan.readers;
        for room in &mut *rooms {
            let readers = left.min(READERS_IN_A_ROOM);
            room.fill(readers);
            left -= readers;
        }
        let mut chance = self.chance(KIND_STIR, 0);
        // Each stays for some seconds, as a mean.
        let every = STAY / u32::try_from(self.plan.readers).expect("readers can be counted");
        while Instant::now() < until {
            let room = chance.usize(..rooms.len());
            rooms[room].stir();
            thread::sleep(every); // the pace of the load, not a wait for something
        }
    }

    fn room(&self, room: usize) -> Room<'_> {
        let name = format!("soak/{}/{room}", self.number);
        Room::new(self.stage, self.ids, self.chance(KIND_ROOM, room), &name, self.first_publisher(room))
    }

    fn load(&self, room: usize, recorder: &Recorder, topics: &[String]) -> Load<'_> {
        let publisher = Publisher::new(recorder, &self.stage.publishers);
        Load { publisher, topics: topics.to_vec(), chance: self.chance(KIND_LOAD, room), ids: self.ids }
    }

    /// Ids and keys are made of the publishers' numbers, so no two of a soak have the same.
    fn first_publisher(&self, recorder: usize) -> u32 {
        let recorders = u32::try_from(self.plan.rooms() + 1).expect("rooms can be counted");
        let recorder = u32::try_from(recorder).expect("rooms can be counted");
        FIRST_PUBLISHER + (self.number * recorders + recorder) * PUBLISHERS_OF_A_RECORDER
    }

    fn chance(&self, kind: u64, number: usize) -> fastrand::Rng {
        self.plan.chance(Part { cycle: self.number, kind, number })
    }
}

/// Judges what was recorded: each history by itself; that no id was given twice in all of them; and that every reader was
/// let in and got what it waited for, for a reader that gets nothing at all may have missed nothing.
pub(super) fn judge_recorded(recorded: Vec<Recorded>, plan: &SoakPlan) -> Result<Vec<Summary>, SoakFault> {
    let mut ids = HashSet::new();
    let mut summaries = Vec::new();
    for Recorded { mut history, late, .. } in recorded {
        if let Some(meddle) = plan.meddle {
            let mut entries = history.entries().to_vec();
            meddle(&mut entries);
            history = entries.into();
        }
        match judge_history(&history, &late, &mut ids) {
            Ok(summary) => summaries.push(summary),
            Err(text) => return Err(SoakFault::new(plan, text, Some(history))),
        }
    }
    Ok(summaries)
}

fn judge_history(history: &History, late: &[ReaderName], ids: &mut HashSet<String>) -> Result<Summary, String> {
    if let Some(reader) = late.first() {
        return Err(format!("{reader} did not get the last events in time, nor did {} others", late.len() - 1));
    }
    let summary = check(history).map_err(|faults| sentences(&faults))?;
    for entry in history.entries() {
        match entry {
            Entry::Opened { place, status } if *status != 200 => {
                return Err(format!("{place} was answered with {status}"));
            }
            Entry::Answered { publication, outcome: Outcome::Accepted(id) } if !ids.insert(id.clone()) => {
                return Err(format!("{id} was given twice, the second time to {publication}"));
            }
            _ => {}
        }
    }
    Ok(summary)
}

const STAY: Duration = Duration::from_secs(5);
/// Those before are of who stays through all cycles.
const FIRST_PUBLISHER: u32 = 10;
/// One at work and those of the markers.
const PUBLISHERS_OF_A_RECORDER: u32 = 4;
const KIND_ROOM: u64 = 1;
const KIND_LOAD: u64 = 2;
const KIND_IDLERS: u64 = 3;
const KIND_STIR: u64 = 4;
