//! How much each publisher may publish in a second, as a mean. Pure: it is told what time it is.
//!
//! A publisher has a balance for each [`Rate`], which fills at that rate up to ten seconds' worth. It may publish while all
//! its balances are above zero, and what it publishes is taken from them: so one event that is larger than all of them
//! passes too, and is paid for afterwards.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::limit::Limit;

/// A publisher that was quiet may publish so many seconds' worth at once.
pub const BURST_SECONDS: u32 = 10;

/// What a publisher may, in a second; `None`: as much as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Events.
    pub events: Option<u32>,
    /// Bytes of data.
    pub bytes: Option<usize>,
}

/// What is left of a publisher's burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The limit that it is of.
    pub limit: Limit,
    /// The most there can be.
    pub quota: u64,
    /// What is left.
    pub remaining: u64,
    /// When all of it is there again, if nothing is published.
    pub full_in: Duration,
}

/// A publisher has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// The limit that it has reached.
    pub limit: Limit,
    /// When it may publish again.
    pub retry_after: Duration,
}

/// The balances of those who published of late.
#[derive(Debug)]
pub struct Balances<K> {
    of: HashMap<K, Balance>,
    /// Of all for whom there is no room by themselves.
    of_others: Option<Balance>,
    publishers_max: usize,
    swept_at: Duration,
}

/// In thousandths, so that a millisecond adds a whole number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Balance {
    events: i64,
    bytes: i64,
    at: Duration,
}

const THOUSAND: i64 = 1000;
/// How often it is looked for balances that are full again, once there is no room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl<K: Eq + Hash> Balances<K> {
    /// For so many publishers at a time; those beyond share one balance.
    pub fn new(publishers_max: usize) -> Self {
        Self { of: HashMap::new(), of_others: None, publishers_max, swept_at: Duration::ZERO }
    }

    /// May `publisher` publish at `now`? Spends nothing.
    ///
    /// # Errors
    /// [`TooFast`] says when it may again.
    pub fn check(&mut self, publisher: K, rate: Rate, now: Duration) -> Result<(), TooFast> {
        let balance = self.balance(publisher, rate, now);
        let wait = |limit, balance: i64, per_second: Option<i64>| match per_second {
            Some(per_second) if balance <= 0 => Err(TooFast { limit, retry_after: time_for(1 - balance, per_second) }),
            _ => Ok(()),
        };
        wait(Limit::PublishEvents, balance.events, rate.events_per_second())?;
        wait(Limit::PublishBytes, balance.bytes, rate.bytes_per_second())
    }

    /// `publisher` has published so much at `now`. Answers what is left of each limit that there is.
    pub fn spend(&mut self, publisher: K, events: u64, bytes: u64, rate: Rate, now: Duration) -> Vec<Left> {
        let balance = self.balance(publisher, rate, now);
        balance.events = balance.events.saturating_sub(thousandths(events));
        balance.bytes = balance.bytes.saturating_sub(thousandths(bytes));
        let left = |limit, balance: i64, per_second: Option<i64>| {
            per_second.map(|per_second| {
                let quota = burst(per_second);
                Left {
                    limit,
                    quota: u64::try_from(quota / THOUSAND).unwrap_or(0),
                    remaining: u64::try_from(balance / THOUSAND).unwrap_or(0),
                    full_in: time_for(quota - balance, per_second),
                }
            })
        };
        let events = left(Limit::PublishEvents, balance.events, rate.events_per_second());
        events.into_iter().chain(left(Limit::PublishBytes, balance.bytes, rate.bytes_per_second())).collect()
    }

    /// Publishers that are known by themselves.
    pub fn publishers(&self) -> usize {
        self.of.len()
    }

    fn balance(&mut self, publisher: K, rate: Rate, now: Duration) -> &mut Balance {
        if self.of.len() >= self.publishers_max && !self.of.contains_key(&publisher) {
            self.sweep(rate, now);
        }
        let full = Balance::full(rate, now);
        let is_known = self.of.len() < self.publishers_max || self.of.contains_key(&publisher);
        let balance =
            if is_known { self.of.entry(publisher).or_insert(full) } else { self.of_others.get_or_insert(full) };
        balance.fill(rate, now);
        balance
    }

    /// Forgets those who have everything again: they are as if they had never come.
    fn sweep(&mut self, rate: Rate, now: Duration) {
        if now.saturating_sub(self.swept_at) < SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        self.of.retain(|_, balance| {
            balance.fill(rate, now);
            *balance != Balance::full(rate, now)
        });
    }
}

impl Rate {
    /// Is there no limit at all?
    pub fn is_unlimited(self) -> bool {
        self.events.is_none() && self.bytes.is_none()
    }

    fn events_per_second(self) -> Option<i64> {
        self.events.map(i64::from)
    }

    fn bytes_per_second(self) -> Option<i64> {
        // No more than what keeps a burst countable: four petabytes.
        self.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX).min(1 << 52))
    }
}

impl Balance {
    fn full(rate: Rate, now: Duration) -> Self {
        let full = |per_second: Option<i64>| per_second.map_or(0, burst);
        Self { events: full(rate.events_per_second()), bytes: full(rate.bytes_per_second()), at: now }
    }

