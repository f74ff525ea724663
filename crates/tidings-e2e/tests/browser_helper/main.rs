//! The browser helper `/tidings.js` in a real Chromium: one connection for all tabs, and nothing lost or doubled when tabs
//! come, go, lead, sleep, load again or change what they read.

mod by_hand;
mod relay;
mod scripted;
mod tabs;

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tidings_e2e::{Browser, DEADLINE, Hub, Program, artifact, request, tidings};

use relay::Relay;
use tabs::{Home, connect, data, listen, listen_too, streams, streams_begun, value, wait_for_got, wait_for_got_too};

fn start_hub() -> Hub {
    Hub::start(&["serve", "--memory", "--admin-listen", "127.0.0.1:0"])
}

/// A page of the hub that has no stream of its own.
const PAGE: &str = "/healthz";

fn numbered(name: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{name} {number}")).collect()
}

fn publish_numbered(hub: &Hub, topic: &str, numbers: std::ops::Range<usize>) {
    for data in numbered(topic, numbers) {
        hub.publish(&format!("/events/{topic}"), &data);
    }
}

/// Waits until the hub serves this many streams. It learns late of a reader that has gone.
#[track_caller]
fn wait_for_streams(hub: &Hub, count: f64) {
    let deadline = Instant::now() + DEADLINE;
    while (streams(hub) - count).abs() > 0.5 {
        assert!(Instant::now() < deadline, "{} streams, expected {count}", streams(hub));
    }
}

#[test]
fn the_helper_is_smaller_than_4_kb_gzipped() {
    let hub = start_hub();
    let helper = request(hub.address(), "GET", "/tidings.js", &[], b"");
    assert_eq!(helper.header("content-type"), Some("text/javascript; charset=utf-8"), "{}", helper.head);
    let file = artifact("tidings.js");
    std::fs::write(&file, &helper.body).expect("the folder of artifacts is writable");
    let zipped = Command::new("gzip").args(["-9", "-c"]).arg(&file).output().expect("gzip is installed");
    assert!(zipped.status.success(), "{zipped:?}");
    assert!((1_000..4_096).contains(&zipped.stdout.len()), "{} bytes", zipped.stdout.len());

    let types = request(hub.address(), "GET", "/tidings.d.ts", &[], b"");
    assert!(types.text().contains("export function connect("), "{}", types.text());
}

fn seven_tabs_share_one_connection(home: Home) {
    let hub = start_hub();
    let browser = Browser::start();
    let tabs: Vec<String> = (0..7)
        .map(|_| {
            let tab = browser.new_tab();
            listen(&browser, &hub.url(PAGE), home, &["news"]);
            tab
        })
        .collect();
    publish_numbered(&hub, "news", 0..50);
    for tab in &tabs {
        browser.go_to_tab(tab);
        assert_eq!(data(&wait_for_got(&browser, "news 49")), numbered("news", 0..50), "{home:?}");
    }
    assert!((streams(&hub) - 1.0).abs() < 0.5, "{home:?}: {} streams", streams(&hub));
    assert!((streams_begun(&hub) - 1.0).abs() < 0.5, "{home:?}: {} streams begun", streams_begun(&hub));
}

#[test]
fn seven_tabs_share_the_connection_of_a_worker() {
    seven_tabs_share_one_connection(Home::Worker);
}

#[test]
fn seven_tabs_share_the_connection_of_a_tab_where_workers_are_not_shared() {
    seven_tabs_share_one_connection(Home::Tab);
}

#[test]
fn without_web_locks_each_tab_is_for_itself() {
    let hub = start_hub();
    let browser = Browser::start();
    for _ in 0..2 {
        browser.new_tab();
        browser.open(&hub.url(PAGE));
        browser.run("Object.defineProperty(navigator, 'locks', { value: undefined })", &json!([]));
        connect(&browser, Home::Tab, &["news"]);
        hub.publish("/events/news", "good");
        assert_eq!(data(&wait_for_got(&browser, "good")), ["good"]);
    }
    wait_for_streams(&hub, 2.0);
}

#[test]
fn another_tab_leads_when_the_one_that_led_is_closed() {
    let hub = start_hub();
    let browser = Browser::start();
    let tabs: Vec<String> = (0..3)
        .map(|_| {
            let tab = browser.new_tab();
            listen(&browser, &hub.url(PAGE), Home::Tab, &["news"]);
            tab
        })
        .collect();
    publish_numbered(&hub, "news", 0..10);
    browser.go_to_tab(&tabs[0]);
    wait_for_got(&browser, "news 9");

    thread::scope(|scope| {
        let publishing = scope.spawn(|| publish_numbered(&hub, "news", 10..300));
        browser.close_tab();
        publishing.join().expect("each publish is accepted");
    });
    browser.go_to_tab(&tabs[2]); // a tab to look at first, whichever leads now
    hub.publish("/events/news", "news 300");
    for tab in tabs[1..].iter().rev() {
        browser.go_to_tab(tab);
        assert_eq!(data(&wait_for_got(&browser, "news 300")), numbered("news", 0..301));
        assert_eq!(value(&browser, "told"), json!([]), "nothing was lost");
    }
    wait_for_streams(&hub, 1.0);
}

fn wakes_up(home: Home, before: &str, wake: &str) {
    let hub = start_hub();
    let relay = Relay::start(hub.address());
    let browser = Browser::start();
    browser.open(&relay.url(PAGE));
    browser.run(before, &json!([]));
    connect(&browser, home, &["news"]);
    publish_numbered(&hub, "news", 0..3);
    wait_for_got(&browser, "news 2");

    relay.go_dead();
    publish_numbered(&hub, "news", 3..6);
    browser.run(wake, &json!([]));
    assert_eq!(data(&wait_for_got(&browser, "news 5")), numbered("news", 0..6), "{home:?}");
    assert_eq!(value(&browser, "told"), json!([]), "nothing was lost");
}

