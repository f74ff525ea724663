//! Publishers and readers that were written for Mercure work with this hub as they are.

use serde_json::{Value, json};
use tidings_e2e::{
    Browser, Finished, Follower, Hub, Program, Seen, publish_by_mercure_publisher, publish_by_symfony, tidings,
};

const PUBLISHER_KEY: &str = "the publishers' own key, which is long enough";
const SUBSCRIBER_KEY: &str = "the subscribers' own key, which is long enough";
const HUB_PATH: &str = "/.well-known/mercure";

/// A hub as one who comes from Mercure runs it.
#[track_caller]
fn start(delivery: &str, more: &[&str]) -> Hub {
    let keys = ["--publisher-jwt-key", PUBLISHER_KEY, "--subscriber-jwt-key", SUBSCRIBER_KEY];
    let serve = ["serve", "--memory", "--anonymous", "--delivery", delivery];
    Hub::start(&[&serve[..], &keys, more].concat())
}

#[track_caller]
fn token(key: &str, grant: &str, topic: &str) -> String {
    let minted = Program::start(&mut tidings(&["token", "--key", key, grant, topic])).finish().expect_code(0);
    minted.stdout.trim().to_owned()
}

/// What any publisher may ask for.
fn updates() -> Vec<Value> {
    vec![
        json!({ "topics": ["https://example.com/books/1"], "data": "{\"status\":\"OutOfStock\"}" }),
        json!({ "topics": ["https://example.com/books/1", "https://example.com/new"], "data": "two\nlines", "type": "price" }),
        json!({ "topics": ["https://example.com/books/1"], "data": "an own id", "id": "urn:own:1", "retry": 2500 }),
        json!({ "topics": ["https://example.com/books/1"], "data": "for some", "private": true }),
        json!({ "topics": ["https://example.com/other"], "data": "of another topic" }),
        json!({ "topics": ["https://example.com/books/1"], "data": "the last" }),
    ]
}

/// What a reader of the books must get: (data, type, is private).
const BOOKS: [(&str, &str, bool); 5] = [
    ("{\"status\":\"OutOfStock\"}", "message", false),
    ("two\nlines", "price", false),
    ("an own id", "message", false),
    ("for some", "message", true),
    ("the last", "message", false),
];

#[track_caller]
fn check_books(who: &str, seen: &[Seen], ids: &[String], sees_private: bool) {
    let want: Vec<_> = BOOKS.into_iter().filter(|(_, _, is_private)| sees_private || !is_private).collect();
    let got: Vec<_> = seen.iter().map(|seen| (&*seen.data, &*seen.event_type)).collect();
    assert_eq!(got, want.iter().map(|(data, name, _)| (*data, *name)).collect::<Vec<_>>(), "{who}");
    for Seen { id, .. } in seen {
        assert!(ids.contains(id), "{who}: {id:?} was never answered: {ids:?}");
    }
}

/// The ids that a publisher printed.
#[track_caller]
fn ids(published: Finished) -> Vec<String> {
    let published = published.expect_code(0);
    let ids: Vec<_> = published.stdout.lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), updates().len(), "{published:#?}");
    assert_eq!(ids[2], "urn:own:1", "a given id is answered");
    ids
}

#[track_caller]
fn check_publisher(delivery: &str, publish: impl Fn(&str) -> Finished) {
    let hub = start(delivery, &[]);
    let url = hub.url(&format!("{HUB_PATH}?topic=https%3A%2F%2Fexample.com%2Fbooks%2F%7Bid%7D"));
    let reader = token(SUBSCRIBER_KEY, "--subscribe", "https://example.com/books/{id}");
    let anonymous = Follower::npm("eventsource", &url, &["message", "price"], 4);
    let with_token = [
        Follower::npm_with_token(&url, &reader, &["message", "price"], 5),
        Follower::httpx_sse_with_token(&url, &reader, 5),
    ];
    anonymous.wait_until_open();
    with_token.iter().for_each(Follower::wait_until_open);
    let ids = ids(publish(&hub.url(HUB_PATH)));
    check_books("anonymous", &anonymous.wait_for_events(4), &ids, false);
    for follower in &with_token {
        check_books(follower.name(), &follower.wait_for_events(5), &ids, true);
    }
}

#[test]
fn symfony_publishes_for_all_by_the_direct_way() {
    let token = token(PUBLISHER_KEY, "--publish", "*");
    check_publisher("direct", |url| publish_by_symfony(url, &token, &updates()));
}

#[test]
fn symfony_publishes_for_all_by_the_body_way() {
    let token = token(PUBLISHER_KEY, "--publish", "*");
    check_publisher("body", |url| publish_by_symfony(url, &token, &updates()));
}

#[test]
fn mercure_publisher_publishes_for_all_by_the_direct_way() {
    check_publisher("direct", |url| publish_by_mercure_publisher(url, PUBLISHER_KEY, &updates()));
}

#[test]
fn mercure_publisher_publishes_for_all_by_the_body_way() {
    check_publisher("body", |url| publish_by_mercure_publisher(url, PUBLISHER_KEY, &updates()));
}

#[test]
fn a_publisher_without_a_good_token_is_told() {
    let hub = start("auto", &[]);
    let wrong_key = publish_by_mercure_publisher(&hub.url(HUB_PATH), SUBSCRIBER_KEY, &updates()).expect_code(1);
    assert!(wrong_key.stderr.contains("401"), "{wrong_key:#?}");
    let elsewhere = token(PUBLISHER_KEY, "--publish", "https://example.com/elsewhere");
    let no_grant = publish_by_symfony(&hub.url(HUB_PATH), &elsewhere, &updates()).expect_code(1);
    assert!(no_grant.stderr.contains("401"), "the code that 0.x answers: {no_grant:#?}");
}

/// A page of another origin, with the cookie that its backend set for the hub's host, reads private updates.
#[test]
fn a_browser_reads_across_origins_with_its_cookie() {
    let pages = Hub::start(&["serve", "--memory"]);
    let page_origin = format!("http://localhost:{}", pages.address().port());
    let hub = start("auto", &["--cors-origin", &page_origin]);
    let hub_url = format!("http://localhost:{}{HUB_PATH}", hub.address().port());
    let reader = token(SUBSCRIBER_KEY, "--subscribe", "https://example.com/books/{id}");
    let browser = Browser::start();
    // A document without a policy of its own about whom it may talk to.
    browser.open(&format!("{page_origin}/healthz"));
    let script = r"
        document.cookie = `mercureAuthorization=${arguments[1]}; path=/.well-known/mercure; SameSite=Strict`;
        const url = new URL(arguments[0]);
        url.searchParams.append('topic', 'https://example.com/books/{id}');
        window.seen = [];
        window.source = new EventSource(url, { withCredentials: true });
        const show = (text) => document.body.append(text);
        source.onopen = () => { window.isOpen = true; show('open') };
        const take = (event) => { seen.push({ type: event.type, data: event.data, id: event.lastEventId }); show('event') };
        source.onmessage = take;
        source.addEventListener('price', take);
    ";
    browser.run(script, &json!([hub_url, reader]));
    browser.wait_for("window.isOpen");
    let token = token(PUBLISHER_KEY, "--publish", "*");
    let ids = ids(publish_by_symfony(&hub.url(HUB_PATH), &token, &updates()));
    browser.wait_for("window.seen.length >= 5");
    let seen: Vec<Seen> =
        serde_json::from_value(browser.run("return window.seen", &json!([]))).expect("as written above");
    check_books("Chromium", &seen, &ids, true);
}
