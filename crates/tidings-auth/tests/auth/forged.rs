//! Tokens that must not be taken, each with the words that tell why. No answer repeats the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidings_auth::{Action, Algorithm, Authority, AuthorityOptions, Claims, KeySource, TOKEN_BYTES_MAX, mint};
use tidings_core::Timestamp;

use crate::keys::{OTHER_RSA, RSA, SECRET, now, signing};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn authority(key: KeySource) -> Authority {
    Authority::new(AuthorityOptions { publisher: Some(key), ..AuthorityOptions::default() }).expect("a good key")
}

#[track_caller]
fn refused(authority: &Authority, token: &str, want: &str) {
    let error = now(authority.verify(token, Action::Publish, NOW)).expect_err(want);
    let told = format!("{error} {error:?}");
    assert!(told.contains(want), "{told}, want {want}");
    assert!(told.len() < 1_000, "{told}");
    for part in token.split('.').filter(|part| part.len() > 12) {
        assert!(!told.contains(part), "{told} repeats the token");
    }
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token of these parts as they are, its signature made with HMAC and `secret`.
fn hmac(header: &str, payload: &str, secret: &str) -> String {
    use aws_lc_rs::hmac;
    let signed = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", encode(tag))
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"mercure":{"publish":["*"]}}"#;

fn ours() -> Authority {
    authority(KeySource::new(SECRET, Algorithm::Hs256))
}

#[test]
fn the_token_of_the_other_tests_is_good() {
    let identity = now(ours().verify(&hmac(HS256, CLAIMS, SECRET), Action::Publish, NOW)).expect("a good token");
    assert!(identity.may_publish("anything"));
}

#[test]
fn a_token_without_signature_is_refused() {
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": name }).to_string();
        let unsigned = format!("{}.{}.", encode(&header), encode(CLAIMS));
        refused(&ours(), &unsigned, &format!("token is signed with {name:?}; expected HS256"));
        refused(&ours(), &hmac(&header, CLAIMS, SECRET), "expected HS256");
        refused(&authority(RSA.checks(Algorithm::Rs256)), &unsigned, "expected RS256");
    }
    refused(&ours(), &format!("{}.{}.", encode(HS256), encode(CLAIMS)), "signature that does not fit");
    refused(&ours(), &hmac("{}", CLAIMS, SECRET), "token is signed with \"\"; expected HS256");
}

/// The old trick: the public key is known to all, and somebody signs with it as if it were a secret.
#[test]
fn a_public_key_is_never_a_secret() {
    for secret in [RSA.public.as_str(), RSA.public.trim(), &RSA.public.replace('\n', "")] {
        refused(
            &authority(RSA.checks(Algorithm::Rs256)),
            &hmac(HS256, CLAIMS, secret),
            "signed with HS256; expected RS256",
        );
        // And with the header of the right algorithm.
        let token = hmac(r#"{"alg":"RS256"}"#, CLAIMS, secret);
        refused(&authority(RSA.checks(Algorithm::Rs256)), &token, "signature that does not fit the key for RS256");
    }
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let claims = Claims { publish: vec!["*".to_owned()], ..Claims::default() };
    for (signed, expected) in [
        (Algorithm::Rs384, Algorithm::Rs256),
        (Algorithm::Ps256, Algorithm::Rs256),
        (Algorithm::Rs256, Algorithm::Ps256),
        (Algorithm::EdDsa, Algorithm::Rs256),
        (Algorithm::Hs256, Algorithm::Ps512),
    ] {
        let token = mint(&claims, &signing(signed)).expect("a token");
        refused(&authority(RSA.checks(expected)), &token, &format!("signed with {signed}; expected {expected}"));
        // A header that says what is expected does not help.
        let (_, rest) = token.split_once('.').expect("three parts");
        let header = encode(json!({ "alg": expected.name() }).to_string());
        refused(&authority(RSA.checks(expected)), &format!("{header}.{rest}"), "signature that does not fit");
    }
    let token = mint(&claims, &OTHER_RSA.signs(Algorithm::Rs256)).expect("a token");
    refused(&authority(RSA.checks(Algorithm::Rs256)), &token, "signed with another key, or changed");
}

#[test]
fn every_changed_byte_is_noticed() {
    let token = hmac(HS256, CLAIMS, SECRET);
    let ours = ours();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert!(now(ours.verify(&changed, Action::Publish, NOW)).is_err(), "byte {at}");
    }
}

#[test]
fn every_truncated_token_is_noticed() {
    let token = hmac(HS256, CLAIMS, SECRET);
    let ours = ours();
    for end in 0..token.len() {
        assert!(now(ours.verify(&token[..end], Action::Publish, NOW)).is_err(), "{end} bytes");
    }
    refused(&ours, &token[..token.len() / 2], "fewer than three parts with points between them; is it whole?");
    refused(&ours, &format!("{token}."), "more than three parts");
    refused(&ours, &format!("{token}=="), "the signature, is not base64url");
    refused(&ours, &format!("{token}.x.y"), "it is encrypted (five parts)");
}

