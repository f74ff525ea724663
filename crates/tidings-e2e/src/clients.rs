//! EventSource clients that run as programs of their own, and what each of them saw.
//!
//! The browser is in `browser`; how the scripts speak is at the top of each file in `clients/`.

use std::ffi::OsStr;
use std::process::Command;

use serde::Deserialize;
use tidings_wire::{Decoder, Item};

use crate::http::parse_head;
use crate::place::{client_script, python};
use crate::program::{Finished, Program};

/// An event as a client gave it to its user.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Seen {
    /// The event type, `message` unless named.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The data.
    pub data: String,
    /// The last event ID with this event.
    pub id: String,
    /// The `retry` that came with it, where the client tells; a browser keeps it to itself.
    #[serde(default)]
    pub retry: Option<u64>,
}

/// A client that follows a URL.
#[derive(Debug)]
pub struct Follower {
    name: &'static str,
    program: Program,
    output: OutputForm,
}

/// What a follower prints.
#[derive(Clone, Copy, Debug)]
enum OutputForm {
    /// One [`Line`] a line.
    JsonLines,
    /// The response as it came, its head included and its chunks taken off.
    Response,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Opened(bool),
    Event(Seen),
}

impl Follower {
    /// An EventSource from npm (`eventsource` or `undici`) that listens for `types` and ends after
    /// `count` events.
    #[track_caller]
    pub fn npm(package: &'static str, url: &str, types: &[&str], count: usize) -> Self {
        let mut command = Command::new("node");
        command.arg(client_script("follow.mjs")).args([package, url, &count.to_string()]).args(types);
        Self::start(package, &mut command, OutputForm::JsonLines)
    }

    /// `httpx-sse` from PyPI; it ends after `count` events.
    #[track_caller]
    pub fn httpx_sse(url: &str, count: usize) -> Self {
        let mut command = Command::new(python());
        command.arg(client_script("follow.py")).args([url, &count.to_string()]);
        Self::start("httpx-sse", &mut command, OutputForm::JsonLines)
    }

    /// The npm package `eventsource` with a bearer token; else as [`Self::npm`].
    #[track_caller]
    pub fn npm_with_token(url: &str, token: &str, types: &[&str], count: usize) -> Self {
        let mut command = Command::new("node");
        command.arg(client_script("follow.mjs")).args(["eventsource", url, &count.to_string()]).args(types);
        Self::start("eventsource", command.env("FOLLOW_TOKEN", token), OutputForm::JsonLines)
    }

    /// `httpx-sse` with a bearer token; else as [`Self::httpx_sse`].
    #[track_caller]
    pub fn httpx_sse_with_token(url: &str, token: &str, count: usize) -> Self {
        let mut command = Command::new(python());
        command.arg(client_script("follow.py")).args([url, &count.to_string(), token]);
        Self::start("httpx-sse", &mut command, OutputForm::JsonLines)
    }

    /// `curl -N`, its output decoded by `tidings-wire`; it goes on until it is dropped.
    #[track_caller]
    pub fn curl(url: &str) -> Self {
        let mut command = curl_command();
        command.args(["--no-buffer", "--include", url]);
        Self::start("curl", &mut command, OutputForm::Response)
    }

    /// The same by HTTP/2, from the first byte on.
    #[track_caller]
    pub fn curl_by_http2(url: &str) -> Self {
        let mut command = curl_command();
        command.args(["--http2-prior-knowledge", "--no-buffer", "--include", url]);
        Self::start("curl by HTTP/2", &mut command, OutputForm::Response)
    }

    fn start(name: &'static str, command: &mut Command, output: OutputForm) -> Self {
        Self { name, program: Program::start(command), output }
    }

    /// What it is called in failures.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Waits until the stream is open: what is published from now on must reach it.
    #[track_caller]
    pub fn wait_until_open(&self) {
        self.program.wait_for_stdout("an open stream", |stdout| match self.output {
            OutputForm::JsonLines => lines(stdout).iter().any(|line| matches!(line, Line::Opened(true))).then_some(()),
            OutputForm::Response => parse_head(stdout).map(|(status, head, _)| {
                assert_eq!(status, 200, "{head}");
            }),
        });
    }

    /// Waits for `count` events and gives all that came, the hub's own (`tidings.…`) left out.
    #[track_caller]
    pub fn wait_for_events(&self, count: usize) -> Vec<Seen> {
        self.program.wait_for_stdout(&format!("{count} events"), |stdout| {
            let seen = match self.output {
                OutputForm::JsonLines => lines(stdout)
                    .into_iter()
                    .filter_map(|line| match line {
                        Line::Event(seen) => Some(seen),
                        Line::Opened(_) => None,
                    })
                    .collect(),
                OutputForm::Response => decode(parse_head(stdout)?.2),
            };
            (seen.len() >= count).then_some(seen)
        })
    }
}

/// Runs curl to its end with these arguments.
#[track_caller]
pub fn curl<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    Program::start(curl_command().args(arguments)).finish()
}

/// Quiet but for errors, and with no proxy between the test and the hub.
fn curl_command() -> Command {
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "*"]);
    command
}

/// All whole lines.
fn lines(stdout: &[u8]) -> Vec<Line> {
    stdout
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .map(|line| {
            serde_json::from_slice(line)
                .unwrap_or_else(|error| panic!("not a follower's line: {error}: {}", String::from_utf8_lossy(line)))
        })
        .collect()
}

/// All whole events of a stream.
fn decode(body: &[u8]) -> Vec<Seen> {
    let mut decoder = Decoder::new();
    decoder.push(body);
    let mut events = Vec::new();
    let mut retry = None;
    while let Some(item) = decoder.poll() {
        match item.expect("the hub's events are far below the decoder's limit") {
            Item::Retry(millis) => retry = Some(millis),
            Item::Event(event) => {
                let seen = Seen {
                    event_type: event.event_type,
                    data: event.data,
                    id: event.last_event_id,
                    retry: retry.take(),
                };
                if !seen.event_type.starts_with("tidings.") {
                    events.push(seen);
                }
            }
            Item::Comment(_) | Item::Id(_) => {}
        }
    }
    events
}
