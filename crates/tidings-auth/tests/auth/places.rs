//! Where a token stands: which place counts, and what is no token.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderValue};
use tidings_auth::{Place, PlaceError, TokenPlaces, find_token};

const PLACES: TokenPlaces<'_> =
    TokenPlaces { query_parameter: Some("access_token"), cookies: &["tidings_token", "mercureAuthorization"] };

fn headers(authorization: &[&str], cookies: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
    }
    for value in cookies {
        headers.append(COOKIE, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
    }
    headers
}

type Found = Result<Option<(String, Place)>, PlaceError>;

fn find(authorization: &[&str], query: Option<&str>, cookies: &[&str]) -> Found {
    let headers = headers(authorization, cookies);
    let found = find_token(&headers, query, &PLACES)?;
    Ok(found.map(|found| (found.token.into_owned(), found.place)))
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be an error")]
fn token(token: &str, place: Place) -> Found {
    Ok(Some((token.to_owned(), place)))
}

#[test]
fn the_header_counts_before_the_query_and_that_before_a_cookie() {
    let (query, cookie) = (Some("access_token=q"), &["tidings_token=c"][..]);
    assert_eq!(find(&["Bearer h"], query, cookie), token("h", Place::Header));
    assert_eq!(find(&[], query, cookie), token("q", Place::Query));
    assert_eq!(find(&[], Some("topic=a"), cookie), token("c", Place::Cookie));
    assert_eq!(find(&[], None, &[]), Ok(None));
}

#[test]
fn a_scheme_is_read_in_any_case_and_spacing() {
    for value in ["Bearer t", "bearer t", "BEARER t", "Bearer   t", " Bearer t ", "Bearer\tt"] {
        assert_eq!(find(&[value], None, &[]), token("t", Place::Header), "{value:?}");
    }
}

#[test]
fn a_bad_header_never_falls_back() {
    let (query, cookie) = (Some("access_token=q"), &["tidings_token=c"][..]);
    for (values, want) in [
        (&["Basic dTpw"][..], PlaceError::NotBearer),
        (&[""], PlaceError::NotBearer),
        (&["t"], PlaceError::NotBearer),
        (&["Bearert"], PlaceError::NotBearer),
        (&["Bearer"], PlaceError::NoToken),
        (&["Bearer  "], PlaceError::NoToken),
        (&["Bearer a b"], PlaceError::NoToken),
        (&["Bearer a,b"], PlaceError::NoToken),
        (&["Bearer é"], PlaceError::NoToken),
        (&["Bearer a", "Bearer a"], PlaceError::ManyHeaders { count: 2 }),
        (&["Bearer a", "Basic b", "x"], PlaceError::ManyHeaders { count: 3 }),
    ] {
        assert_eq!(find(values, query, cookie), Err(want), "{values:?}");
    }
}

#[test]
fn the_query_is_form_decoded() {
    for (query, want) in [
        ("access_token=a.b-c_d", Ok(Some("a.b-c_d"))),
        ("a=1&access_token=t&b=2", Ok(Some("t"))),
        ("access%5Ftoken=t%2Eu", Ok(Some("t.u"))),
        ("access_token=a+b%2B", Ok(Some("a b+"))),
        ("access_token=%FF", Ok(Some("\u{fffd}"))),
        ("access_token=%zz", Ok(Some("%zz"))),
        ("ACCESS_TOKEN=t", Ok(None)),
        ("xaccess_token=t", Ok(None)),
        ("", Ok(None)),
        ("access_token", Err(PlaceError::EmptyParameter { name: "access_token".to_owned() })),
        ("access_token=", Err(PlaceError::EmptyParameter { name: "access_token".to_owned() })),
        (
            "access_token=t&access_token=t",
            Err(PlaceError::ManyParameters { name: "access_token".to_owned(), count: 2 }),
        ),
    ] {
        let got = find(&[], Some(query), &[]).map(|found| found.map(|(token, _)| token));
        assert_eq!(got, want.map(|token| token.map(str::to_owned)), "{query}");
    }
    let places = TokenPlaces { query_parameter: None, cookies: &[] };
    let headers = headers(&[], &["tidings_token=c"]);
    assert_eq!(
        find_token(&headers, Some("access_token=t&authorization=t"), &places),
        Ok(None),
        "it is not switched on"
    );
}

#[test]
fn cookies_are_read_by_name_in_the_order_of_the_names() {
    for (cookies, want) in [
        (&["a=1; tidings_token=t; b=2"][..], Some("t")),
        (&["mercureAuthorization=m; tidings_token=t"], Some("t")),
        (&["mercureAuthorization=m"], Some("m")),
        (&["a=1", "tidings_token=t"], Some("t")),
        (&["tidings_token=\"t\""], Some("t")),
        (&["tidings_token=t=="], Some("t==")),
        (&["tidings_token="], None),
        (&["tidings_token=; tidings_token=t"], Some("t")),
        (&["xtidings_token=t"], None),
        (&["Tidings_Token=t"], None),
        (&["tidings_token"], None),
        (&[";;=;"], None),
    ] {
        let got = find(&[], None, cookies).expect("cookies are never an error");
        assert_eq!(got.map(|(token, _)| token).as_deref(), want, "{cookies:?}");
    }
}

#[test]
fn debug_hides_the_token() {
    let headers = headers(&["Bearer hush"], &[]);
    let found = find_token(&headers, None, &PLACES).expect("a token").expect("a token");
    assert!(!format!("{found:?}").contains("hush"));
}
