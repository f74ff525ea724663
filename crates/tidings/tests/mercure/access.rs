//! Where tokens stand and what they allow a subscriber: facts 1.6.

use std::time::Duration;

use tidings::{Claims, CloseReason, Delivery};

use crate::support::reader::Reader;
use crate::support::{eventually_equal, over_both_ways};
use crate::world::{
    CHALLENGE, Dialect, FORM, HUB, SUBSCRIBER_KEY, bearer, of, open, owned, publish, publisher_token, short, start,
    start_as, subscriber_token, token,
};

over_both_ways!(
    a_token_has_its_places_in_their_order,
    a_bad_token_is_never_taken_for_none,
    a_cookie_publishes_from_known_pages_only,
    a_closed_hub_wants_a_token_to_subscribe,
    a_stream_ends_with_its_token,
);

/// Does a reader who brings its token so get private updates?
fn sees_private(hub: &crate::support::hub::TestHub, query: &str, headers: &str) -> bool {
    let (mut client, _) = open(hub, &format!("{HUB}?topic=a{query}"), headers);
    publish(hub, "topic=a&private&data=secret");
    publish(hub, "topic=a&data=public");
    let mut text = String::new();
    while !text.contains("data: public\n") {
        text.push_str(&String::from_utf8_lossy(&client.read_some()));
    }
    text.contains("secret")
}

fn a_token_has_its_places_in_their_order(delivery: Delivery) {
    let hub = start(delivery);
    let yes = subscriber_token(Dialect::Zero, &["a"]);
    let no = subscriber_token(Dialect::Zero, &["b"]);
    for (query, headers, want) in [
        (String::new(), bearer(&yes), true),
        (String::new(), bearer(&no), false),
        (format!("&authorization={yes}"), String::new(), true),
        (format!("&authorization={no}"), bearer(&yes), true),
        (format!("&authorization={yes}"), bearer(&no), false),
        (String::new(), format!("cookie: mercureAuthorization={yes}\r\n"), true),
        (String::new(), format!("cookie: x=1; __Secure-mercure_access_token={yes}\r\n"), true),
        (format!("&authorization={no}"), format!("cookie: mercureAuthorization={yes}\r\n"), false),
        (String::new(), format!("{}cookie: mercureAuthorization={yes}\r\n", bearer(&no)), false),
        (String::new(), "cookie: other=x\r\n".to_owned(), false),
    ] {
        assert_eq!(sees_private(&hub, &query, &headers), want, "{query} {headers}");
    }
}

fn a_bad_token_is_never_taken_for_none(delivery: Delivery) {
    let hub = start(delivery); // where whoever brings none is let in
    let good = subscriber_token(Dialect::Zero, &["*"]);
    let expired = Claims { expires_at: Some(tidings::Timestamp::from_millis(1)), ..Claims::default() };
    let mut unsigned: Vec<&str> = good.split('.').collect();
    unsigned[2] = "";
    for headers in [
        bearer("x"),
        bearer(""),
        bearer(&unsigned.join(".")),
        bearer(&token(&expired, SUBSCRIBER_KEY)),
        bearer(&publisher_token(Dialect::Zero, &["*"])), // signed with the other key
        "authorization: Basic dTpw\r\n".to_owned(),
        format!("{}{}", bearer(&good), bearer(&good)),
        format!("{}cookie: mercureAuthorization={good}\r\n", bearer("x")),
        "cookie: mercureAuthorization=x\r\n".to_owned(),
    ] {
        let answer = hub.client().request("GET", &format!("{HUB}?topic=a"), &headers, b"");
        assert_eq!(short(&answer), (401, "Unauthorized\n".to_owned()), "{headers}");
        assert!(answer.head.header("www-authenticate").is_some_and(|challenge| challenge.starts_with(CHALLENGE)));
    }
}

fn a_cookie_publishes_from_known_pages_only(delivery: Delivery) {
    let hub = start_as(delivery, true, |builder| {
        builder.publish_origins(vec!["https://app.example".into(), "https://*.shop.example".into()])
    });
    let cookie = format!("cookie: mercureAuthorization={}\r\n", publisher_token(Dialect::Zero, &["*"]));
    let cookie_1 = cookie.replace("mercureAuthorization", "__Secure-mercure_access_token");
    let answer = hub.client().request("POST", HUB, &format!("{FORM}{cookie_1}"), b"topic=a");
    assert_eq!(short(&answer), (400, "Bad Request\n".to_owned()), "whoever brings the cookie of 1.0 speaks it");
    for (headers, status) in [
        ("", 401),
        ("origin: https://app.example\r\n", 200),
        ("origin: https://one.shop.example\r\n", 200),
        ("origin: https://evil.example\r\n", 401),
        ("referer: https://app.example/page?x=1\r\n", 200),
        ("referer: https://evil.example/https://app.example\r\n", 401),
        ("origin: null\r\n", 401),
    ] {
        let answer = hub.client().request("POST", HUB, &format!("{FORM}{cookie}{headers}"), b"topic=a");
        assert_eq!(answer.head.status, status, "{headers}: {}", answer.text());
    }
}

fn a_closed_hub_wants_a_token_to_subscribe(delivery: Delivery) {
    let hub = start_as(delivery, false, |builder| builder);
    let answer = hub.client().request("GET", &format!("{HUB}?topic=a"), "", b"");
    assert_eq!(short(&answer), (401, "Unauthorized\n".to_owned()));
    assert_eq!(answer.head.header("www-authenticate"), Some(CHALLENGE));
    for dialect in [Dialect::Zero, Dialect::One] {
        // A token without a grant reads what is public.
        open(&hub, &format!("{HUB}?topic=a"), &bearer(&subscriber_token(dialect, &[])));
    }
}

fn a_stream_ends_with_its_token(delivery: Delivery) {
    let hub = start(delivery);
    let claims = Claims { subscribe: owned(&["*"]), ..of(Dialect::Zero, Duration::from_secs(3)) };
    let target = format!("{HUB}?topic=a&authorization={}", token(&claims, SUBSCRIBER_KEY));
    let mut reader = Reader::open(hub.address, target);
    reader.end();
    eventually_equal("ended for its token", &1, || hub.counters().closed(CloseReason::TokenEnded).get());
}
