//! What is missing: at a reader, of what it must have by the one order.

use super::Faults;
use super::book::{Book, EventIndex, Publication};
use super::order::Order;
use super::reading::Reading;
use super::stretch::{Point, Stretch};
use crate::fault::Fault;

/// Finds what readers lack. Due is all that is stored, of a reader's topics, after the start of a stretch and before
/// something that came in it; and at the end of a reader that waited for everything, all that was there when it stopped.
pub(super) fn find(
    book: &Book<'_>,
    readings: &[Reading<'_>],
    stretches: &[Stretch],
    order: &Order,
    faults: &mut Faults,
) {
    for stretch in stretches {
        let gaps = Gaps { book, reading: &readings[stretch.reading], stretch, order };
        for fault in gaps.find() {
            if faults.is_full() {
                return;
            }
            faults.add(fault);
        }
    }
}

struct Gaps<'a, 'h> {
    book: &'a Book<'h>,
    reading: &'a Reading<'h>,
    stretch: &'a Stretch,
    order: &'a Order,
}

impl Gaps<'_, '_> {
    fn find(&self) -> impl Iterator<Item = Fault> {
        let after_start = self.order.after_start(self.stretch);
        let before_end = self.stretch.steps.last().and_then(|last| self.order.before(last));
        let missing = self.book.iter().filter(move |(event, publication)| {
            let is_wanted = publication.is_stored()
                && !self.stretch.came.contains_key(event)
                && self.reading.interest.matches(&publication.asked.topic, publication.asked.type_seen())
                && !self.is_lost(publication);
            is_wanted
                && self
                    .order
                    .event(*event)
                    .is_some_and(|node| after_start.as_ref().is_none_or(|after_start| after_start.contains(node)))
        });
        missing.filter_map(move |(event, publication)| {
            let node = self.order.event(event)?;
            if before_end.as_ref().is_some_and(|before_end| before_end.contains(node)) {
                return self.skipped(event, publication);
            }
            self.is_due_at_end(publication).then(|| Fault::Missing {
                reader: self.reading.name,
                id: id(publication),
                publication: publication.name(),
            })
        })
    }

    /// Something later came first: the first of that.
    fn skipped(&self, event: EventIndex, publication: &Publication<'_>) -> Option<Fault> {
        let after = self.order.after(event)?;
        let is_later = |point| self.order.point(point).is_some_and(|node| after.contains(node));
        let later = self.stretch.steps.iter().find(|step| is_later(&step.point))?;
        let (later_id, later_publication) = match &later.point {
            Point::Event(event) => (id(&self.book[*event]), Some(self.book[*event].name())),
            Point::Position(position, _) => (position.to_string(), None),
        };
        Some(Fault::Skipped {
            place: later.place,
            id: id(publication),
            publication: publication.name(),
            later: later_id,
            later_publication,
        })
    }

    fn is_due_at_end(&self, publication: &Publication<'_>) -> bool {
        let done_at = self.reading.done_at.filter(|_| self.stretch.is_last);
        done_at.zip(publication.known_at()).is_some_and(|(done_at, known_at)| known_at < done_at)
    }

    /// The verdict that this stretch began with says that events died: those that were there before it, and that nobody
    /// saw any more who came later.
    fn is_lost(&self, publication: &Publication<'_>) -> bool {
        let Some(lost_at) = self.stretch.lost_at else { return false };
        let was_there = publication.known_at().is_some_and(|known_at| known_at < lost_at);
        was_there && publication.sight.is_none_or(|sight| sight.last_connecting_at < lost_at)
    }
}

fn id(publication: &Publication<'_>) -> String {
    publication.id().expect("what is stored was acknowledged or seen, each with an id").to_owned()
}
