//! What readers recorded, sorted by reader and connection.

use std::collections::HashMap;

use super::Faults;
use crate::entry::{Entry, Saw, StartFrom};
use crate::fault::Fault;
use crate::history::History;
use crate::interest::Interest;
use crate::name::{Place, ReaderName};

/// A reader and all its connections.
#[derive(Debug)]
pub(super) struct Reading<'h> {
    pub(super) name: ReaderName,
    pub(super) interest: &'h Interest,
    pub(super) connections: Vec<Connection<'h>>,
    /// When it had waited for all that was acknowledged before.
    pub(super) done_at: Option<usize>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection<'h> {
    pub(super) place: Place,
    pub(super) from: &'h StartFrom,
    pub(super) connecting_at: usize,
    /// When the head of a stream came.
    pub(super) opened_at: Option<usize>,
    /// With the entry of each.
    pub(super) seen: Vec<(usize, &'h Saw)>,
    is_over: bool,
}

/// Sorts what readers recorded. What does not fit together is a fault and left out.
pub(super) fn sort<'h>(history: &'h History, faults: &mut Faults) -> Vec<Reading<'h>> {
    let mut readings = Readings::default();
    for (at, entry) in history.entries().iter().enumerate() {
        if let Err(what) = readings.take(at, entry) {
            faults.add(Fault::NoHistory { entry: at, what });
        }
    }
    readings.all
}

#[derive(Debug, Default)]
struct Readings<'h> {
    all: Vec<Reading<'h>>,
    by_name: HashMap<ReaderName, usize>,
}

impl<'h> Readings<'h> {
    fn take(&mut self, at: usize, entry: &'h Entry) -> Result<(), String> {
        match entry {
            Entry::Listens { reader, interest } => self.add(*reader, interest),
            Entry::Connecting { place, from } => self.connect(at, *place, from),
            Entry::Opened { place, status } => {
                let connection = self.connection(*place)?;
                if *status == 200 {
                    connection.opened_at.get_or_insert(at);
                }
                Ok(())
            }
            Entry::Saw(saw) => {
                let connection = self.connection(saw.place)?;
                if connection.opened_at.is_none() {
                    return Err(format!("{} saw something, but was not opened as a stream", saw.place));
                }
                connection.seen.push((at, saw));
                Ok(())
            }
            Entry::Ended { place, .. } => {
                self.connection(*place)?.is_over = true;
                Ok(())
            }
            Entry::Done { reader } => {
                self.reading(*reader)?.done_at = Some(at);
                Ok(())
            }
            Entry::Asked(_) | Entry::Answered { .. } | Entry::Note { .. } => Ok(()),
        }
    }

    fn add(&mut self, name: ReaderName, interest: &'h Interest) -> Result<(), String> {
        if self.by_name.insert(name, self.all.len()).is_some() {
            return Err(format!("there are two {name}"));
        }
        self.all.push(Reading { name, interest, connections: Vec::new(), done_at: None });
        Ok(())
    }

    fn connect(&mut self, at: usize, place: Place, from: &'h StartFrom) -> Result<(), String> {
        let reading = self.reading(place.reader)?;
        let last = reading.connections.last();
        if last.is_some_and(|last| last.place.connection >= place.connection || !last.is_over) {
            return Err(format!("{place} begins before the connection before it is over"));
        }
        let connection =
            Connection { place, from, connecting_at: at, opened_at: None, seen: Vec::new(), is_over: false };
        reading.connections.push(connection);
        Ok(())
    }

    fn reading(&mut self, name: ReaderName) -> Result<&mut Reading<'h>, String> {
        let &index = self.by_name.get(&name).ok_or_else(|| format!("there is no {name}"))?;
        let reading = &mut self.all[index];
        if reading.done_at.is_some() { Err(format!("{name} was done")) } else { Ok(reading) }
    }

    fn connection(&mut self, place: Place) -> Result<&mut Connection<'h>, String> {
        let last = self.reading(place.reader)?.connections.last_mut();
        let current = last.filter(|connection| connection.place == place && !connection.is_over);
        current.ok_or_else(|| format!("{place} is not open"))
    }
}
