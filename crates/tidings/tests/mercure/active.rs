//! Active subscriptions, as an API and as events: facts 1.9.

use serde_json::json;
use tidings::{Claims, Delivery, MercureRules};

use crate::support::client::Answer;
use crate::support::hub::TestHub;
use crate::support::reader::{Cut, Reader};
use crate::support::{eventually, over_both_ways};
use crate::world::{
    AUDIENCE, Dialect, HUB, ISSUER, SUBSCRIBER_KEY, bearer, expect_fixed_headers, of, open, owned, publish, short,
    start_as, subscriber_token, token,
};

const API: &str = "/.well-known/mercure/subscriptions";

over_both_ways!(
    subscriptions_of_0_are_json_ld,
    subscriptions_of_1_are_json,
    who_comes_and_goes_is_published,
    the_api_is_for_those_whose_token_grants_its_path,
);

fn start(delivery: Delivery) -> TestHub {
    start_as(delivery, true, |builder| {
        builder.mercure(MercureRules {
            subscriptions: true,
            audience: Some(AUDIENCE.into()),
            issuers: vec![ISSUER.into()],
        })
    })
}

fn get(hub: &TestHub, path: &str, headers: &str) -> Answer {
    hub.client().request("GET", path, headers, b"")
}

/// A token that may see all of the API and all of its events.
fn spy(dialect: Dialect) -> String {
    bearer(&subscriber_token(dialect, &["*"]))
}

fn subscriptions_of_0_are_json_ld(delivery: Delivery) {
    let hub = start(delivery);
    let empty = get(&hub, API, &spy(Dialect::Zero));
    assert_eq!(empty.head.header("etag"), Some("earliest"));
    let text = concat!(
        "{\n  \"@context\": \"https://mercure.rocks/\",\n  \"id\": \"/.well-known/mercure/subscriptions\",\n",
        "  \"type\": \"Subscriptions\",\n  \"lastEventID\": \"earliest\",\n  \"subscriptions\": []\n}"
    );
    assert_eq!(short(&empty), (200, text.to_owned()));
    assert_eq!(empty.head.header("content-type"), Some("application/ld+json"));
    expect_fixed_headers(&empty.head);

    let claims =
        Claims { payload: Some(json!({ "user": "kim" })), ..of(Dialect::Zero, std::time::Duration::from_hours(1)) };
    let (_client, _) = open(&hub, &format!("{HUB}?topic=a+b&topic={{id}}"), &bearer(&token(&claims, SUBSCRIBER_KEY)));
    let all = get(&hub, API, &spy(Dialect::Zero));
    let document = all.json();
    let subscriber = document["subscriptions"][0]["subscriber"].as_str().expect("a subscriber").to_owned();
    assert!(subscriber.starts_with("urn:uuid:") && subscriber.as_bytes()[23] == b'4', "{subscriber}");
    let escaped = subscriber.replace(':', "%3A");
    let member = |topic: &str, segment: &str| {
        json!({
            "id": format!("{API}/{segment}/{escaped}"), "type": "Subscription", "subscriber": subscriber,
            "topic": topic, "active": true, "payload": { "user": "kim" },
        })
    };
    assert_eq!(document["subscriptions"], json!([member("a b", "a+b"), member("{id}", "%7Bid%7D")]));

    let of_topic = get(&hub, &format!("{API}/a+b"), &spy(Dialect::Zero));
    assert_eq!(of_topic.json()["id"], format!("{API}/a+b"));
    assert_eq!(of_topic.json()["subscriptions"], json!([member("a b", "a+b")]));
    let unknown = get(&hub, &format!("{API}/other"), &spy(Dialect::Zero));
    assert_eq!((unknown.head.status, &unknown.json()["subscriptions"]), (200, &json!([])));

    let path = format!("{API}/a+b/{escaped}");
    let one = get(&hub, &path, &spy(Dialect::Zero));
    let etag = one.head.header("etag").expect("each answer has one").to_owned();
    let text = format!(
        "{{\n  \"@context\": \"https://mercure.rocks/\",\n  \"id\": \"{path}\",\n  \"type\": \"Subscription\",\n  \
         \"subscriber\": \"{subscriber}\",\n  \"topic\": \"a b\",\n  \"active\": true,\n  \"lastEventID\": \"{etag}\",\n  \
         \"payload\": {{\n    \"user\": \"kim\"\n  }}\n}}"
    );
    assert_eq!(short(&one), (200, text));
    assert_eq!(get(&hub, &format!("{API}/a+b/urn%3Auuid%3Ax"), &spy(Dialect::Zero)).head.status, 404);

    let known = format!("{}if-none-match: {etag}\r\n", spy(Dialect::Zero));
    assert_eq!(short(&get(&hub, &path, &known)), (304, String::new()));
    publish(&hub, "topic=x");
    assert_eq!(get(&hub, &path, &known).head.status, 200);
    // From the id of a document a reader goes on without a gap.
    let (_client, head) = open(&hub, &format!("{HUB}?topic=x&lastEventID={etag}"), "");
    assert_eq!(head.header("last-event-id"), Some(&*etag));
    assert_eq!(short(&hub.client().request("POST", API, "", b"")), (405, String::new()));
}

