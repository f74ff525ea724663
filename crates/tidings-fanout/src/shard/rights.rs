//! What the readers of a shard may see. Readers who may see the same share one value of it, so that a batch with private
//! events asks once for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_core::{Grants, Record};

use crate::lease::GRANTS_MAX;

/// What some readers may see.
#[derive(Debug)]
pub(crate) struct Rights {
    /// Its name. No other rights of the shard ever have it: what was made for some readers is never taken for others'.
    number: u64,
    /// All of these, for a token that was renewed narrows what the one before it allowed. One of them, mostly; no other
    /// than the first is [`Grants::Everything`], and none is in it twice. `1 <= grants.len() <= GRANTS_MAX`
    grants: Box<[Grants]>,
}

/// The rights of all readers in a shard. Cost: about 100 bytes for each that differ, and what the grants are.
pub(crate) struct RightsTable {
    /// That of most readers, which costs no look-up.
    anonymous: Arc<Rights>,
    by_grants: HashMap<Box<[Grants]>, Arc<Rights>>,
    next_number: u64,
}

impl Rights {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// May a reader with these rights get `record`?
    pub(crate) fn may_read(&self, record: &Record) -> bool {
        self.grants.iter().all(|grants| grants.may_read(record))
    }

    /// These and `narrower`; `None` when that are more than one session may have.
    fn narrowed_by(&self, narrower: Vec<Grants>) -> Option<Vec<Grants>> {
        let mut grants = self.grants.to_vec();
        for more in narrower {
            if more != Grants::Everything && !grants.contains(&more) {
                grants.push(more);
            }
        }
        if grants.contains(&Grants::Anonymous) {
            grants = vec![Grants::Anonymous];
        }
        if grants.len() > 1 {
            grants.retain(|grants| *grants != Grants::Everything);
        }
        (grants.len() <= GRANTS_MAX).then_some(grants)
    }
}

impl RightsTable {
    pub(crate) fn new() -> Self {
        let anonymous = Arc::new(Rights { number: 0, grants: Box::new([Grants::Anonymous]) });
        Self { anonymous, by_grants: HashMap::new(), next_number: 1 }
    }

    /// The rights of a reader with these grants. They are given back by [`RightsTable::give_back`].
    pub(crate) fn take(&mut self, grants: Grants) -> Arc<Rights> {
        if grants == Grants::Anonymous {
            return Arc::clone(&self.anonymous);
        }
        self.take_all(Vec::from([grants]))
    }

    /// Narrows the rights of a reader. Answers whether it may keep them; if not, they are as they were.
    pub(crate) fn narrow(&mut self, rights: &mut Arc<Rights>, narrower: Vec<Grants>) -> bool {
        let Some(grants) = rights.narrowed_by(narrower) else { return false };
        if grants != *rights.grants {
            let before = std::mem::replace(rights, self.take_all(grants));
            self.give_back(before);
        }
        true
    }

    /// A reader has left. Rights that nobody has are forgotten.
    pub(crate) fn give_back(&mut self, rights: Arc<Rights>) {
        let is_last = Arc::strong_count(&rights) == 2; // the other one is ours
        if is_last && !Arc::ptr_eq(&rights, &self.anonymous) {
            self.by_grants.remove(&rights.grants);
        }
        drop(rights);
        if self.by_grants.is_empty() {
            self.by_grants = HashMap::new(); // after a crowd has left, nothing of it stays
        }
    }

    fn take_all(&mut self, grants: Vec<Grants>) -> Arc<Rights> {
        if grants == [Grants::Anonymous] {
            return Arc::clone(&self.anonymous);
        }
        let grants = grants.into_boxed_slice();
        if let Some(rights) = self.by_grants.get(&grants) {
            return Arc::clone(rights);
        }
        let rights = Arc::new(Rights { number: self.next_number, grants: grants.clone() });
        self.next_number += 1;
        self.by_grants.insert(grants, Arc::clone(&rights));
        rights
    }
}

