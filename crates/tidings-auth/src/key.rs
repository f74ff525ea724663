//! Keys: how they are configured, and how they are checked once and then used. A key knows its one algorithm.
//!
//! Not here: sets of keys that another server publishes, see `jwks`.

mod pem;
mod signing;
mod verifying;

use std::path::PathBuf;

use thiserror::Error;

use crate::algorithm::Algorithm;
use crate::secret::SecretText;

pub(crate) use signing::SigningKey;
pub(crate) use verifying::VerifyingKey;

/// A key and the one algorithm that it is for.
#[derive(Clone, Debug)]
pub struct KeySource {
    /// The shared secret of HS256, HS384 and HS512, as it is; for all others the text of a PEM file. In it `\n` may stand
    /// for a line feed, as it does in variables.
    pub key: SecretText,
    /// What tokens have to be signed with.
    pub algorithm: Algorithm,
}

impl KeySource {
    /// A key and its algorithm.
    pub fn new(key: impl Into<SecretText>, algorithm: Algorithm) -> Self {
        Self { key: key.into(), algorithm }
    }
}

/// Why a key cannot be used. Whoever configures it can act; no message has any part of the key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A secret without a byte.
    #[error("the key for {algorithm} is empty; expected a secret")]
    Empty {
        /// What the key is for.
        algorithm: Algorithm,
    },
    /// A PEM file given as the secret of an HMAC: whoever has the public key could sign.
    #[error(
        "the key for {algorithm} is a PEM file; {algorithm} takes a secret, and a PEM file goes with RS256, ES256 or EdDSA"
    )]
    PemForHmac {
        /// What the key is for.
        algorithm: Algorithm,
    },
    /// Not a PEM file where one is needed.
    #[error("the key for {algorithm} is not a PEM file: {fault}")]
    NotPem {
        /// What the key is for.
        algorithm: Algorithm,
        /// What is missing or wrong.
        fault: &'static str,
    },
    /// A PEM file of something else.
    #[error("the key for {algorithm} is a PEM file of {label:?}; expected {expected}")]
    WrongPem {
        /// What the key is for.
        algorithm: Algorithm,
        /// What the file says it is.
        label: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// A key of another kind, of another curve or too short.
    #[error("the key cannot be used for {algorithm}: expected {expected}")]
    Unusable {
        /// What the key is for.
        algorithm: Algorithm,
        /// The kind of key that it needs.
        expected: &'static str,
    },
    /// The address of a key set is none of ours.
    #[error("key set URL {url:?}: {fault}; expected one such as \"https://login.example/.well-known/jwks.json\"")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The file of a key set cannot be used.
    #[error("key set {}: {fault}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The machine trusts nobody, so no key set can be fetched by https.
    #[error(
        "no root certificates were found, so that {url:?} cannot be trusted; install ca-certificates or set SSL_CERT_FILE"
    )]
    NoRoots {
        /// What was to be fetched.
        url: String,
    },
}

impl Algorithm {
    /// The kind of key it needs, in words.
    pub(crate) const fn key_words(self) -> &'static str {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => "a secret",
            Self::Es256 => "an elliptic curve key on P-256",
            Self::Es384 => "an elliptic curve key on P-384",
            Self::Es512 => "an elliptic curve key on P-521",
            Self::EdDsa => "an Ed25519 key",
            _ => "an RSA key of 2048 to 8192 bits",
        }
    }
}

/// The secret of an HMAC, checked.
fn hmac_secret(source: &KeySource) -> Result<&[u8], KeyError> {
    let algorithm = source.algorithm;
    let secret = source.key.reveal();
    if secret.is_empty() {
        return Err(KeyError::Empty { algorithm });
    }
    if secret.contains("-----BEGIN ") {
        return Err(KeyError::PemForHmac { algorithm });
    }
    Ok(secret.as_bytes())
}

/// The HMAC of an algorithm, if it is one.
fn hmac_of(algorithm: Algorithm) -> Option<aws_lc_rs::hmac::Algorithm> {
    use aws_lc_rs::hmac;
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}
