//! Headless Chromium, driven over WebDriver (plain HTTP to ChromeDriver).
//!
//! Knows pages and scripts, not the hub. Waiting is done inside the page, where the events are.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::DEADLINE;
use crate::clients::Seen;
use crate::http::request;
use crate::place::{artifact, on_path};
use crate::port;
use crate::program::Program;
use crate::wait::eventually;

/// One Chromium with one window, of one tab at first; both processes end when this is dropped.
#[derive(Debug)]
pub struct Browser {
    /// `None` once it has ended, in `drop`.
    driver: Option<Program>,
    driver_address: SocketAddr,
    /// `/session/ID`, once there is one.
    session: String,
    /// Chromium's profile, new and empty; deleted at the end.
    profile: PathBuf,
    /// A Chromium wants a core for itself while it starts, and CI may have two in all.
    _turn: MutexGuard<'static, ()>,
}

/// Starts ChromeDriver. It wants one port by IPv4 and by IPv6, and ends where somebody has just taken one of them.
#[track_caller]
fn start_driver() -> (Program, u16) {
    for _ in 0..DRIVER_ATTEMPTS {
        let port = port::of_no_client();
        let driver = Program::start(Command::new("chromedriver").arg(format!("--port={port}")));
        let has_started = driver.wait_for_line("ChromeDriver to start", |line| {
            let has_ended = line.contains("port not available");
            (has_ended || line.contains("started successfully on port ")).then_some(!has_ended)
        });
        if has_started {
            return (driver, port);
        }
    }
    panic!("ChromeDriver got none of {DRIVER_ATTEMPTS} ports");
}

const DRIVER_ATTEMPTS: usize = 5;

static TURN: Mutex<()> = Mutex::new(());

