//! Which pages are being fetched for a shard, who waits for each, and how many there are at a time.
//!
//! Keeps the book only. It asks no engine, and knows a session by its name alone; see `elsewhere`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ptr;
use std::sync::Arc;

use tidings_core::{CloseReason, GroupSpec, Sequence};
use tidings_topic::SelectorSet;

use super::replay::SharedPage;
use crate::inbox::SessionKey;

/// The name of a fetch. None is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FetchNumber(u64);

/// Where a group's page begins: after `cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PageStart {
    pub(super) group: u32,
    pub(super) cursor: Sequence,
}

/// What became of a fetch, for those who waited for it.
#[derive(Clone)]
pub(super) enum Outcome {
    /// Their next page.
    Page(Arc<SharedPage>),
    /// The end of their streams.
    Over(CloseReason),
}

/// The fetches of a shard. Sessions of a group that wait for the same page share one, and what it brings.
pub(super) struct Fetches {
    by_number: HashMap<FetchNumber, Fetch>,
    /// The fetch that a session joins. One whose group is gone may have lost its place here to that of another group.
    by_start: HashMap<PageStart, FetchNumber>,
    /// Those that have not begun, the first to begin first. `queued.len() <= sessions that wait`, for each is waited for.
    queued: BTreeSet<FetchNumber>,
    /// Those that have begun and are not over: each has a page on its way, or here. `begun <= begun_max`
    begun: usize,
    begun_max: usize,
    next_number: u64,
}

struct Fetch {
    start: PageStart,
    spec: GroupSpec,
    /// Each session that awaits the page, and no other.
    waiters: HashSet<SessionKey>,
    state: State,
}

enum State {
    Queued,
    UnderWay,
    /// It stays until each waiter has taken it or has left.
    Here(Outcome),
}

impl Fetches {
    /// A book without fetches, of which no more than `begun_max` are under way or have their page here at a time.
    pub(super) fn new(begun_max: usize) -> Self {
        Self {
            by_number: HashMap::new(),
            by_start: HashMap::new(),
            queued: BTreeSet::new(),
            begun: 0,
            begun_max,
            next_number: 0,
        }
    }

    /// Is the page fetched already?
    pub(super) fn covers(&self, start: PageStart, spec: &GroupSpec) -> bool {
        self.find(start, spec).is_some()
    }

    /// Has a session wait for a page, with others if there are some. Answers whether the page is here.
    pub(super) fn wait(&mut self, start: PageStart, spec: &GroupSpec, key: SessionKey) -> bool {
        let number = self.find(start, spec).unwrap_or_else(|| self.queue(start, spec.clone()));
        let Some(fetch) = self.by_number.get_mut(&number) else { return false };
        fetch.waiters.insert(key);
        matches!(fetch.state, State::Here(_))
    }

    /// Gives a session what it waits for, if it is here; then it waits no more.
    pub(super) fn take(&mut self, start: PageStart, key: SessionKey) -> Option<Outcome> {
        let State::Here(outcome) = &self.by_number.get(self.by_start.get(&start)?)?.state else { return None };
        let outcome = outcome.clone();
        self.leave(start, key);
        Some(outcome)
    }

    /// A session waits no more. What nobody waits for is not fetched, or dropped; but what is under way comes.
    pub(super) fn leave(&mut self, start: PageStart, key: SessionKey) {
        let Some(&number) = self.by_start.get(&start) else { return };
        let Some(fetch) = self.by_number.get_mut(&number) else { return };
        fetch.waiters.remove(&key);
        if fetch.waiters.is_empty() && !matches!(fetch.state, State::UnderWay) {
            self.end(number);
        }
    }

    /// The next fetch that is to begin now, if there is one and room for it.
    pub(super) fn begin_next(&mut self) -> Option<(FetchNumber, SelectorSet, Sequence)> {
        if self.begun >= self.begun_max {
            return None;
        }
        let number = self.queued.pop_first()?;
        let fetch = self.by_number.get_mut(&number)?;
        fetch.state = State::UnderWay;
        self.begun += 1;
        Some((number, fetch.spec.selectors.clone(), fetch.start.cursor))
    }

    /// For whom a fetch is; `None` when nobody waits for it any more.
    pub(super) fn waited_for_by(&self, number: FetchNumber) -> Option<&GroupSpec> {
        self.by_number.get(&number).filter(|fetch| !fetch.waiters.is_empty()).map(|fetch| &fetch.spec)
    }

    /// A fetch has its outcome. Answers who waits for it.
    pub(super) fn arrive(&mut self, number: FetchNumber, outcome: Outcome) -> Vec<SessionKey> {
        let Some(fetch) = self.by_number.get_mut(&number) else { return Vec::new() };
        fetch.state = State::Here(outcome);
        fetch.waiters.iter().copied().collect()
    }

    /// A fetch is over.
    pub(super) fn end(&mut self, number: FetchNumber) {
        let Some(fetch) = self.by_number.remove(&number) else { return };
        if self.by_start.get(&fetch.start) == Some(&number) {
            self.by_start.remove(&fetch.start);
        }
        match fetch.state {
            State::Queued => drop(self.queued.remove(&number)),
            State::UnderWay | State::Here(_) => self.begun -= 1,
        }
        if self.by_number.is_empty() {
            // After a crowd has left, nothing of it stays.
            *self = Self { next_number: self.next_number, ..Self::new(self.begun_max) };
        }
    }

