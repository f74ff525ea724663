//! What a good token grants, in both dialects of Mercure and in ours.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidings_auth::{Action, Algorithm, Authority, AuthorityOptions, Identity, KeySource, Shape};
use tidings_core::{Grants, Timestamp};

use crate::keys::{SECRET, now};

/// Second 1,000.
const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const ISSUER: &str = "https://login.example";
const HUB: &str = "https://hub.example/.well-known/mercure";
const DETAIL: &str = "https://mercure.rocks/authorization-detail";

fn options() -> AuthorityOptions {
    AuthorityOptions {
        subscriber: Some(KeySource::new(SECRET, Algorithm::Hs256)),
        issuers: vec![ISSUER.to_owned(), "https://other.example".to_owned()],
        audience: Some(HUB.to_owned()),
        ..AuthorityOptions::default()
    }
}

fn read_with(options: AuthorityOptions, token_type: Option<&str>, claims: &Value) -> Result<Identity, String> {
    let mut header = json!({"alg": "HS256"});
    if let Some(token_type) = token_type {
        header["typ"] = token_type.into();
    }
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    let authority = Authority::new(options).expect("a good key");
    let read = now(authority.verify(&token, Action::Subscribe, NOW)).map(Arc::unwrap_or_clone);
    read.map_err(|error| error.to_string())
}

fn read(claims: &Value) -> Identity {
    read_with(options(), Some("JWT"), claims).unwrap_or_else(|error| panic!("{claims}: {error}"))
}

fn access_token(details: &Value) -> Value {
    json!({"iss": ISSUER, "aud": HUB, "exp": 2000, "sub": "ann", "authorization_details": details})
}

fn read_1(details: &Value) -> Result<Identity, String> {
    read_with(options(), Some("at+jwt"), &access_token(details))
}

#[track_caller]
fn grants(identity: &Identity, publish: &[(&str, bool)], subscribe: &[(&str, bool)]) {
    for (topic, want) in publish {
        assert_eq!(identity.may_publish(topic), *want, "publish {topic}");
    }
    for (topic, want) in subscribe {
        assert_eq!(identity.subscribes(topic), *want, "subscribe {topic}");
    }
}

#[test]
fn mercure_0_has_topics_templates_and_a_star() {
    let identity = read(&json!({"mercure": {
        "publish": ["a", "https://example.com/books/{id}"], "subscribe": ["*"], "payload": {"name": "ann"}, "other": 1,
    }}));
    assert_eq!(identity.shape, Shape::Mercure0);
    assert_eq!((identity.subject.as_deref(), identity.expires_at), (None, None));
    assert!(identity.has_publish_grant() && identity.has_subscribe_grant());
    grants(
        &identity,
        &[("a", true), ("b", false), ("https://example.com/books/1", true), ("https://example.com/books/1/2", false)],
        &[("a", true), ("anything at all", true)],
    );
    assert_eq!(identity.payload_for("whatever"), Some(&json!({"name": "ann"})));
    assert!(matches!(identity.read_grants(), Grants::Only(selectors) if selectors.matches("a")));
}

#[test]
fn the_long_name_of_the_claim_overrides_the_short_one() {
    let identity = read(&json!({"mercure": {"publish": ["a"]}, "https://mercure.rocks/": {"publish": ["b"]}}));
    grants(&identity, &[("a", false), ("b", true)], &[("b", false)]);
    assert_eq!(read(&json!({"https://mercure.rocks/": {"publish": ["b"]}})).shape, Shape::Mercure0);
}

#[test]
fn no_list_is_no_grant() {
    for claims in [
        json!({}),
        json!({"mercure": {}}),
        json!({"mercure": {"publish": [], "subscribe": null}}),
        json!({"tidings": {"subscribe": []}}),
    ] {
        let identity = read(&claims);
        assert!(!identity.has_publish_grant() && !identity.has_subscribe_grant(), "{claims}");
        assert!(matches!(identity.read_grants(), Grants::Anonymous), "{claims}");
        grants(&identity, &[("a", false), ("*", false)], &[("a", false)]);
        assert_eq!(identity.payload_for("a"), None);
    }
}