#[test]
fn a_network_that_comes_back_is_noticed() {
    wakes_up(Home::Worker, "", "dispatchEvent(new Event('online'))");
}

#[test]
fn a_machine_that_slept_notices_by_its_clock() {
    // The ticks of the test come sooner; the clock that they look at is as ever.
    let hurry = "const interval = setInterval; window.setInterval = (run, ms) => interval(run, ms / 100);";
    wakes_up(Home::Tab, hurry, "const now = Date.now; Date.now = () => now() + 600_000;");
}

fn goes_on_after_a_reload(home: Home, has_another: bool) {
    let hub = start_hub();
    let browser = Browser::start();
    let another = has_another.then(|| {
        let tab = browser.new_tab();
        listen(&browser, &hub.url(PAGE), home, &["news"]);
        browser.new_tab();
        tab
    });
    listen(&browser, &hub.url(PAGE), home, &["news"]);
    publish_numbered(&hub, "news", 0..5);
    wait_for_got(&browser, "news 4");

    browser.reload();
    publish_numbered(&hub, "news", 5..10);
    connect(&browser, home, &["news"]);
    publish_numbered(&hub, "news", 10..15);
    assert_eq!(data(&wait_for_got(&browser, "news 14")), numbered("news", 5..15), "{home:?}, {another:?}");
    assert_eq!(value(&browser, "told"), json!([]), "nothing was lost");
    if let Some(another) = another {
        browser.go_to_tab(&another);
        assert_eq!(data(&wait_for_got(&browser, "news 14")), numbered("news", 0..15), "{home:?}: each once");
    }
}

#[test]
fn a_page_that_is_loaded_again_goes_on_where_it_was() {
    goes_on_after_a_reload(Home::Worker, false);
    goes_on_after_a_reload(Home::Tab, false);
}

#[test]
fn a_page_that_is_loaded_again_gets_what_other_tabs_have_had() {
    goes_on_after_a_reload(Home::Worker, true);
    goes_on_after_a_reload(Home::Tab, true);
}

#[test]
fn a_change_of_the_topics_loses_and_doubles_nothing() {
    let hub = start_hub();
    let browser = Browser::start();
    listen(&browser, &hub.url(PAGE), Home::Worker, &["old"]);
    thread::scope(|scope| {
        let old = scope.spawn(|| publish_numbered(&hub, "old", 0..400));
        let new = scope.spawn(|| publish_numbered(&hub, "new", 0..400));
        listen_too(&browser, &["new"]);
        browser.wait_for("gotToo.length > 0");
        browser.run("hub.on('third', () => {}); hub.on(['fourth', 'fifth/**'], () => {})", &json!([]));
        old.join().expect("each publish is accepted");
        new.join().expect("each publish is accepted");
    });
    publish_numbered(&hub, "old", 400..401);
    publish_numbered(&hub, "new", 400..401);

    let of = |name: &str, got: Vec<tabs::Got>| -> Vec<String> {
        got.into_iter().map(|got| got.data).filter(|data| data.starts_with(name)).collect()
    };
    assert_eq!(of("old", wait_for_got(&browser, "old 400")), numbered("old", 0..401));
    let new = of("new", wait_for_got_too(&browser, "new 400"));
    assert!(numbered("new", 0..401).ends_with(&new), "each once, to the end: {new:?}");
    wait_for_streams(&hub, 1.0);
}

#[test]
fn a_connection_outlives_the_token_that_it_began_with() {
    const KEY: &str = "a secret of this test, and of no use elsewhere";
    let keys = ["--publisher-jwt-key", KEY, "--subscriber-jwt-key", KEY];
    let hub = Hub::start(&[&["serve", "--memory", "--admin-listen", "127.0.0.1:0"], &keys[..]].concat());
    let token = |expires: &str| -> String {
        let rights = ["--publish", "*", "--subscribe", "*", "--subject", "me", "--expires", expires];
        let minted = Program::start(&mut tidings(&[&["token", "--key", KEY], &rights[..]].concat()));
        minted.finish().expect_code(0).stdout.trim().to_owned()
    };
    let life = Duration::from_secs(4);
    let browser = Browser::start();
    browser.open(&hub.url(PAGE));
    browser.run(OPTIONS_WITH_TOKENS, &json!([[token("4s"), token("1h")]]));
    connect(&browser, Home::Worker, &["news"]);

    let began = Instant::now();
    let bearer = format!("Authorization: Bearer {}", token("1h"));
    let mut published = 0;
    while began.elapsed() < life + Duration::from_secs(1) {
        let text = format!("news {published}");
        let answer = request(hub.address(), "POST", "/events/news", &[&bearer], text.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(wait_for_got(&browser, &text).len(), published + 1);
        published += 1;
    }
    assert_eq!(value(&browser, "told.map(({ type }) => type)"), json!(["tidings.expiring"]));
    assert!((streams_begun(&hub) - 1.0).abs() < 0.5, "{} streams begun", streams_begun(&hub));
}

/// Gives out the tokens of its argument in their order, and a ticket for each connection: as docs/browser.md shows.
const OPTIONS_WITH_TOKENS: &str = "
const [tokens] = arguments;
const getToken = async () => tokens.shift();
const ticket = async (topics) => {
  const response = await fetch('/tickets', {
    method: 'POST',
    headers: { authorization: `Bearer ${await getToken()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ topics }),
  });
  return (await response.json()).url;
};
window.options = { getToken, ticket };
";
