//! Open or closed: which keys let whom in.

use tidings::{Claims, Delivery};

use crate::support::{Has, TestHub, publisher, reader, sign};

/// Status codes: publish without and with a token, listen without, with a good and with a bad token.
#[track_caller]
fn check(hub: &TestHub, case: &str, want: [u16; 5]) {
    let bad = sign(&Claims::default(), "another secret than any of the hub's");
    let listen = |token: Option<&str>| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", &**bearer)).collect();
        hub.try_listen("/events/news", &headers).map_or_else(|answer| answer.status, |_stream| 200)
    };
    let got = [
        hub.ask("POST", "/events/news", &[], "x").status,
        hub.ask_as(&publisher(&["news"]), "POST", "/events/news", "x").status,
        listen(None),
        listen(Some(&reader(&["news"]))),
        listen(Some(&bad)),
    ];
    assert_eq!(got, want, "{case}");
}

#[test]
fn keys_decide_who_may_do_what() {
    let hub = TestHub::start(Delivery::Auto, |builder| builder);
    check(&hub, "no key: open to all, and tokens are not looked at", [200, 200, 200, 200, 200]);
    for (publisher, subscriber, anonymous, want) in [
        (true, true, false, [401, 200, 401, 200, 401]),
        (true, true, true, [401, 200, 200, 200, 401]),
        // With only one key the other action is closed, not open; without a key for it no token is good.
        (true, false, false, [401, 200, 401, 401, 401]),
        (true, false, true, [401, 200, 200, 401, 401]),
        (false, true, false, [401, 401, 401, 200, 401]),
        (false, true, true, [401, 401, 200, 200, 401]),
        (false, false, false, [401, 401, 401, 401, 401]),
        (false, false, true, [401, 401, 200, 401, 401]),
    ] {
        let has = Has { publisher, subscriber, anonymous };
        check(&TestHub::with_keys(Delivery::Auto, has, |builder| builder), &format!("{has:?}"), want);
    }
}

#[test]
fn a_closed_hub_says_what_it_wants() {
    let hub = TestHub::with_keys(Delivery::Auto, Has { subscriber: false, ..Has::BOTH }, |builder| builder);
    let answer = hub.ask("POST", "/events/news", &[], "x");
    answer.expect_problem(401, &["brings no token", "Authorization: Bearer"]);
    assert!(answer.head.contains("www-authenticate: Bearer\r\n"), "{}", answer.head);
    let answer = hub.try_listen("/events/news", &[]).expect_err("nobody may listen");
    answer.expect_problem(401, &["nobody may subscribe", "--subscriber-jwt-key"]);
    // The rest of the hub is for all.
    for target in ["/healthz", "/readyz"] {
        assert_eq!(hub.ask("HEAD", target, &[], "").status, 200, "{target}");
    }
}

#[test]
fn a_closed_hub_answers_any_host_and_behind_any_proxy() {
    let hub = TestHub::closed(Delivery::Auto);
    let bearer = format!("Bearer {}", publisher(&["news"]));
    let headers = [("authorization", &*bearer), ("x-forwarded-for", "10.0.0.1"), ("origin", "https://app.example")];
    hub.ask("POST", "/events/news", &headers, "x").expect(200);
}
