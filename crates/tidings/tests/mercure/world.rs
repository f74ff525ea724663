//! A hub with keys, and tokens of each dialect for it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidings::{
    Access, Algorithm, Authority, AuthorityOptions, Claims, Delivery, HubBuilder, KeySource, MercureRules, Timestamp,
    mint,
};

use crate::support::client::{Answer, Client, Head};
use crate::support::hub::TestHub;

/// Where everything is.
pub(crate) const HUB: &str = "/.well-known/mercure";
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://hub.example/.well-known/mercure";
pub(crate) const PUBLISHER_KEY: &str = "the-publishers-secret-of-these-tests";
pub(crate) const SUBSCRIBER_KEY: &str = "the-subscribers-secret-of-these-tests";
/// What a refused client is told, before the error.
pub(crate) const CHALLENGE: &str = concat!(
    "Bearer resource_metadata=\"",
    "https://hub.example/.well-known/oauth-protected-resource/.well-known/mercure\""
);

/// A dialect of Mercure's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Zero,
    One,
}

pub(crate) const BOTH: [Dialect; 2] = [Dialect::Zero, Dialect::One];

/// A hub with keys that lets anonymous readers in.
pub(crate) fn start(delivery: Delivery) -> TestHub {
    start_as(delivery, true, |builder| builder)
}

/// A hub with keys.
pub(crate) fn start_as(
    delivery: Delivery,
    allows_anonymous: bool,
    configure: impl FnOnce(HubBuilder) -> HubBuilder,
) -> TestHub {
    TestHub::start(delivery, |builder| {
        let access = Access { is_open: false, allows_anonymous, lifts_protection: false };
        let rules =
            MercureRules { audience: Some(AUDIENCE.into()), issuers: vec![ISSUER.into()], ..MercureRules::default() };
        configure(builder.access(access).authority(authority(true)).mercure(rules))
    })
}

/// One that knows the keys of these tests; of subscribers only if it is to.
pub(crate) fn authority(knows_subscribers: bool) -> Arc<Authority> {
    let options = AuthorityOptions {
        publisher: Some(KeySource::new(PUBLISHER_KEY, Algorithm::Hs256)),
        subscriber: knows_subscribers.then(|| KeySource::new(SUBSCRIBER_KEY, Algorithm::Hs256)),
        issuers: vec![ISSUER.into()],
        audience: Some(AUDIENCE.into()),
        ..AuthorityOptions::default()
    };
    Arc::new(Authority::new(options).expect("plain secrets are good keys"))
}

pub(crate) fn publisher_token(dialect: Dialect, topics: &[&str]) -> String {
    token(&Claims { publish: owned(topics), ..of(dialect, Duration::from_hours(1)) }, PUBLISHER_KEY)
}

pub(crate) fn subscriber_token(dialect: Dialect, topics: &[&str]) -> String {
    token(&Claims { subscribe: owned(topics), ..of(dialect, Duration::from_hours(1)) }, SUBSCRIBER_KEY)
}

/// The claims that a token of `dialect` needs beside its grants.
pub(crate) fn of(dialect: Dialect, lifetime: Duration) -> Claims {
    let expires_at = Some(Timestamp::from_millis(u64::try_from((now() + lifetime).as_millis()).expect("a time")));
    match dialect {
        Dialect::Zero => Claims { expires_at, ..Claims::default() },
        Dialect::One => {
            Claims { issuer: Some(ISSUER.into()), audience: Some(AUDIENCE.into()), expires_at, ..Claims::default() }
        }
    }
}

pub(crate) fn token(claims: &Claims, key: &str) -> String {
    mint(claims, &KeySource::new(key, Algorithm::Hs256)).expect("good claims and a good key")
}

pub(crate) fn owned(topics: &[&str]) -> Vec<String> {
    topics.iter().map(ToString::to_string).collect()
}

/// The header that brings `token`.
pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// The header of a form.
pub(crate) const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

/// Publishes a form with a token for everything; answers the id.
#[track_caller]
pub(crate) fn publish(hub: &TestHub, form: &str) -> String {
    let headers = format!("{FORM}{}", bearer(&publisher_token(Dialect::Zero, &["*"])));
    let answer = hub.client().request("POST", HUB, &headers, form.as_bytes());
    assert_eq!(answer.head.status, 200, "{form}: {}", answer.text());
    answer.text().to_owned()
}

/// An answer in short: its status and its text.
pub(crate) fn short(answer: &Answer) -> (u16, String) {
    (answer.head.status, String::from_utf8_lossy(&answer.body).into_owned())
}

/// What every answer of the endpoint carries.
#[track_caller]
pub(crate) fn expect_fixed_headers(head: &Head) {
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("x-xss-protection", "1; mode=block"),
        ("content-security-policy", "default-src 'self'"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name} in {head:?}");
    }
}

/// Opens a stream that must be one; answers the connection after the head, and the head.
#[track_caller]
pub(crate) fn open(hub: &TestHub, target: &str, headers: &str) -> (Client, Head) {
    let mut client = hub.client();
    client.ask("GET", target, headers, b"");
    let head = client.head();
    if head.status != 200 {
        let rest = String::from_utf8_lossy(&client.read_some()).into_owned();
        panic!("GET {target}: {head:?} {rest}");
    }
    (client, head)
}

/// Serves what is for those who run it; answers where.
#[track_caller]
pub(crate) fn serve_admin(hub: &TestHub) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    let address = listener.local_addr().expect("a bound listener has an address");
    let served = hub.hub.clone();
    hub.spawn(async move {
        drop(served.serve_admin(listener, std::future::pending()).await);
    });
    address
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}
