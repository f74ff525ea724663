//! `POST`: facts 1.5, both columns.

use tidings::{Delivery, Limits};

use crate::support::hub::wide_limits;
use crate::support::percent_encode;
use crate::support::within_time;
use crate::world::{
    BOTH, CHALLENGE, Dialect, FORM, HUB, PUBLISHER_KEY, bearer, expect_fixed_headers, of, open, owned, publisher_token,
    short, start, start_as, token,
};

/// An id that the hub has made: `urn:uuid:` and a UUID of version 7.
fn is_made_id(text: &str) -> bool {
    let uuid = text.strip_prefix("urn:uuid:").unwrap_or("");
    let is_hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    uuid.len() == 36
        && uuid
            .bytes()
            .enumerate()
            .all(|(at, byte)| if is_hyphen(at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
        && uuid.as_bytes()[14] == b'7'
}

#[test]
fn what_is_taken_is_answered_with_its_id_alone() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        for dialect in BOTH {
            let headers = format!("{FORM}{}", bearer(&publisher_token(dialect, &["*"])));
            for form in ["topic=a", "topic=a&data=x&private=on&retry=0&type=t&unknown=1", "topic=a&topic=b&id="] {
                let answer = hub.client().request("POST", HUB, &headers, form.as_bytes());
                assert_eq!(answer.head.status, 200, "{form}: {}", answer.text());
                assert!(is_made_id(answer.text()), "{form}: {:?}", answer.text());
                assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"));
                expect_fixed_headers(&answer.head);
            }
            for id in ["order-42", "order-42", "urn:uuid:1", "é 天"] {
                let form = format!("topic=a&id={}", percent_encode(id));
                let answer = hub.client().request("POST", HUB, &headers, form.as_bytes());
                assert_eq!(short(&answer), (200, id.to_owned()), "{dialect:?}: given ids are echoed, used ones too");
            }
        }
    });
}

/// A status and how the text begins; an empty text stands for an id.
type Want = (u16, &'static str);

#[test]
fn each_form_has_its_answer() {
    let no_topic = "Missing \"topic\" parameter\n";
    let retry = "Invalid \"retry\" parameter\n";
    let cases: Vec<(&str, Want, Want)> = vec![
        ("", (400, no_topic), (400, no_topic)),
        ("data=x", (400, no_topic), (400, no_topic)),
        ("topic=%zz", (400, "Bad Request\n"), (400, "Bad Request\n")),
        ("topic=a;data=x", (400, "Bad Request\n"), (400, "Bad Request\n")),
        ("topic=a&retry=abc", (400, retry), (400, retry)),
        ("topic=a&retry=-1", (400, retry), (400, retry)),
        ("topic=a&retry=%2B5", (400, retry), (400, retry)),
        ("topic=a&retry=18446744073709551616", (400, retry), (400, retry)),
        ("topic=a&retry=18446744073709551615", (200, ""), (200, "")),
        ("topic=/.well-known/mercure/subscriptions/x", (403, "Forbidden\n"), (400, "Invalid")),
        ("topic=https://a/.well-known/%256Dercure", (200, ""), (400, "Invalid")),
        ("topic=/x/../.well-known/mercure", (403, "Forbidden\n"), (400, "Invalid")),
        ("topic=/.well-known/./mercure", (200, ""), (400, "Invalid")),
        ("topic=*", (200, ""), (400, "Invalid \"topic\"")),
        ("topic=", (400, "Invalid \"topic\""), (400, "Invalid \"topic\"")),
        ("topic=a%00", (400, "Invalid \"topic\""), (400, "Invalid \"topic\"")),
        ("topic=a&id=x%0Ay", (400, "Invalid \"id\""), (400, "Invalid \"id\"")),
        ("topic=a&id=%00", (400, "Invalid \"id\""), (400, "Invalid \"id\"")),
        ("topic=a&type=x%0D", (400, "Invalid \"type\""), (400, "Invalid \"type\"")),
        ("topic=a&id=a%E2%80%8Bb", (200, "a\u{200b}b"), (400, "Invalid \"id\"")),
        ("topic=a&id=%23x", (200, "#x"), (400, "Invalid \"id\"")),
        ("topic=a&id=earliest", (200, "earliest"), (400, "Invalid \"id\"")),
        ("topic=a&type=mercure", (200, ""), (400, "Invalid \"type\"")),
        ("topic=a&type=tidings.open", (400, "Invalid \"type\""), (400, "Invalid \"type\"")),
        ("topic=a&data=%FF", (400, "Invalid \"data\""), (400, "Invalid \"data\"")),
    ];
    within_time(move || {
        let hub = start(Delivery::Direct);
        for (form, zero, one) in cases {
            for (dialect, (status, text)) in [(Dialect::Zero, zero), (Dialect::One, one)] {
                let headers = format!("{FORM}{}", bearer(&publisher_token(dialect, &["*"])));
                let answer = hub.client().request("POST", HUB, &headers, form.as_bytes());
                let got = short(&answer);
                let is_so =
                    got.0 == status && if text.is_empty() { is_made_id(&got.1) } else { got.1.starts_with(text) };
                assert!(is_so, "{form} in {dialect:?}: got {got:?}, want {status} {text:?}");
                assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"), "{form}");
                assert!(status == 200 || got.1.ends_with('\n') && got.1.lines().count() == 1, "{form}: {got:?}");
            }
        }
    });
}

#[test]
fn only_a_form_has_fields() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let authorization = bearer(&publisher_token(Dialect::Zero, &["*"]));
        for (content_type, body) in [
            ("content-type: application/json\r\n", r#"{"topic":"a"}"#),
            ("content-type: text/plain\r\n", "topic=a"),
            ("content-type: multipart/form-data; boundary=x\r\n", "--x--"),
            ("", "topic=a"),
        ] {
            let headers = format!("{content_type}{authorization}");
            let answer = hub.client().request("POST", HUB, &headers, body.as_bytes());
            assert_eq!(short(&answer), (400, "Missing \"topic\" parameter\n".to_owned()), "{content_type}");
        }
        let in_query = hub.client().request("POST", &format!("{HUB}?topic=a"), &format!("{FORM}{authorization}"), b"");
        assert_eq!(short(&in_query), (400, "Missing \"topic\" parameter\n".to_owned()));
    });
}

