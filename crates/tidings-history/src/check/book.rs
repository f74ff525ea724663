//! What was asked for, and what came of it.

use std::collections::HashMap;
use std::ops::Index;
use std::sync::Arc;

use super::Faults;
use crate::entry::{Asked, Entry, Outcome};
use crate::fault::Fault;
use crate::history::History;
use crate::name::PublicationName;
use crate::position::HubPosition;

/// All publications, in the order in which they were first asked for.
#[derive(Debug, Default)]
pub(super) struct Book<'h> {
    publications: Vec<Publication<'h>>,
    by_name: HashMap<PublicationName, EventIndex>,
    /// By the ids they have been seen or acknowledged with, and those that publishers chose.
    by_id: HashMap<&'h str, EventIndex>,
}

/// Which publication of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EventIndex(pub(super) usize);

/// A publication and its fate.
#[derive(Debug)]
pub(super) struct Publication<'h> {
    pub(super) asked: &'h Asked,
    /// The first time, if it was repeated.
    pub(super) asked_at: usize,
    /// When it was acknowledged.
    pub(super) acknowledged_at: Option<usize>,
    pub(super) sight: Option<Sight>,
    data_seen: Arc<str>,
    /// That of the acknowledgement or of the first sight.
    id: Option<&'h str>,
    refused: Option<u16>,
    /// It was asked for so many times without an answer that tells.
    in_doubt: usize,
}

/// When readers saw a publication.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// The first time.
    pub(super) first_at: usize,
    /// When the last of the connections was begun on which it came.
    pub(super) last_connecting_at: usize,
}

