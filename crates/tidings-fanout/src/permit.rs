//! How many connections there may be, in all and of one address. A connection holds a permit for as long as it lives;
//! nobody who has asked for something is evicted for a new one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidings_core::{Counters, Limit, LiveLimits};

use crate::shares::{AddressBlock, Network, Share, Shares};

/// Connections that may be over a limit at a time, only to be told so. Beyond it they are dropped without a word.
const OVERFLOW_MAX: usize = 400;

/// How long a connection may take to send its first head while all places are taken.
const HEAD_PATIENCE_WHEN_FULL: Duration = Duration::from_secs(1);

/// Counts connections against their limits.
#[derive(Debug)]
pub struct ConnectionGate {
    limits: Arc<LiveLimits>,
    counters: Arc<Counters>,
    /// Proxies bring the connections of many.
    proxies: Vec<Network>,
    by_address: Arc<Shares<AddressBlock>>,
    connections: AtomicUsize,
    overflow: AtomicUsize,
}

impl ConnectionGate {
    /// A gate for as many connections as `limits` allow; those from `proxies` count in all only.
    pub fn new(limits: Arc<LiveLimits>, counters: Arc<Counters>, proxies: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counters,
            proxies,
            by_address: Arc::default(),
            connections: AtomicUsize::new(0),
            overflow: AtomicUsize::new(0),
        })
    }

    /// A place for one more from `address`: a regular one, else one that is [`Permit::refused_for`] a limit; `None` when
    /// even those are taken.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let limits = self.limits.get();
        let block = AddressBlock::from(address);
        let mut share = None;
        let mut refused_for = None;
        if let Some(max) = limits.connections_per_ip_max
            && !self.proxies.iter().any(|network| network.contains(address))
        {
            share = self.by_address.take(block, max).map(Box::new);
            refused_for = share.is_none().then_some(Limit::ConnectionsPerIp);
        }
        if refused_for.is_none() && !take(&self.connections, limits.connections_max) {
            refused_for = Some(Limit::Connections);
        }
        if let Some(limit) = refused_for {
            self.counters.reach_by(limit, &block);
            if !take(&self.overflow, OVERFLOW_MAX) {
                return None;
            }
        } else {
            self.counters.connections.add(1);
        }
        Some(Permit { gate: Arc::clone(self), refused_for, _share: share })
    }

    /// How long a connection may take to send its first head, of `head_timeout` at most. While all places are taken that
    /// is a second: whoever has something to ask has asked by then, and others wait for the place.
    pub fn head_patience(&self, head_timeout: Duration) -> Duration {
        if self.is_full() { head_timeout.min(HEAD_PATIENCE_WHEN_FULL) } else { head_timeout }
    }

    /// Are all regular places taken?
    pub fn is_full(&self) -> bool {
        self.connections() >= self.limits.get().connections_max
    }

    /// Connections that hold a regular place, now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A connection's place. Given back when it is dropped.
pub struct Permit {
    gate: Arc<ConnectionGate>,
    refused_for: Option<Limit>,
    /// Boxed: most hubs have no limit for an address, and each session has a permit.
    _share: Option<Box<Share<AddressBlock>>>,
}

impl Permit {
    /// The limit that is reached: its holder is to be refused, whatever it asks for. It is counted.
    pub fn refused_for(&self) -> Option<Limit> {
        self.refused_for
    }

    /// [`ConnectionGate::head_patience`] for its holder.
    pub fn head_patience(&self, head_timeout: Duration) -> Duration {
        self.gate.head_patience(head_timeout)
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("refused_for", &self.refused_for).finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.refused_for.is_some() {
            self.gate.overflow.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.gate.connections.fetch_sub(1, Ordering::Relaxed);
            self.gate.counters.connections.subtract(1);
        }
    }
}

fn take(places: &AtomicUsize, max: usize) -> bool {
    places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < max).then_some(taken + 1)).is_ok()
}

#[cfg(test)]
mod tests {
    use tidings_core::Limits;

    use super::*;

    fn gate(limits: Limits, proxies: &[&str]) -> (Arc<ConnectionGate>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let proxies = proxies.iter().map(|raw| raw.parse().expect("a network")).collect();
        (ConnectionGate::new(Arc::new(limits.into()), Arc::clone(&counters), proxies), counters)
    }

    fn address(raw: &str) -> IpAddr {
        raw.parse().expect("an address")
    }

    #[test]
    fn a_connection_over_the_limit_is_told_so_and_a_place_comes_back() {
        let (gate, counters) = gate(Limits { connections_max: 1, ..Limits::default() }, &[]);
        let here = address("127.0.0.1");
        let first = gate.enter(here).expect("a place");
        let second = gate.enter(here).expect("a place among those to be refused");
        assert_eq!((first.refused_for(), second.refused_for()), (None, Some(Limit::Connections)));
        let (short, long) = (Duration::from_millis(1), Duration::from_mins(1));
        assert_eq!((gate.head_patience(short), gate.head_patience(long)), (short, HEAD_PATIENCE_WHEN_FULL));
        let others: Vec<_> = std::iter::from_fn(|| gate.enter(here)).collect();
        assert_eq!(others.len(), OVERFLOW_MAX - 1);
        assert_eq!(counters.reached(Limit::Connections), OVERFLOW_MAX as u64 + 1, "the one without a word too");
        drop(first);
        assert!(gate.enter(here).is_some_and(|permit| permit.refused_for().is_none()));
        drop((second, others));
        assert_eq!(gate.head_patience(long), long);
        assert_eq!((gate.connections(), counters.connections.get()), (0, 0));
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_proxy_has_none() {
        let limits = Limits { connections_max: 100, connections_per_ip_max: Some(2), ..Limits::default() };
        let (gate, counters) = gate(limits, &["10.0.0.0/8"]);
        let enter = |raw: &str| gate.enter(address(raw)).expect("a place of some kind");
        let kept: Vec<_> = ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(enter).into();
        assert!(kept.iter().all(|permit| permit.refused_for().is_none()));
        assert_eq!(enter("2001:db8::3").refused_for(), Some(Limit::ConnectionsPerIp));
        assert_eq!(enter("2001:db8:0:1::3").refused_for(), None);
        assert_eq!(counters.take_culprit(Limit::ConnectionsPerIp).as_deref(), Some("2001:db8::/64"));
        let by_proxy: Vec<_> = (0..9).map(|_| enter("10.1.2.3")).collect();
        assert!(by_proxy.iter().all(|permit| permit.refused_for().is_none()));
        drop(kept);
        assert_eq!(enter("2001:db8::3").refused_for(), None);
        assert_eq!(gate.connections(), by_proxy.len());
    }
}
