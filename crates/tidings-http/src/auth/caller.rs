//! Who sends a request, once that is known.

use std::sync::Arc;
use std::time::Duration;

use tidings_auth::{Action, Identity, TokenError};
use tidings_core::{Grants, Timestamp};

use super::problem::AuthProblem;
use crate::problem::cut;

/// Who sends a request, and what that one may do.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Who);

#[derive(Clone, Debug)]
enum Who {
    /// Anybody, at a hub that is open to all.
    Anybody,
    /// Somebody without a token, who may read what is public.
    Anonymous,
    /// The holder of a token.
    Holder(Arc<Identity>),
}

impl Caller {
    /// At a hub that is open to all.
    pub(super) fn anybody() -> Self {
        Self(Who::Anybody)
    }

    /// Without a token.
    pub(super) fn anonymous() -> Self {
        Self(Who::Anonymous)
    }

    /// With a token that was checked.
    pub(crate) fn holder(identity: Arc<Identity>) -> Self {
        Self(Who::Holder(identity))
    }

    /// What its token says, if it has one.
    pub(crate) fn identity(&self) -> Option<&Arc<Identity>> {
        match &self.0 {
            Who::Holder(identity) => Some(identity),
            Who::Anybody | Who::Anonymous => None,
        }
    }

    /// The scope of its idempotency keys: the token's subject, or nothing.
    pub(crate) fn subject(&self) -> Arc<str> {
        self.identity().and_then(|identity| identity.subject.clone()).unwrap_or_default()
    }

    /// What it may read.
    pub(crate) fn grants(&self) -> Grants {
        self.identity().map_or(Grants::Anonymous, |identity| identity.read_grants())
    }

    /// The instant from which it would be refused.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.identity().and_then(|identity| identity.expires_at)
    }

    /// Is its token still good at `now`? It was when the request came.
    ///
    /// # Errors
    /// [`AuthProblem::BadToken`] when not.
    pub(crate) fn check_not_expired(&self, now: Timestamp) -> Result<(), AuthProblem> {
        match self.expires_at() {
            Some(end) if end <= now => {
                let ago = Duration::from_millis(now.as_millis() - end.as_millis());
                Err(AuthProblem::BadToken(TokenError::Expired { ago }))
            }
            _ => Ok(()),
        }
    }

    /// May it publish on `topic`?
    ///
    /// # Errors
    /// [`AuthProblem::NoGrant`] when not.
    pub(crate) fn check_may_publish(&self, topic: &str) -> Result<(), AuthProblem> {
        let (may, has_any) = match &self.0 {
            Who::Anybody => (true, true),
            Who::Anonymous => (false, false),
            Who::Holder(identity) => (identity.may_publish(topic), identity.has_publish_grant()),
        };
        if may {
            return Ok(());
        }
        Err(AuthProblem::NoGrant { action: Action::Publish, topic: has_any.then(|| cut(topic)) })
    }
}
