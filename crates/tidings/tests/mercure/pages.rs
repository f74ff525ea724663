//! What web pages may do: facts 1.7.

use tidings::{Cors, Delivery};

use crate::support::within_time;
use crate::world::{HUB, expect_fixed_headers, open, start_as};

const APP: &str = "https://app.example";

#[test]
fn a_preflight_says_back_what_is_allowed() {
    within_time(|| {
        let cors = Cors { origins: vec![APP.into()], ..Cors::default() };
        let hub = start_as(Delivery::Direct, true, |builder| builder.cors(cors));
        for (origin, method, headers, is_allowed) in [
            (APP, "GET", "authorization, last-event-id", true),
            (APP, "POST", "Authorization,Cache-Control", true),
            (APP, "QUERY", "content-type", true),
            (APP, "HEAD", "", true),
            (APP, "PUT", "authorization", false),
            (APP, "GET", "x-other", false),
            ("https://evil.example", "GET", "authorization", false),
        ] {
            let asked = match headers {
                "" => String::new(),
                headers => format!("access-control-request-headers: {headers}\r\n"),
            };
            let asked = format!("origin: {origin}\r\naccess-control-request-method: {method}\r\n{asked}");
            let answer = hub.client().request("OPTIONS", HUB, &asked, b"");
            let case = format!("{origin} {method} {headers}");
            assert_eq!(answer.head.status, 204, "{case}");
            let want = |value: &'static str| is_allowed.then_some(value);
            assert_eq!(answer.head.header("access-control-allow-origin"), want(APP), "{case}");
            assert_eq!(answer.head.header("access-control-allow-credentials"), want("true"), "{case}");
            let echoed = is_allowed.then_some(method);
            assert_eq!(answer.head.header("access-control-allow-methods"), echoed, "{case}");
            let echoed = (is_allowed && !headers.is_empty()).then_some(headers);
            assert_eq!(answer.head.header("access-control-allow-headers"), echoed, "{case}");
            assert_eq!(answer.head.header("vary"), Some("Origin"), "{case}");
            expect_fixed_headers(&answer.head);
        }
    });
}

#[test]
fn a_page_sees_where_its_stream_goes_on() {
    within_time(|| {
        for (cors, origin, credentials) in [
            (Cors { origins: vec![APP.into()], ..Cors::default() }, APP, Some("true")),
            (Cors { any_origin: true, ..Cors::default() }, "*", None),
        ] {
            let hub = start_as(Delivery::Direct, true, |builder| builder.cors(cors));
            let (_client, head) = open(&hub, &format!("{HUB}?topic=a"), &format!("origin: {APP}\r\n"));
            assert_eq!(head.header("access-control-allow-origin"), Some(origin));
            assert_eq!(head.header("access-control-allow-credentials"), credentials);
            let exposed = "last-event-id, mercure-last-event-id, link";
            assert_eq!(head.header("access-control-expose-headers"), Some(exposed));
        }
    });
}
