//! What `mint` puts into a token, read back.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidings_auth::{Action, Algorithm, Authority, AuthorityOptions, Claims, Identity, KeySource, Shape, mint};
use tidings_core::Timestamp;

use crate::keys::{SECRET, now};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn key() -> KeySource {
    KeySource::new(SECRET, Algorithm::Hs256)
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn read(token: &str) -> Identity {
    let options = AuthorityOptions {
        publisher: Some(key()),
        issuers: vec!["https://login.example".to_owned()],
        audience: Some("https://hub.example".to_owned()),
        ..AuthorityOptions::default()
    };
    let authority = Authority::new(options).expect("a good key");
    Arc::unwrap_or_clone(now(authority.verify(token, Action::Publish, NOW)).expect("a good token"))
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn a_topic_goes_to_the_claims_that_can_say_it() {
    let claims = Claims {
        publish: texts(&["news", "chat/*", "https://example.com/{id}"]),
        subscribe: texts(&["*"]),
        subject: Some("ann".to_owned()),
        issued_at: Some(NOW),
        expires_at: Some(Timestamp::from_millis(2_000_999)),
        payload: Some(json!({"n": 1})),
        ..Claims::default()
    };
    let token = mint(&claims, &key()).expect("a token");
    assert_eq!(part(&token, 0), json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(
        part(&token, 1),
        json!({
            "sub": "ann", "iat": 1000, "exp": 2000,
            "tidings": {"publish": ["news", "chat/*"], "subscribe": ["**"]},
            "mercure": {"publish": ["news", "https://example.com/{id}"], "subscribe": ["*"], "payload": {"n": 1}},
        })
    );
    let identity = read(&token);
    for (topic, want) in
        [("news", true), ("chat/1", true), ("chat/1/2", false), ("https://example.com/7", true), ("x", false)]
    {
        assert_eq!(identity.may_publish(topic), want, "{topic}");
    }
    assert!(identity.subscribes("whatever/it/is"));
    assert_eq!(identity.payload_for("x"), Some(&json!({"n": 1})));
}

#[test]
fn with_issuer_and_audience_it_is_of_mercure_1() {
    let claims = Claims {
        publish: texts(&["news", "chat/*"]),
        subscribe: texts(&["*"]),
        expires_at: Some(Timestamp::from_millis(2_000_000)),
        issuer: Some("https://login.example".to_owned()),
        audience: Some("https://hub.example".to_owned()),
        payload: Some(json!(7)),
        ..Claims::default()
    };
    let token = mint(&claims, &key()).expect("a token");
    assert_eq!(part(&token, 0)["typ"], "at+jwt");
    assert_eq!(part(&token, 1)["mercure"], Value::Null);
    let identity = read(&token);
    assert_eq!(identity.shape, Shape::Mercure1);
    assert!(identity.may_publish("news") && identity.may_publish("chat/1") && !identity.may_publish("other"));
    assert!(identity.subscribes("other"));
    assert_eq!(identity.payload_for("other"), Some(&json!(7)));

    for (wrong, want) in [
        (Claims { issuer: None, ..claims.clone() }, "needs an issuer beside its audience"),
        (Claims { audience: None, ..claims.clone() }, "needs an audience beside its issuer"),
        (Claims { expires_at: None, ..claims.clone() }, "needs an end"),
        (
            Claims { publish: texts(&["a/{id}"]), ..claims.clone() },
            "publish \"a/{id}\" cannot be granted: Mercure 1.0 has no URI",
        ),
    ] {
        let error = mint(&wrong, &key()).expect_err(want).to_string();
        assert!(error.contains(want), "{error}, want {want}");
    }
}

#[test]
fn what_is_no_topic_is_refused_by_its_list() {
    for (topic, want) in [("", "topic is empty"), ("a\n", "control character"), ("a*", "has a '*' inside a segment")] {
        let claims = Claims { subscribe: texts(&["good", topic]), ..Claims::default() };
        let error = mint(&claims, &key()).expect_err(want).to_string();
        assert!(error.starts_with("subscribe ") && error.contains(want), "{error}");
    }
}

#[test]
fn a_token_without_grants_is_possible() {
    let identity = read(&mint(&Claims::default(), &key()).expect("a token"));
    assert!(!identity.has_publish_grant() && !identity.has_subscribe_grant());
}
