//! What a person sees: the hub's page in a real Chromium.
//!
//! The page's contract: events are list items in `#events`, newest first, with `data-type` and
//! `data-id` and the data in a `.data`; `#state` has `data-state` connecting, open or closed;
//! `#publish-data`, `#publish-send` and `#publish-result` are the box to publish with.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use tidings_e2e::{Browser, DEADLINE, Hub, RawStream, curl};

/// A list item of the page.
#[derive(Debug, Deserialize)]
struct Shown {
    id: String,
    data: String,
}

/// All list items, newest first.
fn shown(browser: &Browser) -> Vec<Shown> {
    let items = browser.run(
        "return [...document.querySelectorAll('#events li')].map(item => ({
            id: item.dataset.id ?? '', data: item.querySelector('.data').textContent }))",
        &json!([]),
    );
    serde_json::from_value(items).expect("the script makes items like this")
}

fn open_page(hub: &Hub) -> Browser {
    let browser = Browser::start();
    browser.open(&hub.url("/"));
    browser
}

/// Waits until the page shows an event with this data, and gives its id.
fn wait_for_shown(browser: &Browser, data: &str) -> String {
    let id = browser.wait_for(&format!(
        "[...document.querySelectorAll('#events li')]
            .find(item => item.querySelector('.data').textContent === {})?.dataset.id",
        json!(data)
    ));
    id.as_str().expect("data-id is a string").to_owned()
}

