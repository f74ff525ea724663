//! Which keys a hub has, and what tokens must say. Nothing is read here; see `crate::keys`.

use std::time::Duration;

use tidings::{Algorithm, JwksSource};

use super::flags::AccessFlags;
use super::secret::Secret;

/// The keys of a hub, as they were given.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// That of the publishers.
    pub(crate) publisher: Option<Key>,
    /// That of the readers.
    pub(crate) subscriber: Option<Key>,
    /// Those of another server, for both.
    pub(crate) jwks: Option<JwksSource>,
    /// Who may have issued a token.
    pub(crate) issuers: Vec<String>,
    /// Whom a token has to be for.
    pub(crate) audience: Option<String>,
    /// How far the clocks of others may be off.
    pub(crate) leeway: Duration,
}

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The flag that gives it.
    pub(crate) flag: &'static str,
    /// The key itself, or its file.
    pub(crate) secret: Secret,
    /// What it is for.
    pub(crate) algorithm: Algorithm,
}

impl Keys {
    /// What the flags say.
    pub(super) fn of(access: &AccessFlags) -> Self {
        let key =
            |flag, secret: &Option<Secret>, algorithm| secret.clone().map(|secret| Key { flag, secret, algorithm });
        Self {
            publisher: key("--publisher-jwt-key", &access.publisher_jwt_key, access.publisher_jwt_alg),
            subscriber: key("--subscriber-jwt-key", &access.subscriber_jwt_key, access.subscriber_jwt_alg),
            jwks: access.jwks_url.clone(),
            issuers: access.jwt_issuer.clone(),
            audience: access.jwt_audience.clone(),
            leeway: access.jwt_leeway,
        }
    }

    /// Is there any?
    pub(crate) fn is_any(&self) -> bool {
        self.publisher.is_some() || self.subscriber.is_some() || self.jwks.is_some()
    }
}

/// A place of a key set, as `--jwks-url` takes it.
pub(super) fn parse_jwks_url(raw: &str) -> Result<JwksSource, String> {
    match raw.strip_prefix("file://") {
        Some(path) if path.starts_with('/') => Ok(JwksSource::File(path.into())),
        None if raw.starts_with("https://") || raw.starts_with("http://") => Ok(JwksSource::Url(raw.to_owned())),
        _ => Err("expected https://…, http://… or file:///…, as in https://id.example/jwks.json".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_is_at_an_address_or_in_a_file() {
        let check = |raw: &str, want: Option<bool>| {
            let got = parse_jwks_url(raw).ok().map(|source| matches!(source, JwksSource::File(_)));
            assert_eq!(got, want, "{raw}");
        };
        check("https://id.example/jwks.json", Some(false));
        check("http://127.0.0.1:8080/jwks", Some(false));
        check("file:///etc/jwks.json", Some(true));
        check("file://etc/jwks.json", None);
        check("/etc/jwks.json", None);
        check("ftp://id.example", None);
        check("", None);
    }
}
