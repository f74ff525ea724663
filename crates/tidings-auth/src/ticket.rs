//! Connect tickets: an address that lets one reader in, without a token in it. Time is an argument.

use std::time::Duration;

use thiserror::Error;
use tidings_core::Timestamp;
use tidings_topic::SelectorSet;

use crate::identity::Identity;
use crate::standing::{Full, Standing, StandingId};

/// What a ticket lets its holder do: read these topics as this identity may.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The topics of its stream.
    pub topics: SelectorSet,
    /// Who asked for it; the token's end is the ticket's.
    pub identity: Identity,
}

/// The tickets of a hub. `L` is what the hub knows of a live connection: a newer one of a ticket replaces the older.
///
/// A ticket has to be used within [`FIRST_USE`](Self::FIRST_USE), and is then good until its token ends; with a token
/// without end until [`UNUSED_MAX`](Self::UNUSED_MAX) after its last use.
#[derive(Debug)]
pub struct Tickets<L> {
    standing: Standing<Kept<L>>,
}

#[derive(Debug)]
struct Kept<L> {
    ticket: Ticket,
    live: Option<L>,
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Connected<L> {
    /// What it may do.
    pub ticket: Ticket,
    /// The connection that had the ticket before, if any, and has to end; it may have ended already.
    pub replaced: Option<L>,
}

/// Why a ticket lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TicketError {
    /// Not a ticket of this hub, not used in time, or its token has ended: all look the same, for nothing is kept of it.
    #[error(
        "ticket is not known: it was not used within {} s, its token has ended, or the hub was started anew; ask for another",
        Tickets::<()>::FIRST_USE.as_secs()
    )]
    Unknown,
}

impl<L> Tickets<L> {
    /// How soon a ticket has to be used for the first time.
    pub const FIRST_USE: Duration = Duration::from_mins(1);
    /// How long the ticket of a token without end is good after its last use.
    pub const UNUSED_MAX: Duration = Duration::from_hours(7 * 24);
    /// How many tickets are kept by default; each costs about a kilobyte and its topics.
    pub const COUNT_MAX: usize = 100_000;

    /// A store of at most `count_max` tickets.
    pub fn new(count_max: usize) -> Self {
        Self { standing: Standing::new("tickets", count_max) }
    }

    /// Makes a ticket; returns its id and until when it has to be used.
    ///
    /// # Errors
    /// [`Full`] when the limit is reached; no ticket is forgotten for it.
    pub fn issue(&mut self, ticket: Ticket, now: Timestamp) -> Result<(StandingId, Timestamp), Full> {
        let first_use = now.saturating_add(Self::FIRST_USE);
        let ends_at = ticket.identity.expires_at.map_or(first_use, |end| end.min(first_use));
        let id = StandingId::random();
        self.standing.insert(id, Kept { ticket, live: None }, ends_at, now)?;
        Ok((id, ends_at))
    }

    /// What a ticket lets its holder do; it is not used by that.
    pub fn look(&mut self, id: &StandingId, now: Timestamp) -> Option<&Ticket> {
        self.standing.get_mut(id, now).map(|kept| &kept.ticket)
    }

    /// Lets a connection in, `live` of now on; the one before it is to be ended by the caller.
    ///
    /// # Errors
    /// [`TicketError`] when the ticket is not good any more.
    pub fn connect(&mut self, id: &StandingId, live: L, now: Timestamp) -> Result<Connected<L>, TicketError> {
        let kept = self.standing.get_mut(id, now).ok_or(TicketError::Unknown)?;
        let replaced = kept.live.replace(live);
        let ticket = kept.ticket.clone();
        self.standing.move_end(id, end_of(&ticket.identity, now));
        Ok(Connected { ticket, replaced })
    }

    /// Gives a ticket the grants and the end of a fresh token, of which the caller knows that it
    /// [narrows](Identity::narrows) the one before.
    pub fn renew(&mut self, id: &StandingId, identity: Identity, now: Timestamp) {
        let Some(kept) = self.standing.get_mut(id, now) else { return };
        let ends_at = end_of(&identity, now);
        kept.ticket.identity = identity;
        self.standing.move_end(id, ends_at);
    }

    /// Takes a ticket back.
    pub fn revoke(&mut self, id: &StandingId) -> Option<L> {
        self.standing.remove(id)?.live
    }

    /// Forgets the tickets that have ended; returns how many that were. Adding one does so too.
    pub fn sweep(&mut self, now: Timestamp) -> usize {
        self.standing.sweep(now)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.standing.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<L> Default for Tickets<L> {
    fn default() -> Self {
        Self::new(Self::COUNT_MAX)
    }
}

fn end_of(identity: &Identity, now: Timestamp) -> Timestamp {
    identity.expires_at.unwrap_or_else(|| now.saturating_add(Tickets::<()>::UNUSED_MAX))
}
