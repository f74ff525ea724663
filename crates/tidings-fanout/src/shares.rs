//! Who has how many of something of which each may have only so many: connections of an address, streams of a subject.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

/// Counts the shares of each. Cost: about 100 bytes and the key for each that has one now, nothing for others.
#[derive(Debug)]
pub struct Shares<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// One more for `key`, which may have so many; `None` when it has them all.
    pub fn take(self: &Arc<Self>, key: K, max: usize) -> Option<Share<K>> {
        let mut taken = self.lock();
        let count = taken.entry(key.clone()).or_default();
        if *count >= max {
            let is_unknown = *count == 0;
            if is_unknown {
                taken.remove(&key); // where none is allowed at all
            }
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Share { of: Arc::clone(self), key })
    }
}

impl<K> Shares<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many have a share now.
    pub fn holders(&self) -> usize {
        self.lock().len()
    }
}

/// One of somebody's shares. Given back when it is dropped, which is quick.
#[derive(Debug)]
pub struct Share<K: Eq + Hash> {
    of: Arc<Shares<K>>,
    key: K,
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.of.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
                // After a crowd has left, nothing of it stays.
                if taken.is_empty() {
                    taken.shrink_to_fit();
                }
            }
        }
    }
}

/// Whom an address stands for: an IPv4 address for itself, one of IPv6 for its /64, for that is what one customer of a
/// provider has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressBlock {
    /// One address.
    V4(Ipv4Addr),
    /// The first half of all addresses of a /64.
    V6([u16; 4]),
}

impl From<IpAddr> for AddressBlock {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let mut network = [0; 4];
                network.copy_from_slice(&address.segments()[..4]);
                Self::V6(network)
            }
        }
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(network) => {
                let mut segments = [0; 8];
                segments[..4].copy_from_slice(network);
                write!(f, "{}/64", Ipv6Addr::from(segments))
            }
        }
    }
}

/// Blocks of addresses, as an operator names those of its proxies: `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(ipnet::IpNet);

impl Network {
    /// Is `address` in it?
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl std::str::FromStr for Network {
    type Err = io::Error;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let whole = raw.parse::<ipnet::IpNet>().ok().or_else(|| raw.parse::<IpAddr>().ok().map(ipnet::IpNet::from));
        whole.map(Self).ok_or_else(|| {
            io::Error::other("expected an address, or a block of them as in 10.0.0.0/8 or 2001:db8::/32")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_shares_and_they_come_back() {
        let shares = Arc::new(Shares::default());
        let first = shares.take("a", 2).expect("one of two");
        let second = shares.take("a", 2).expect("two of two");
        assert!(shares.take("a", 2).is_none());
        let other = shares.take("b", 2).expect("another's");
        drop(first);
        assert!(shares.take("a", 2).is_some(), "and it is dropped at once");
        assert!(shares.take("c", 0).is_none());
        assert_eq!(shares.holders(), 2);
        drop((second, other));
        assert_eq!(shares.holders(), 0);
    }

    #[test]
    fn an_address_of_ipv6_stands_for_its_64() {
        let check = |address: &str, want: &str| {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(AddressBlock::from(address).to_string(), want, "{address}");
        };
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
        check("2001:db8:1:2::", "2001:db8:1:2::/64");
        check("::1", "::/64");
    }

    #[test]
    fn a_network_is_a_block_or_an_address() {
        let check = |network: &str, address: &str, want: bool| {
            let network: Network = network.parse().expect("a network");
            assert_eq!(network.contains(address.parse().expect("an address")), want, "{address} in {network:?}");
        };
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("10.0.0.0/8", "11.1.2.3", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("2001:db8::/32", "2001:db8:9::1", true);
        for bad in ["", "10.0.0.0/33", "localhost", "10.0.0"] {
            assert!(bad.parse::<Network>().is_err(), "{bad:?}");
        }
    }
}
