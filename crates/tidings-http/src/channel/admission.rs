//! May one more stream begin? What is limited for streams, beside their connections, is asked here.

use axum::response::Response;
use http::Version;
use http::request::Parts;
use tidings_core::Limit;
use tidings_fanout::{AddressBlock, Companion};

use crate::auth::Caller;
use crate::channel::refusal::{Refusal, refusal};
use crate::client_address::{Peer, forwarded_address};
use crate::respond::Reached;
use crate::state::HttpState;

/// Takes what a stream of so many topics and patterns needs; given back when the answer is dropped, so keep it with the
/// stream.
///
/// # Errors
/// [`SentAway`] for a while.
pub(crate) fn admit(
    state: &HttpState,
    parts: &Parts,
    caller: &Caller,
    topics: usize,
) -> Result<Option<Companion>, SentAway> {
    let limits = state.limits();
    // On HTTP/1.1 each has a connection, which was counted at the door; one of HTTP/2 has many.
    let shares_connection = parts.version >= Version::HTTP_2 && parts.extensions.get::<Peer>().is_some();
    let streams = state.counters.sessions_direct.get() + state.counters.sessions_body.get();
    if shares_connection && streams >= limits.connections_max as u64 {
        return Err(SentAway::new(Refusal::Full, Limit::Connections, None));
    }
    // Others may come in between: the limit is passed by as many as come at the same moment.
    let subscribed = state.counters.subscribed_topics.get().saturating_add(topics as u64);
    if subscribed > limits.subscribed_topics_max as u64 {
        return Err(SentAway::new(Refusal::TopicsFull, Limit::SubscribedTopics, None));
    }
    let mut of_subject = None;
    let subject = caller.subject();
    if let Some(max) = limits.connections_per_subject_max
        && !subject.is_empty()
    {
        of_subject = state.streams.by_subject.take(subject.clone(), max);
        if of_subject.is_none() {
            return Err(SentAway::new(Refusal::SubjectFull, Limit::ConnectionsPerSubject, Some(&subject)));
        }
    }
    let mut of_address = None;
    if let Some(max) = limits.connections_per_ip_max
        && let Some(address) = forwarded_address(state, parts)
    {
        let block = AddressBlock::from(address);
        of_address = state.streams.by_address.take(block, max);
        if of_address.is_none() {
            return Err(SentAway::new(Refusal::TooMany, Limit::ConnectionsPerIp, Some(&block.to_string())));
        }
    }
    let has_any = of_subject.is_some() || of_address.is_some();
    Ok(has_any.then(|| Box::new((of_subject, of_address)) as Companion))
}

/// A reader that is to come back later.
pub(crate) struct SentAway {
    why: Refusal,
    reached: Reached,
}

impl SentAway {
    fn new(why: Refusal, limit: Limit, who: Option<&str>) -> Self {
        Self { why, reached: Reached { limit, who: who.map(Into::into) } }
    }

    /// The answer that says so.
    pub(crate) fn answer(self, parts: &Parts) -> Response {
        let mut response = refusal(parts, self.why);
        response.extensions_mut().insert(self.reached);
        response
    }
}
