//! One event at one reader: was it published, and is it what was published?

use super::Faults;
use super::book::{Book, EventIndex, IdFault, Sight};
use super::reading::Connection;
use crate::entry::Saw;
use crate::fault::{Fault, difference, excerpt};
use crate::interest::Interest;
use crate::name::PublicationName;

/// Judges an event by itself and notes that it was seen. Answers which publication it is, if it is one.
pub(super) fn judge<'h>(
    book: &mut Book<'h>,
    interest: &Interest,
    connection: &Connection<'_>,
    (at, saw): (usize, &'h Saw),
    faults: &mut Faults,
) -> Option<EventIndex> {
    let place = saw.place;
    let id = || saw.id.clone();
    let named = PublicationName::of_data(&saw.data).and_then(|name| book.by_name(name));
    // Data that is too damaged to name its publication may still have the id of one.
    let Some(event) = named.or_else(|| book.by_id(&saw.id)) else {
        faults.add(Fault::Invented { place, id: id(), data: excerpt(&saw.data) });
        return None;
    };
    let sight = Sight { first_at: at, last_connecting_at: connection.connecting_at };
    let of_id = book.see(event, &saw.id, sight);

    let published = &book[event];
    let publication = published.name();
    if at < published.asked_at {
        faults.add(Fault::TooEarly { place, id: id(), publication });
    }
    if *saw.data != *published.data_seen() {
        let difference = difference(published.data_seen(), &saw.data);
        faults.add(Fault::OtherData { place, id: id(), publication, difference });
    }
    let event_type = published.asked.type_seen();
    if saw.event_type != event_type {
        let (want, got) = (event_type.to_owned(), saw.event_type.clone());
        faults.add(Fault::OtherType { place, id: id(), publication, want, got });
    }
    match of_id {
        Ok(()) => {}
        Err(IdFault::Other { want }) => faults.add(Fault::OtherId { place, publication, want, got: id() }),
        Err(IdFault::Taken { first }) => faults.add(Fault::IdGivenTwice { id: id(), first, second: publication }),
    }
    if let Some(status) = published.refused() {
        faults.add(Fault::Refused { place, id: id(), publication, status });
    }
    let topic = &published.asked.topic;
    if !interest.matches(topic, event_type) {
        let (topic, event_type) = (topic.clone(), event_type.to_owned());
        faults.add(Fault::Foreign { place, id: id(), publication, topic, event_type });
    }
    Some(event)
}
