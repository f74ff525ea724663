//! A reader's events, cut where what it was promised begins anew: at its first connection, at one that goes on from
//! elsewhere than from its last id, and at a verdict. Within a stretch nothing may be missing, twice or out of order.

use std::collections::{HashMap, HashSet};

use super::Faults;
use super::book::{Book, EventIndex};
use super::reading::{Connection, Reading};
use super::sight::judge;
use super::verdict::{Reason, Verdict};
use crate::entry::{Saw, StartFrom};
use crate::fault::{Fault, VerdictFault};
use crate::name::Place;
use crate::position::HubPosition;

/// Events of a reader that must follow each other without a gap.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Which of the readings.
    pub(super) reading: usize,
    /// Where it began.
    pub(super) place: Place,
    pub(super) start: Start,
    /// What came in order, each once.
    pub(super) steps: Vec<Step>,
    /// All events that came, and where each came first.
    pub(super) came: HashMap<EventIndex, Place>,
    /// It began with a verdict `lost`, at this entry.
    pub(super) lost_at: Option<usize>,
    /// Nothing of this reader comes after it.
    pub(super) is_last: bool,
}

/// From where on nothing may be missing.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// From the very first event.
    pub(super) is_all: bool,
    /// After this.
    pub(super) after: Option<Point>,
    /// From now on, while this was now.
    pub(super) now: Option<Now>,
}

/// A time between two entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) connecting_at: usize,
    /// `None`: the answer never came.
    pub(super) opened_at: Option<usize>,
}

/// What came, and where.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    pub(super) point: Point,
}

/// Something that has a place in the hub's order.
#[derive(Clone, Debug)]
pub(super) enum Point {
    Event(EventIndex),
    /// A position that a frame or a reader named, known since this entry.
    Position(HubPosition, usize),
}

/// Cuts what readers saw into stretches, and judges each event on the way.
pub(super) fn cut<'h>(book: &mut Book<'h>, readings: &[Reading<'h>], faults: &mut Faults) -> Vec<Stretch> {
    let mut cutter = Cutter { book, faults, done: Vec::new() };
    for (index, reading) in readings.iter().enumerate() {
        cutter.read(index, reading);
    }
    cutter.done
}

struct Cutter<'a, 'h> {
    book: &'a mut Book<'h>,
    faults: &'a mut Faults,
    done: Vec<Stretch>,
}

/// The stretch that is being filled.
struct Open {
    stretch: Stretch,
    /// The last of the hub's own ids.
    last: Option<HubPosition>,
}

