//! Methods, paths, headers, metadata, health and metrics: facts 1.1, 1.2 and 1.11.

use tidings::{Access, Delivery, MercureRules};

use crate::support::hub::TestHub;
use crate::support::{eventually, within_time};
use crate::world::{
    AUDIENCE, Dialect, FORM, HUB, ISSUER, authority, bearer, expect_fixed_headers, publish, publisher_token,
    serve_admin, short, start, start_as, subscriber_token,
};

#[test]
fn other_methods_and_paths_have_nothing() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        for (method, path, status, text) in [
            ("PUT", HUB, 405, ""),
            ("DELETE", HUB, 405, ""),
            ("PATCH", HUB, 405, ""),
            ("OPTIONS", HUB, 405, ""),
            ("GET", "/.well-known/mercure/", 404, "404 page not found\n"),
            ("POST", "/.well-known/mercure/", 404, "404 page not found\n"),
            ("GET", "/.well-known/mercure/ui/", 404, "404 page not found\n"),
            ("GET", "/.well-known/mercure/subscriptions", 404, "404 page not found\n"),
            ("POST", "/.well-known/mercure/subscriptions", 404, "404 page not found\n"),
            ("POST", "/.well-known/oauth-protected-resource/.well-known/mercure", 405, ""),
        ] {
            let answer = hub.client().request(method, path, "", b"");
            assert_eq!(short(&answer), (status, text.to_owned()), "{method} {path}");
            assert_eq!(answer.head.header("allow"), None, "{method} {path}");
            let content_type = (!text.is_empty()).then_some("text/plain; charset=utf-8");
            assert_eq!(answer.head.header("content-type"), content_type, "{method} {path}");
            expect_fixed_headers(&answer.head);
        }
    });
}

#[test]
fn head_has_the_headers_of_a_stream_and_no_subscriber() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let mut client = hub.client();
        let answer = client.request("HEAD", &format!("{HUB}?topic=a"), "last-event-id: earliest\r\n", b"");
        assert_eq!(answer.head.status, 200);
        assert_eq!(answer.head.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.head.header("last-event-id"), Some("earliest"));
        expect_fixed_headers(&answer.head);
        // It has ended: the connection is free for the next request.
        assert_eq!(client.request("PUT", HUB, "", b"").head.status, 405);
        assert_eq!(hub.counters().joined_direct.get() + hub.counters().joined_body.get(), 0);
    });
}

#[test]
fn what_nobody_can_do_is_no_method() {
    within_time(|| {
        let access = Access { is_open: false, allows_anonymous: false, lifts_protection: false };
        let hub = TestHub::start(Delivery::Direct, |builder| builder.access(access).authority(authority(false)));
        let with_token = bearer(&subscriber_token(Dialect::Zero, &["*"]));
        let answer = hub.client().request("GET", &format!("{HUB}?topic=a"), &with_token, b"");
        assert_eq!(short(&answer), (405, String::new()));
        assert_eq!(short(&hub.client().request("GET", &format!("{HUB}?topic=a"), "", b"")), (405, String::new()));
        let answer = hub.client().request("POST", HUB, FORM, b"topic=a");
        assert_eq!(short(&answer), (401, "Unauthorized\n".to_owned()));
    });
}

