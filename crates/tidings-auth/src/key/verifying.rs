//! A key that checks signatures.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{PublicEncryptingKey, PublicKeyComponents};
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};

use super::pem::Pem;
use super::{KeyError, KeySource, hmac_of, hmac_secret};
use crate::algorithm::{Algorithm, Family};

/// A key that was parsed once, and checks signatures of one algorithm.
pub(crate) struct VerifyingKey {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl VerifyingKey {
    /// Parses a key as it was configured: a secret, or the PEM text of a public key.
    ///
    /// # Errors
    /// [`KeyError`] when it is not a key of its algorithm.
    pub(crate) fn parse(source: &KeySource) -> Result<Self, KeyError> {
        let algorithm = source.algorithm;
        if algorithm.is_symmetric() {
            return Self::secret(algorithm, hmac_secret(source)?);
        }
        let pem = Pem::parse(source.key.reveal()).map_err(|fault| KeyError::NotPem { algorithm, fault })?;
        match (pem.label.as_str(), algorithm.family()) {
            ("PUBLIC KEY", _) | ("RSA PUBLIC KEY", Family::Rsa) => {}
            _ => {
                let expected = "\"PUBLIC KEY\", as `openssl pkey -in private.pem -pubout` writes it (of a \
                                certificate: `openssl x509 -in cert.pem -pubkey -noout`)";
                return Err(KeyError::WrongPem { algorithm, label: pem.label, expected });
            }
        }
        Self::public(algorithm, &pem.der)
    }

    /// A shared secret.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when `algorithm` takes none.
    pub(crate) fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let hmac = hmac_of(algorithm).ok_or_else(|| unusable(algorithm))?;
        Ok(Self { algorithm, key: Key::Secret(Box::new(hmac::Key::new(hmac, secret))) })
    }

    /// A public key: DER of SPKI or PKCS#1, or the raw point of a curve.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when it is not one that `algorithm` takes.
    pub(crate) fn public(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        if algorithm.family() == Family::Rsa {
            let bits = rsa_bits(bytes).ok_or_else(|| unusable(algorithm))?;
            // Parsing takes shorter keys, and then no signature would ever fit.
            if !(2048..=8192).contains(&bits) {
                return Err(unusable(algorithm));
            }
        }
        let scheme = scheme_of(algorithm).ok_or_else(|| unusable(algorithm))?;
        let key = ParsedPublicKey::new(scheme, bytes).map_err(|_| unusable(algorithm))?;
        Ok(Self { algorithm, key: Key::Public(key) })
    }

    /// An RSA key by its two numbers, big-endian.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when they are no key of 2048 to 8192 bits.
    pub(crate) fn rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let parameters = rsa_of(algorithm).ok_or_else(|| unusable(algorithm))?;
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let n = &modulus[leading..];
        if !(2048 / 8..=8192 / 8).contains(&n.len()) {
            return Err(unusable(algorithm));
        }
        let numbers = PublicKeyComponents { n, e: exponent };
        let key = numbers.to_parsed_public_key(parameters).map_err(|_| unusable(algorithm))?;
        Ok(Self { algorithm, key: Key::Public(key) })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is one of `message` by this key. Comparisons of secrets take the same time whatever came.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Key::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn unusable(algorithm: Algorithm) -> KeyError {
    KeyError::Unusable { algorithm, expected: algorithm.key_words() }
}

/// The size of an RSA key in either of its DER forms, SPKI and PKCS#1.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let spki = PublicEncryptingKey::from_der(der).map(|key| key.key_size_bits()).ok();
    spki.or_else(|| usize::try_from(RsaParameters::public_modulus_len(der).ok()?).ok())
}

fn rsa_of(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn scheme_of(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::Es512 => Some(&signature::ECDSA_P521_SHA512_FIXED),
        Algorithm::EdDsa => Some(&signature::ED25519),
        _ => rsa_of(algorithm).map(|rsa| rsa as &dyn VerificationAlgorithm),
    }
}
