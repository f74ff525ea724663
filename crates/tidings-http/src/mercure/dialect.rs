//! Which of Mercure's two wires a request speaks. Its parameters decide how topics are matched and which documents it gets,
//! its token decides by which rules and with which status codes it is answered.

use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderValue, Method};
use tidings_topic::find_format_character;

/// A wire of Mercure's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dialect {
    /// 0.x, draft 7 of the protocol: `topic`, URI templates, the claim `mercure`, JSON-LD. Nearly everybody speaks it, so
    /// it is taken for the one of a request that does not show which it speaks.
    #[default]
    Zero,
    /// 1.0, draft 8: `match…`, URL patterns, `authorization_details`, plain JSON.
    One,
}

/// The dialect of a request whose token is not known: by its method, by its parameters, by the cookie it brings.
pub(super) fn guess(parts: &Parts) -> Dialect {
    let query = parts.uri.query().unwrap_or("").as_bytes();
    let has_matcher = query.split(|byte| *byte == b'&').any(is_matcher_name);
    let has_cookie =
        |cookies: &HeaderValue| cookies.as_bytes().windows(COOKIE_1.len()).any(|window| window == COOKIE_1);
    if is_query(&parts.method) || has_matcher || parts.headers.get_all(COOKIE).iter().any(has_cookie) {
        return Dialect::One;
    }
    Dialect::Zero
}

/// Is it the method of 1.0 that asks with a body? (RFC 10008)
pub(super) fn is_query(method: &Method) -> bool {
    method.as_str() == "QUERY"
}

/// How the cookie of 1.0 begins.
const COOKIE_1: &[u8] = b"__Secure-mercure_access_token=";

/// Does a parameter of this name belong to a 1.0 matcher, known or not?
pub(super) fn is_matcher_name(name: &[u8]) -> bool {
    name.get(..MATCHER_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(MATCHER_PREFIX))
}

const MATCHER_PREFIX: &[u8] = b"match";

/// The first character of `text` that 1.0 forbids in every text: a control character, or one that is not seen.
pub(super) fn find_unseen(text: &str) -> Option<(usize, char)> {
    let control = text.char_indices().find(|(_, character)| character.is_control());
    control.into_iter().chain(find_format_character(text)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_shows_itself_by_how_its_name_begins() {
        for (name, want) in [
            ("match", true),
            ("match_urlpattern", true),
            ("MATCH_x", true),
            ("matchless", true),
            ("topic", false),
            ("matc", false),
            ("", false),
        ] {
            assert_eq!(is_matcher_name(name.as_bytes()), want, "{name}");
        }
    }

    #[test]
    fn without_a_token_the_dialect_is_guessed() {
        let check = |method: &str, uri: &str, cookie: &str, want: Dialect| {
            let request = http::Request::builder().method(method).uri(uri).header(COOKIE, cookie);
            let (parts, ()) = request.body(()).expect("a good request").into_parts();
            assert_eq!(guess(&parts), want, "{method} {uri} {cookie}");
        };
        check("GET", "/?topic=match", "", Dialect::Zero);
        check("GET", "/?x&Match=a", "", Dialect::One);
        check("QUERY", "/", "", Dialect::One);
        check("POST", "/", "mercureAuthorization=x", Dialect::Zero);
        check("POST", "/", "a=1; __Secure-mercure_access_token=x", Dialect::One);
    }

    #[test]
    fn what_is_not_seen_is_found() {
        for (text, want) in [
            ("é 天", None),
            ("a\u{200b}", Some((1, '\u{200b}'))),
            ("\u{85}", Some((0, '\u{85}'))),
            ("ab\u{feff}c", Some((2, '\u{feff}'))),
            ("a\tb", Some((1, '\t'))),
        ] {
            assert_eq!(find_unseen(text), want, "{text:?}");
        }
    }
}
