//! Web pages: which may read the answers of a hub with keys, and what a browser is answered.

use tidings::{Cors, Delivery};

use crate::support::{Has, TestHub, publisher, reader};

const APP: (&str, &str) = ("origin", "https://app.example");
const EVIL: (&str, &str) = ("origin", "https://evil.example");
const DEV: (&str, &str) = ("origin", "http://localhost:5173");

#[test]
fn credentials_are_for_listed_origins() {
    let hub = TestHub::with_keys(Delivery::Auto, Has::BOTH, |builder| {
        builder.cors(Cors { origins: vec![APP.1.to_owned()], ..Cors::default() })
    });
    let cookie = format!("tidings_token={}", reader(&["**"]));
    let check = |headers: &[(&str, &str)], want: Option<&str>| {
        let answer = hub.ask("HEAD", "/events/news", headers, "");
        let allowed = want.map(|origin| format!("access-control-allow-origin: {origin}\r\n"));
        assert!(allowed.is_none_or(|allowed| answer.head.contains(&allowed)), "{headers:?}: {}", answer.head);
        let has_credentials = answer.head.contains("access-control-allow-credentials: true\r\n");
        assert_eq!(has_credentials, want.is_some(), "{headers:?}: {}", answer.head);
        answer.status
    };
    assert_eq!(check(&[APP, ("cookie", &cookie)], Some(APP.1)), 200);
    assert_eq!(check(&[APP], Some(APP.1)), 401, "its page may read why");
    assert_eq!(check(&[EVIL, ("cookie", &cookie)], None), 200);
    assert_eq!(check(&[DEV, ("cookie", &cookie)], None), 200, "only an open hub knows loopback pages");
}

#[test]
fn a_page_that_may_read_gets_a_ticket_by_its_cookie() {
    let hub = TestHub::with_keys(Delivery::Auto, Has::BOTH, |builder| {
        builder.cors(Cors { origins: vec![APP.1.to_owned()], ..Cors::default() })
    });
    let cookie = format!("tidings_token={}", reader(&["**"]));
    let ask = |page| hub.ask("POST", "/tickets", &[page, ("cookie", &cookie)], r#"{"topics":["news"]}"#);
    ask(APP).expect(200);
    ask(EVIL).expect_problem(401, &["cookie"]);
    let cookie = format!("tidings_token={}", publisher(&["**"]));
    hub.ask("POST", "/events", &[APP, ("cookie", &cookie)], "x").expect_problem(401, &["--publish-origin"]);
}

#[test]
fn a_preflight_lets_a_page_send_its_token() {
    let hub = TestHub::with_keys(Delivery::Auto, Has::BOTH, |builder| {
        builder.cors(Cors { origins: vec![APP.1.to_owned()], ..Cors::default() })
    });
    for target in ["/events/news", "/tickets", "/renew/AAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = hub.ask("OPTIONS", target, &[APP, ("access-control-request-method", "POST")], "").expect(204);
        assert!(answer.head.contains("access-control-allow-methods: GET, POST\r\n"), "{target}: {}", answer.head);
        assert!(answer.head.contains("authorization"), "{target}: {}", answer.head);
    }
}

#[test]
fn a_browser_gets_the_real_status_of_a_bad_token() {
    let hub = TestHub::closed(Delivery::Auto);
    let agent = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)");
    let bearer = format!("Bearer {}", publisher(&["**"]));
    for headers in [&[agent][..], &[agent, ("sec-fetch-mode", "cors"), ("authorization", &bearer)]] {
        hub.try_listen("/events/news", headers).expect_err("no reader's token").expect_problem(401, &[]);
    }
}