#[test]
fn our_claim_has_patterns_and_stands_beside_any_other() {
    let identity = read(&json!({"sub": "ann", "tidings": {"publish": ["chat/*"], "subscribe": ["chat/**", "news"]}}));
    assert_eq!((identity.shape, identity.subject.as_deref()), (Shape::Plain, Some("ann")));
    grants(
        &identity,
        &[("chat/1", true), ("chat", false), ("chat/1/2", false), ("news", false)],
        &[("chat/1", true), ("chat", true), ("chat/1/2", true), ("news", true), ("other", false)],
    );
    let both = read(&json!({"mercure": {"publish": ["a"]}, "tidings": {"publish": ["b/*"]}}));
    assert_eq!(both.shape, Shape::Mercure0);
    grants(&both, &[("a", true), ("b/1", true), ("c", false)], &[]);
    // A star of ours is one segment, and never the star of Mercure.
    grants(&read(&json!({"tidings": {"publish": ["*"]}})), &[("a", true), ("a/b", false)], &[]);
}

#[test]
fn mercure_0_can_be_switched_off() {
    let options = || AuthorityOptions { accepts_mercure_0: false, ..options() };
    let error = read_with(options(), None, &json!({"mercure": {"publish": ["*"]}})).expect_err("it is off");
    assert!(error.contains("takes those of 1.0 only"), "{error}");
    let claims = json!({"mercure": {"publish": ["*"]}, "tidings": {"publish": ["a"]}});
    grants(&read_with(options(), None, &claims).expect("our claim is there"), &[("a", true), ("b", false)], &[]);
}

#[test]
fn mercure_1_has_details() {
    let identity = read_1(&json!([
        {"type": "https://other.example/", "whatever": 1},
        {"type": DETAIL, "actions": ["publish", "fly"], "topics": [{"match": "a"}]},
        {"type": DETAIL, "actions": ["subscribe"], "topics": [{"match": "b", "match_type": "exact"}]},
        {"type": DETAIL, "actions": ["subscribe", "publish"], "payload": {"n": 2},
         "topics": [{"match": "https://example.com/books/:id", "match_type": "urlpattern"}, {"match": "b"}]},
        {"type": DETAIL, "actions": [], "topics": [{"match": "*"}]},
        {"type": DETAIL, "actions": ["subscribe"], "topics": []},
    ]))
    .expect("a good token");
    assert_eq!((identity.shape, identity.subject.as_deref()), (Shape::Mercure1, Some("ann")));
    assert_eq!(identity.expires_at, Some(Timestamp::from_millis(2_000_000)));
    let book = "https://example.com/books/1";
    grants(
        &identity,
        &[("a", true), ("b", true), (book, true), ("c", false)],
        &[("a", false), ("b", true), (book, true), ("c", false)],
    );
    assert_eq!(identity.payload_for("b"), None, "the first detail that matches has none");
    assert_eq!(identity.payload_for(book), Some(&json!({"n": 2})));
    assert_eq!(identity.payload_for("https://example.com/books/:id"), Some(&json!({"n": 2})));
    assert_eq!(identity.payload_for("c"), None);

    let all = read_1(&json!([{"type": DETAIL, "actions": ["subscribe"], "topics": [{"match": "*"}]}]));
    grants(&all.expect("a good token"), &[("a", false)], &[("a", true), ("b/c", true)]);
}

/// In a 1.0 token the old claim grants nothing, and ours does.
#[test]
fn mercure_1_passes_over_the_old_claim() {
    let mut claims = access_token(&json!([]));
    claims["mercure"] = json!({"publish": ["*"]});
    claims["tidings"] = json!({"publish": ["b"]});
    let identity = read_with(options(), Some("at+jwt"), &claims).expect("a good token");
    assert_eq!(identity.shape, Shape::Mercure1);
    grants(&identity, &[("a", false), ("b", true)], &[]);
}

