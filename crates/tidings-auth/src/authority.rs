//! Checks tokens: the one place that knows keys and time together.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::Timestamp;

use crate::checked::CheckedTokens;
use crate::claims::Rules;
use crate::error::TokenError;
use crate::identity::Identity;
use crate::jwks::{JwksOptions, JwksSource, KeySet, Lookup};
use crate::jws::Jws;
use crate::key::{KeyError, KeySource, VerifyingKey};

/// Knows the keys of publishers and subscribers, and what a token has to say. Keys are parsed once, here.
///
/// With a key set by URL somebody has to fetch it: see [`keep_keys_fresh`](Self::keep_keys_fresh).
#[derive(Debug)]
pub struct Authority {
    publisher: Option<VerifyingKey>,
    subscriber: Option<VerifyingKey>,
    key_set: Option<KeySet>,
    rules: Rules,
    checked: CheckedTokens,
}

/// What an [`Authority`] is made of.
#[derive(Clone, Debug)]
pub struct AuthorityOptions {
    /// The key of those who publish. Default: none.
    pub publisher: Option<KeySource>,
    /// The key of those who subscribe. Default: none.
    pub subscriber: Option<KeySource>,
    /// Keys of another server, for both. Default: none.
    pub jwks: Option<JwksSource>,
    /// How these are kept.
    pub jwks_options: JwksOptions,
    /// Who may have issued a token (`iss`); a Mercure 1.0 token has to name one of them. Default: empty, and `iss` is not
    /// looked at.
    pub issuers: Vec<String>,
    /// Whom a token has to be for (`aud`); a Mercure 1.0 token has to name it. Default: nobody, and `aud` is not looked
    /// at: set it where the keys sign for other services too.
    pub audience: Option<String>,
    /// How far the clocks of others may be off: `exp` counts so much later and `nbf` so much earlier. Default: 0.
    pub leeway: Duration,
    /// Whether tokens with a claim `mercure` are taken, which need neither `exp` nor `iss` nor `aud`. Default: yes.
    pub accepts_mercure_0: bool,
}

impl Default for AuthorityOptions {
    fn default() -> Self {
        Self {
            publisher: None,
            subscriber: None,
            jwks: None,
            jwks_options: JwksOptions::default(),
            issuers: Vec::new(),
            audience: None,
            leeway: Duration::ZERO,
            accepts_mercure_0: true,
        }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an event.
    Publish,
    /// Read events.
    Subscribe,
}

impl Action {
    /// `publish` or `subscribe`.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

impl Authority {
    /// Parses the keys; reads a key set that is a file. Of a URL nothing is fetched yet.
    ///
    /// # Errors
    /// [`KeyError`] when a key or a key set cannot be used.
    pub fn new(options: AuthorityOptions) -> Result<Self, KeyError> {
        Ok(Self {
            publisher: options.publisher.as_ref().map(VerifyingKey::parse).transpose()?,
            subscriber: options.subscriber.as_ref().map(VerifyingKey::parse).transpose()?,
            key_set: options.jwks.map(|source| KeySet::new(source, options.jwks_options)).transpose()?,
            rules: Rules {
                issuers: options.issuers,
                audience: options.audience,
                leeway: options.leeway,
                accepts_mercure_0: options.accepts_mercure_0,
            },
            checked: CheckedTokens::default(),
        })
    }

    /// Whether there is a key for `action`; without one nobody can be let in.
    pub fn can(&self, action: Action) -> bool {
        self.key_of(action).is_some() || self.key_set.is_some()
    }