impl<'h> Book<'h> {
    pub(super) fn read(history: &'h History, faults: &mut Faults) -> Self {
        let mut book = Self::default();
        for (at, entry) in history.entries().iter().enumerate() {
            let fault = match entry {
                Entry::Asked(asked) => book.ask(at, asked),
                Entry::Answered { publication, outcome } => book.answer(at, *publication, outcome),
                _ => continue,
            };
            if let Err(fault) = fault {
                faults.add(fault);
            }
        }
        book
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (EventIndex, &Publication<'h>)> {
        self.publications.iter().enumerate().map(|(index, publication)| (EventIndex(index), publication))
    }

    pub(super) fn by_name(&self, name: PublicationName) -> Option<EventIndex> {
        self.by_name.get(&name).copied()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<EventIndex> {
        self.by_id.get(id).copied()
    }

    /// Notes that a reader saw a publication with this id, which is good if nothing is answered.
    pub(super) fn see(&mut self, event: EventIndex, id: &'h str, sight: Sight) -> Result<(), IdFault> {
        let taken = self.by_id.get(id).copied().filter(|&other| other != event);
        let publication = &mut self.publications[event.0];
        let seen = publication.sight.get_or_insert(sight);
        seen.last_connecting_at = seen.last_connecting_at.max(sight.last_connecting_at);
        seen.first_at = seen.first_at.min(sight.first_at);
        if let Some(want) = publication.id.or(publication.asked.id.as_deref()) {
            return if want == id { Ok(()) } else { Err(IdFault::Other { want: want.to_owned() }) };
        }
        if HubPosition::parse(id).is_none() {
            return Err(IdFault::Other { want: HUB_FORM.to_owned() });
        }
        publication.id = Some(id);
        if let Some(first) = taken {
            return Err(IdFault::Taken { first: self[first].asked.publication });
        }
        self.by_id.insert(id, event);
        Ok(())
    }

    fn ask(&mut self, at: usize, asked: &'h Asked) -> Result<(), Fault> {
        let name = asked.publication;
        let no_history = |what: String| Err(Fault::NoHistory { entry: at, what });
        if PublicationName::of_data(&asked.data) != Some(name) {
            return no_history(format!("the data of {name} does not begin with its name"));
        }
        if let Some(event) = self.by_name(name) {
            let publication = &mut self.publications[event.0];
            if publication.asked != asked {
                return no_history(format!("{name} was asked for again, but not the same"));
            }
            publication.in_doubt += 1;
            return Ok(());
        }
        let event = EventIndex(self.publications.len());
        self.by_name.insert(name, event);
        self.publications.push(Publication {
            asked,
            asked_at: at,
            acknowledged_at: None,
            sight: None,
            data_seen: asked.data_seen(),
            id: None,
            refused: None,
            in_doubt: 1,
        });
        let Some(id) = asked.id.as_deref() else { return Ok(()) };
        match self.by_id.insert(id, event) {
            Some(first) => no_history(format!("{name} asks for the id {id} of {}", self[first].asked.publication)),
            None => Ok(()),
        }
    }

    fn answer(&mut self, at: usize, name: PublicationName, outcome: &'h Outcome) -> Result<(), Fault> {
        let no_history = |what: String| Fault::NoHistory { entry: at, what };
        let event =
            self.by_name(name).ok_or_else(|| no_history(format!("{name} was answered, but never asked for")))?;
        let publication = &mut self.publications[event.0];
        match outcome {
            Outcome::Accepted(id) => return self.accept(at, event, id),
            Outcome::Refused(status) => {
                publication.refused = Some(*status);
                publication.in_doubt = publication.in_doubt.saturating_sub(1);
            }
            // It stays in doubt, whatever comes after, unless it is acknowledged.
            Outcome::Unknown => {}
        }
        Ok(())
    }

    fn accept(&mut self, at: usize, event: EventIndex, id: &'h str) -> Result<(), Fault> {
        let publication = &mut self.publications[event.0];
        let name = publication.asked.publication;
        publication.acknowledged_at.get_or_insert(at);
        let other =
            |want: &str| Err(Fault::IdOfAnswer { publication: name, want: want.to_owned(), got: id.to_owned() });
        match publication.id.or(publication.asked.id.as_deref()) {
            Some(want) if want != id => return other(want),
            None if HubPosition::parse(id).is_none() => return other(HUB_FORM),
            _ => publication.id = Some(id),
        }
        match self.by_id.insert(id, event) {
            Some(first) if first != event => {
                Err(Fault::IdGivenTwice { id: id.to_owned(), first: self[first].asked.publication, second: name })
            }
            _ => Ok(()),
        }
    }
}

/// Why an id cannot be that of an event.
#[derive(Debug)]
pub(super) enum IdFault {
    /// It has another one, or must have one of another form.
    Other { want: String },
    /// It is that of another event.
    Taken { first: PublicationName },
}

pub(super) const HUB_FORM: &str = "an id of the hub's own form";

impl<'h> Index<EventIndex> for Book<'h> {
    type Output = Publication<'h>;

    fn index(&self, event: EventIndex) -> &Publication<'h> {
        &self.publications[event.0]
    }
}

impl Publication<'_> {
    pub(super) fn name(&self) -> PublicationName {
        self.asked.publication
    }

    /// The data as a reader must get it.
    pub(super) fn data_seen(&self) -> &str {
        &self.data_seen
    }

    /// Its id, as far as anybody was told it.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.or(self.asked.id.as_deref())
    }

    /// Its place by the hub's own ids; nothing where its publisher chose the id.
    pub(super) fn position(&self) -> Option<HubPosition> {
        if self.asked.id.is_some() { None } else { HubPosition::parse(self.id?) }
    }

    /// It was acknowledged or somebody saw it, so it was stored.
    pub(super) fn is_stored(&self) -> bool {
        self.acknowledged_at.is_some() || self.sight.is_some()
    }

    /// From this entry on it was known to be stored.
    pub(super) fn known_at(&self) -> Option<usize> {
        let seen_at = self.sight.map(|sight| sight.first_at);
        seen_at.into_iter().chain(self.acknowledged_at).min()
    }

    /// The status of its refusal, if it was certainly not stored.
    pub(super) fn refused(&self) -> Option<u16> {
        self.refused.filter(|_| self.acknowledged_at.is_none() && self.in_doubt == 0)
    }

    /// Its publisher never learned what became of it.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.acknowledged_at.is_none() && self.in_doubt > 0
    }
}
