//! Tokens that were checked before: a publisher sends the same one with every event, and a reader with every connection.

use std::array;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use tidings_core::Timestamp;

use crate::authority::Action;
use crate::identity::Identity;

/// So many tokens are remembered. Each has one slot by its hash, and whoever comes later takes it.
const SLOTS: usize = 1024;

/// A longer token is checked anew each time. Cost: with what it grants, 4 to 8 MiB at the very most. Unit: bytes.
const TOKEN_BYTES_MAX: usize = 4096;

/// What came of checking tokens by keys that do not change.
///
/// A token counts only byte for byte, for the same action, and never beyond its end. The hash is keyed, so nobody can
/// choose tokens that share a slot, nor learn from a comparison how another's token begins.
#[derive(Debug)]
pub(crate) struct CheckedTokens {
    hasher: RandomState,
    slots: Box<[Mutex<Option<Checked>>; SLOTS]>,
}

/// What is known of a token without looking through it again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash(u64);

struct Checked {
    hash: TokenHash,
    token: Box<str>,
    /// A key says what it was checked for.
    action: Action,
    identity: Arc<Identity>,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checked") // never a token
    }
}

impl Default for CheckedTokens {
    fn default() -> Self {
        Self { hasher: RandomState::new(), slots: Box::new(array::from_fn(|_| Mutex::default())) }
    }
}

impl CheckedTokens {
    /// By which a token is found and kept.
    pub(crate) fn hash_of(&self, token: &str) -> TokenHash {
        TokenHash(self.hasher.hash_one(token))
    }

    /// Whom `token` speaks for, if it was checked for `action` and has not ended at `now`.
    pub(crate) fn find(&self, hash: TokenHash, token: &str, action: Action, now: Timestamp) -> Option<Arc<Identity>> {
        let slot = self.slot(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            slot.as_ref().filter(|known| known.hash == hash && known.action == action && *known.token == *token)?;
        let is_over = known.identity.expires_at.is_some_and(|end| now >= end);
        (!is_over).then(|| Arc::clone(&known.identity))
    }

    /// Remembers that `token` was good for `action`.
    pub(crate) fn keep(&self, hash: TokenHash, token: &str, action: Action, identity: &Arc<Identity>) {
        if token.len() <= TOKEN_BYTES_MAX {
            let known = Checked { hash, token: token.into(), action, identity: Arc::clone(identity) };
            let before = self.slot(hash).lock().unwrap_or_else(PoisonError::into_inner).replace(known);
            drop(before); // not under the lock
        }
    }

    fn slot(&self, hash: TokenHash) -> &Mutex<Option<Checked>> {
        &self.slots[usize::try_from(hash.0 % SLOTS as u64).expect("below the number of slots")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Payloads, Shape};

    fn identity(expires_at: Option<u64>) -> Arc<Identity> {
        Arc::new(Identity {
            subject: None,
            shape: Shape::Plain,
            expires_at: expires_at.map(Timestamp::from_millis),
            publish: None,
            subscribe: None,
            payloads: Payloads::None,
        })
    }

    fn find(tokens: &CheckedTokens, token: &str, action: Action, now: Timestamp) -> Option<Arc<Identity>> {
        tokens.find(tokens.hash_of(token), token, action, now)
    }

    fn keep(tokens: &CheckedTokens, token: &str, action: Action, identity: &Arc<Identity>) {
        tokens.keep(tokens.hash_of(token), token, action, identity);
    }

    #[test]
    fn a_token_counts_as_it_is_for_its_action_and_until_its_end() {
        let tokens = CheckedTokens::default();
        let now = Timestamp::from_millis(999);
        assert!(find(&tokens, "token", Action::Publish, now).is_none());
        keep(&tokens, "token", Action::Publish, &identity(Some(1000)));
        assert!(find(&tokens, "token", Action::Publish, now).is_some());
        assert!(find(&tokens, "token", Action::Subscribe, now).is_none());
        assert!(find(&tokens, "tokem", Action::Publish, now).is_none());
        assert!(find(&tokens, "token", Action::Publish, Timestamp::from_millis(1000)).is_none());
    }

    #[test]
    fn a_newer_token_takes_the_slot_and_a_huge_one_is_not_kept() {
        let tokens = CheckedTokens::default();
        let now = Timestamp::from_millis(0);
        let names: Vec<_> = (0..10 * SLOTS).map(|number| format!("token {number}")).collect();
        for name in &names {
            keep(&tokens, name, Action::Subscribe, &identity(None));
            assert!(find(&tokens, name, Action::Subscribe, now).is_some());
        }
        let kept = names.iter().filter(|name| find(&tokens, name, Action::Subscribe, now).is_some()).count();
        assert!(kept <= SLOTS, "{kept}");
        let huge = "x".repeat(TOKEN_BYTES_MAX + 1);
        keep(&tokens, &huge, Action::Subscribe, &identity(None));
        assert!(find(&tokens, &huge, Action::Subscribe, now).is_none());
    }
}
