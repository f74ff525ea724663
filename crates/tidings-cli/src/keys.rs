//! The keys of a hub: read from where they are, parsed once, and read again when the program is told to (SIGHUP).

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tidings::{Authority, AuthorityOptions, Hub, KeyError, KeySource};

use crate::config::{Given, Key, Keys, Plan, Purpose};

/// Why keys cannot be used. No message has any part of one.
#[derive(Debug, Error)]
pub(crate) enum KeysError {
    #[error("{flag}: {reason}")]
    Unreadable { flag: &'static str, reason: String },
    #[error("{flag}: the key begins with -- as a flag does; expected a key after it, or one in a file (file:///…)")]
    Forgotten { flag: &'static str },
    #[error("{flag}: {error}")]
    Unusable { flag: &'static str, error: KeyError },
    #[error("the hub began {} keys and they cannot {} while it runs; start it anew", began(*.has), change(*.has))]
    Change {
        /// It has keys now.
        has: bool,
    },
}

fn began(has: bool) -> &'static str {
    if has { "with" } else { "without" }
}

fn change(has: bool) -> &'static str {
    if has { "all go" } else { "come" }
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

fn source(key: &Key) -> Result<KeySource, KeysError> {
    let text = key.secret.read().map_err(|reason| KeysError::Unreadable { flag: key.flag, reason })?;
    // A PEM file begins with hyphens too, so the command line takes them; a flag is no key.
    if text.starts_with("--") && !text.starts_with("-----BEGIN") {
        return Err(KeysError::Forgotten { flag: key.flag });
    }
    Ok(KeySource::new(text, key.algorithm))
}

/// What the settings were made of, so that they can be made again.
pub(crate) struct KeysAgain {
    given: Given,
    purpose: Purpose,
    has_keys: bool,
}

impl KeysAgain {
    /// Of the settings that `plan` was made of.
    pub(crate) fn new(given: Given, purpose: Purpose, plan: &Plan) -> Self {
        Self { given, purpose, has_keys: plan.keys.is_any() }
    }

    /// Reads the file of settings and all keys again and has the hub check tokens by them; if anything is wrong with them,
    /// it goes on as it was. Says in the log which.
    pub(crate) async fn read(self: &Arc<Self>, hub: &Hub) {
        let again = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || again.authority()).await;
        match read {
            Ok(Ok(Some(authority))) => {
                hub.replace_authority(Arc::new(authority));
                tracing::info!("the keys were read again and count from now on");
            }
            Ok(Ok(None)) => tracing::info!("asked to read the keys again, and there are none"),
            Ok(Err(reason)) => tracing::error!(%reason, "the keys were not read again; those of before still count"),
            Err(panic) => tracing::error!(%panic, "the keys were not read again; those of before still count"),
        }
    }

    fn authority(&self) -> Result<Option<Authority>, Box<dyn fmt::Display + Send>> {
        let settings = self.given.clone().settle().map_err(boxed)?;
        let keys = Plan::of(&settings, self.purpose).map_err(boxed)?.keys;
        match (self.has_keys, keys.is_any()) {
            (false, false) => Ok(None),
            (true, true) => authority(&keys).map(Some).map_err(boxed),
            (has, _) => Err(boxed(KeysError::Change { has })),
        }
    }
}

fn boxed(error: impl fmt::Display + Send + 'static) -> Box<dyn fmt::Display + Send> {
    Box::new(error)
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
