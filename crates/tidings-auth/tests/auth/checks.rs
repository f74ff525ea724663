//! Each algorithm with a real key: what this crate signs another reads, and the other way round.

use serde_json::{Value, json};
use tidings_auth::{Action, Algorithm, Authority, AuthorityOptions, Claims, KeyError, KeySource, TokenError, mint};
use tidings_core::Timestamp;

use crate::keys::{ED25519, P256, P384, RSA, SECRET, SHORT_RSA, checking, now, openssl, signing};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn publisher(key: KeySource) -> Authority {
    let options = AuthorityOptions { publisher: Some(key), ..AuthorityOptions::default() };
    Authority::new(options).expect("a good key")
}

fn verify(key: KeySource, token: &str) -> Result<(), TokenError> {
    let identity = now(publisher(key).verify(token, Action::Publish, NOW))?;
    assert!(identity.may_publish("a"));
    Ok(())
}

fn claims() -> Claims {
    Claims { publish: vec!["a".to_owned()], ..Claims::default() }
}

#[test]
fn every_algorithm_signs_and_checks() {
    for algorithm in Algorithm::ALL {
        let token = mint(&claims(), &signing(algorithm)).expect("a token");
        assert_eq!(verify(checking(algorithm), &token), Ok(()), "{algorithm}");
    }
}

/// The other library's name of an algorithm; it has no ES512.
fn theirs(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    algorithm.name().parse().ok()
}

