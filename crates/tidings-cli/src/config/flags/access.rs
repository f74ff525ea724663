//! Who may do what: keys, cookies, and the pages of other sites.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use tidings::{Algorithm, JwksSource};

use crate::config::duration::parse_duration;
use crate::config::keys::parse_jwks_url;
use crate::config::origin::{CorsOrigin, PublishOrigin};
use crate::config::secret::Secret;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessFlags {
    /// Let everybody publish and listen, from other machines, through proxies and under any host name, when there is no key
    ///
    /// Cost: whoever reaches the hub may write into it.
    #[arg(long, env = "TIDINGS_OPEN", value_parser = BoolishValueParser::new())]
    pub(crate) open: bool,

    /// Key that the tokens of publishers are checked by: a secret, or a public key in PEM, or `file:///…` with either.
    /// With it only they publish
    ///
    /// Cost: a check of a signature for each request that publishes.
    #[arg(
        long,
        env = "TIDINGS_PUBLISHER_JWT_KEY",
        value_name = "KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub(crate) publisher_jwt_key: Option<Secret>,

    /// Algorithm of the publishers' key: HS256, HS384, HS512, RS…, PS…, ES… or `EdDSA`
    ///
    /// Cost: none; no other algorithm is taken for this key, whatever a token says.
    #[arg(long, env = "TIDINGS_PUBLISHER_JWT_ALG", value_name = "ALG", default_value = "HS256")]
    pub(crate) publisher_jwt_alg: Algorithm,

    /// Key that the tokens of readers are checked by, as --publisher-jwt-key. With it only they listen, unless --anonymous
    ///
    /// Cost: a check of a signature for each connection.
    #[arg(
        long,
        env = "TIDINGS_SUBSCRIBER_JWT_KEY",
        value_name = "KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub(crate) subscriber_jwt_key: Option<Secret>,

    /// Algorithm of the readers' key, as --publisher-jwt-alg
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_SUBSCRIBER_JWT_ALG", value_name = "ALG", default_value = "HS256")]
    pub(crate) subscriber_jwt_alg: Algorithm,

    /// Where the keys of publishers and readers are, as a JSON Web Key Set: `https://…`, `http://…` or `file:///…`. Keys
    /// are chosen by their `kid` and fetched again when there is a new one
    ///
    /// Cost: a request to that server every few minutes; while it does not answer, the keys of before count.
    #[arg(long, env = "TIDINGS_JWKS_URL", value_name = "URL", value_parser = parse_jwks_url)]
    pub(crate) jwks_url: Option<JwksSource>,

    /// Let whoever has no token read public events, though there is a key
    ///
    /// Cost: public events are public.
    #[arg(long, env = "TIDINGS_ANONYMOUS", value_parser = BoolishValueParser::new())]
    pub(crate) anonymous: bool,

    /// Issuer whose tokens are taken (`iss`); repeat it for more. Tokens of Mercure 1.0 need it, those of 0.x need none; of
    /// others it must be one of these where they say it
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_JWT_ISSUER", value_name = "TEXT", value_delimiter = ',')]
    pub(crate) jwt_issuer: Vec<String>,

    /// What tokens are for (`aud`): the public address of this hub. Tokens of Mercure 1.0 need it, those of 0.x need none; of
    /// others it must be this where they say it
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_JWT_AUDIENCE", value_name = "TEXT")]
    pub(crate) jwt_audience: Option<String>,

    /// How far the clocks of those who sign tokens may be off
    ///
    /// Cost: a token is good for so much longer.
    #[arg(
        long,
        env = "TIDINGS_JWT_LEEWAY",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = parse_duration
    )]
    pub(crate) jwt_leeway: Duration,

    /// Take the token of a plain channel in the address too, as `?access_token=`
    ///
    /// Cost: tokens stand in the logs of every proxy before the hub.
    #[arg(long, env = "TIDINGS_TOKEN_IN_QUERY", value_parser = BoolishValueParser::new())]
    pub(crate) token_in_query: bool,

    /// Name of the cookie that brings the token of a plain channel
    ///
    /// Cost: none.
    #[arg(
        long,
        env = "TIDINGS_COOKIE_NAME",
        value_name = "NAME",
        default_value = "tidings_token",
        value_parser = parse_cookie_name
    )]
    pub(crate) cookie_name: String,

    /// Origin whose pages may read answers, such as `https://app.example`, or `*` for all; repeat it for more. Pages of this
    /// machine may without it, when there is no key
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) cors_origin: Vec<CorsOrigin>,

    /// Origin whose pages may publish: with a cookie, where `https://*.app.example` and `*` stand for more; or to a hub that
    /// is open on this machine only. Repeat it for more. Pages of this machine may publish to the latter without it
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_PUBLISH_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) publish_origin: Vec<PublishOrigin>,

    /// Tell, on the Mercure endpoint, who listens to what: as events, and at `/.well-known/mercure/subscriptions`
    ///
    /// Cost: two events for each topic of each connection.
    #[arg(long, env = "TIDINGS_SUBSCRIPTIONS", value_parser = BoolishValueParser::new())]
    pub(crate) subscriptions: bool,

    /// Be as users of Mercure know it: closed without a key, a heartbeat of 40 s, and the address from `SERVER_NAME`
    /// unless --listen is given
    ///
    /// Cost: none.
    #[arg(long, env = "TIDINGS_MERCURE_COMPAT", value_parser = BoolishValueParser::new())]
    pub(crate) mercure_compat: bool,
}

/// A cookie's name goes into a comparison alone, but one that no browser sends would never be found.
fn parse_cookie_name(raw: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if raw.is_empty() || !raw.bytes().all(is_token) {
        return Err("expected a cookie's name, letters, digits and _ or -, as in tidings_token".to_owned());
    }
    Ok(raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_has_a_name_that_a_browser_sends() {
        for (raw, want) in
            [("tidings_token", true), ("__Host-auth", true), ("", false), ("a b", false), ("a=b", false), ("é", false)]
        {
            assert_eq!(parse_cookie_name(raw).is_ok(), want, "{raw:?}");
        }
    }
}
