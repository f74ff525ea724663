//! A key that signs: for `tidings token` and for tests.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair};

use super::pem::Pem;
use super::{KeyError, KeySource, hmac_of, hmac_secret};
use crate::algorithm::Algorithm;

/// A key that was parsed once, and signs with one algorithm.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Secret(Box<hmac::Key>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    /// Parses a key as it was configured: a secret, or the PEM text of a private key.
    ///
    /// # Errors
    /// [`KeyError`] when it is not a key of its algorithm.
    pub(crate) fn parse(source: &KeySource) -> Result<Self, KeyError> {
        let algorithm = source.algorithm;
        if let Some(hmac) = hmac_of(algorithm) {
            return Ok(Self { algorithm, key: Key::Secret(Box::new(hmac::Key::new(hmac, hmac_secret(source)?))) });
        }
        let pem = Pem::parse(source.key.reveal()).map_err(|fault| KeyError::NotPem { algorithm, fault })?;
        if !pem.label.ends_with("PRIVATE KEY") {
            let expected = "\"PRIVATE KEY\": the public key cannot sign";
            return Err(KeyError::WrongPem { algorithm, label: pem.label, expected });
        }
        let key = read_pair(algorithm, &pem);
        let key = key.ok_or(KeyError::Unusable { algorithm, expected: algorithm.key_words() })?;
        Ok(Self { algorithm, key })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs `message`; `None` when the system gives no randomness.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Secret(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
            Key::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Key::Ec(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Key::Ed(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
        }
    }
}

fn read_pair(algorithm: Algorithm, pem: &Pem) -> Option<Key> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Es256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pem),
        Algorithm::Es384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, pem),
        Algorithm::Es512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, pem),
        Algorithm::EdDsa => Some(Key::Ed(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pem.der).ok()?)),
        Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256, pem),
        Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384, pem),
        Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512, pem),
        Algorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256, pem),
        Algorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384, pem),
        Algorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512, pem),
    }
}

fn ec(scheme: &'static EcdsaSigningAlgorithm, pem: &Pem) -> Option<Key> {
    Some(Key::Ec(EcdsaKeyPair::from_private_key_der(scheme, &pem.der).ok()?))
}

fn rsa(encoding: &'static dyn RsaEncoding, pem: &Pem) -> Option<Key> {
    let pair = match pem.label.as_str() {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&pem.der),
        _ => RsaKeyPair::from_pkcs8(&pem.der),
    };
    Some(Key::Rsa(pair.ok()?, encoding))
}