#[cfg(test)]
mod tests {
    use tidings_core::{Epoch, Position, Publication, Sequence, Timestamp};
    use tidings_topic::{Selector, SelectorSet, Topic};

    use super::*;

    fn only(selectors: &[&str]) -> Grants {
        let selectors = selectors.iter().map(|raw| Selector::parse(raw).expect("a good selector"));
        Grants::Only(SelectorSet::new(selectors).expect("not empty"))
    }

    fn private(topic: &str) -> Record {
        let topic = Topic::parse(topic).expect("a good topic");
        let publication = Publication { private: true, ..Publication::new(topic, "") };
        let position = Position { epoch: Epoch::from_unix_micros(1), sequence: Sequence(1) };
        Record::event(position, publication, Timestamp::from_millis(0))
    }

    fn reads(rights: &Rights) -> String {
        ["a", "b", "c"].into_iter().filter(|topic| rights.may_read(&private(topic))).collect()
    }

    #[test]
    fn readers_with_equal_grants_share_their_rights() {
        let mut table = RightsTable::new();
        let [one, same, other] = [only(&["a", "b"]), only(&["b", "a"]), only(&["a"])].map(|grants| table.take(grants));
        assert!(Arc::ptr_eq(&one, &same) && one.number() != other.number());
        assert!(Arc::ptr_eq(&table.take(Grants::Anonymous), &table.anonymous));
        assert_eq!([reads(&one), reads(&other), reads(&table.anonymous)], ["ab", "a", ""]);
    }

    #[test]
    fn rights_are_forgotten_with_their_last_reader_and_their_number_for_ever() {
        let mut table = RightsTable::new();
        let (one, same) = (table.take(only(&["a"])), table.take(only(&["a"])));
        let number = one.number();
        table.give_back(one);
        assert_eq!(table.by_grants.len(), 1);
        table.give_back(same);
        assert_eq!(table.by_grants.len(), 0);
        assert_ne!(table.take(only(&["a"])).number(), number);
        let anonymous = table.take(Grants::Anonymous);
        table.give_back(anonymous);
        assert_eq!(reads(&table.take(Grants::Anonymous)), "");
    }

    #[test]
    fn rights_only_get_narrower() {
        let mut table = RightsTable::new();
        let mut check = |first: Grants, renewals: &[Grants], want: &str| {
            let mut rights = table.take(first);
            for renewal in renewals {
                assert!(table.narrow(&mut rights, vec![renewal.clone()]));
            }
            assert_eq!(reads(&rights), want, "{renewals:?}");
            table.give_back(rights);
            assert_eq!(table.by_grants.len(), 0);
        };
        check(only(&["a", "b"]), &[only(&["b", "c"])], "b");
        check(only(&["a", "b"]), &[only(&["*"]), Grants::Everything, only(&["a", "b"])], "ab");
        check(only(&["a"]), &[only(&["b"])], "");
        check(only(&["a"]), &[only(&["a", "b"]), only(&["b", "c"])], "");
        check(only(&["a"]), &[Grants::Anonymous, only(&["a"])], "");
        check(Grants::Anonymous, &[Grants::Everything], "");
        check(Grants::Everything, &[only(&["a", "c"])], "ac");
    }

    #[test]
    fn a_reader_keeps_its_rights_when_there_are_too_many_to_narrow_them_by() {
        let mut table = RightsTable::new();
        let mut rights = table.take(Grants::Everything);
        let many: Vec<_> = (0..=GRANTS_MAX).map(|number| only(&[&number.to_string(), "b"])).collect();
        assert!(!table.narrow(&mut rights, many.clone()));
        assert_eq!(reads(&rights), "abc");
        assert!(table.narrow(&mut rights, many[1..].to_vec()));
        assert_eq!(reads(&rights), "b");
    }
}