#[test]
fn the_size_has_a_limit() {
    let filled = |bytes: usize| {
        let claims = json!({ "mercure": { "publish": ["*"] }, "x": "x".repeat(bytes) }).to_string();
        hmac(HS256, &claims, SECRET)
    };
    let good = filled(12_000);
    assert!(good.len() <= TOKEN_BYTES_MAX);
    assert!(now(ours().verify(&good, Action::Publish, NOW)).is_ok());
    let token = filled(13_000);
    refused(&ours(), &token, &format!("token has {} bytes; expected at most 16384", token.len()));
    refused(&ours(), &"a.".repeat(1_000_000), "token has 2000000 bytes");
}

#[test]
fn json_that_can_be_read_in_two_ways_is_refused() {
    for (header, payload, want) in [
        (r#"{"alg":"HS256","alg":"none"}"#, CLAIMS, "header that is not good JSON: \"alg\" is there twice"),
        (HS256, r#"{"exp":1,"exp":9999999999}"#, "payload that is not good JSON: \"exp\" is there twice"),
        (HS256, r#"{"mercure":{"publish":[],"publish":["*"]}}"#, "\"publish\" is there twice"),
        (HS256, "{} {}", "payload that is not good JSON"),
        (HS256, "[]", "it is no object"),
        (HS256, "\u{feff}{}", "payload that is not good JSON"),
        ("HS256", CLAIMS, "header that is not good JSON"),
        (r#"{"alg":"HS256","crit":["exp"]}"#, CLAIMS, "critical header parameters (crit)"),
        (r#"{"alg":["HS256"]}"#, CLAIMS, "claim alg that is an array; expected a string"),
        (r#"{"alg":"HS256","kid":7}"#, CLAIMS, "claim kid that is a number; expected a string"),
    ] {
        refused(&ours(), &hmac(header, payload, SECRET), want);
    }
    let not_utf8 = format!("{}.{}.{}", encode(HS256), encode(b"{\"a\":\"\xff\"}"), encode("x"));
    refused(&ours(), &not_utf8, "payload that is not good JSON");
}

#[test]
fn claims_of_the_wrong_type_are_named() {
    for (claims, want) in [
        (json!({"mercure": []}), "claim mercure that is an array; expected an object"),
        (json!({"mercure": "*"}), "claim mercure that is a string; expected an object"),
        (json!({"mercure": {"publish": "*"}}), "claim mercure.publish that is a string; expected an array of strings"),
        (json!({"mercure": {"publish": [1]}}), "claim mercure.publish[0] that is a number; expected a string"),
        (json!({"mercure": {"subscribe": ["a", null]}}), "claim mercure.subscribe[1] that is null; expected a string"),
        (json!({"mercure": {"publish": {"a": 1}}}), "claim mercure.publish that is an object"),
        (json!({"tidings": {"publish": true}}), "claim tidings.publish that is true or false"),
        (
            json!({"tidings": {"publish": ["a*"]}}),
            "claim tidings.publish[0] that cannot be used: selector \"a*\" has a '*'",
        ),
        (json!({"mercure": {"publish": [""]}}), "claim mercure.publish[0] that cannot be used: topic is empty"),
        (json!({"mercure": {"publish": ["a\n"]}}), "control character"),
        (json!({"sub": 7}), "claim sub that is a number; expected a string"),
        (json!({"exp": "tomorrow"}), "claim exp that is a string; expected a number of seconds"),
        (json!({"mercure": {"publish": vec!["a"; 1001]}}), "1001 entries in mercure.publish; expected at most 1000"),
        (json!({"mercure": {"subscribe": vec!["a"; 1001]}}), "1001 entries in mercure.subscribe"),
        (json!({"tidings": {"subscribe": vec!["a"; 1001]}}), "1001 entries in tidings.subscribe"),
    ] {
        refused(&ours(), &hmac(HS256, &claims.to_string(), SECRET), want);
    }
    let thousand: Value = json!({"mercure": {"publish": vec!["a"; 1000]}});
    assert!(now(ours().verify(&hmac(HS256, &thousand.to_string(), SECRET), Action::Publish, NOW)).is_ok());
}

/// Nothing is told of claims when the signature does not fit: a forger learns only that.
#[test]
fn the_signature_is_checked_before_the_claims() {
    for claims in ["{\"exp\":1}", "{\"mercure\":[]}"] {
        refused(&ours(), &hmac(HS256, claims, "wrong"), "signature that does not fit");
    }
}
