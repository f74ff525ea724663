//! The idempotency keys of publishers: what was answered for each, for as long as it is kept.
//!
//! None is forgotten early: at the limit new keys are refused.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidings_topic::Topic;

use crate::engine::{AppendError, Appended};
use crate::limits::HistoryLimits;
use crate::publication::{IdempotencyKey, Publication};
use crate::time::Timestamp;

/// Within what a key must be unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scope {
    topic: Topic,
    key: IdempotencyKey,
}

/// A publication's claim to its key: to be kept once the publication is stored, else dropped.
#[derive(Clone, Debug)]
pub struct Claim {
    scope: Arc<Scope>,
    fingerprint: u64,
}

impl Claim {
    /// The claim that `publication` makes, if it has a key. Reads its data whole.
    pub fn of(publication: &Publication) -> Option<Self> {
        let key = publication.idempotency.clone()?;
        let scope = Arc::new(Scope { topic: publication.topic.clone(), key });
        Some(Self { scope, fingerprint: publication.fingerprint() })
    }

    /// The claim of a publication that was stored before.
    pub fn stored(topic: Topic, key: IdempotencyKey, fingerprint: u64) -> Self {
        Self { scope: Arc::new(Scope { topic, key }), fingerprint }
    }

    /// What tells its publication from another one.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// What the first publication with a key was, and its answer.
#[derive(Debug)]
struct Kept {
    fingerprint: u64,
    answer: Appended,
}

/// The keys that are kept, so many at most.
#[derive(Debug)]
pub struct IdempotencyKeys {
    kept: HashMap<Arc<Scope>, Kept>,
    /// The same keys, each with the time from which on it is forgotten, in the order in which they were kept.
    until: VecDeque<(Timestamp, Arc<Scope>)>,
    keys_max: usize,
    window: Duration,
}

impl IdempotencyKeys {
    /// None yet.
    pub fn new(history: &HistoryLimits) -> Self {
        let (keys_max, window) = (history.idempotency_keys_max, history.idempotency_window);
        Self { kept: HashMap::new(), until: VecDeque::new(), keys_max, window }
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// Drops the keys whose time is over.
    pub fn forget(&mut self, now: Timestamp) {
        while let Some((_, scope)) = self.until.pop_front_if(|(until, _)| *until <= now) {
            self.kept.remove(&scope);
        }
    }

    /// The first answer, if this is a repeat.
    ///
    /// # Errors
    /// [`AppendError::KeyReused`] when the key belongs to another publication.
    pub fn find(&self, claim: &Claim) -> Result<Option<Appended>, AppendError> {
        match self.kept.get(&claim.scope) {
            None => Ok(None),
            Some(kept) if kept.fingerprint != claim.fingerprint => Err(AppendError::KeyReused),
            Some(kept) => Ok(Some(Appended { is_repeat: true, ..kept.answer.clone() })),
        }
    }

    /// Is there room for one more?
    ///
    /// # Errors
    /// [`AppendError::KeysFull`] when there is none.
    pub fn check_room(&self, now: Timestamp) -> Result<(), AppendError> {
        if self.kept.len() < self.keys_max {
            return Ok(());
        }
        let retry_after = self.until.front().map_or(self.window, |(until, _)| until.since(now));
        Err(AppendError::KeysFull { keys_max: self.keys_max, retry_after })
    }

    /// What is kept, the oldest first: the topic, the key, its fingerprint, what was answered, and until when it is kept.
    pub fn iter(&self) -> impl Iterator<Item = (&Topic, &IdempotencyKey, u64, &Appended, Timestamp)> {
        self.until.iter().filter_map(|(until, scope)| {
            let kept = self.kept.get(scope)?;
            Some((&scope.topic, &scope.key, kept.fingerprint, &kept.answer, *until))
        })
    }

    /// Keeps an answer that was given before, until `until`. To be called in the order of these times.
    pub fn restore(&mut self, claim: Claim, answer: Appended, until: Timestamp) {
        self.until.push_back((until, Arc::clone(&claim.scope)));
        self.kept.insert(claim.scope, Kept { fingerprint: claim.fingerprint, answer });
    }

    /// Keeps the answer to a publication that was stored at `now`.
    pub fn keep(&mut self, claim: Claim, answer: Appended, now: Timestamp) {
        self.restore(claim, answer, now.saturating_add(self.window));
    }
}