#[test]
fn a_bad_detail_spoils_the_token() {
    for (detail, want) in [
        (json!("x"), "claim authorization_details[0] that is a string; expected an object"),
        (json!({"actions": []}), "authorization_details[0].type that is null; expected a string"),
        (json!({"type": DETAIL, "topics": []}), "authorization_details[0].actions that is null; expected an array"),
        (json!({"type": DETAIL, "actions": "publish", "topics": []}), ".actions that is a string"),
        (json!({"type": DETAIL, "actions": [1], "topics": []}), ".actions that is a number"),
        (json!({"type": DETAIL, "actions": []}), ".topics that is null"),
        (json!({"type": DETAIL, "actions": [], "topics": ["a"]}), ".topics[0] that is a string; expected an object"),
        (json!({"type": DETAIL, "actions": [], "topics": [{}]}), ".topics[0].match that is null"),
        (json!({"type": DETAIL, "actions": [], "topics": [{"match": ""}]}), "topic is empty"),
        (json!({"type": DETAIL, "actions": [], "topics": [{"match": "a\u{202e}b"}]}), "format character"),
        (
            json!({"type": DETAIL, "actions": [], "topics": [{"match": "a", "match_type": "regexp"}]}),
            "match_type is \"regexp\"; expected exact or urlpattern",
        ),
        (
            json!({"type": DETAIL, "actions": [], "topics": [{"match": "a", "match_type": null}]}),
            "match_type that is null",
        ),
        (
            json!({"type": DETAIL, "actions": [], "topics": [{"match": "https://[", "match_type": "urlpattern"}]}),
            "URL pattern",
        ),
    ] {
        let error = read_1(&json!([detail])).expect_err(want);
        assert!(error.contains(want), "{error}, want {want}");
    }
    let error = read_1(&json!({})).expect_err("an object");
    assert!(error.contains("authorization_details that is an object; expected an array"), "{error}");
}

#[test]
fn details_and_their_topics_have_limits() {
    let detail = |topics: usize| {
        let topics: Vec<Value> = (0..topics).map(|n| json!({"match": format!("t{n}")})).collect();
        json!({"type": DETAIL, "actions": ["publish"], "topics": topics})
    };
    assert!(read_1(&json!(vec![detail(1); 100])).is_ok());
    assert!(read_1(&json!([detail(100)])).is_ok());
    for (details, want) in [
        (json!(vec![detail(0); 101]), "101 entries in authorization_details; expected at most 100"),
        (json!([detail(101)]), "101 entries in authorization_details[…].topics; expected at most 100"),
        (json!([detail(60), detail(60)]), "120 entries in authorization_details[…].topics"),
    ] {
        let error = read_1(&details).expect_err(want);
        assert!(error.contains(want), "{error}, want {want}");
    }
    let mut others = vec![json!({"type": "other"}); 200];
    others.push(detail(1));
    assert!(read_1(&json!(others)).is_ok(), "details for others do not count");
}

