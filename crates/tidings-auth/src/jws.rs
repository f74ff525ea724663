//! A token in its parts: header, payload, signature (RFC 7515, compact form). Nothing here is trusted yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::error::{TokenError, excerpt};
use crate::json::parse_object;

/// Most bytes of a token. Unit: bytes.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A token whose parts were read.
pub(crate) struct Jws<'a> {
    /// What the header says, if it is an algorithm of ours.
    pub(crate) algorithm: Option<Algorithm>,
    /// What the header says, as it came.
    algorithm_name: String,
    /// The name of the key (`kid`).
    pub(crate) key_id: Option<String>,
    /// The type (`typ`).
    pub(crate) token_type: Option<String>,
    /// What was signed: header and payload as they came.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
    pub(crate) claims: Map<String, Value>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`TokenError`] when it is too long, has not three parts, or a part is not what it should be.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong { bytes: token.len() });
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), rest) =
            (parts.next(), parts.next(), parts.next(), parts.count())
        else {
            return Err(TokenError::Malformed("it has fewer than three parts with points between them; is it whole?"));
        };
        match rest {
            0 => {}
            2 => return Err(TokenError::Malformed("it is encrypted (five parts); expected a signed one (three)")),
            _ => return Err(TokenError::Malformed("it has more than three parts with points between them")),
        }
        let signed = &token.as_bytes()[..header.len() + 1 + payload.len()];
        let mut header = parse_object("header", &decode(header, "its first part is not base64url")?)?;
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let algorithm_name = match header.remove("alg") {
            Some(Value::String(name)) => name,
            Some(other) => return Err(wrong_type("alg", &other, "a string")),
            None => String::new(),
        };
        Ok(Self {
            algorithm: algorithm_name.parse().ok(),
            algorithm_name,
            key_id: optional_text(&mut header, "kid")?,
            token_type: optional_text(&mut header, "typ")?,
            signed,
            signature: decode(signature, "its third part, the signature, is not base64url")?,
            claims: parse_object("payload", &decode(payload, "its second part is not base64url")?)?,
        })
    }

    /// Its header names no algorithm that anything here is for.
    pub(crate) fn unknown_algorithm(&self, expected: &str) -> TokenError {
        TokenError::UnknownAlgorithm { name: excerpt(&self.algorithm_name), expected: expected.to_owned() }
    }
}

fn decode(part: &str, fault: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed(fault))
}

/// Takes a claim or header parameter that is a text where it is there.
pub(crate) fn optional_text(from: &mut Map<String, Value>, name: &str) -> Result<Option<String>, TokenError> {
    match from.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(name, &other, "a string")),
    }
}

pub(crate) fn wrong_type(claim: &str, found: &Value, expected: &'static str) -> TokenError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    TokenError::WrongType { claim: claim.to_owned(), found, expected }
}
