//! The offer of a thread to commit by itself what it publishes. It holds for one store, and ends with the thread.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::shared::Shared;

thread_local! {
    static OFFER: RefCell<Option<Offer>> = const { RefCell::new(None) };
}

struct Offer {
    /// A weak pointer keeps the address from being another store's.
    store: Weak<Shared>,
    waker: Waker,
    is_taken_up: bool,
}

/// Was an offer of this thread taken up since it was asked last? In any case it is offered to this store from now on, and
/// `waker` woken when it is taken up.
pub(crate) fn renew(store: &Arc<Shared>, waker: &Waker) -> bool {
    OFFER.with_borrow_mut(|offer| match offer {
        Some(offer) if offer.is_for(store) => {
            offer.waker.clone_from(waker);
            std::mem::take(&mut offer.is_taken_up)
        }
        _ => {
            *offer = Some(Offer { store: Arc::downgrade(store), waker: waker.clone(), is_taken_up: false });
            false
        }
    })
}

/// Has this thread made this store an offer?
pub(crate) fn stands(store: &Arc<Shared>) -> bool {
    OFFER.with_borrow(|offer| offer.as_ref().is_some_and(|offer| offer.is_for(store)))
}

/// Takes up the offer of this thread.
pub(crate) fn take_up() {
    let waker = OFFER.with_borrow_mut(|offer| {
        offer.as_mut().map(|offer| {
            offer.is_taken_up = true;
            offer.waker.clone()
        })
    });
    waker.inspect(Waker::wake_by_ref);
}

impl Offer {
    fn is_for(&self, store: &Arc<Shared>) -> bool {
        std::ptr::eq(self.store.as_ptr(), Arc::as_ptr(store))
    }
}
