//! Who is subscribed now: one entry for each matcher of each connection, for the API and the events of active subscriptions.
//!
//! Keeps the table and its order. Does not write documents; see `document`. Bounded by the connections of the hub times the
//! topics of each, for an entry goes with its session.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tidings_auth::Identity;

use crate::mercure::dialect::Dialect;
use crate::mercure::parameters::{Matcher, MatcherKind};

/// The subscriptions of a hub's Mercure endpoint, while `--subscriptions` is on. Empty else.
///
/// Cost: about 200 bytes for each topic of each connection, and the text of the topic.
#[derive(Debug, Default)]
pub struct ActiveSubscriptions(Mutex<BTreeMap<Entry, Arc<Subscriber>>>);

/// One connection.
#[derive(Debug)]
pub(super) struct Subscriber {
    /// `urn:uuid:` and a random UUID.
    pub(super) id: Arc<str>,
    /// Who it is, if it has said so: its documents may carry what its token says of it.
    pub(super) identity: Option<Arc<Identity>>,
}

/// The place of a subscription in the table: those of one matcher stand together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    matcher: Matcher,
    subscriber: Arc<str>,
}

/// A subscription: what somebody listens to.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) matcher: Matcher,
    pub(super) subscriber: Arc<Subscriber>,
}

impl Active {
    /// What the subscriber's token says of it, for this subscription.
    pub(super) fn payload(&self) -> Option<&Value> {
        self.subscriber.identity.as_ref()?.payload_for(&self.matcher.text)
    }
}

impl ActiveSubscriptions {
    /// Adds a subscription for each matcher.
    pub(super) fn enter(&self, matchers: &[Matcher], subscriber: &Arc<Subscriber>) {
        let mut table = self.lock();
        for matcher in matchers {
            table.insert(Entry::new(matcher, subscriber), Arc::clone(subscriber));
        }
    }

    /// Takes them out again.
    pub(super) fn leave(&self, matchers: &[Matcher], subscriber: &Arc<Subscriber>) {
        let mut table = self.lock();
        for matcher in matchers {
            table.remove(&Entry::new(matcher, subscriber));
        }
    }

    /// All that were made in a dialect, by what they listen to.
    pub(super) fn of_dialect(&self, dialect: Dialect) -> Vec<Active> {
        let table = self.lock();
        let of_dialect = table.iter().filter(|(entry, _)| entry.matcher.kind.dialect() == dialect);
        of_dialect.map(Active::of).collect()
    }

    /// All with this matcher.
    pub(super) fn of_matcher(&self, matcher: &Matcher) -> Vec<Active> {
        let from = Entry { matcher: matcher.clone(), subscriber: "".into() };
        let table = self.lock();
        let entries = table.range((Bound::Included(from), Bound::Unbounded));
        entries.take_while(|(entry, _)| entry.matcher == *matcher).map(Active::of).collect()
    }

    /// The one with this matcher of this subscriber.
    pub(super) fn find(&self, matcher: &Matcher, subscriber: &str) -> Option<Active> {
        let entry = Entry { matcher: matcher.clone(), subscriber: subscriber.into() };
        self.lock().get_key_value(&entry).map(Active::of)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Entry, Arc<Subscriber>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // each change is whole when the lock is released
    }
}

impl Entry {
    fn new(matcher: &Matcher, subscriber: &Subscriber) -> Self {
        Self { matcher: matcher.clone(), subscriber: Arc::clone(&subscriber.id) }
    }
}

impl Active {
    fn of((entry, subscriber): (&Entry, &Arc<Subscriber>)) -> Self {
        Self { matcher: entry.matcher.clone(), subscriber: Arc::clone(subscriber) }
    }
}

impl MatcherKind {
    /// The dialect that has it.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::Topic => Dialect::Zero,
            Self::Exact | Self::UrlPattern => Dialect::One,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(kind: MatcherKind, text: &str) -> Matcher {
        Matcher { kind, text: text.into() }
    }

    fn subscriber(id: &str) -> Arc<Subscriber> {
        Arc::new(Subscriber { id: id.into(), identity: None })
    }

    fn names(actives: &[Active]) -> Vec<(&str, &str)> {
        actives.iter().map(|active| (&*active.matcher.text, &*active.subscriber.id)).collect()
    }

    #[test]
    fn subscriptions_come_and_go() {
        let table = ActiveSubscriptions::default();
        let (a, b) = (matcher(MatcherKind::Topic, "a"), matcher(MatcherKind::Topic, "b"));
        let exact = matcher(MatcherKind::Exact, "a");
        let (one, two) = (subscriber("1"), subscriber("2"));
        table.enter(&[b.clone(), a.clone()], &one);
        table.enter(std::slice::from_ref(&a), &two);
        table.enter(std::slice::from_ref(&exact), &two);
        assert_eq!(names(&table.of_dialect(Dialect::Zero)), [("a", "1"), ("a", "2"), ("b", "1")]);
        assert_eq!(names(&table.of_dialect(Dialect::One)), [("a", "2")]);
        assert_eq!(names(&table.of_matcher(&a)), [("a", "1"), ("a", "2")]);
        assert_eq!(names(&table.of_matcher(&matcher(MatcherKind::Topic, "c"))), []);
        assert!(table.find(&b, "1").is_some() && table.find(&b, "2").is_none());
        table.leave(&[a.clone(), b], &one);
        assert_eq!(names(&table.of_dialect(Dialect::Zero)), [("a", "2")]);
        table.leave(&[a, exact], &two);
        assert!(table.lock().is_empty());
    }
}