#[test]
fn mercure_1_needs_type_and_end_and_the_configured_issuer_and_audience() {
    let good = access_token(&json!([]));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value,
        }
        claims
    };
    for token_type in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(read_with(options(), Some(token_type), &good).is_ok(), "{token_type}");
    }
    for claims in [with("aud", json!(["x", HUB])), with("iss", json!("https://other.example"))] {
        assert!(read_with(options(), Some("at+jwt"), &claims).is_ok(), "{claims}");
    }
    for (token_type, claims, want) in [
        (Some("JWT"), good.clone(), "token has the type \"JWT\" (typ); authorization_details need \"at+jwt\""),
        (None, good.clone(), "token has the type none (typ)"),
        (Some("at+jwt"), with("exp", Value::Null), "token has no exp; a Mercure 1.0 token needs it"),
        (Some("at+jwt"), with("exp", json!(1000)), "token expired less than a second ago"),
        (Some("at+jwt"), with("iss", Value::Null), "token has no iss"),
        (
            Some("at+jwt"),
            with("iss", json!("https://evil.example")),
            "issued by \"https://evil.example\" (iss); expected one of the 2",
        ),
        (Some("at+jwt"), with("iss", json!(["https://login.example"])), "claim iss that is an array"),
        (Some("at+jwt"), with("aud", Value::Null), "token has no aud"),
        (Some("at+jwt"), with("aud", json!("x")), "token is for \"x\" (aud); expected \"https://hub.example"),
        (Some("at+jwt"), with("aud", json!([])), "token is for nobody (aud)"),
        (Some("at+jwt"), with("aud", json!(["x", "y"])), "token is for 2 others (aud)"),
        (Some("at+jwt"), with("aud", json!([HUB, 1])), "claim aud that is a number; expected strings"),
        (Some("at+jwt"), with("authorization_details", Value::Null).clone(), ""),
        // The type alone makes it a token of 1.0.
        (Some("at+jwt"), json!({"mercure": {"publish": ["*"]}}), "token has no exp"),
    ] {
        match read_with(options(), token_type, &claims) {
            Ok(_) => assert_eq!(want, "", "{claims}"),
            Err(error) => assert!(!want.is_empty() && error.contains(want), "{claims}: {error}, want {want}"),
        }
    }
    // What is not configured is not asked for.
    let open = || AuthorityOptions { issuers: Vec::new(), ..options() };
    assert!(read_with(open(), Some("at+jwt"), &with("iss", Value::Null)).is_ok());
    assert!(read_with(open(), Some("at+jwt"), &with("aud", Value::Null)).is_err());
    let open = || AuthorityOptions { audience: None, ..options() };
    assert!(read_with(open(), Some("at+jwt"), &with("aud", json!("x"))).is_ok());
    assert!(read_with(open(), Some("at+jwt"), &with("iss", Value::Null)).is_err());
}

#[test]
fn a_plain_token_may_leave_out_names_but_not_lie() {
    let tidings = json!({"publish": ["a"]});
    assert!(read_with(options(), None, &json!({"tidings": tidings})).is_ok());
    assert!(read_with(options(), None, &json!({"tidings": tidings, "iss": ISSUER, "aud": [HUB]})).is_ok());
    for claims in [json!({"tidings": tidings, "iss": "x"}), json!({"tidings": tidings, "aud": "x"})] {
        assert!(read_with(options(), None, &claims).is_err(), "{claims}");
    }
    // Where nothing is configured nothing is compared; 0.x never compares.
    let open = || AuthorityOptions { issuers: Vec::new(), audience: None, ..options() };
    assert!(read_with(open(), None, &json!({"tidings": tidings, "iss": "x", "aud": "x"})).is_ok());
    assert!(read_with(options(), None, &json!({"mercure": tidings, "iss": "x", "aud": 7})).is_ok());
}

#[test]
fn the_leeway_moves_both_ends() {
    let options = || AuthorityOptions { leeway: std::time::Duration::from_secs(10), ..options() };
    let identity = read_with(options(), None, &json!({"exp": 991, "nbf": 1010})).expect("within the leeway");
    assert_eq!(identity.expires_at, Some(Timestamp::from_millis(1_001_000)));
    assert!(read_with(options(), None, &json!({"exp": 990})).is_err());
    assert!(read_with(options(), None, &json!({"nbf": 1011})).is_err());
}

fn reads(subject: &str, subscribe: &[&str]) -> Identity {
    read(&json!({"sub": subject, "exp": 2000, "tidings": {"publish": ["p"], "subscribe": subscribe}}))
}

#[test]
fn a_fresh_token_narrows_and_never_widens() {
    for (old, new, narrows) in [
        (&["a", "b"][..], &["a"][..], true),
        (&["a"], &["a", "b"], false),
        (&["chat/**"], &["chat/*", "chat/1/2"], true),
        (&["chat/*"], &["chat/**"], false),
        (&["chat/1"], &["chat/*"], false),
        (&["**"], &["a/*/c"], true),
        (&["a/*/c"], &["a/b/*"], false),
        (&["*/*"], &["a/*", "*/b"], true),
        (&["*"], &["**"], false),
        (&["a/**"], &["a"], true),
        (&["a"], &[], true),
        (&[], &["a"], false),
    ] {
        assert_eq!(reads("ann", new).narrows(&reads("ann", old)), narrows, "{old:?} {new:?}");
    }
    assert!(!reads("eve", &["a"]).narrows(&reads("ann", &["a"])));
}
