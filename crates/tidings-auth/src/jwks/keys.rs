//! The keys of a set, each parsed once and pinned to one algorithm.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::Lookup;
use crate::algorithm::{Algorithm, Family};
use crate::error::TokenError;
use crate::key::VerifyingKey;

/// The keys of a set that can check signatures.
#[derive(Debug)]
pub(super) struct Keys {
    keys: Vec<Named>,
    ignored: usize,
}

#[derive(Debug)]
struct Named {
    id: Option<String>,
    key: Arc<VerifyingKey>,
}

/// Most keys of a set: looking for one goes through all.
const KEYS_MAX: usize = 100;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// One key as it is written (RFC 7517, 7518, 8037); what is not for us is not read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

impl Keys {
    /// Reads a set. Keys that cannot be used are left out and counted: a set has those of other purposes too.
    ///
    /// # Errors
    /// What is wrong, when it is no set at all or has too many keys.
    pub(super) fn parse(bytes: &[u8], takes_secrets: bool) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is no JSON object with a list \"keys\": line {}", error.line()))?;
        if set.keys.len() > KEYS_MAX {
            return Err(format!("it has {} keys; expected at most {KEYS_MAX}", set.keys.len()));
        }
        let total = set.keys.len();
        let keys: Vec<Named> = set.keys.into_iter().filter_map(|key| read(key, takes_secrets)).collect();
        Ok(Self { ignored: total - keys.len(), keys })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn ignored(&self) -> usize {
        self.ignored
    }

    pub(super) fn look_up(&self, key_id: Option<&str>, algorithm: Algorithm) -> Lookup {
        let named: Vec<&Named> = match key_id {
            Some(id) => self.keys.iter().filter(|key| key.id.as_deref() == Some(id)).collect(),
            None => self.keys.iter().collect(),
        };
        let mut fitting = named.iter().filter(|named| named.key.algorithm() == algorithm);
        match (fitting.next(), fitting.count(), key_id) {
            (Some(one), 0, _) | (Some(one), _, Some(_)) => Lookup::Found(Arc::clone(&one.key)),
            (Some(_), others, None) => Lookup::Refused(TokenError::NoKid { algorithm, keys: others + 1 }),
            (None, ..) if named.is_empty() => Lookup::Unknown,
            (None, ..) => {
                let mut expected: Vec<&str> = named.iter().map(|named| named.key.algorithm().name()).collect();
                expected.sort_unstable();
                expected.dedup();
                Lookup::Refused(TokenError::WrongAlgorithm { found: algorithm, expected: expected.join(" or ") })
            }
        }
    }
}

fn read(key: Value, takes_secrets: bool) -> Option<Named> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let checks_signatures = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|one| one == "verify"));
    if !checks_signatures {
        return None;
    }
    let algorithm = jwk.algorithm()?;
    let key = match algorithm.family() {
        Family::Hmac if takes_secrets => {
            let secret = bytes(jwk.k.as_ref())?;
            if secret.is_empty() {
                return None;
            }
            VerifyingKey::secret(algorithm, &secret)
        }
        Family::Hmac => return None,
        Family::Rsa => VerifyingKey::rsa(algorithm, &bytes(jwk.n.as_ref())?, &bytes(jwk.e.as_ref())?),
        Family::Ec => {
            let (x, y) = (bytes(jwk.x.as_ref())?, bytes(jwk.y.as_ref())?);
            VerifyingKey::public(algorithm, &[&[UNCOMPRESSED][..], &x, &y].concat())
        }
        Family::Ed => VerifyingKey::public(algorithm, &bytes(jwk.x.as_ref())?),
    };
    Some(Named { id: jwk.kid, key: Arc::new(key.ok()?) })
}

/// What a point of a curve begins with when both its coordinates follow (SEC 1).
const UNCOMPRESSED: u8 = 4;

impl Jwk {
    /// The one algorithm of this key: what it says, if that fits its kind, else what its kind stands for. An RSA key that
    /// says nothing is for RS256.
    fn algorithm(&self) -> Option<Algorithm> {
        let by_kind = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("EC", Some("P-384")) => Algorithm::Es384,
            ("EC", Some("P-521")) => Algorithm::Es512,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("oct", _) => Algorithm::Hs256,
            _ => return None,
        };
        let Some(name) = &self.alg else { return Some(by_kind) };
        // RFC 9864 gives Ed25519 a name of its own.
        let said = if name == "Ed25519" { Algorithm::EdDsa } else { name.parse().ok()? };
        let fits = match by_kind.family() {
            Family::Rsa | Family::Hmac => said.family() == by_kind.family(),
            Family::Ec | Family::Ed => said == by_kind,
        };
        fits.then_some(said)
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}
