//! Bytes of request bodies in memory: what is read and not yet with the history, of all requests together.
//!
//! A body has a little room of its own, so that small events never wait for large ones. Beyond it takes from what all
//! have in common, as it is read. Says only whether there is room; who asked says what then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::limits::KIB;

/// What all bodies hold beyond their own room.
#[derive(Debug, Default)]
pub struct Incoming(AtomicUsize);

/// There is no room for more of this body now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Incoming {
    /// Bytes that are held now.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Is more than half of `bytes_max` held? Then nobody may hold any of it for long.
    pub(crate) fn is_crowded(&self, bytes_max: usize) -> bool {
        self.bytes() > bytes_max / 2
    }

    /// The share of a body that begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Held {
        Held { all: Arc::clone(self), shared_bytes: 0 }
    }
}

/// What one body holds. Given back when it is dropped: keep it until the history has the data.
#[derive(Debug)]
pub(crate) struct Held {
    all: Arc<Incoming>,
    /// Beyond the body's own room.
    shared_bytes: usize,
}

impl Held {
    /// From now on the body holds so many bytes, of at most `bytes_max` for all. What is given back is taken back at once.
    pub(crate) fn resize(&mut self, bytes: usize, bytes_max: usize) -> Result<(), NoRoom> {
        let wanted = bytes.saturating_sub(OWN_BYTES);
        if wanted <= self.shared_bytes {
            self.all.0.fetch_sub(self.shared_bytes - wanted, Ordering::Relaxed);
        } else {
            let more = wanted - self.shared_bytes;
            let taken = |all: usize| all.checked_add(more).filter(|all| *all <= bytes_max);
            self.all.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).map_err(|_| NoRoom)?;
        }
        self.shared_bytes = wanted;
        Ok(())
    }

    /// Does it hold any of what all have in common?
    pub(crate) fn has_shared(&self) -> bool {
        self.shared_bytes > 0
    }

    /// Adds `data` to `body`, which never becomes longer than `body_bytes_max`.
    pub(crate) fn push(
        &mut self,
        body: &mut Vec<u8>,
        data: &Bytes,
        body_bytes_max: usize,
        bytes_max: usize,
    ) -> Result<(), NoRoom> {
        let len = body.len() + data.len();
        if len > body.capacity() {
            // The vector's own doubling would take twice of what it may become, and tell nobody.
            let capacity = len.max(body.capacity().saturating_mul(2)).min(body_bytes_max).max(len);
            self.resize(capacity, bytes_max)?;
            body.reserve_exact(capacity - body.len());
        }
        body.extend_from_slice(data);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.shared_bytes, Ordering::Relaxed);
    }
}

/// What each body has for itself: an event of everyday size, and the frame in which it comes.
pub(crate) const OWN_BYTES: usize = 16 * KIB;

/// When a publisher may try again: large bodies come and go within seconds.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_never_wait_and_large_ones_share() {
        let all = Arc::new(Incoming::default());
        let (mut large, mut other, mut small) = (all.begin(), all.begin(), all.begin());
        assert_eq!(large.resize(OWN_BYTES + 80, 100), Ok(()));
        assert_eq!((all.bytes(), all.is_crowded(100), large.has_shared()), (80, true, true));
        assert_eq!(other.resize(OWN_BYTES + 21, 100), Err(NoRoom));
        assert_eq!((all.bytes(), other.has_shared()), (80, false), "nothing was taken");
        assert_eq!((small.resize(OWN_BYTES, 100), small.has_shared()), (Ok(()), false));
        assert_eq!(large.resize(OWN_BYTES + 30, 100), Ok(()));
        assert_eq!((all.bytes(), other.resize(OWN_BYTES + 70, 100)), (30, Ok(())));
        drop((large, other, small));
        assert_eq!((all.bytes(), all.is_crowded(100)), (0, false));
    }

    #[test]
    fn a_body_is_charged_with_the_room_it_takes() {
        let all = Arc::new(Incoming::default());
        let (mut held, mut body) = (all.begin(), Vec::new());
        let frame = Bytes::from(vec![b'x'; 7000]);
        for count in 1..=10 {
            assert_eq!(held.push(&mut body, &frame, 70_000, 1_000_000), Ok(()));
            assert_eq!(body.len(), count * frame.len());
            assert_eq!(all.bytes(), body.capacity().saturating_sub(OWN_BYTES));
        }
        assert!(body.capacity() <= 70_000, "{}", body.capacity());
    }
}
