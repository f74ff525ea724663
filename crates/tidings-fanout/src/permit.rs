//! How many connections there may be. A connection holds a permit for as long as it lives; nobody is evicted for a new
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_core::LiveLimits;

/// Connections that may be over the limit at a time, only to be told so. Beyond it they are dropped without a word.
const OVERFLOW_MAX: usize = 400;

/// Counts connections against their limit.
#[derive(Debug)]
pub struct ConnectionGate {
    limits: Arc<LiveLimits>,
    connections: AtomicUsize,
    overflow: AtomicUsize,
}

impl ConnectionGate {
    /// A gate for as many connections as `limits` allow.
    pub fn new(limits: Arc<LiveLimits>) -> Arc<Self> {
        Arc::new(Self { limits, connections: AtomicUsize::new(0), overflow: AtomicUsize::new(0) })
    }

    /// A place for one more: a regular one, else one that [`Permit::is_over_limit`]; `None` when even those are taken.
    pub fn enter(self: &Arc<Self>) -> Option<Permit> {
        let is_over_limit = !take(&self.connections, self.limits.get().connections_max);
        if is_over_limit && !take(&self.overflow, OVERFLOW_MAX) {
            return None;
        }
        Some(Permit { gate: Arc::clone(self), is_over_limit })
    }

    /// Connections that hold a regular place, now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The limit.
    pub fn connections_max(&self) -> usize {
        self.limits.get().connections_max
    }
}

/// A connection's place. Given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    gate: Arc<ConnectionGate>,
    is_over_limit: bool,
}

impl Permit {
    /// The limit is reached: its holder is to be refused, whatever it asks for.
    pub fn is_over_limit(&self) -> bool {
        self.is_over_limit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let places = if self.is_over_limit { &self.gate.overflow } else { &self.gate.connections };
        places.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take(places: &AtomicUsize, max: usize) -> bool {
    places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < max).then_some(taken + 1)).is_ok()
}

#[cfg(test)]
mod tests {
    use tidings_core::Limits;

    use super::*;

    #[test]
    fn a_connection_over_the_limit_is_told_so_and_a_place_comes_back() {
        let gate = ConnectionGate::new(Arc::new(Limits { connections_max: 1, ..Limits::default() }.into()));
        let first = gate.enter().expect("a place");
        let second = gate.enter().expect("a place among those to be refused");
        assert!(!first.is_over_limit() && second.is_over_limit());
        let others: Vec<_> = std::iter::from_fn(|| gate.enter()).collect();
        assert_eq!(others.len(), OVERFLOW_MAX - 1);
        drop(first);
        assert!(gate.enter().is_some_and(|permit| !permit.is_over_limit()));
        drop((second, others));
        assert_eq!(gate.connections(), 0);
    }
}
