//! What binds a stream to the token it came with: it ends with it, is told before, and may be renewed.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tidings_auth::{Identity, StandingId};
use tidings_fanout::{Lease, LeaseTerms, Notice};
use tidings_wire::{EventFields, EventType, encode_event};

use super::renewals::Entered;
use crate::state::HttpState;

/// The lease of a stream of a plain channel that comes with `identity`, and perhaps with a ticket. `prefix` is the path
/// below which the hub is.
pub(crate) fn lease(
    state: &HttpState,
    identity: &Arc<Identity>,
    ticket: Option<StandingId>,
    prefix: &str,
) -> Arc<Lease> {
    let Some(ends_at) = identity.expires_at else {
        return Lease::new(LeaseTerms::default());
    };
    let (renewals, identity, prefix) = (Arc::clone(&state.auth.renewals), Arc::clone(identity), Box::from(prefix));
    // Nobody asks for a renewal before the notice, and most readers leave earlier: a name is made then.
    let entered: OnceLock<Entered> = OnceLock::new();
    let frame = move |lease: &Arc<Lease>, left| {
        let entered = entered.get_or_init(|| renewals.enter(lease, Arc::clone(&identity), ticket));
        let prefix: &str = &prefix;
        expiring(left, &format!("{prefix}{RENEW_PATH}{}", entered.name()))
    };
    Lease::new(LeaseTerms {
        ends_at: Some(ends_at),
        notice: Some(Notice { before: state.config.tokens.expiring_notice, frame: Box::new(frame) }),
        companion: None,
    })
}

/// Where streams are renewed; their names follow.
pub(crate) const RENEW_PATH: &str = "/renew/";

/// The frame that tells a reader of its end. It has no id: nobody goes on from it.
fn expiring(left: Duration, renew_url: &str) -> Bytes {
    #[derive(Serialize)]
    struct Expiring<'a> {
        expires_in_ms: u64,
        renew_url: &'a str,
    }
    static EXPIRING: LazyLock<EventType> =
        LazyLock::new(|| EventType::parse("tidings.expiring").expect("a plain word"));
    let expires_in_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let data =
        serde_json::to_string(&Expiring { expires_in_ms, renew_url }).expect("a text and a number are always JSON");
    let mut out = Vec::new();
    encode_event(&EventFields { event_type: Some(&EXPIRING), id: None, data: &data, retry_ms: None }, &mut out);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_told_how_long_it_has_and_where_to_renew() {
        let want = "event: tidings.expiring\ndata: {\"expires_in_ms\":1500,\"renew_url\":\"/renew/x\"}\n\n";
        assert_eq!(expiring(Duration::from_millis(1500), "/renew/x"), want);
    }
}