fn subscriptions_of_1_are_json(delivery: Delivery) {
    let hub = start(delivery);
    let payload = Some(json!({ "user": "kim" }));
    let claims = Claims { subscribe: owned(&["a b"]), payload, ..of(Dialect::One, std::time::Duration::from_hours(1)) };
    let target = format!("{HUB}?match=a%20b&match_urlpattern=/books/:id");
    let (_client, _) = open(&hub, &target, &bearer(&token(&claims, SUBSCRIBER_KEY)));
    let all = get(&hub, API, &spy(Dialect::One));
    assert_eq!(all.head.header("content-type"), Some("application/json"));
    let etag = all.head.header("etag").expect("each answer has one").to_owned();
    let id = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("it is quoted");
    let link = format!(
        "</.well-known/mercure>; rel=\"mercure\"; last-event-id=\"{id}\"; type=\"mercure\"; content-type=\"application/json\""
    );
    assert_eq!(all.head.header("link"), Some(&*link));
    let document = all.json();
    let subscriber = document["subscriptions"][0]["subscriber"].as_str().expect("a subscriber").to_owned();
    let escaped = subscriber.replace(':', "%3A");
    let want = json!({
        "id": API, "type": "subscriptions",
        "subscriptions": [
            {
                "id": format!("{API}/exact/a%20b/{escaped}"), "type": "subscription", "subscriber": subscriber,
                "match": "a b", "match_type": "exact", "active": true, "payload": { "user": "kim" },
            },
            {
                "id": format!("{API}/urlpattern/%2Fbooks%2F%3Aid/{escaped}"), "type": "subscription",
                "subscriber": subscriber, "match": "/books/:id", "match_type": "urlpattern", "active": true,
            },
        ],
    });
    assert_eq!(document, want);
    let of_matcher = get(&hub, &format!("{API}/exact/a%20b"), &spy(Dialect::One));
    assert_eq!(of_matcher.json()["subscriptions"].as_array().map(Vec::len), Some(1));
    let one = get(&hub, &format!("{API}/exact/a%20b/{escaped}"), &spy(Dialect::One));
    let text = format!(
        "{{\n  \"id\": \"{API}/exact/a%20b/{escaped}\",\n  \"type\": \"subscription\",\n  \
         \"subscriber\": \"{subscriber}\",\n  \"match\": \"a b\",\n  \"match_type\": \"exact\",\n  \"active\": true,\n  \
         \"payload\": {{\n    \"user\": \"kim\"\n  }}\n}}"
    );
    assert_eq!(short(&one), (200, text));
    let known = format!("{}if-none-match: {etag}\r\n", spy(Dialect::One));
    assert_eq!(get(&hub, API, &known).head.status, 304);
    assert_eq!(get(&hub, &format!("{API}/exact/b/{escaped}"), &spy(Dialect::One)).head.status, 404);
}

