//! The page `/top` of the admin listener in a real browser.

use serde_json::json;
use tidings_e2e::{Browser, RawStream};

use crate::world::{TOKEN, World, ended, escaped, eventually, hub, sessions};

/// The cells of a table, row by row, without the last one, which has the button. An empty table has a row without cells.
fn rows(browser: &Browser, table: &str) -> Vec<Vec<String>> {
    let cells = browser.run(
        &format!("return [...document.querySelectorAll('#{table} tbody tr')].map(row => [...row.cells].slice(0, -1).map(cell => cell.textContent))"),
        &json!([]),
    );
    serde_json::from_value(cells).expect("the script makes rows like this")
}

/// Waits until the page has shown this while things happen.
#[track_caller]
fn wait_while(world: &World, what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || {
        world.publish_some();
        holds()
    });
}

const OPEN: &str = "document.querySelector('#state').dataset.state === 'open'";

/// Asks for an end by the button of the row whose first cell says so.
#[track_caller]
fn click_end(browser: &Browser, table: &str, first: &str) {
    let row = format!(
        "[...document.querySelectorAll('#{table} tbody tr')].find(row => row.cells[0].textContent === {})",
        json!(first)
    );
    browser.wait_for(&format!("Boolean({row})"));
    browser.run(&format!("{row}.querySelector('button').click()"), &json!([]));
    browser.wait_for("document.querySelector('#question').open");
}

#[test]
fn an_operator_sees_who_is_slow_and_ends_them() {
    let mut world = World::start();
    let browser = Browser::start();
    browser.open(&format!("{}/", world.admin_url())); // which leads to /top
    browser.wait_for(OPEN);

    // ## What is there, and that it changes
    wait_while(&world, "a busy topic with its readers", || {
        rows(&browser, "topics").first().is_some_and(|row| row.len() == 4 && row[0] == "prices/eur" && row[3] == "3")
    });
    let glance = |name: &str| {
        let script = "return [...document.querySelectorAll('#glance dt')].find(dt => dt.textContent === arguments[0]).nextSibling.textContent";
        browser.run(script, &json!([name])).as_str().expect("a text").to_owned()
    };
    assert!(glance("Connections").starts_with("6 of "), "{}", glance("Connections"));
    let kept = glance("Events kept");
    wait_while(&world, "another number", || glance("Events kept") != kept);
    wait_while(&world, "rates", || glance("Events out").ends_with("/s") && !glance("Events out").starts_with('0'));
    let slowest = rows(&browser, "sessions");
    assert_eq!(slowest.len(), 6, "{slowest:?}");
    assert!(slowest[..2].iter().all(|row| row[1] == "127.0.0.1" && row[2] == "blocked"), "{slowest:?}");
    browser.resize(1000, 1160);
    browser.screenshot("top-page.png");
    browser.prefer("dark");
    browser.resize(400, 1900);
    browser.screenshot("top-page-narrow.png");
    let overflow =
        browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth", &json!([]));
    assert_eq!(overflow, 0, "a narrow page is not scrolled sideways");
    browser.prefer("light");
    browser.resize(1000, 900);

    // ## Not without the token
    let refusal = "document.querySelector('#refusal').textContent";
    click_end(&browser, "sessions", "video");
    browser.wait_for("document.querySelector('#question-title').textContent.includes('video?')");
    browser.click("#end");
    browser.wait_for(&format!("{refusal} === 'Give the token first.'"));
    browser.fill("#token", "wrong-and-wrong-again");
    browser.click("#end");
    browser.wait_for(&format!("{refusal}.includes('Only operators may end streams')"));
    browser.screenshot("top-page-question.png");
    browser.fill("#token", "naïve…");
    browser.click("#end");
    browser.wait_for(&format!("{refusal} === 'No token has such characters.'"));
    assert_eq!((sessions(&world.hub), ended(&world.hub)), (6, 0));

    // ## One session, then all of a topic
    browser.fill("#token", TOKEN);
    browser.click("#end");
    browser.wait_for("!document.querySelector('#question').open && document.querySelector('#answer').textContent === '1 session ended'");
    eventually("it is counted", || ended(&world.hub) == 1);
    world.blocked.expect_ended();
    wait_while(&world, "the row is gone", || rows(&browser, "sessions").len() == 5);
    click_end(&browser, "topics", "prices/eur");
    browser.click("#keep");
    browser.wait_for("!document.querySelector('#question').open");
    assert_eq!(ended(&world.hub), 1, "a no is a no");
    click_end(&browser, "topics", "prices/eur");
    browser.click("#end"); // the token is still there
    browser.wait_for("document.querySelector('#answer').textContent === '3 sessions ended'");
    for reader in world.live.drain(..3) {
        reader.read_to_end();
    }
    eventually("it is counted", || ended(&world.hub) == 4);
    wait_while(&world, "the reason is listed", || {
        let closed = browser.run("return document.querySelector('#closed').textContent", &json!([]));
        closed.as_str().is_some_and(|closed| closed.contains("operator4"))
    });
}

#[test]
fn a_topic_is_text_and_what_is_ended_is_what_it_says() {
    let hub = hub(&["--admin-token", TOKEN]);
    let evil = "<img src=x onerror=\"document.title='run'\">";
    // In a path a browser takes this for `b`.
    let dots = "a/../b";
    let reader = |name: &str| {
        let mut reader = RawStream::get(hub.address(), &format!("/events?topic={}", escaped(name)), &[]);
        reader.wait_for_text("retry:");
        reader
    };
    let (of_evil, of_dots, mut of_b) = (reader(evil), reader(dots), reader("b"));
    let browser = Browser::start();
    browser.open(&format!("http://{}/top", hub.admin_address()));
    browser.wait_for(OPEN);
    for (topic, reader) in [(evil, of_evil), (dots, of_dots)] {
        eventually("the topic's row", || {
            hub.publish(&format!("/events/{}", escaped(topic)), "x");
            rows(&browser, "topics").iter().any(|row| row.first().is_some_and(|first| first == topic))
        });
        click_end(&browser, "topics", topic);
        browser.fill("#token", TOKEN);
        browser.click("#end");
        browser.wait_for("document.querySelector('#answer').textContent === '1 session ended'");
        reader.read_to_end();
    }
    let made = browser.run("return [document.title, document.querySelectorAll('table img').length]", &json!([]));
    assert_eq!(made, json!(["Tidings: the hub now", 0]), "elements made of a topic");
    hub.publish("/events/b", "still here");
    of_b.wait_for_text("still here");
}

#[test]
fn the_page_says_that_the_hub_is_gone_and_goes_on_when_it_is_back() {
    let mut hub = hub(&[]);
    let browser = Browser::start();
    browser.open(&format!("http://{}/top", hub.admin_address()));
    browser.wait_for(OPEN);
    browser.run("window.isTheSamePage = true", &json!([]));
    hub.stop();
    browser.wait_for("document.querySelector('#state').dataset.state === 'wait' && document.querySelector('#state').textContent.includes('does not answer since')");
    hub.start_again();
    browser.wait_for(&format!("{OPEN} && window.isTheSamePage"));
}
