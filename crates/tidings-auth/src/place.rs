//! Where a request carries its token, and which of several counts. Pure: it sees headers and a query.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Where a token may stand, besides the header `Authorization`, which always counts first.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenPlaces<'a> {
    /// The query parameter: `authorization` for Mercure 0.x, `access_token` for plain channels where it is switched on.
    pub query_parameter: Option<&'a str>,
    /// The names of cookies, the first that is there counts.
    pub cookies: &'a [&'a str],
}

/// Where a token stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer`.
    Header,
    /// A query parameter.
    Query,
    /// A cookie. On a publish its origin has to be allowed, see [`allows_cookie_publish`](crate::allows_cookie_publish).
    Cookie,
}

/// A token as it came, not checked.
#[derive(Clone, PartialEq, Eq)]
pub struct FoundToken<'a> {
    /// The token itself. Not for logs and errors.
    pub token: Cow<'a, str>,
    /// Where it stood.
    pub place: Place,
}

impl std::fmt::Debug for FoundToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoundToken").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why the place of a token cannot be read: the request is malformed, whatever the token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// More than one header.
    #[error("header Authorization is there {count} times; expected once")]
    ManyHeaders {
        /// How often.
        count: usize,
    },
    /// Not the scheme `Bearer`.
    #[error("header Authorization is not of the scheme Bearer; expected \"Authorization: Bearer TOKEN\"")]
    NotBearer,
    /// The scheme alone, or something that no token can be.
    #[error("header Authorization has no token after Bearer; expected \"Authorization: Bearer TOKEN\"")]
    NoToken,
    /// The query parameter is there more than once.
    #[error("query parameter {name} is there {count} times; expected once")]
    ManyParameters {
        /// Its name.
        name: String,
        /// How often.
        count: usize,
    },
    /// The query parameter has no token.
    #[error("query parameter {name} has no token")]
    EmptyParameter {
        /// Its name.
        name: String,
    },
}

/// Finds the token of a request: header, then query, then cookie. What is there and bad is an error, and never passed over.
///
/// `query` is what stands after the `?`, as it came.
///
/// # Errors
/// [`PlaceError`] when a place is there, and no token can be read from it.
pub fn find_token<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
    places: &TokenPlaces<'_>,
) -> Result<Option<FoundToken<'a>>, PlaceError> {
    if let Some(token) = in_header(headers)? {
        return Ok(Some(FoundToken { token: token.into(), place: Place::Header }));
    }
    if let (Some(name), Some(query)) = (places.query_parameter, query)
        && let Some(token) = in_query(query, name)?
    {
        return Ok(Some(FoundToken { token: token.into(), place: Place::Query }));
    }
    let cookie = places.cookies.iter().find_map(|name| in_cookies(headers, name));
    Ok(cookie.map(|token| FoundToken { token: token.into(), place: Place::Cookie }))
}

fn in_header(headers: &HeaderMap) -> Result<Option<&str>, PlaceError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let more = values.count();
    if more > 0 {
        return Err(PlaceError::ManyHeaders { count: more + 1 });
    }
    let value = value.to_str().map_err(|_| PlaceError::NoToken)?.trim();
    let (scheme, token) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(PlaceError::NotBearer);
    }
    let token = token.trim();
    if token.is_empty() || token.contains([' ', '\t', ',']) {
        return Err(PlaceError::NoToken);
    }
    Ok(Some(token))
}

fn in_query(query: &str, name: &str) -> Result<Option<String>, PlaceError> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    let more = values.count();
    if more > 0 {
        return Err(PlaceError::ManyParameters { name: name.to_owned(), count: more + 1 });
    }
    let token = decode(value);
    if token.is_empty() {
        return Err(PlaceError::EmptyParameter { name: name.to_owned() });
    }
    Ok(Some(token))
}

/// Form decoding. Bytes that are no UTF-8 become characters that no token has.
fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The first cookie of that name that has a value: one that was taken back is often left empty.
fn in_cookies<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let mut ours = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().trim_matches('"'));
    ours.find(|value| !value.is_empty())
}