    fn find(&self, start: PageStart, spec: &GroupSpec) -> Option<FetchNumber> {
        let number = *self.by_start.get(&start)?;
        // Numbers of groups are used again: a fetch for a group that is gone is nothing for its successor.
        self.by_number.get(&number).filter(|fetch| is_same_group(&fetch.spec, spec)).map(|_| number)
    }

    fn queue(&mut self, start: PageStart, spec: GroupSpec) -> FetchNumber {
        let number = FetchNumber(self.next_number);
        self.next_number += 1;
        self.by_number.insert(number, Fetch { start, spec, waiters: HashSet::new(), state: State::Queued });
        self.by_start.insert(start, number);
        self.queued.insert(number);
        number
    }
}

/// Do both want the same? The selectors, of which there may be a thousand, are told apart by where they are: a group has
/// only one set of them.
fn is_same_group(one: &GroupSpec, other: &GroupSpec) -> bool {
    ptr::eq(one.selectors.iter().as_slice(), other.selectors.iter().as_slice())
        && one.types == other.types
        && one.dialect == other.dialect
}

#[cfg(test)]
mod tests {
    use tidings_core::Dialect;
    use tidings_topic::Topic;

    use super::*;

    const FAR: PageStart = PageStart { group: 0, cursor: Sequence(7) };

    fn spec(topic: &str) -> GroupSpec {
        let topic = Topic::parse(topic).expect("a good topic");
        GroupSpec { selectors: SelectorSet::one(topic), types: None, dialect: Dialect::Plain, announces: false }
    }

    fn session(index: u32) -> SessionKey {
        SessionKey { index, generation: 1 }
    }

    fn begin(fetches: &mut Fetches) -> FetchNumber {
        fetches.begin_next().expect("one is queued, and there is room").0
    }

    fn over() -> Outcome {
        Outcome::Over(CloseReason::Lagged)
    }

    #[test]
    fn those_who_wait_for_the_same_page_share_its_fetch() {
        let (mut fetches, spec) = (Fetches::new(9), spec("a"));
        assert!(!fetches.covers(FAR, &spec));
        assert!(!fetches.wait(FAR, &spec, session(1)));
        assert!(!fetches.wait(FAR, &spec, session(2)));
        let number = begin(&mut fetches);
        assert!(!fetches.wait(FAR, &spec, session(3)));
        assert!(fetches.begin_next().is_none(), "one fetch is enough");
        assert!(fetches.take(FAR, session(1)).is_none(), "it is not here");

        let mut waiters = fetches.arrive(number, over());
        waiters.sort_by_key(|key| key.index);
        assert_eq!(waiters, [1, 2, 3].map(session));
        assert!(fetches.wait(FAR, &spec, session(4)), "who comes late shares it too");
        for index in 1..=4 {
            assert!(fetches.take(FAR, session(index)).is_some(), "session {index}");
        }
        assert!(!fetches.covers(FAR, &spec), "it is kept for nobody");
        assert!(fetches.take(FAR, session(1)).is_none());
    }

    #[test]
    fn no_more_than_so_many_have_begun() {
        let (mut fetches, spec) = (Fetches::new(2), spec("a"));
        let start = |cursor| PageStart { cursor: Sequence(cursor), ..FAR };
        for index in 1..=4 {
            fetches.wait(start(index.into()), &spec, session(index));
        }
        let (first, second) = (begin(&mut fetches), begin(&mut fetches));
        assert!(fetches.begin_next().is_none());
        fetches.arrive(first, over());
        assert!(fetches.begin_next().is_none(), "its page is still here");
        fetches.leave(start(3), session(3));
        fetches.leave(start(1), session(1));
        let (_, _, cursor) = fetches.begin_next().expect("there is room");
        assert_eq!(cursor, Sequence(4), "what nobody waits for is not fetched");
        fetches.leave(start(2), session(2));
        assert!(fetches.waited_for_by(second).is_none() && fetches.covers(start(2), &spec), "it is still under way");
        fetches.wait(start(2), &spec, session(5));
        assert!(fetches.waited_for_by(second).is_some(), "and is for who comes now");
    }

    #[test]
    fn a_page_for_a_group_that_is_gone_is_not_for_its_successor() {
        let mut fetches = Fetches::new(9);
        let (gone, successor) = (spec("a"), spec("a"));
        fetches.wait(FAR, &gone, session(1));
        let first = begin(&mut fetches);
        fetches.leave(FAR, session(1));
        assert!(!fetches.covers(FAR, &successor));
        fetches.wait(FAR, &successor, session(2));
        let second = begin(&mut fetches);
        assert!(fetches.waited_for_by(first).is_none());
        fetches.end(first);
        assert!(fetches.take(FAR, session(2)).is_none());
        assert_eq!(fetches.arrive(second, over()), [session(2)]);
        assert!(fetches.take(FAR, session(2)).is_some());
    }
}