#[test]
fn metadata_tell_what_token_to_bring() {
    const PATH: &str = "/.well-known/oauth-protected-resource/.well-known/mercure";
    within_time(|| {
        let hub = start_as(Delivery::Direct, false, |builder| {
            builder.mercure(MercureRules {
                subscriptions: true,
                audience: Some(AUDIENCE.into()),
                issuers: vec![ISSUER.into()],
            })
        });
        let answer = hub.client().request("GET", PATH, "", b"");
        assert_eq!(answer.head.header("content-type"), Some("application/json"));
        expect_fixed_headers(&answer.head);
        let want = serde_json::json!({
            "resource": AUDIENCE,
            "bearer_methods_supported": ["header"],
            "authorization_servers": [ISSUER],
            "authorization_details_types_supported": ["https://mercure.rocks/authorization-detail"],
            "mercure_cookie": "__Secure-mercure_access_token",
            "mercure_subscriptions": true,
            "mercure_matcher_types_supported": ["exact", "urlpattern"],
        });
        assert_eq!(answer.json(), want);
        // Without an audience it is called what it was asked as.
        let open = TestHub::start(Delivery::Direct, |builder| builder);
        let answer = open.client().request("GET", PATH, "", b"");
        assert_eq!(answer.json()["resource"], format!("http://{}{HUB}", open.address));
        assert_eq!(answer.json().get("mercure_subscriptions"), None);
        assert_eq!(answer.json().get("authorization_servers"), None);
    });
}

#[test]
fn the_guard_speaks_plain_text_here() {
    within_time(|| {
        let hub = TestHub::start(Delivery::Direct, |builder| builder);
        for (method, headers, status) in
            [("GET", "via: 1.1 proxy\r\n", 403), ("POST", "origin: https://evil.example\r\n", 403)]
        {
            let answer = hub.client().request(method, &format!("{HUB}?topic=a"), headers, b"");
            assert_eq!(answer.head.status, status, "{method} {headers}");
            assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"));
            assert!(answer.text().ends_with('\n') && answer.text().lines().count() == 1, "{:?}", answer.text());
        }
    });
}

#[test]
fn while_it_shuts_down_it_sends_everybody_away_for_a_while() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        hub.block_on(hub.hub.drain(std::time::Duration::ZERO));
        let target = format!("{HUB}?topic=a");
        let reader = hub.client().request("GET", &target, "", b"");
        assert_eq!(short(&reader), (503, "Service Unavailable\n".to_owned()));
        assert!(reader.head.header("retry-after").is_some(), "{:?}", reader.head);
        let publisher = format!("{FORM}{}", bearer(&publisher_token(Dialect::Zero, &["*"])));
        let publisher = hub.client().request("POST", HUB, &publisher, b"topic=a");
        assert_eq!(short(&publisher), (503, "Service Unavailable\n".to_owned()));
        // Any other status than 200 would end its `EventSource` for good.
        let browser = hub.client().request("GET", &target, "sec-fetch-mode: cors\r\n", b"");
        assert_eq!(browser.head.status, 200, "{:?}", browser.head);
        assert!(browser.text().starts_with("retry: "), "{:?}", browser.text());
        expect_fixed_headers(&browser.head);
    });
}

#[test]
fn the_admin_listener_has_mercures_health_and_metrics() {
    within_time(|| {
        let hub = start(Delivery::Direct);
        let admin = serve_admin(&hub);
        let ask = |path: &str| crate::support::client::Client::connect(admin).request("GET", path, "", b"");
        for path in [
            "/mercure/health/ready",
            "/mercure/health/live",
            "/mercure/health/default/ready",
            "/mercure/health/any-name/live",
        ] {
            let answer = ask(path);
            assert_eq!(short(&answer), (200, r#"{"status":"ok"}"#.to_owned()), "{path}");
            assert_eq!(answer.head.header("content-type"), Some("application/json"), "{path}");
        }
        publish(&hub, "topic=a&data=x");
        let (_reader, _) = crate::world::open(&hub, &format!("{HUB}?topic=a"), "");
        for line in ["mercure_subscribers_connected 1", "mercure_subscribers_total 1", "mercure_updates_total 1"] {
            eventually(line, || ask("/metrics").text().lines().any(|other| other == line));
        }
        hub.block_on(hub.hub.drain(std::time::Duration::ZERO));
        let error = r#"{"status":"error","error":"transport health check failed"}"#;
        assert_eq!(short(&ask("/mercure/health/ready")), (503, error.to_owned()));
        assert_eq!(short(&ask("/mercure/health/live")), (200, r#"{"status":"ok"}"#.to_owned()));
    });
}
