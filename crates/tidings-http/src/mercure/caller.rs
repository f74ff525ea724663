//! Who sends a request, in Mercure's terms: which dialect a token speaks, and what is said to one that does not count.

use tidings_auth::{Action, Shape, TokenError};
use tidings_core::Timestamp;
use uuid::Builder;

use crate::auth::{AuthProblem, Caller};
use crate::config::Access;
use crate::mercure::dialect::Dialect;
use crate::mercure::rejection::Rejection;

/// The dialect that the caller's token speaks; nothing when it has none, or one that is not Mercure's.
pub(super) fn dialect_of(caller: &Caller) -> Option<Dialect> {
    match caller.identity()?.shape {
        Shape::Mercure0 => Some(Dialect::Zero),
        Shape::Mercure1 => Some(Dialect::One),
        Shape::Plain => None,
    }
}

/// What is said to one that must not do it at all. `access` tells whether some may without a token.
pub(super) fn refused(access: Access, problem: AuthProblem) -> Rejection {
    match problem {
        // Nobody can ever do it here: as at a hub of Mercure's, the method then means nothing.
        AuthProblem::BadToken(TokenError::NoKey { action })
            if action == Action::Publish || !access.allows_anonymous =>
        {
            Rejection::Method
        }
        problem => problem.into(),
    }
}

impl From<AuthProblem> for Rejection {
    fn from(problem: AuthProblem) -> Self {
        let detail = problem.to_string();
        match problem {
            AuthProblem::NoToken { has_key: true, .. } => Self::NoToken,
            AuthProblem::NoToken { has_key: false, .. } => Self::Method,
            AuthProblem::Misplaced(_) | AuthProblem::ForeignCookie { .. } => Self::MisplacedToken { detail },
            AuthProblem::BadToken(error) if error.is_temporary() => Self::KeysUnavailable,
            AuthProblem::BadToken(_) => Self::BadToken { detail },
            AuthProblem::NoGrant { .. } => Self::NotGranted { detail },
        }
    }
}

/// An id for what is published without one: a UUID that begins with the time.
pub(super) fn new_update_id(now: Timestamp) -> String {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid().urn().to_string()
}

/// An id for a subscriber: a random UUID.
pub(super) fn new_subscriber_id() -> String {
    let mut random = [0; 16];
    fastrand::fill(&mut random);
    Builder::from_random_bytes(random).into_uuid().urn().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        let now = Timestamp::from_millis(1_795_464_000_000);
        let id = new_update_id(now);
        assert_eq!((id.len(), &id[..9], &id[23..24]), (45, "urn:uuid:", "7"), "{id}");
        assert_ne!(id, new_update_id(now));
        assert!(new_update_id(Timestamp::from_millis(1_795_464_000_001)) > id, "later ids are greater");
        let id = new_subscriber_id();
        assert_eq!((id.len(), &id[..9], &id[23..24]), (45, "urn:uuid:", "4"), "{id}");
    }
}
