//! What a good history amounts to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::book::Book;
use super::reading::Reading;
use super::verdict::Verdict;
use crate::entry::StartFrom;
use crate::position::HubPosition;

/// How much was proved. A proof over no events proves nothing: look at these numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Publications that were acknowledged.
    pub acknowledged: usize,
    /// Publications that were refused.
    pub refused: usize,
    /// Publications whose publisher never learned what became of them.
    pub unknown: usize,
    /// Those of them that somebody saw.
    pub unknown_seen: usize,
    /// Readers.
    pub readers: usize,
    /// Readers that waited for all there is.
    pub readers_done: usize,
    /// Streams that were opened.
    pub streams: usize,
    /// Streams that were opened with a last id.
    pub resumed: usize,
    /// Events that came, at all readers together.
    pub events_seen: usize,
    /// Verdicts, by their reason.
    pub verdicts: BTreeMap<String, usize>,
    /// The epochs of all ids and positions that the hub made, in order.
    pub epochs: BTreeSet<String>,
}

impl Summary {
    pub(super) fn of(book: &Book<'_>, readings: &[Reading<'_>]) -> Self {
        let mut summary = Self { readers: readings.len(), ..Self::default() };
        for (_, publication) in book.iter() {
            summary.acknowledged += usize::from(publication.acknowledged_at.is_some());
            summary.refused += usize::from(publication.refused().is_some());
            summary.unknown += usize::from(publication.is_in_doubt());
            summary.unknown_seen += usize::from(publication.is_in_doubt() && publication.sight.is_some());
            summary.epochs.extend(publication.position().map(|position| position.epoch));
        }
        for reading in readings {
            summary.readers_done += usize::from(reading.done_at.is_some());
            for connection in reading.connections.iter().filter(|connection| connection.opened_at.is_some()) {
                summary.streams += 1;
                summary.resumed += usize::from(matches!(connection.from, StartFrom::After(_)));
                for (_, saw) in &connection.seen {
                    if !saw.event_type.starts_with("tidings.") {
                        summary.events_seen += 1;
                        continue;
                    }
                    summary.epochs.extend(HubPosition::parse(&saw.id).map(|position| position.epoch));
                    if saw.event_type == "tidings.reset"
                        && let Ok(verdict) = Verdict::parse(&saw.data)
                    {
                        *summary.verdicts.entry(verdict.reason.label().to_owned()).or_default() += 1;
                    }
                }
            }
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, refused, unknown, unknown_seen, readers, streams, resumed, events_seen, .. } = self;
        write!(f, "{acknowledged} acknowledged, {unknown} unknown ({unknown_seen} of them seen), {refused} refused; ")?;
        write!(
            f,
            "{events_seen} events seen by {readers} readers over {streams} streams, {resumed} of them resumed; "
        )?;
        let verdicts: Vec<_> = self.verdicts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let verdicts = if verdicts.is_empty() { "none".to_owned() } else { verdicts.join(", ") };
        write!(f, "verdicts: {verdicts}; epochs: {}", self.epochs.len())
    }
}