impl Browser {
    /// Starts Chromium with an empty profile. Within one test program they run one at a time.
    #[track_caller]
    pub fn start() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (driver, port) = start_driver();
        let mut browser = Self {
            driver: Some(driver),
            driver_address: (Ipv4Addr::LOCALHOST, port).into(),
            session: String::new(),
            profile: new_profile(),
            _turn: turn,
        };
        let created = browser.call("POST", "/session", &browser.capabilities());
        let id = created["sessionId"].as_str();
        browser.session = format!("/session/{}", id.expect("a new session has an id"));
        browser
    }

    /// Opens a URL and waits until it has loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// Opens an empty tab, goes to it and gives its name.
    #[track_caller]
    pub fn new_tab(&self) -> String {
        let opened = self.ask("POST", "/window/new", &json!({ "type": "tab" }));
        let name = opened["handle"].as_str().expect("a new tab has a handle").to_owned();
        self.go_to_tab(&name);
        name
    }

    /// Goes to a tab: all other calls are about its page.
    #[track_caller]
    pub fn go_to_tab(&self, name: &str) {
        self.ask("POST", "/window", &json!({ "handle": name }));
    }

    /// Closes the tab; go to another one then.
    #[track_caller]
    pub fn close_tab(&self) {
        self.ask("DELETE", "/window", &Value::Null);
    }

    /// Loads the page again, as a person who presses the button.
    #[track_caller]
    pub fn reload(&self) {
        self.ask("POST", "/refresh", &json!({}));
    }

    /// Runs a script in the page (`arguments[0]`… are `arguments`) and gives what it returns.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &Value) -> Value {
        let body = json!({ "script": script, "args": arguments });
        self.ask("POST", "/execute/sync", &body)
    }

    /// Waits until `expression` is truthy in the page and gives its value.
    ///
    /// It is looked at again whenever the document changes, so what it asks for must show there.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) -> Value {
        let body = json!({ "script": WAIT_SCRIPT, "args": [expression] });
        match self.try_call("POST", &format!("{}/execute/async", self.session), &body) {
            Ok(value) => value,
            Err(fault) => {
                let test = thread::current().name().unwrap_or("unnamed").to_owned();
                let picture = self.screenshot(&format!("failed-{test}.png"));
                let page = self.run("return document.documentElement.outerHTML", &json!([]));
                panic!("the page: waited for {expression}: {fault}\n{page:#}\npicture: {}", picture.display());
            }
        }
    }

    /// Empties the field that a CSS selector names and types into it, as a person would.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.ask("POST", &format!("{element}/clear"), &json!({}));
        self.ask("POST", &format!("{element}/value"), &json!({ "text": text }));
    }

    /// Clicks the element that a CSS selector names; it must be visible and not covered.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.ask("POST", &format!("{element}/click"), &json!({}));
    }

    /// Waits until the page is one whose address contains `part`: what was clicked leads there. A script that waits in the
    /// page before would go with it.
    #[track_caller]
    pub fn wait_for_address(&self, part: &str) {
        eventually(&format!("a page at an address with {part:?}"), || {
            self.ask("GET", "/url", &Value::Null).as_str().is_some_and(|address| address.contains(part))
        });
    }

    /// Shows pages as a window would that is so large, however large it is.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Shows pages as to somebody who prefers `scheme`: `light` or `dark`.
    #[track_caller]
    pub fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// Keeps a picture of the window as an artifact.
    #[track_caller]
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let encoded = self.ask("GET", "/screenshot", &Value::Null);
        let encoded = encoded.as_str().expect("a screenshot is a string");
        let png = BASE64.decode(encoded).expect("a screenshot is Base64");
        let path = artifact(name);
        fs::write(&path, png).expect("the folder of artifacts is writable");
        path
    }

    /// Opens an EventSource in the page, under a name, that listens for `types`.
    #[track_caller]
    pub fn follow(&self, name: &str, url: &str, types: &[&str]) {
        self.run(FOLLOW_SCRIPT, &json!([name, url, types]));
    }

    /// Waits until `condition` holds for the `source` opened by [`follow`](Self::follow) under a
    /// name: `source.opens`, `source.errors` (counts), `source.states` (`readyState` at each
    /// error), `source.events`.
    #[track_caller]
    pub fn wait_for_source(&self, name: &str, condition: &str) -> Value {
        self.wait_for(&format!("(source => ({condition}) && source)(window.followed[{name:?}])"))
    }

    /// Waits for `count` events of the EventSource opened under a name and gives all that came.
    #[track_caller]
    pub fn wait_for_events(&self, name: &str, count: usize) -> Vec<Seen> {
        let source = self.wait_for_source(name, &format!("source.events.length >= {count}"));
        serde_json::from_value(source["events"].clone()).expect("the script notes events like this")
    }

    /// The path of an element.
    fn element(&self, selector: &str) -> String {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self.ask("POST", "/element", &body);
        let id = found[ELEMENT_KEY].as_str();
        format!("/element/{}", id.expect("an element has an id"))
    }

    /// A command of the session.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, path, body).unwrap_or_else(|fault| panic!("WebDriver: {method} {path}: {fault}"))
    }

    /// # Errors
    /// What the driver calls an error, with its message.
    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let json = ["Content-Type: application/json; charset=utf-8"];
        let response = request(self.driver_address, method, path, &json, &body);
        let mut answer: Value =
            serde_json::from_slice(&response.body).map_err(|error| format!("{error} in {}", response.text()))?;
        let value = answer["value"].take();
        if response.status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }

    fn capabilities(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.display());
        let flags: Vec<&str> = FLAGS.iter().copied().chain([profile.as_str()]).collect();
        // Shorter than the deadline of the request that waits for it, so that the page's fault is told.
        let script_millis = u64::try_from(DEADLINE.as_millis() / 2).expect("a minute or so");
        json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": on_path("chromium"), "args": flags },
            "acceptInsecureCerts": true, // tests make their own
            "timeouts": { "script": script_millis },
        }}})
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // ChromeDriver ends the Chromium that it started. After a failure it may not answer; on a
        // thread of its own that panic hides nothing and does not abort the tests.
        if !self.session.is_empty() {
            thread::scope(|scope| {
                let end = scope.spawn(|| self.try_call("DELETE", &self.session, &Value::Null));
                let _ = end.join();
            });
        }
        drop(self.driver.take());
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// A folder for a profile, which no other browser has.
fn new_profile() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let profile = artifact(&format!("profile-{}-{number}", process::id()));
    // A process id comes round again; what an ended run with the same one left is no empty profile.
    let _ = fs::remove_dir_all(&profile);
    fs::create_dir(&profile).expect("the folder of artifacts is writable");
    profile
}

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",            // tests may run as root or in a container, and the pages are our own
    "--disable-dev-shm-usage", // containers often have 64 MiB there
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    // Loopback only: none of these has anything to do with the pages.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,800",
];

/// The key under which WebDriver gives an element's id (W3C WebDriver, section 12).
const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Resolves when the expression is truthy, looking again at each change of the document.
const WAIT_SCRIPT: &str = "
const [expression, done] = arguments;
const value = new Function(`return (${expression})`);
const look = () => {
  let found = null;
  // Until the page has what the expression names, it may well throw.
  try { found = value(); } catch (error) { return false; }
  if (found) { observer.disconnect(); done(found); }
  return Boolean(found);
};
const observer = new MutationObserver(look);
if (!look()) {
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}
";

/// Opens an EventSource and notes all that it does; each note changes the document, see `WAIT_SCRIPT`.
const FOLLOW_SCRIPT: &str = "
const [name, url, types] = arguments;
const notes = { opens: 0, errors: 0, states: [], events: [] };
window.followed ??= {};
window.followed[name] = notes;
const changed = () => {
  const root = document.documentElement;
  root.dataset.followed = Number(root.dataset.followed ?? 0) + 1;
};
const source = new EventSource(url);
source.onopen = () => { notes.opens += 1; changed(); };
source.onerror = () => { notes.errors += 1; notes.states.push(source.readyState); changed(); };
for (const type of types) {
  source.addEventListener(type, event => {
    notes.events.push({ type: event.type, data: event.data, id: event.lastEventId });
    changed();
  });
}
";
