//! From the claims of a token, whose signature fits, to what it grants.

mod details;
mod lists;
mod times;

use std::time::Duration;

use serde_json::{Map, Value};
use tidings_core::Timestamp;
use tidings_topic::{Selector, SelectorSet};

use crate::error::{TokenError, excerpt};
use crate::identity::{Identity, Payloads, Shape};
use crate::jws::{Jws, wrong_type};

use lists::Lists;

/// What a token has to say to be taken.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) issuers: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) leeway: Duration,
    pub(crate) accepts_mercure_0: bool,
}

/// Most entries of a list of topics. Source: what Mercure hubs take.
const LIST_ENTRIES_MAX: usize = 1000;

impl Rules {
    /// Reads the claims of a token at the time `now`.
    ///
    /// # Errors
    /// [`TokenError`] when it has ended or not begun, breaks a rule of its shape, or a claim is not what it should be.
    pub(crate) fn read(&self, jws: &Jws<'_>, now: Timestamp) -> Result<Identity, TokenError> {
        let claims = &jws.claims;
        let shape = shape_of(jws);
        let expires_at = times::check(claims, self.leeway, now)?;
        match shape {
            Shape::Mercure1 => self.check_mercure_1(jws, expires_at)?,
            Shape::Mercure0 => {}
            Shape::Plain => self.check_names(claims)?,
        }

        let tidings = Lists::of_object(claims, "tidings", Selector::parse)?;
        let mut payloads = Payloads::None;
        let (mut publish, mut subscribe) = match shape {
            Shape::Plain => (Vec::new(), Vec::new()),
            Shape::Mercure0 if !self.accepts_mercure_0 => {
                if !claims.contains_key("tidings") {
                    return Err(TokenError::Mercure0Refused);
                }
                (Vec::new(), Vec::new())
            }
            Shape::Mercure0 => {
                let name = if claims.contains_key(MERCURE_LONG) { MERCURE_LONG } else { "mercure" };
                let lists = Lists::of_object(claims, name, Selector::mercure_0)?;
                payloads = lists.payload.map_or(Payloads::None, |payload| Payloads::One(payload.into()));
                (lists.publish, lists.subscribe)
            }
            Shape::Mercure1 => {
                let details = details::read(claims, self.pattern_base())?;
                payloads = Payloads::Details(details.payloads.into());
                (details.publish, details.subscribe)
            }
        };
        publish.extend(tidings.publish);
        subscribe.extend(tidings.subscribe);
        Ok(Identity {
            subject: text_claim(claims, "sub")?.map(Into::into),
            shape,
            expires_at,
            publish: SelectorSet::new(publish),
            subscribe: SelectorSet::new(subscribe),
            payloads,
        })
    }

    /// What the standard of access tokens (RFC 9068) and Mercure 1.0 ask for.
    fn check_mercure_1(&self, jws: &Jws<'_>, expires_at: Option<Timestamp>) -> Result<(), TokenError> {
        if !is_access_token(jws) {
            let found = jws.token_type.as_ref().map_or_else(|| "none".to_owned(), |found| quoted(found));
            return Err(TokenError::WrongTokenType { found });
        }
        if expires_at.is_none() {
            return Err(TokenError::Missing { claim: "exp" });
        }
        for (claim, is_required) in [("iss", !self.issuers.is_empty()), ("aud", self.audience.is_some())] {
            if is_required && !jws.claims.contains_key(claim) {
                return Err(TokenError::Missing { claim });
            }
        }
        self.check_names(&jws.claims)
    }

    /// A token need not say who made it and for whom; what it says has to be right where we know it.
    fn check_names(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        if let Some(issuer) = text_claim(claims, "iss")?.filter(|_| !self.issuers.is_empty()) {
            self.check_issuer(&issuer)?;
        }
        match claims.get("aud") {
            Some(audience) if self.audience.is_some() => self.check_audience(audience),
            _ => Ok(()),
        }
    }

    /// Only where there are issuers.
    fn check_issuer(&self, found: &str) -> Result<(), TokenError> {
        if self.issuers.iter().any(|issuer| issuer == found) {
            return Ok(());
        }
        let expected = match &*self.issuers {
            [one] => quoted(one),
            many => format!("one of the {} configured issuers", many.len()),
        };
        Err(TokenError::WrongIssuer { found: excerpt(found), expected })
    }

    fn check_audience(&self, claim: &Value) -> Result<(), TokenError> {
        let found: Vec<&str> = match claim {
            Value::String(one) => vec![one],
            Value::Array(many) => {
                let texts = many.iter().map(|one| one.as_str().ok_or_else(|| wrong_type("aud", one, "strings")));
                texts.collect::<Result<_, _>>()?
            }
            other => return Err(wrong_type("aud", other, "a string or an array of strings")),
        };
        let Some(expected) = self.audience.as_deref().filter(|audience| !found.contains(audience)) else {
            return Ok(());
        };
        let found = match &*found {
            [] => "nobody".to_owned(),
            [one] => quoted(one),
            many => format!("{} others", many.len()),
        };
        Err(TokenError::WrongAudience { found, expected: quoted(expected) })
    }

    /// What URL patterns without a host are relative to. A topic is then resolved against the same.
    fn pattern_base(&self) -> &str {
        match &self.audience {
            Some(audience) if audience.starts_with("https://") || audience.starts_with("http://") => audience,
            _ => "https://localhost/.well-known/mercure",
        }
    }
}

/// The other name of the claim `mercure`, which counts where both are there.
const MERCURE_LONG: &str = "https://mercure.rocks/";

fn shape_of(jws: &Jws<'_>) -> Shape {
    if jws.claims.contains_key("authorization_details") || is_access_token(jws) {
        Shape::Mercure1
    } else if jws.claims.contains_key("mercure") || jws.claims.contains_key(MERCURE_LONG) {
        Shape::Mercure0
    } else {
        Shape::Plain
    }
}

fn is_access_token(jws: &Jws<'_>) -> bool {
    let token_type = jws.token_type.as_deref().unwrap_or_default();
    token_type.eq_ignore_ascii_case("at+jwt") || token_type.eq_ignore_ascii_case("application/at+jwt")
}

fn text_claim(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong_type(name, other, "a string")),
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", excerpt(text))
}