impl<'h> Cutter<'_, 'h> {
    fn read(&mut self, index: usize, reading: &Reading<'h>) {
        let mut open: Option<Open> = None;
        let mut last_id = "";
        let mut ids = HashSet::new();
        for connection in &reading.connections {
            if let StartFrom::After(id) = connection.from
                && !ids.is_empty()
                && !ids.contains(&**id)
            {
                let what = format!("{} goes on from {id}, which its reader has not seen", connection.place);
                self.faults.add(Fault::NoHistory { entry: connection.connecting_at, what });
            }
            let goes_on = matches!(connection.from, StartFrom::After(id) if id == last_id);
            let mut current = match open.take() {
                Some(current) if goes_on => current,
                before => {
                    self.done.extend(before.map(|before| before.stretch));
                    Open::new(index, connection.place, self.start(connection))
                }
            };
            let is_new = current.stretch.steps.is_empty() && !goes_on;
            for (nth, &(at, saw)) in connection.seen.iter().enumerate() {
                match &*saw.event_type {
                    "tidings.open" => self.opening(&mut current, connection, (nth, at, saw), is_new),
                    "tidings.reset" => {
                        let next = self.verdict(index, connection, (nth, at, saw));
                        self.done.push(std::mem::replace(&mut current, next).stretch);
                    }
                    "tidings.end" => self.frame(&mut current, (at, saw)),
                    kind if kind.starts_with("tidings.") => {
                        self.blame(saw.place, VerdictFault::UnknownFrame { kind: kind.to_owned() });
                    }
                    _ => {
                        if let Some(event) = judge(self.book, reading.interest, connection, (at, saw), self.faults) {
                            self.event(&mut current, event, saw);
                        }
                    }
                }
                if !saw.id.is_empty() {
                    last_id = &saw.id;
                    ids.insert(last_id);
                }
            }
            self.expect_verdict_on_made_up_id(connection);
            open = Some(current);
        }
        self.done.extend(open.map(|open| Stretch { is_last: true, ..open.stretch }));
    }

    /// Where a connection starts that does not go on from what its reader has seen.
    fn start(&self, connection: &Connection<'_>) -> Start {
        let Connection { connecting_at, opened_at, .. } = *connection;
        match connection.from {
            StartFrom::Earliest => Start { is_all: true, ..Start::default() },
            StartFrom::Live => Start { now: Some(Now { connecting_at, opened_at }), ..Start::default() },
            StartFrom::After(id) => {
                let event = self.book.by_id(id).map(Point::Event);
                let position = || Some(Point::Position(HubPosition::parse(id)?, connecting_at));
                Start { after: event.or_else(position), ..Start::default() }
            }
            StartFrom::Since(_) | StartFrom::Last(_) => Start::default(),
        }
    }

    /// The opening frame: what its stream starts with, if that was not known better.
    fn opening(&mut self, current: &mut Open, connection: &Connection<'_>, seen: (usize, usize, &Saw), is_new: bool) {
        let (nth, at, saw) = seen;
        self.expect_first(nth, saw);
        if is_new && nth == 0 && !matches!(connection.from, StartFrom::After(_)) {
            if let Some(position) = self.position(saw) {
                let start = &mut current.stretch.start;
                start.is_all = false;
                start.after = Some(Point::Position(position.clone(), at));
                current.last = Some(position);
            }
        } else {
            self.frame(current, (at, saw));
        }
    }

    /// A verdict: the promise begins anew.
    fn verdict(&mut self, index: usize, connection: &Connection<'_>, (nth, at, saw): (usize, usize, &Saw)) -> Open {
        self.expect_first(nth, saw);
        let position = self.position(saw);
        let after = position.clone().map(|position| Point::Position(position, at));
        let mut next = Open::new(index, saw.place, Start { after, ..Start::default() });
        next.last = position;
        match Verdict::parse(&saw.data) {
            Ok(verdict) => {
                next.stretch.lost_at = (verdict.reason == Reason::Lost).then_some(at);
                if let Err(fault) = verdict.answers(connection.from) {
                    self.blame(saw.place, fault);
                }
            }
            Err(fault) => self.blame(saw.place, fault),
        }
        next
    }

    /// A frame that names a place on the way.
    fn frame(&mut self, current: &mut Open, (at, saw): (usize, &Saw)) {
        let Some(position) = self.position(saw) else { return };
        if current.last.as_ref().is_some_and(|last| position < *last) {
            self.disorder(current, saw);
            return;
        }
        current.last = Some(position.clone());
        current.stretch.steps.push(Step { place: saw.place, point: Point::Position(position, at) });
    }

    fn event(&mut self, current: &mut Open, event: EventIndex, saw: &Saw) {
        if let Some(&first) = current.stretch.came.get(&event) {
            let publication = self.book[event].name();
            self.faults.add(Fault::Twice { place: saw.place, first, id: saw.id.clone(), publication });
            return;
        }
        current.stretch.came.insert(event, saw.place);
        if let Some(position) = self.book[event].position() {
            if current.last.as_ref().is_some_and(|last| position <= *last) {
                self.disorder(current, saw);
                return;
            }
            current.last = Some(position);
        }
        current.stretch.steps.push(Step { place: saw.place, point: Point::Event(event) });
    }

    fn expect_first(&mut self, nth: usize, saw: &Saw) {
        if nth > 0 {
            self.blame(saw.place, VerdictFault::Late { kind: saw.event_type.clone(), items: nth });
        }
    }

    /// An id that nobody can have been given is `unknown`, and that is never silent.
    fn expect_verdict_on_made_up_id(&mut self, connection: &Connection<'_>) {
        let StartFrom::After(id) = connection.from else { return };
        let is_silent = connection.seen.first().is_some_and(|(_, saw)| saw.event_type != "tidings.reset");
        let is_made_up = match self.book.by_id(id) {
            Some(event) => self.book[event].refused().is_some(),
            None => HubPosition::parse(id).is_none(),
        };
        if is_silent && is_made_up {
            self.blame(connection.place, VerdictFault::Silent { id: id.clone() });
        }
    }

    fn position(&mut self, saw: &Saw) -> Option<HubPosition> {
        let position = HubPosition::parse(&saw.id);
        if position.is_none() {
            self.blame(saw.place, VerdictFault::Position { kind: saw.event_type.clone(), id: saw.id.clone() });
        }
        position
    }

    fn disorder(&mut self, current: &Open, saw: &Saw) {
        let after = current.last.as_ref().expect("disorder is judged by it").to_string();
        self.faults.add(Fault::Disorder { place: saw.place, id: saw.id.clone(), after });
    }

    fn blame(&mut self, place: Place, fault: VerdictFault) {
        self.faults.add(Fault::Verdict { place, fault });
    }
}

impl Open {
    fn new(reading: usize, place: Place, start: Start) -> Self {
        let (steps, came) = (Vec::new(), HashMap::new());
        let stretch = Stretch { reading, place, start, steps, came, lost_at: None, is_last: false };
        Self { stretch, last: None }
    }
}