    /// Adds what has come in since it was looked at. A rate that was changed meanwhile counts for all of that time.
    fn fill(&mut self, rate: Rate, now: Duration) {
        let millis = i64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(i64::MAX);
        if millis == 0 {
            return; // what is less than a millisecond is counted with the next
        }
        let filled = |balance: i64, per_second: Option<i64>| match per_second {
            Some(per_second) => balance.saturating_add(per_second.saturating_mul(millis)).min(burst(per_second)),
            None => 0,
        };
        self.events = filled(self.events, rate.events_per_second());
        self.bytes = filled(self.bytes, rate.bytes_per_second());
        self.at += Duration::from_millis(millis.unsigned_abs());
    }
}

fn burst(per_second: i64) -> i64 {
    per_second.saturating_mul(THOUSAND * i64::from(BURST_SECONDS))
}

fn thousandths(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(THOUSAND)
}

/// How long until so many thousandths have come in.
fn time_for(thousandths: i64, per_second: i64) -> Duration {
    let millis = thousandths.max(0).unsigned_abs().div_ceil(per_second.max(1).unsigned_abs());
    Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: Rate = Rate { events: Some(10), bytes: None };
    const BYTES: Rate = Rate { events: None, bytes: Some(100) };

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let mut balances = Balances::new(10);
        let publish = |balances: &mut Balances<&str>, now| {
            balances.check("ann", EVENTS, now).map(|()| drop(balances.spend("ann", 1, 0, EVENTS, now)))
        };
        let at_once = (0..1000).take_while(|_| publish(&mut balances, secs(0)).is_ok()).count();
        assert_eq!(at_once, 100, "ten seconds' worth");
        let too_fast = publish(&mut balances, secs(0)).expect_err("the burst is spent");
        assert_eq!(too_fast, TooFast { limit: Limit::PublishEvents, retry_after: Duration::from_millis(1) });
        let later = (0..1000).take_while(|_| publish(&mut balances, secs(2)).is_ok()).count();
        assert_eq!(later, 20);
        assert!(balances.check("bob", EVENTS, secs(2)).is_ok(), "another's balance is another's");
    }

    #[test]
    fn an_event_larger_than_the_burst_passes_and_is_paid_for() {
        let mut balances = Balances::new(10);
        assert!(balances.check("ann", BYTES, secs(0)).is_ok());
        balances.spend("ann", 1, 5000, BYTES, secs(0));
        let too_fast = balances.check("ann", BYTES, secs(0)).expect_err("4,000 bytes of debt");
        assert_eq!((too_fast.limit, too_fast.retry_after.as_secs()), (Limit::PublishBytes, 40));
        assert!(balances.check("ann", BYTES, secs(40)).is_err());
        assert!(balances.check("ann", BYTES, secs(41)).is_ok());
    }

    #[test]
    fn what_is_left_is_told_of_each_limit() {
        let mut balances = Balances::new(10);
        let rate = Rate { events: Some(10), bytes: Some(100) };
        let left = balances.spend("ann", 1, 250, rate, secs(0));
        let events =
            Left { limit: Limit::PublishEvents, quota: 100, remaining: 99, full_in: Duration::from_millis(100) };
        let bytes =
            Left { limit: Limit::PublishBytes, quota: 1000, remaining: 750, full_in: Duration::from_millis(2500) };
        assert_eq!(left, [events, bytes]);
        assert_eq!(balances.spend("ann", 1, 1, Rate::default(), secs(9)), []);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut balances = Balances::new(2);
        for publisher in 0..100 {
            balances.spend(publisher, 100, 0, EVENTS, secs(0));
        }
        assert_eq!(balances.publishers(), 2);
        assert!(balances.check(99, EVENTS, secs(0)).is_err(), "the others share a balance");
        assert!(balances.check(1, EVENTS, secs(0)).is_err());
        // Who has all of it again makes room.
        assert!(balances.check(99, EVENTS, secs(20)).is_ok());
        assert_eq!(balances.publishers(), 1);
    }

    proptest! {
        /// Whatever comes when: never more than the burst and what came in, nor less than what may.
        #[test]
        fn the_mean_is_kept(steps in prop::collection::vec((0_u64..300, 1_u64..5), 1..200), events in 1_u32..50) {
            let rate = Rate { events: Some(events), bytes: None };
            let (mut balances, mut now_ms, mut published) = (Balances::new(1), 0_u64, 0_u64);
            for (wait_ms, count) in steps {
                now_ms += wait_ms;
                let now = Duration::from_millis(now_ms);
                match balances.check("ann", rate, now) {
                    Ok(()) => {
                        balances.spend("ann", count, 0, rate, now);
                        published += count;
                    }
                    Err(TooFast { retry_after, .. }) => {
                        let millisecond = Duration::from_millis(1);
                        for (wait, may) in [(retry_after, true), (retry_after.saturating_sub(millisecond), false)] {
                            let mut then = Balances { of: balances.of.clone(), ..Balances::new(1) };
                            prop_assert_eq!(then.check("ann", rate, now + wait).is_ok(), may);
                        }
                    }
                }
                let came_in = u64::from(events) * (u64::from(BURST_SECONDS) * 1000 + now_ms) / 1000;
                prop_assert!(published <= came_in + 5, "{published} of {came_in} after {now:?}");
            }
        }
    }
}
