//! What is wrong with a token, in words that help the developer who made it. Nothing here repeats a token.

use std::time::Duration;

use thiserror::Error;

use crate::algorithm::Algorithm;
use crate::authority::Action;

/// Why a token is not accepted. The words may go to whoever sent it, and to the log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// More than [`TOKEN_BYTES_MAX`](crate::TOKEN_BYTES_MAX).
    #[error("token has {bytes} bytes; expected at most {}", crate::TOKEN_BYTES_MAX)]
    TooLong {
        /// How many came.
        bytes: usize,
    },
    /// Not three parts of base64url.
    #[error("token is not a JWT: {0}")]
    Malformed(&'static str),
    /// A part is not the JSON that it should be.
    #[error("token has a {part} that is not good JSON: {fault}")]
    Json {
        /// `header` or `payload`.
        part: &'static str,
        /// What is wrong and where.
        fault: String,
    },
    /// Its header names an algorithm that does not exist here, `none` for one.
    #[error("token is signed with {name:?}; expected {expected}")]
    UnknownAlgorithm {
        /// What the header says.
        name: String,
        /// What the keys are for.
        expected: String,
    },
    /// Its header names another algorithm than the key is for.
    #[error("token is signed with {found}; expected {expected}")]
    WrongAlgorithm {
        /// What the header says.
        found: Algorithm,
        /// What the keys are for.
        expected: String,
    },
    /// Its header asks for an extension that must be understood.
    #[error("token has critical header parameters (crit); none are known here")]
    Critical,
    /// The signature is not one of the key.
    #[error(
        "token has a signature that does not fit the key for {algorithm}; it was signed with another key, or changed"
    )]
    Signature {
        /// What the key is for.
        algorithm: Algorithm,
    },
    /// Its key is not in the key set.
    #[error("token is signed with the key {kid:?} (kid), which is not in the key set")]
    UnknownKey {
        /// The name in the header.
        kid: String,
    },
    /// It names no key, and the set has not just one of its algorithm.
    #[error("token names no key (kid), and the key set has {keys} keys for {algorithm}; expected a kid in its header")]
    NoKid {
        /// What it is signed with.
        algorithm: Algorithm,
        /// How many keys could be meant.
        keys: usize,
    },
    /// The key set was never fetched yet, or is not there.
    #[error("token cannot be checked now: {0}; try again later")]
    KeysUnavailable(String),
    /// No key is configured for this.
    #[error("no key is configured to {} with", action.verb())]
    NoKey {
        /// What was to be done.
        action: Action,
    },
    /// A claim is of the wrong type.
    #[error("token has a claim {claim} that is {found}; expected {expected}")]
    WrongType {
        /// Where it stands.
        claim: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A claim has more entries than are allowed.
    #[error("token has {found} entries in {claim}; expected at most {max}")]
    TooMany {
        /// Where they stand.
        claim: String,
        /// How many came.
        found: usize,
        /// How many may.
        max: usize,
    },
    /// A topic or pattern of a claim is none.
    #[error("token has a claim {claim} that cannot be used: {fault}")]
    Selector {
        /// Where it stands.
        claim: String,
        /// What is wrong with it.
        fault: String,
    },
    /// It has ended.
    #[error("token expired {} ago (exp)", words(*.ago))]
    Expired {
        /// How long ago.
        ago: Duration,
    },
    /// It has not begun.
    #[error("token is not valid yet, but in {} (nbf)", words(*.wait))]
    NotYet {
        /// How long until then.
        wait: Duration,
    },
    /// A claim that a Mercure 1.0 token needs is not there.
    #[error("token has no {claim}; a Mercure 1.0 token needs it")]
    Missing {
        /// Which.
        claim: &'static str,
    },
    /// It was made by somebody else.
    #[error("token was issued by {found:?} (iss); expected {expected}")]
    WrongIssuer {
        /// What it says.
        found: String,
        /// Who is trusted.
        expected: String,
    },
    /// It was made for somebody else.
    #[error("token is for {found} (aud); expected {expected}")]
    WrongAudience {
        /// What it says.
        found: String,
        /// Who we are.
        expected: String,
    },
    /// It has `authorization_details`, and its `typ` says that it is no access token.
    #[error("token has the type {found} (typ); authorization_details need \"at+jwt\"")]
    WrongTokenType {
        /// What its header says.
        found: String,
    },
    /// Only Mercure 1.0 tokens are taken, and this is of 0.x.
    #[error(
        "token has a claim \"mercure\", as Mercure 0.x does; this hub takes those of 1.0 only (authorization_details)"
    )]
    Mercure0Refused,
}

impl TokenError {
    /// Whether the same token may be good a little later: the answer is 503 and not 401.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::KeysUnavailable(_))
    }
}

/// `3 min`, `2 h`: one unit, rounded down, for people.
pub(crate) fn words(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "less than a second".to_owned(),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A text from outside as an error may repeat it: the beginning of it.
pub(crate) fn excerpt(text: &str) -> String {
    let mut excerpt: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

const EXCERPT_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_unit() {
        for (seconds, want) in
            [(0, "less than a second"), (59, "59 s"), (60, "1 min"), (7_199, "1 h"), (172_800, "2 d")]
        {
            assert_eq!(words(Duration::from_secs(seconds)), want);
        }
    }
}
