//! Tabs of one browser that read through `/tidings.js` and note what they get.

use serde::Deserialize;
use serde_json::{Value, json};
use tidings_e2e::{Browser, Hub};

/// An event as a callback got it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) topic: Option<String>,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: String,
}

/// Where the engine is to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Worker,
    /// In a tab: as in a browser that has no `SharedWorker`.
    Tab,
}

/// Opens `page`, a page without a stream of its own, connects there and waits until the connection is open.
#[track_caller]
pub(crate) fn listen(browser: &Browser, page: &str, home: Home, topics: &[&str]) {
    browser.open(page);
    connect(browser, home, topics);
}

/// Connects in the page that is open and waits until the connection is.
#[track_caller]
pub(crate) fn connect(browser: &Browser, home: Home, topics: &[&str]) {
    begin(browser, home, topics);
    browser.wait_for("hub.state === 'open'");
}

/// Connects in the page that is open. `window.options`, if there, are for `connect`.
#[track_caller]
pub(crate) fn begin(browser: &Browser, home: Home, topics: &[&str]) {
    browser.run(CONNECT, &json!([home == Home::Tab, topics]));
}

/// Reads these topics too, by a callback of their own.
#[track_caller]
pub(crate) fn listen_too(browser: &Browser, topics: &[&str]) {
    browser.run("window.listen(arguments[0], gotToo)", &json!([topics]));
}

/// Waits until an event with this data has come, and gives all that came to the first callback.
#[track_caller]
pub(crate) fn wait_for_got(browser: &Browser, last: &str) -> Vec<Got> {
    wait_for_in(browser, "got", last)
}

/// The same of the callback of `listen_too`.
#[track_caller]
pub(crate) fn wait_for_got_too(browser: &Browser, last: &str) -> Vec<Got> {
    wait_for_in(browser, "gotToo", last)
}

#[track_caller]
fn wait_for_in(browser: &Browser, notes: &str, last: &str) -> Vec<Got> {
    let got = browser.wait_for(&format!("{notes}.some(({{ data }}) => data === {}) && {notes}", json!(last)));
    serde_json::from_value(got).expect("the script notes events like this")
}

/// The data of events.
pub(crate) fn data(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| &*got.data).collect()
}

/// What `expression` is in the page.
#[track_caller]
pub(crate) fn value(browser: &Browser, expression: &str) -> Value {
    browser.run(&format!("return {expression}"), &json!([]))
}

/// The streams that the hub serves now.
#[track_caller]
pub(crate) fn streams(hub: &Hub) -> f64 {
    ["direct", "body"].iter().map(|way| hub.metric(&format!("tidings_sessions{{way=\"{way}\"}}"))).sum()
}

/// The streams that it has begun.
#[track_caller]
pub(crate) fn streams_begun(hub: &Hub) -> f64 {
    ["direct", "body"].iter().map(|way| hub.metric(&format!("tidings_sessions_joined_total{{way=\"{way}\"}}"))).sum()
}

/// Each note changes the document: that is what `Browser::wait_for` looks at.
const CONNECT: &str = "
const [inTab, topics] = arguments;
if (inTab) window.SharedWorker = undefined;
return import('/tidings.js').then(({ connect }) => {
  const changed = () => { document.documentElement.dataset.changed = performance.now(); };
  window.hub = connect(window.options);
  window.got = [];
  window.gotToo = [];
  window.told = [];
  window.states = [];
  hub.addEventListener('state', () => { states.push(hub.state); changed(); });
  for (const type of ['tidings.reset', 'tidings.end', 'tidings.expiring']) {
    hub.addEventListener(type, ({ type, data }) => { told.push({ type, data }); changed(); });
  }
  window.listen = (topics, notes) => hub.on(topics, ({ topic, type, data }) => {
    notes.push({ topic: topic ?? null, type, data });
    changed();
  });
  window.stop = listen(topics, got);
});
";
