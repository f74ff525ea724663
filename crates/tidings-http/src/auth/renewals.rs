//! The streams that can be renewed, each by a name that its reader alone was told. A stream has none before it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tidings_auth::{Identity, StandingId};
use tidings_fanout::Lease;

/// The streams that can be renewed. Its bound is that of the streams: an entry goes with its session's lease.
#[derive(Default)]
pub(crate) struct Renewals(Mutex<HashMap<StandingId, Entry>>);

struct Entry {
    /// Nobody holds a session for the sake of its entry.
    lease: Weak<Lease>,
    /// The token that it goes by now.
    identity: Arc<Identity>,
    /// The ticket that it came with.
    ticket: Option<StandingId>,
}

/// An entry's life: it goes when this is dropped.
pub(crate) struct Entered {
    renewals: Arc<Renewals>,
    name: StandingId,
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// The stream goes on, with what the fresh token grants. So does the ticket that it came with.
    Done {
        /// That ticket.
        ticket: Option<StandingId>,
    },
    /// There is no such stream, or no more.
    Unknown,
    /// The fresh token is of another subject.
    OtherSubject,
    /// The fresh token grants more than the stream's.
    Wider,
}

impl Renewals {
    /// From now on the stream of this lease can be renewed. It came with `identity`, and perhaps with a ticket.
    pub(super) fn enter(
        self: &Arc<Self>,
        lease: &Arc<Lease>,
        identity: Arc<Identity>,
        ticket: Option<StandingId>,
    ) -> Entered {
        let name = StandingId::random();
        self.lock().insert(name, Entry { lease: Arc::downgrade(lease), identity, ticket });
        Entered { renewals: Arc::clone(self), name }
    }

    /// The stream of this name goes on by a fresh token.
    pub(crate) fn renew(&self, name: &StandingId, fresh: &Arc<Identity>) -> Renewed {
        let found = self.lock().get(name).map(|entry| (entry.lease.upgrade(), Arc::clone(&entry.identity)));
        let Some((Some(lease), old)) = found else { return Renewed::Unknown };
        if fresh.subject != old.subject {
            return Renewed::OtherSubject;
        }
        if !fresh.narrows(&old) {
            return Renewed::Wider;
        }
        // Not under the lock: if this is the last of the lease, its entry goes with it. Of two at once either is the last
        // one here; what the stream may read is what both grant.
        if !lease.prolong(fresh.expires_at, fresh.read_grants()) {
            return Renewed::Unknown;
        }
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(name) else { return Renewed::Unknown };
        entry.identity = Arc::clone(fresh);
        Renewed::Done { ticket: entry.ticket }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StandingId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // each change is whole when the lock is released
    }
}

impl Entered {
    /// The stream's name.
    pub(super) fn name(&self) -> StandingId {
        self.name
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.renewals.lock().remove(&self.name);
    }
}
