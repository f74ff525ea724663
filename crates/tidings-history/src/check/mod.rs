//! The judge: from what was recorded alone, is there anything that must not be?
//!
//! In the order of the work: `book` knows what was asked for and what came of it; `reading` sorts what readers saw by
//! connection; `sight` judges each event by itself; `stretch` cuts a reader's events where its promise begins anew;
//! `order` looks for the one order that agrees with everything; `gap` asks what is missing by that order.

mod book;
mod gap;
mod graph;
mod order;
mod reading;
mod sight;
mod stretch;
mod summary;
mod verdict;

pub use summary::Summary;

use crate::fault::Fault;
use crate::history::History;
use book::Book;
use order::Order;

/// Most faults that are told: one wrong turn may leave many traces. Unit: faults.
pub const FAULTS_MAX: usize = 1000;

/// Judges a history. What it proves is in the [crate's documentation](crate).
///
/// It relies on three things that the recorders see to: data begins with the name of its publication, a publisher's own
/// id is used once, and [`Entry::Done`](crate::Entry::Done) is written only when a reader had the time to get all. Where
/// the place of an event among others cannot be known (nobody saw it, and its id is its publisher's) it is judged by
/// time alone; a reader of all topics leaves no such events.
///
/// Cost: about linear in the entries, for each reader and verdict.
///
/// # Errors
/// All that is wrong, but at most [`FAULTS_MAX`].
pub fn check(history: &History) -> Result<Summary, Vec<Fault>> {
    let mut faults = Faults::default();
    let mut book = Book::read(history, &mut faults);
    let readings = reading::sort(history, &mut faults);
    let stretches = stretch::cut(&mut book, &readings, &mut faults);
    // Which event is which must be settled before their order means anything.
    if !faults.found.iter().any(confuses)
        && let Some(order) = Order::find(&book, &stretches, &mut faults)
    {
        gap::find(&book, &readings, &stretches, &order, &mut faults);
    }
    if faults.found.is_empty() { Ok(Summary::of(&book, &readings)) } else { Err(faults.found) }
}

/// Does this fault leave open which event is which, or when it was asked for?
fn confuses(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::NoHistory { .. }
            | Fault::IdGivenTwice { .. }
            | Fault::IdOfAnswer { .. }
            | Fault::OtherId { .. }
            | Fault::TooEarly { .. }
    )
}

/// What was found so far.
#[derive(Debug, Default)]
struct Faults {
    found: Vec<Fault>,
}

impl Faults {
    fn add(&mut self, fault: Fault) {
        if !self.is_full() {
            self.found.push(fault);
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() == FAULTS_MAX
    }
}