#[test]
fn another_library_reads_what_is_signed_here() {
    let mut count = 0;
    for algorithm in Algorithm::ALL {
        let Some(their) = theirs(algorithm) else { continue };
        let token = mint(&claims(), &signing(algorithm)).expect("a token");
        let source = checking(algorithm);
        let pem = source.key.reveal().as_bytes();
        let key = match algorithm.name().as_bytes() {
            [b'H', ..] => jsonwebtoken::DecodingKey::from_secret(pem),
            [b'E', b'S', ..] => jsonwebtoken::DecodingKey::from_ec_pem(pem).expect("a key"),
            [b'E', ..] => jsonwebtoken::DecodingKey::from_ed_pem(pem).expect("a key"),
            _ => jsonwebtoken::DecodingKey::from_rsa_pem(pem).expect("a key"),
        };
        let mut validation = jsonwebtoken::Validation::new(their);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Value>(&token, &key, &validation);
        let data = data.unwrap_or_else(|error| panic!("{algorithm}: {error}"));
        assert_eq!(data.claims["mercure"], json!({"publish": ["a"]}), "{algorithm}");
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn what_another_library_signs_is_read_here() {
    for algorithm in Algorithm::ALL {
        let Some(their) = theirs(algorithm) else { continue };
        let source = signing(algorithm);
        let pem = source.key.reveal().as_bytes();
        let key = match algorithm.name().as_bytes() {
            [b'H', ..] => jsonwebtoken::EncodingKey::from_secret(pem),
            [b'E', b'S', ..] => jsonwebtoken::EncodingKey::from_ec_pem(pem).expect("a key"),
            [b'E', ..] => jsonwebtoken::EncodingKey::from_ed_pem(pem).expect("a key"),
            _ => jsonwebtoken::EncodingKey::from_rsa_pem(pem).expect("a key"),
        };
        let header = jsonwebtoken::Header::new(their);
        let token = jsonwebtoken::encode(&header, &json!({"mercure": {"publish": ["a"]}}), &key).expect("a token");
        assert_eq!(verify(checking(algorithm), &token), Ok(()), "{algorithm}");
    }
}

/// RFC 7515, appendix A.4 has no claims of ours, so the signature of `openssl` itself stands in for ES512.
#[test]
fn the_signature_of_es512_is_two_numbers_of_66_bytes() {
    let token = mint(&claims(), &signing(Algorithm::Es512)).expect("a token");
    let signature = token.rsplit('.').next().expect("the third part");
    assert_eq!(signature.len(), 176, "132 bytes");
}

#[test]
fn keys_are_taken_as_openssl_writes_them() {
    let pkcs1 = openssl("rsa -pubin -RSAPublicKey_out", &RSA.public);
    let traditional = openssl("rsa -traditional", &RSA.private);
    assert!(traditional.contains("BEGIN RSA PRIVATE KEY") && pkcs1.contains("BEGIN RSA PUBLIC KEY"));
    let token = mint(&claims(), &KeySource::new(traditional, Algorithm::Rs256)).expect("a token");
    assert_eq!(verify(KeySource::new(pkcs1, Algorithm::Rs256), &token), Ok(()));

    let sec1 = openssl("ec", &P256.private);
    assert!(sec1.contains("BEGIN EC PRIVATE KEY"));
    let with_parameters = openssl("ecparam -name prime256v1 -genkey", "");
    for private in [sec1, with_parameters] {
        let public = openssl("ec -pubout", &private);
        let token = mint(&claims(), &KeySource::new(private, Algorithm::Es256)).expect("a token");
        assert_eq!(verify(KeySource::new(public, Algorithm::Es256), &token), Ok(()));
    }

    let in_a_variable = RSA.public.replace('\n', "\\n");
    let token = mint(&claims(), &signing(Algorithm::Rs256)).expect("a token");
    assert_eq!(verify(KeySource::new(in_a_variable, Algorithm::Rs256), &token), Ok(()));
}

#[test]
fn a_key_that_does_not_fit_is_refused_without_a_word_of_it() {
    let secret = KeySource::new("hush-hush", Algorithm::Rs256);
    for (source, want) in [
        (KeySource::new("", Algorithm::Hs256), "the key for HS256 is empty; expected a secret"),
        (RSA.checks(Algorithm::Hs256), "is a PEM file; HS256 takes a secret"),
        (RSA.signs(Algorithm::Hs512), "is a PEM file; HS512 takes a secret"),
        (secret, "the key for RS256 is not a PEM file: it has no line"),
        (RSA.signs(Algorithm::Rs256), "PEM file of \"PRIVATE KEY\"; expected \"PUBLIC KEY\", as `openssl pkey"),
        (RSA.checks(Algorithm::Es256), "cannot be used for ES256: expected an elliptic curve key on P-256"),
        (P256.checks(Algorithm::Es384), "cannot be used for ES384: expected an elliptic curve key on P-384"),
        (P384.checks(Algorithm::Es512), "cannot be used for ES512: expected an elliptic curve key on P-521"),
        (P256.checks(Algorithm::Rs256), "cannot be used for RS256: expected an RSA key"),
        (P256.checks(Algorithm::EdDsa), "cannot be used for EdDSA: expected an Ed25519 key"),
        (ED25519.checks(Algorithm::Ps256), "cannot be used for PS256: expected an RSA key"),
        (SHORT_RSA.checks(Algorithm::Rs256), "expected an RSA key of 2048 to 8192 bits"),
    ] {
        let text = source.key.reveal().to_owned();
        let options = AuthorityOptions { subscriber: Some(source), ..AuthorityOptions::default() };
        let error = Authority::new(options).expect_err(want);
        let told = format!("{error} {error:?}");
        assert!(told.contains(want), "{told}, want {want}");
        assert!(!told.contains("hush"), "{told}");
        let body = text.lines().nth(1).unwrap_or("(none)");
        assert!(!told.contains(body), "{told}");
    }
    let error = mint(&claims(), &RSA.checks(Algorithm::Rs256)).expect_err("a public key").to_string();
    assert!(error.contains("the public key cannot sign"), "{error}");
    assert!(matches!(
        Authority::new(AuthorityOptions {
            publisher: Some(KeySource::new("", Algorithm::Hs256)),
            ..AuthorityOptions::default()
        }),
        Err(KeyError::Empty { .. })
    ));
}

#[test]
fn each_action_has_its_own_key() {
    let options = AuthorityOptions {
        publisher: Some(KeySource::new("one", Algorithm::Hs256)),
        subscriber: Some(KeySource::new("two", Algorithm::Hs384)),
        ..AuthorityOptions::default()
    };
    let authority = Authority::new(options).expect("good keys");
    let token = mint(&claims(), &KeySource::new("one", Algorithm::Hs256)).expect("a token");
    assert!(now(authority.verify(&token, Action::Publish, NOW)).is_ok());
    let error = now(authority.verify(&token, Action::Subscribe, NOW)).expect_err("another key");
    assert_eq!(error.to_string(), "token is signed with HS256; expected HS384");

    let authority = publisher(KeySource::new(SECRET, Algorithm::Hs256));
    assert!(authority.can(Action::Publish) && !authority.can(Action::Subscribe));
    let error = now(authority.verify(&token, Action::Subscribe, NOW)).expect_err("no key");
    assert_eq!(error.to_string(), "no key is configured to subscribe with");
}
