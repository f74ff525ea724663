//! What publishers are told of their tokens.

use std::time::Duration;

use tidings::{Algorithm, Claims, Delivery, KeySource, mint};

use crate::support::{Has, PUBLISHER_KEY, TestHub, now, publisher, reader, sign};

#[test]
fn a_publisher_is_told_what_is_wrong_with_its_token() {
    let hub = TestHub::closed(Delivery::Auto);
    let check = |token: &str, status: u16, words: &[&str], challenge: &str| {
        let answer = hub.ask_as(token, "POST", "/events/chat/42", "x");
        answer.expect_problem(status, words);
        let want = format!("www-authenticate: Bearer error=\"{challenge}\"\r\n");
        assert!(answer.head.contains(&want), "{}", answer.head);
        assert!(!answer.body.contains(token), "{}", answer.body);
    };
    let grants = Claims { publish: vec!["chat/*".to_owned()], ..Claims::default() };
    let ended = Claims { expires_at: Some(now().saturating_sub(Duration::from_mins(3))), ..grants.clone() };
    check(&sign(&ended, PUBLISHER_KEY), 401, &["expired 3 min ago"], "invalid_token");
    let other = KeySource::new(PUBLISHER_KEY, Algorithm::Hs512);
    check(&mint(&grants, &other).expect("good claims"), 401, &["HS512", "HS256"], "invalid_token");
    check(&sign(&grants, "another key"), 401, &["signature"], "invalid_token");
    check("nonsense", 401, &["not a JWT"], "invalid_token");
    check(&publisher(&["news", "chat/1"]), 403, &["no publish grant for the topic", "chat/42"], "insufficient_scope");
    check(&publisher(&[]), 403, &["no publish grant"], "insufficient_scope");
    check(&reader(&["**"]), 401, &["signature"], "invalid_token");
}

#[test]
fn the_places_of_a_token_have_an_order() {
    let hub = TestHub::closed(Delivery::Auto);
    let good = publisher(&["**"]);
    let (bearer, cookie) = (format!("Bearer {good}"), format!("tidings_token={good}"));
    let (basic, query) = (("authorization", "Basic dTpw"), format!("/events?access_token={good}"));
    let app = ("origin", "https://app.example");
    let check = |hub: &TestHub, target: &str, headers: &[(&str, &str)], status: u16| {
        assert_eq!(hub.ask("POST", target, headers, "x").status, status, "{target} {headers:?}");
    };
    check(&hub, "/events", &[("authorization", &bearer)], 200);
    check(&hub, "/events", &[basic], 401);
    check(&hub, "/events", &[("authorization", &bearer), ("authorization", &bearer)], 401);
    check(&hub, &query, &[], 401);
    // A bad header is not passed over for a good cookie.
    check(&hub, "/events", &[basic, ("cookie", &cookie), app], 401);

    let hub = TestHub::with_keys(Delivery::Auto, Has::BOTH, |builder| {
        let tokens = tidings::TokenRules { in_query: true, cookie_name: "auth".to_owned(), ..Default::default() };
        builder.tokens(tokens).publish_origins(vec!["https://app.example".to_owned()])
    });
    check(&hub, &query, &[], 200);
    check(&hub, "/events", &[("cookie", &cookie), app], 401);
    check(&hub, "/events", &[("cookie", &format!("a=b; auth={good}; c=d")), app], 200);
}

#[test]
fn a_cookie_publishes_from_listed_pages_only() {
    let hub = TestHub::with_keys(Delivery::Auto, Has { anonymous: true, ..Has::BOTH }, |builder| {
        builder.publish_origins(vec!["https://app.example".to_owned()])
    });
    let cookie = format!("tidings_token={}", publisher(&["**"]));
    let check = |method: &str, headers: &[(&str, &str)], status: u16| {
        let headers = [&[("cookie", &*cookie)], headers].concat();
        let answer = hub.ask(method, "/events/news", &headers, "x");
        assert_eq!(answer.status, status, "{method} {headers:?}: {answer:?}");
        answer
    };
    check("POST", &[("origin", "https://app.example")], 200);
    check("DELETE", &[("origin", "https://app.example")], 204);
    check("POST", &[], 401).expect_problem(401, &["cookie", "--publish-origin"]);
    check("POST", &[("origin", "https://evil.example")], 401).expect_problem(401, &["cookie", "evil.example"]);
    check("DELETE", &[("origin", "null")], 401);
    // To read it needs none: what a foreign page may see of an answer CORS decides.
    let cookie = format!("tidings_token={}", reader(&["**"]));
    hub.listen("/events/news", &[("cookie", &cookie), ("origin", "https://evil.example")]);
}

#[test]
fn each_line_of_a_batch_needs_a_grant() {
    let hub = TestHub::closed(Delivery::Auto);
    let bearer = format!("Bearer {}", publisher(&["chat/*"]));
    let headers = [("authorization", &*bearer), ("content-type", "application/x-ndjson")];
    let lines = "{\"topic\":\"chat/1\",\"data\":\"a\"}\n{\"topic\":\"news\",\"data\":\"b\"}\n{\"topic\":\"chat/2\",\"data\":\"c\"}\n";
    let answer = hub.ask("POST", "/events", &headers, lines).expect(200);
    let answers: Vec<serde_json::Value> =
        answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(answers[0]["id"].is_string() && answers[2]["id"].is_string(), "{answers:?}");
    assert!(answers[1].to_string().contains("no publish grant"), "{answers:?}");
    hub.ask("POST", "/events", &headers[1..], lines).expect_problem(401, &["no token"]);
}

#[test]
fn an_idempotency_key_is_its_subjects_own() {
    let hub = TestHub::closed(Delivery::Auto);
    let publish = |subject: &str| {
        let claims =
            Claims { publish: vec!["news".to_owned()], subject: Some(subject.to_owned()), ..Claims::default() };
        let bearer = format!("Bearer {}", sign(&claims, PUBLISHER_KEY));
        let headers = [("authorization", &*bearer), ("idempotency-key", "k")];
        hub.ask("POST", "/events/news", &headers, "x").expect(200).json()["id"].to_string()
    };
    let (ann, bob) = (publish("ann"), publish("bob"));
    assert_ne!(ann, bob);
    assert_eq!(publish("ann"), ann);
}

#[test]
fn deleting_needs_a_publish_grant() {
    let hub = TestHub::closed(Delivery::Auto);
    hub.publish("news", "x", false);
    hub.ask("DELETE", "/events/news", &[], "").expect_problem(401, &["no token"]);
    hub.ask_as(&publisher(&["chat/*"]), "DELETE", "/events/news", "").expect_problem(403, &["news"]);
    hub.ask_as(&publisher(&["news"]), "DELETE", "/events/news", "").expect(204);
}
