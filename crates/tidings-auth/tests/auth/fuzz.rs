//! The fuzz targets of tokens. Under `cargo test` some thousand inputs; without end with
//! `cargo bolero test -p tidings-auth fuzz::any_claims_are_read_or_refused`.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, COOKIE, HeaderValue};
use tidings_auth::{Action, Algorithm, Authority, AuthorityOptions, KeySource, TokenPlaces, find_token};
use tidings_core::Timestamp;

use crate::keys::{SECRET, now};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let options = AuthorityOptions {
        publisher: Some(KeySource::new(SECRET, Algorithm::Hs256)),
        issuers: vec!["i".to_owned()],
        audience: Some("a".to_owned()),
        ..AuthorityOptions::default()
    };
    Authority::new(options).expect("a good key")
});

fn signed(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Nobody without the key gets in, and every answer has an end.
#[test]
fn any_text_is_refused() {
    bolero::check!().with_iterations(4_000).with_max_len(512).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        let error = now(AUTHORITY.verify(&text, Action::Publish, NOW)).expect_err("nobody signed it");
        assert!(error.to_string().len() < 1_000, "{error}");
    });
}

/// Pieces of claims: bytes alone seldom spell any.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "1",
    "-1",
    "1e9",
    "2000",
    "\"*\"",
    "\"a\"",
    "\"\"",
    "\"mercure\":",
    "\"https://mercure.rocks/\":",
    "\"tidings\":",
    "\"publish\":",
    "\"subscribe\":",
    "\"payload\":",
    "\"exp\":",
    "\"nbf\":",
    "\"sub\":",
    "\"iss\":\"i\",",
    "\"aud\":\"a\",",
    "\"exp\":2000,",
    "\"authorization_details\":[{\"type\":\"https://mercure.rocks/authorization-detail\",",
    "\"actions\":[\"publish\"],",
    "\"topics\":[{\"match\":",
    "\"match_type\":\"urlpattern\"",
    "\"{+a*}\"",
    "\"/:a(.*)\"",
    "\"a/**\"",
    "\"a/*\"",
    "\"**/a\"",
    "[\"a\"]",
    "[\"*\"]",
    "{\"publish\":[\"a\"]}",
    "{\"subscribe\":[\"{a}\"]}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    " ",
    "\n",
    "\"x\":",
    "{}",
    "[]",
];

/// What the holder of the key may say.
#[test]
fn any_claims_are_read_or_refused() {
    bolero::check!().with_iterations(6_000).with_max_len(64).for_each(|input: &[u8]| {
        let (kind, input) = input.split_first().unwrap_or((&0, &[]));
        let header: &[u8] = match kind % 4 {
            0 => br#"{"alg":"HS256","typ":"at+jwt"}"#,
            1 => input,
            _ => br#"{"alg":"HS256"}"#,
        };
        let spelt: String = input.iter().map(|byte| PIECES[usize::from(*byte) % PIECES.len()]).collect();
        for payload in [spelt.as_bytes(), format!("{{{spelt}}}").as_bytes(), input] {
            match now(AUTHORITY.verify(&signed(header, payload), Action::Publish, NOW)) {
                Ok(identity) => {
                    // Reading it again says the same, and asking it anything works.
                    let _ = (identity.may_publish("a"), identity.subscribes("a/b"), identity.payload_for("a"));
                    assert!(identity.narrows(&identity));
                    assert!(identity.expires_at.is_none_or(|end| NOW < end));
                }
                Err(error) => assert!(error.to_string().len() < 2_000, "{error}"),
            }
        }
    });
}

#[test]
fn any_request_has_a_token_or_none() {
    bolero::check!().with_iterations(4_000).with_max_len(128).for_each(|input: &[u8]| {
        let places = TokenPlaces { query_parameter: Some("authorization"), cookies: &["c"] };
        let text = String::from_utf8_lossy(input);
        let mut headers = http::HeaderMap::new();
        let _ = find_token(&headers, Some(&text), &places);
        let _ = find_token(&headers, Some(&format!("authorization={text}")), &places);
        for name in [AUTHORIZATION, COOKIE] {
            if let Ok(value) = HeaderValue::from_bytes(input) {
                headers.append(name, value);
            }
        }
        if let Ok(Some(found)) = find_token(&headers, None, &places) {
            assert!(!found.token.is_empty());
        }
    });
}