#[test]
fn the_demo_page_greets_and_then_shows_the_time_each_second() {
    let hub = Hub::start(&["demo"]);
    let browser = open_page(&hub);

    browser.wait_for("document.querySelector('#events li:last-child .data').textContent === 'Hello, World!'");
    browser.wait_for("document.querySelector('#state').dataset.state === 'open'");
    browser.wait_for("document.querySelectorAll('#events li').length >= 4");
    browser.screenshot("demo.png");

    let shown = shown(&browser);
    let (greeting, ticks) = shown.split_last().expect("there are four at least");
    assert_eq!(greeting.data, "Hello, World!");
    let millis: Vec<u64> = ticks.iter().map(|tick| tick.id.parse().expect("the id of a tick is a number")).collect();
    assert!(millis.is_sorted_by(|newer, older| newer > older), "newest first: {shown:?}");
    for (tick, millis) in ticks.iter().zip(millis) {
        // Time zones differ in hours and minutes, never in seconds.
        let seconds = format!(":{:02}", millis / 1000 % 60);
        assert!(tick.data.contains(&seconds), "the local time at {millis} ms since 1970 has {seconds:?}: {tick:?}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let age = now.as_millis().abs_diff(u128::from(millis));
        assert!(age < DEADLINE.as_millis(), "{tick:?} is {age} ms off the clock");
    }
}

#[test]
fn a_publish_by_curl_appears_on_the_page_as_text() {
    let hub = Hub::start(&["demo"]);
    let browser = open_page(&hub);
    browser.wait_for("document.querySelector('#state').dataset.state === 'open'");

    // A page that took data for HTML would run what anybody publishes.
    let data = "<img src=x onerror=\"document.title='run'\"> & <b>bold</b>";
    let answer = curl(["--fail", "--data-binary", data, &hub.url("/events")]).expect_code(0);
    let answer: serde_json::Value = serde_json::from_str(&answer.stdout).expect("a publish is answered with JSON");

    assert_eq!(wait_for_shown(&browser, data), answer["id"]);
    assert_eq!(answer["topic"], "default");
    let images = browser.run("return document.querySelectorAll('#events img, #events b').length", &json!([]));
    assert_eq!(images, 0, "elements made from data");
}

#[test]
fn the_box_on_the_page_publishes() {
    let hub = Hub::start(&["demo"]);
    let browser = open_page(&hub);
    browser.wait_for("document.querySelector('#state').dataset.state === 'open'");

    browser.fill("#publish-data", "from the box");
    browser.click("#publish-send");

    let id = wait_for_shown(&browser, "from the box");
    browser.wait_for(&format!("document.querySelector('#publish-result').textContent.includes({})", json!(id)));
    browser.screenshot("publish.png");
}

#[test]
fn the_page_goes_on_by_itself_when_the_hub_comes_back() {
    let mut hub = Hub::start(&["demo"]);
    let browser = open_page(&hub);
    browser.wait_for("document.querySelectorAll('#events li').length >= 2");
    browser.run(
        "window.isTheSamePage = true;
         window.states = [];
         const state = document.querySelector('#state');
         new MutationObserver(() => window.states.push(state.dataset.state))
             .observe(state, { attributes: true, attributeFilter: ['data-state'] });",
        &json!([]),
    );

    hub.stop();
    browser.wait_for("document.querySelector('#state').dataset.state === 'connecting'");
    let newest_before: u64 = shown(&browser)[0].id.parse().expect("the id of a tick is a number");
    hub.start_again();

    browser.wait_for(&format!(
        "[...document.querySelectorAll('#events li')]
            .filter(item => Number(item.dataset.id) > {newest_before}).length >= 2"
    ));
    browser.wait_for("document.querySelector('#state').dataset.state === 'open'");
    let states = browser.run("return window.isTheSamePage && window.states", &json!([]));
    let states: Vec<String> = serde_json::from_value(states).expect("nobody loaded the page again");
    assert!(!states.iter().any(|state| state == "closed"), "its EventSource never gave up: {states:?}");
}

#[test]
fn a_temporary_refusal_does_not_end_an_event_source() {
    // The page comes from a hub of its own, so that no idle connection of the browser holds or
    // finds a place in the full one.
    let home = Hub::start(&["serve", "--memory"]);
    let browser = Browser::start();
    browser.open(&home.url("/healthz"));

    let hub = Hub::start(&["serve", "--memory", "--max-connections", "3"]);
    hub.publish("/events/kept", "there is room");
    let readers = fill(&hub, 3);

    browser.follow("late", &hub.url("/events/kept?last=10"), &["message"]);
    let refused = browser.wait_for_source("late", "source.errors >= 1");
    assert_eq!(refused["events"], json!([]), "there was no room: {refused:#}");

    drop(readers);
    let events = browser.wait_for_events("late", 1);
    assert_eq!(events[0].data, "there is room");
    let admitted = browser.wait_for_source("late", "true");
    let states: Vec<u8> =
        serde_json::from_value(admitted["states"].clone()).expect("the script notes readyState as a number");
    assert!(states.iter().all(|&state| state == EVENT_SOURCE_CONNECTING), "readyState at each error: {states:?}");
}

/// `EventSource.CONNECTING`: it will try again. At 2 (`CLOSED`) it never does.
const EVENT_SOURCE_CONNECTING: u8 = 0;

/// Subscribes until `count` readers are in and one more is told to come back later.
fn fill(hub: &Hub, count: usize) -> Vec<RawStream> {
    let deadline = Instant::now() + DEADLINE;
    let mut readers = Vec::new();
    loop {
        let mut reader = RawStream::get(hub.address(), "/events/other", &[]);
        match reader.status() {
            200 => readers.push(reader),
            429 | 503 if readers.len() == count => {
                let head = String::from_utf8_lossy(&reader.read_to_end()).to_lowercase();
                assert!(head.contains("\r\nretry-after: "), "{head}");
                return readers;
            }
            // A connection that has just ended may hold its place a moment longer.
            429 | 503 => assert!(Instant::now() < deadline, "{} are in", readers.len()),
            status => panic!("status {status} for reader {}", readers.len()),
        }
        assert!(readers.len() <= count, "{} readers with --max-connections {count}", readers.len());
    }
}

#[test]
fn a_browser_that_fetched_the_page_is_served_by_the_direct_way() {
    let hub = Hub::start(&["demo", "--admin-listen", "127.0.0.1:0"]);
    let browser = open_page(&hub);
    browser.wait_for("document.querySelectorAll('#events li').length >= 2");

    let joined = |way: &str| hub.metric(&format!("tidings_sessions_joined_total{{way=\"{way}\"}}"));
    assert!(joined("direct") >= 1.0, "{}", joined("direct"));
    assert!(joined("body") < 1.0, "{}", joined("body"));
}