#[test]
fn a_thousand_topics_are_taken_and_no_more() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let headers = format!("{FORM}{}", bearer(&publisher_token(Dialect::Zero, &["*"])));
        let form = |count: usize| (0..count).map(|number| format!("topic=t{number}&")).collect::<Vec<_>>().concat();
        assert_eq!(hub.client().request("POST", HUB, &headers, form(1000).as_bytes()).head.status, 200);
        assert_eq!(hub.client().request("POST", HUB, &headers, form(1001).as_bytes()).head.status, 400);
    });
}

#[test]
fn data_beyond_the_limit_are_refused() {
    within_time(|| {
        let limits = Limits { event_bytes_max: 1000, ..wide_limits() };
        let hub = start_as(Delivery::Direct, true, |builder| builder.limits(limits));
        let headers = format!("{FORM}{}", bearer(&publisher_token(Dialect::One, &["*"])));
        for (data, status) in [
            ("x".repeat(1000), 200),
            ("%C3%A9".repeat(500), 200),
            ("x".repeat(1001), 413),
            ("x".repeat(3_000_000), 413),
        ] {
            let form = format!("topic=a&data={data}");
            let answer = hub.client().request("POST", HUB, &headers, form.as_bytes());
            assert_eq!(answer.head.status, status, "{} bytes: {}", form.len(), answer.text());
        }
    });
}

