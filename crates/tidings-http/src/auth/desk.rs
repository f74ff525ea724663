//! What a hub knows of those who come: its authority, which may be replaced while it serves, and the streams that can be
//! renewed or replaced.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use tidings_auth::{Authority, Tickets};
use tidings_fanout::Lease;
use tokio::sync::Notify;

use super::complaints::Complaints;
use super::renewals::Renewals;

/// What a hub knows of those who come.
#[derive(Default)]
pub struct Auth {
    /// `None`: the hub has no key.
    authority: ArcSwapOption<Authority>,
    is_replaced: Notify,
    pub(crate) renewals: Arc<Renewals>,
    /// Each with the connection that it has now.
    tickets: Mutex<Tickets<Weak<Lease>>>,
    pub(crate) complaints: Complaints,
}

impl Auth {
    /// By this authority tokens are checked; with none there is nobody to ask, and `Access` alone decides.
    pub fn new(authority: Option<Arc<Authority>>) -> Self {
        Self { authority: ArcSwapOption::new(authority), ..Self::default() }
    }

    /// Who checks tokens now.
    pub fn authority(&self) -> Option<Arc<Authority>> {
        self.authority.load_full()
    }

    /// Checks tokens by `authority` from now on. Streams that are open go on until their tokens end.
    pub fn replace(&self, authority: Arc<Authority>) {
        if let Some(old) = self.authority() {
            authority.take_keys_of(&old);
        }
        self.authority.store(Some(authority));
        self.is_replaced.notify_waiters();
    }

    /// Has the keys that another server publishes fetched again and again, for ever. Whoever serves runs it, and ends it by
    /// dropping it; where nobody does, tokens of a key set by URL are not accepted.
    pub async fn keep_keys_fresh(&self) {
        loop {
            // Made before the look: a replacement after that is heard of.
            let is_replaced = self.is_replaced.notified();
            let authority = self.authority();
            let keep = async {
                match &authority {
                    Some(authority) => authority.keep_keys_fresh().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = keep => {}
                () = is_replaced => {}
            }
        }
    }

    /// The tickets; for a few lines, and never over an await.
    pub(crate) fn tickets(&self) -> MutexGuard<'_, Tickets<Weak<Lease>>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner) // each change is whole when the lock is released
    }
}
