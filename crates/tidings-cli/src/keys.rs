//! The keys of a hub: read from where they are, and parsed once.

use thiserror::Error;
use tidings::{Authority, AuthorityOptions, KeyError, KeySource, SecretText};

use crate::config::{Key, Keys, Secret};

/// Why keys cannot be used. No message has any part of one.
#[derive(Debug, Error)]
pub(crate) enum KeysError {
    #[error("{flag}: {reason}")]
    Unreadable { flag: &'static str, reason: String },
    #[error("{flag}: the key begins with -- as a flag does; expected a key after it, or one in a file (file:///…)")]
    Forgotten { flag: &'static str },
    #[error(
        "{flag}: it has {chars} characters; expected at least {ADMIN_TOKEN_CHARS_MIN}, as `openssl rand -hex 16` makes"
    )]
    ShortToken { flag: &'static str, chars: usize },
    #[error("{flag}: {error}")]
    Unusable { flag: &'static str, error: KeyError },
}

/// Who checks the tokens of a hub that has these keys, or none.
///
/// # Errors
/// [`KeysError`] when one cannot be read or used.
pub(crate) fn authority(keys: &Keys) -> Result<Authority, KeysError> {
    let publisher = keys.publisher.as_ref().map(source).transpose()?;
    let subscriber = keys.subscriber.as_ref().map(source).transpose()?;
    // Each by itself first, so that the one at fault is named.
    for (key, given) in [(&publisher, &keys.publisher), (&subscriber, &keys.subscriber)] {
        if let (Some(key), Some(given)) = (key, given) {
            let alone = AuthorityOptions { publisher: Some(key.clone()), ..AuthorityOptions::default() };
            Authority::new(alone).map_err(|error| KeysError::Unusable { flag: given.flag, error })?;
        }
    }
    let options = AuthorityOptions {
        publisher,
        subscriber,
        jwks: keys.jwks.clone(),
        issuers: keys.issuers.clone(),
        audience: keys.audience.clone(),
        leeway: keys.leeway,
        ..AuthorityOptions::default()
    };
    Authority::new(options).map_err(|error| KeysError::Unusable { flag: "--jwks-url", error })
}

/// What operators bring to the admin listener.
///
/// # Errors
/// [`KeysError`] when it cannot be read, or is easily guessed.
pub(crate) fn admin_token(secret: &Secret) -> Result<SecretText, KeysError> {
    let flag = "--admin-token";
    let text = secret.read().map_err(|reason| KeysError::Unreadable { flag, reason })?;
    let chars = text.chars().count();
    if chars < ADMIN_TOKEN_CHARS_MIN {
        return Err(KeysError::ShortToken { flag, chars });
    }
    Ok(SecretText::new(text))
}

/// Nobody is to guess it, however often he asks.
const ADMIN_TOKEN_CHARS_MIN: usize = 16;

fn source(key: &Key) -> Result<KeySource, KeysError> {
    let text = key.secret.read().map_err(|reason| KeysError::Unreadable { flag: key.flag, reason })?;
    // A PEM file begins with hyphens too, so the command line takes them; a flag is no key.
    if text.starts_with("--") && !text.starts_with("-----BEGIN") {
        return Err(KeysError::Forgotten { flag: key.flag });
    }
    Ok(KeySource::new(text, key.algorithm))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidings::Algorithm;

    use super::*;

    fn key(flag: &'static str, text: &str, algorithm: Algorithm) -> Key {
        Key { flag, secret: text.parse().expect("every text"), algorithm }
    }

    fn keys(publisher: Key, subscriber: Key) -> Keys {
        Keys {
            publisher: Some(publisher),
            subscriber: Some(subscriber),
            jwks: None,
            issuers: Vec::new(),
            audience: None,
            leeway: Duration::ZERO,
        }
    }

    #[test]
    fn a_bad_key_is_told_by_its_flag_and_without_itself() {
        let good = || key("--publisher-jwt-key", "a secret", Algorithm::Hs256);
        assert!(authority(&keys(good(), good())).is_ok());
        for (text, algorithm) in [
            ("", Algorithm::Hs256),
            ("-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----", Algorithm::Hs256),
            ("hunter2", Algorithm::Rs256),
            ("-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----", Algorithm::Es256),
            ("file:///no/such/file", Algorithm::Hs256),
        ] {
            let bad = keys(good(), key("--subscriber-jwt-key", text, algorithm));
            let error = authority(&bad).expect_err("a bad key").to_string();
            assert!(error.starts_with("--subscriber-jwt-key: ") && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