#[test]
fn a_publisher_needs_a_grant_for_each_topic() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let scope = "insufficient_scope";
        for dialect in BOTH {
            let refused = |status_1, text_1: &'static str| match dialect {
                Dialect::Zero => (401, "Unauthorized\n"),
                Dialect::One => (status_1, text_1),
            };
            // 1.0 has no templates.
            let more = if dialect == Dialect::Zero { "https://example.com/{id}" } else { "https://example.com/1" };
            let granted = bearer(&publisher_token(dialect, &["granted", more]));
            let nothing = bearer(&publisher_token(dialect, &[]));
            let forged = bearer(&token(
                &tidings::Claims { publish: owned(&["*"]), ..of(dialect, std::time::Duration::from_hours(1)) },
                "another-secret",
            ));
            let (header, rest) = granted.split_at("authorization: ".len());
            let lower = format!("{header}{}", rest.replacen("Bearer", "bearer", 1));
            for (what, authorization, form, want, error) in [
                ("granted", &granted, "topic=granted", (200, ""), None),
                ("another", &granted, "topic=https://example.com/1", (200, ""), None),
                ("in lower case", &lower, "topic=granted", (200, ""), None),
                ("public", &granted, "topic=other", refused(403, "Forbidden\n"), Some(scope)),
                ("private", &granted, "topic=other&private", refused(403, "Forbidden\n"), Some(scope)),
                ("one of two", &granted, "topic=granted&topic=other", refused(403, "Forbidden\n"), Some(scope)),
                ("no grant", &nothing, "topic=granted", refused(403, "Forbidden\n"), Some(scope)),
                ("forged", &forged, "topic=granted", (401, "Unauthorized\n"), Some("invalid_token")),
                ("no token", &String::new(), "topic=granted", (401, "Unauthorized\n"), None),
                (
                    "no JWT",
                    &"authorization: Bearer x\r\n".to_owned(),
                    "topic=granted",
                    (401, "Unauthorized\n"),
                    Some("invalid_token"),
                ),
                (
                    "another scheme",
                    &"authorization: Basic dTpw\r\n".to_owned(),
                    "topic=granted",
                    (401, "Unauthorized\n"),
                    Some("invalid_request"),
                ),
            ] {
                let answer = hub.client().request("POST", HUB, &format!("{FORM}{authorization}"), form.as_bytes());
                let got = short(&answer);
                let case = format!("{what} in {dialect:?}");
                assert_eq!(got.0, want.0, "{case}: {got:?}");
                if want.0 == 200 {
                    assert!(is_made_id(&got.1), "{case}: {got:?}");
                    continue;
                }
                assert_eq!(got.1, want.1, "{case}");
                let challenge = answer.head.header("www-authenticate").unwrap_or("none");
                match error {
                    None => assert_eq!(challenge, CHALLENGE, "{case}"),
                    Some(error) => {
                        let want = format!("{CHALLENGE}, error=\"{error}\", error_description=\"");
                        assert!(challenge.starts_with(&want), "{case}: {challenge}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_developer_is_told_what_is_wrong_with_a_token() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let describe = |authorization: &str| {
            let headers = format!("{FORM}{authorization}");
            let answer = hub.client().request("POST", HUB, &headers, b"topic=other");
            answer.head.header("www-authenticate").unwrap_or("none").to_owned()
        };
        let granted = describe(&bearer(&publisher_token(Dialect::Zero, &["granted"])));
        assert!(granted.contains("the token has no publish grant for the topic 'other'"), "{granted}");
        let expired = tidings::Claims {
            expires_at: Some(tidings::Timestamp::from_millis(1000)),
            publish: owned(&["*"]),
            ..tidings::Claims::default()
        };
        let expired = describe(&bearer(&token(&expired, PUBLISHER_KEY)));
        assert!(expired.contains("token expired"), "{expired}");
    });
}

#[test]
fn an_update_goes_out_as_it_should_on_both_endpoints() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let (mut mercure, _) = open(&hub, &format!("{HUB}?topic=https://example.com/books/{{id}}"), "");
        let (mut plain, _) = open(&hub, "/events?topic=alternate&prime=0", "");
        let headers = format!("{FORM}{}", bearer(&publisher_token(Dialect::Zero, &["*"])));
        let form = "topic=https%3A%2F%2Fexample.com%2Fbooks%2F1&topic=alternate&data=a%0D%0Ab%0A&id=i&type=t&retry=7";
        assert_eq!(hub.client().request("POST", HUB, &headers, form.as_bytes()).head.status, 200);
        let want = "event: t\nretry: 7\nid: i\ndata: a\ndata: b\ndata: \n\n";
        for reader in [&mut mercure, &mut plain] {
            let mut text = String::new();
            while !text.contains("\n\n") {
                text.push_str(&String::from_utf8_lossy(&reader.read_some()));
            }
            assert!(text.contains(want), "{text:?}");
        }
    });
}