    /// Checks `token` for `action` at the time `now`.
    ///
    /// Ready at the first poll, unless the token names a key that a key set by URL does not have yet: then it waits until
    /// that has been fetched, at most a few seconds. A token that one of the two keys has signed is remembered, so that the
    /// next check of the same costs a look-up.
    ///
    /// # Errors
    /// [`TokenError`] says what is wrong with the token, without any part of its signature.
    pub async fn verify(&self, token: &str, action: Action, now: Timestamp) -> Result<Arc<Identity>, TokenError> {
        let hash = self.checked.hash_of(token);
        if let Some(identity) = self.checked.find(hash, token, action, now) {
            return Ok(identity);
        }
        let jws = Jws::parse(token)?;
        let signer = self.check_signature(&jws, action).await?;
        let identity = Arc::new(self.rules.read(&jws, now)?);
        if signer == Signer::OwnKey {
            self.checked.keep(hash, token, action, &identity);
        }
        Ok(identity)
    }

    /// Fetches the key set again and again, for ever: at once, then every few minutes, and when a token names an unknown key.
    ///
    /// Whoever serves runs it as a task of its own and ends it by dropping it. While nobody does, tokens with unknown keys
    /// wait in vain for a few seconds. Without a key set it waits for ever and does nothing.
    pub async fn keep_keys_fresh(&self) {
        match &self.key_set {
            Some(key_set) => key_set.keep_fresh().await,
            None => std::future::pending().await,
        }
    }

    /// Begins with the fetched keys of `old`, which this replaces, where both have their set from the same address: a reload
    /// while that server is away locks nobody out.
    pub fn take_keys_of(&self, old: &Self) {
        if let (Some(key_set), Some(old)) = (&self.key_set, &old.key_set) {
            key_set.take_keys_of(old);
        }
    }

    /// The key set, if there is one: its counts are for metrics.
    pub fn key_set(&self) -> Option<&KeySet> {
        self.key_set.as_ref()
    }

    async fn check_signature(&self, jws: &Jws<'_>, action: Action) -> Result<Signer, TokenError> {
        let own = self.key_of(action).map(|key| (key.algorithm(), check(key, jws)));
        let Some(key_set) = &self.key_set else {
            let (_, checked) = own.ok_or(TokenError::NoKey { action })?;
            return checked.map(|()| Signer::OwnKey);
        };
        // A key of our own goes first: no token that it signed makes us fetch anything.
        if let Some((_, Ok(()))) = own {
            return Ok(Signer::OwnKey);
        }
        let algorithm = jws.algorithm.ok_or_else(|| jws.unknown_algorithm("an algorithm of the key set"))?;
        let from_set = match key_set.look_up(jws.key_id.as_deref(), algorithm) {
            Lookup::Found(key) => return check(&key, jws).map(|()| Signer::KeySet),
            Lookup::Refused(error) => error,
            Lookup::Unknown => match key_set.fetched_for(jws.key_id.as_deref(), algorithm).await {
                Ok(key) => return check(&key, jws).map(|()| Signer::KeySet),
                Err(error) => error,
            },
        };
        // Of two keys that both refuse it, the one that it was signed for has the word, unless the other is still to come.
        match own {
            Some((own_algorithm, Err(error))) if own_algorithm == algorithm && !from_set.is_temporary() => Err(error),
            _ => Err(from_set),
        }
    }

    fn key_of(&self, action: Action) -> Option<&VerifyingKey> {
        match action {
            Action::Publish => self.publisher.as_ref(),
            Action::Subscribe => self.subscriber.as_ref(),
        }
    }
}

/// Whose key has signed a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signer {
    /// One that stays as long as the authority.
    OwnKey,
    /// One that may be gone with the next fetch.
    KeySet,
}

/// The key says how a token is signed. What its header says is compared with that, and never followed.
fn check(key: &VerifyingKey, jws: &Jws<'_>) -> Result<(), TokenError> {
    let algorithm = key.algorithm();
    match jws.algorithm {
        None => Err(jws.unknown_algorithm(algorithm.name())),
        Some(found) if found != algorithm => {
            Err(TokenError::WrongAlgorithm { found, expected: algorithm.name().to_owned() })
        }
        Some(_) if key.verifies(jws.signed, &jws.signature) => Ok(()),
        Some(_) => Err(TokenError::Signature { algorithm }),
    }
}