fn who_comes_and_goes_is_published(delivery: Delivery) {
    let hub = start(delivery);
    let target = format!("{HUB}?topic={API}{{/topic}}{{/subscriber}}&topic={API}{{/type}}{{/match}}{{/subscriber}}");
    let token = subscriber_token(Dialect::Zero, &["*"]);
    let mut spying = Reader::open(hub.address, format!("{target}&authorization={token}"));

    let mut zero = Reader::open(hub.address, format!("{HUB}?topic=a&authorization={token}"));
    let came = spying.next();
    assert_eq!((&*came.event_type, came.data.contains("\"active\": true")), ("message", true), "{came:?}");
    let document: serde_json::Value = serde_json::from_str(&came.data).expect("JSON");
    assert_eq!(document["@context"], "https://mercure.rocks/");
    assert_eq!((&document["topic"], &document["type"]), (&json!("a"), &json!("Subscription")));
    assert_eq!(document.get("lastEventID"), None);
    zero.cut(Cut::Fin);
    let went = spying.next();
    assert!(went.data.contains("\"active\": false"), "{went:?}");
    let gone: serde_json::Value = serde_json::from_str(&went.data).expect("JSON");
    assert_eq!(gone["id"], document["id"]);

    let mut one = Reader::open(hub.address, format!("{HUB}?match=a"));
    let came = spying.next();
    assert_eq!(&*came.event_type, "mercure", "{came:?}");
    let document: serde_json::Value = serde_json::from_str(&came.data).expect("JSON");
    assert_eq!((&document["match"], &document["active"]), (&json!("a"), &json!(true)));
    one.cut(Cut::Rst);
    assert!(spying.next().data.contains("\"active\": false"));

    // A subscriber of 0.x is not told of itself, one of 1.0 is.
    let itself = format!("{HUB}?topic=*&authorization={token}");
    let mut zero = Reader::open(hub.address, itself);
    publish(&hub, "topic=x&data=first");
    assert_eq!(zero.next_data(), "first");
    let one_token = subscriber_token(Dialect::One, &["*"]);
    let (mut one, _) = open(&hub, &format!("{HUB}?match=*"), &bearer(&one_token));
    let mut text = String::new();
    while !text.contains("\"active\": true") {
        text.push_str(&String::from_utf8_lossy(&one.read_some()));
    }
    assert!(text.contains("event: mercure\n"), "{text}");
    drop((spying, zero, one));
    eventually("all have gone", || {
        let document = get(&hub, API, &spy(Dialect::Zero)).json();
        document["subscriptions"] == json!([])
    });
}

fn the_api_is_for_those_whose_token_grants_its_path(delivery: Delivery) {
    let hub = start(delivery);
    for (what, headers, zero_status) in [
        ("anonymous", String::new(), 401),
        ("another grant", bearer(&subscriber_token(Dialect::Zero, &["a"])), 401),
        ("another grant of 1.0", bearer(&subscriber_token(Dialect::One, &["a"])), 403),
        ("its path", bearer(&subscriber_token(Dialect::Zero, &[API])), 200),
        ("a template", bearer(&subscriber_token(Dialect::Zero, &["/.well-known/mercure/subscriptions{/topic}"])), 200),
        ("its path in 1.0", bearer(&subscriber_token(Dialect::One, &[API])), 200),
    ] {
        assert_eq!(get(&hub, API, &headers).head.status, zero_status, "{what}");
    }
    let exact = |dialect| bearer(&subscriber_token(dialect, &[API]));
    assert_eq!(get(&hub, &format!("{API}?x=1"), &exact(Dialect::Zero)).head.status, 401, "the query is a part of it");
    assert_eq!(get(&hub, &format!("{API}?x=1"), &exact(Dialect::One)).head.status, 200);
    let claims = Claims { subscribe: owned(&["*"]), ..of(Dialect::Zero, std::time::Duration::from_hours(1)) };
    assert_eq!(get(&hub, API, &bearer(&token(&claims, "another-secret"))).head.status, 401);
}
