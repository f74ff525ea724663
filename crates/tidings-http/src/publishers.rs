//! How fast each publisher publishes, where that is limited: who it is, whether it may now, and what it is told of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tidings_core::Limit;
use tidings_core::rate::{BURST_SECONDS, Balances, Left, Rate, TooFast};
use tidings_fanout::AddressBlock;

use crate::auth::Caller;
use crate::client_address::client_address;
use crate::state::HttpState;

/// Most publishers that are known by themselves at a time; those beyond share one balance. Cost: about 150 bytes each.
const PUBLISHERS_MAX: usize = 100_000;

/// The balances of all publishers of a hub.
pub struct Publishers {
    balances: Mutex<Balances<Publisher>>,
    began: Instant,
}

impl Default for Publishers {
    fn default() -> Self {
        Self { balances: Mutex::new(Balances::new(PUBLISHERS_MAX)), began: Instant::now() }
    }
}

/// Whose rate it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Publisher {
    /// The subject of its token.
    Subject(Arc<str>),
    /// Its address, for want of a subject.
    Address(AddressBlock),
    /// In a program whose own server does not tell of addresses: all together.
    Unknown,
}

impl Publisher {
    /// Who sends this request.
    pub(crate) fn of(state: &HttpState, parts: &Parts, caller: &Caller) -> Self {
        let subject = caller.subject();
        if !subject.is_empty() {
            return Self::Subject(subject);
        }
        client_address(state, parts).map_or(Self::Unknown, |address| Self::Address(address.into()))
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(subject) => f.write_str(subject),
            Self::Address(address) => address.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// May `publisher` publish now? One that may not is counted.
///
/// # Errors
/// [`TooFast`] says when it may again.
pub(crate) fn check_rate(state: &HttpState, publisher: &Publisher) -> Result<(), TooFast> {
    let rate = rate(state);
    if rate.is_unlimited() {
        return Ok(());
    }
    let now = state.publishers.began.elapsed();
    let checked = state.publishers.lock().check(publisher.clone(), rate, now);
    checked.inspect_err(|too_fast| state.counters.reach_by(too_fast.limit, publisher))
}

/// `publisher` publishes an event of so many bytes. Answers what is left of each limit that there is.
pub(crate) fn spend(state: &HttpState, publisher: &Publisher, bytes: usize) -> Vec<Left> {
    let rate = rate(state);
    if rate.is_unlimited() {
        return Vec::new();
    }
    let now = state.publishers.began.elapsed();
    state.publishers.lock().spend(publisher.clone(), 1, bytes as u64, rate, now)
}

/// Tells a publisher what is left, in the fields of the IETF's draft "`RateLimit` header fields for HTTP".
pub(crate) fn insert_left(headers: &mut HeaderMap, left: &[Left]) {
    let policy = left.iter().map(|Left { limit, quota, .. }| policy_item(*limit, *quota));
    let state = left.iter().map(|Left { limit, remaining, full_in, .. }| state_item(*limit, *remaining, *full_in));
    insert_list(headers, POLICY, policy);
    insert_list(headers, RATE_LIMIT, state);
}

/// Tells a publisher that nothing is left.
pub(crate) fn insert_none_left(headers: &mut HeaderMap, too_fast: TooFast) {
    insert_list(headers, RATE_LIMIT, [state_item(too_fast.limit, 0, too_fast.retry_after)]);
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

impl Publishers {
    fn lock(&self) -> MutexGuard<'_, Balances<Publisher>> {
        self.balances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rate(state: &HttpState) -> Rate {
    let limits = state.limits();
    Rate { events: limits.publish_events_per_second_max, bytes: limits.publish_bytes_per_second_max }
}

fn policy_item(limit: Limit, quota: u64) -> String {
    let unit = if limit == Limit::PublishBytes { ";qu=\"content-bytes\"" } else { "" };
    format!("\"{}\";q={quota};w={BURST_SECONDS}{unit}", name(limit))
}

fn state_item(limit: Limit, remaining: u64, until: Duration) -> String {
    let seconds = until.as_secs() + u64::from(until.subsec_nanos() > 0);
    format!("\"{}\";r={remaining};t={seconds}", name(limit))
}

fn name(limit: Limit) -> &'static str {
    if limit == Limit::PublishBytes { "bytes" } else { "events" }
}

fn insert_list(headers: &mut HeaderMap, name: HeaderName, items: impl IntoIterator<Item = String>) {
    let list = items.into_iter().collect::<Vec<_>>().join(", ");
    if !list.is_empty() {
        headers.insert(name, HeaderValue::try_from(list).expect("words and digits"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_reads_what_is_left_of_each_limit() {
        let full_in = Duration::from_millis(1500);
        let left = [
            Left { limit: Limit::PublishEvents, quota: 100, remaining: 99, full_in },
            Left { limit: Limit::PublishBytes, quota: 5000, remaining: 12, full_in: Duration::from_secs(7) },
        ];
        let mut headers = HeaderMap::new();
        insert_left(&mut headers, &left);
        assert_eq!(headers[&POLICY], r#""events";q=100;w=10, "bytes";q=5000;w=10;qu="content-bytes""#);
        assert_eq!(headers[&RATE_LIMIT], r#""events";r=99;t=2, "bytes";r=12;t=7"#);
        insert_none_left(&mut headers, TooFast { limit: Limit::PublishBytes, retry_after: full_in });
        assert_eq!(headers[&RATE_LIMIT], r#""bytes";r=0;t=2"#);
        let mut none = HeaderMap::new();
        insert_left(&mut none, &[]);
        assert!(none.is_empty());
    }
}
