//! A bounded store of what ends by itself: each entry has an unguessable id and a last instant. Time is an argument.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use tidings_core::Timestamp;

/// 128 random bits that let their holder in: a part of the address of a ticket or a renewal. Its `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StandingId([u8; 16]);

/// The store is full; nothing was forgotten for it. Answer 503 and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{count} {what} are kept already, which is the limit; one of them ends in {} s", retry_after.as_secs())]
pub struct Full {
    /// What there are so many of.
    pub what: &'static str,
    /// The limit.
    pub count: usize,
    /// When the first of them ends, at least a second and at most a minute.
    pub retry_after: Duration,
}

impl StandingId {
    /// A new one, of the system's randomness.
    ///
    /// # Panics
    /// When the system has no randomness: no secret could be made at all.
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes)
            .expect("the system gives randomness, or TLS and tokens would not work either");
        Self(bytes)
    }
}

/// 22 characters of base64url.
impl fmt::Display for StandingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for StandingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl FromStr for StandingId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 22 {
            return Err(());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ())?;
        bytes.try_into().map(Self).map_err(|_| ())
    }
}

/// The store. Whoever reads it sees no entry from its last instant on.
#[derive(Debug)]
pub(crate) struct Standing<T> {
    what: &'static str,
    count_max: usize,
    entries: HashMap<StandingId, Entry<T>>,
    /// Each entry's end, in order; as many as there are entries.
    ends: BTreeSet<(Timestamp, StandingId)>,
}

#[derive(Debug)]
struct Entry<T> {
    ends_at: Timestamp,
    value: T,
}

impl<T> Standing<T> {
    pub(crate) fn new(what: &'static str, count_max: usize) -> Self {
        Self { what, count_max, entries: HashMap::new(), ends: BTreeSet::new() }
    }

    /// Adds an entry that ends at `ends_at`.
    ///
    /// # Errors
    /// [`Full`] when there are as many as there may be, all of them still good.
    pub(crate) fn insert(&mut self, id: StandingId, value: T, ends_at: Timestamp, now: Timestamp) -> Result<(), Full> {
        self.sweep(now);
        if self.entries.len() >= self.count_max && !self.entries.contains_key(&id) {
            let first = self.ends.first().map_or(Duration::ZERO, |(end, _)| end.since(now));
            let retry_after = first.clamp(Duration::from_secs(1), Duration::from_mins(1));
            return Err(Full { what: self.what, count: self.entries.len(), retry_after });
        }
        self.remove(&id);
        self.ends.insert((ends_at, id));
        self.entries.insert(id, Entry { ends_at, value });
        Ok(())
    }

    pub(crate) fn get_mut(&mut self, id: &StandingId, now: Timestamp) -> Option<&mut T> {
        let entry = self.entries.get_mut(id).filter(|entry| now < entry.ends_at)?;
        Some(&mut entry.value)
    }

    /// Gives an entry another end.
    pub(crate) fn move_end(&mut self, id: &StandingId, ends_at: Timestamp) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.ends.remove(&(entry.ends_at, *id));
        entry.ends_at = ends_at;
        self.ends.insert((ends_at, *id));
    }

    pub(crate) fn remove(&mut self, id: &StandingId) -> Option<T> {
        let entry = self.entries.remove(id)?;
        self.ends.remove(&(entry.ends_at, *id));
        Some(entry.value)
    }

    /// Forgets what has ended; returns how many that were. Cost: those alone.
    pub(crate) fn sweep(&mut self, now: Timestamp) -> usize {
        let before = self.entries.len();
        while let Some(&(end, id)) = self.ends.first() {
            if now < end {
                break;
            }
            self.ends.pop_first();
            self.entries.remove(&id);
        }
        before - self.entries.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn an_id_is_read_as_it_is_written_and_hidden_from_logs() {
        let id = StandingId::random();
        assert_ne!(id, StandingId::random());
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "(secret)");
        for bad in [
            "",
            "x",
            &"A".repeat(21),
            &"A".repeat(23),
            "AAAAAAAAAAAAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "../../../../../../../.",
        ] {
            assert_eq!(bad.parse::<StandingId>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn a_full_store_refuses_until_something_ends() {
        let mut store = Standing::new("things", 2);
        let ids: Vec<_> = (0..4).map(|at| StandingId([at; 16])).collect();
        assert_eq!(store.insert(ids[0], 'a', at(5_000), at(0)), Ok(()));
        assert_eq!(store.insert(ids[1], 'b', at(9_000), at(0)), Ok(()));
        let full = store.insert(ids[2], 'c', at(9_000), at(1_000)).expect_err("two are kept");
        assert_eq!(full.to_string(), "2 things are kept already, which is the limit; one of them ends in 4 s");
        assert_eq!(store.get_mut(&ids[0], at(4_999)), Some(&mut 'a'));
        assert_eq!(store.get_mut(&ids[0], at(5_000)), None, "it has ended, swept or not");
        assert_eq!(store.insert(ids[2], 'c', at(9_000), at(5_000)), Ok(()));
        assert_eq!(store.len(), 2);
    }

    proptest! {
        /// The same as a plain map that is looked through each time.
        #[test]
        fn the_store_keeps_what_has_not_ended(
            steps in prop::collection::vec((0_u8..4, 0_u8..6, 0_u64..50), 0..60)
        ) {
            let mut store = Standing::new("things", 4);
            let mut naive: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
            for (now, (step, id, end)) in (0_u64..).zip(steps) {
                let key = StandingId([id; 16]);
                naive.retain(|_, (end, _)| now < *end);
                match step {
                    0 | 1 => {
                        let fits = naive.len() < 4 || naive.contains_key(&id);
                        prop_assert_eq!(store.insert(key, now, at(end), at(now)).is_ok(), fits);
                        if fits {
                            naive.insert(id, (end, now));
                        }
                    }
                    2 => {
                        if store.get_mut(&key, at(now)).is_some() {
                            store.move_end(&key, at(end));
                            naive.entry(id).and_modify(|entry| entry.0 = end);
                        }
                    }
                    _ => {
                        store.remove(&key);
                        naive.remove(&id);
                    }
                }
                naive.retain(|_, (end, _)| now < *end);
                store.sweep(at(now));
                prop_assert_eq!(store.len(), naive.len());
                prop_assert_eq!(store.ends.len(), naive.len());
                let want = naive.get(&id).map(|(_, value)| *value);
                prop_assert_eq!(store.get_mut(&key, at(now)).copied(), want);
            }
        }
    }
}
