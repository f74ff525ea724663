//! Each rule of the standard for clients, by its number, with no socket and no clock.
//!
//! A to D are the format (tested in depth in `tidings-wire`, here as what a whole client gives out), E connecting,
//! F coming back, G closing. What is of a browser alone (CORS) is tested as what it means here.

mod beyond;
mod connection;
mod format;

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tidings_wire::DecoderLimits;
use url::Url;

use super::{Ask, Head, Machine, Onward, Policy, Step};
use crate::error::{Error, Lost};
use crate::event::Raw;
use crate::request::Target;

/// A machine, and the time in its world.
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Instant,
}

pub(super) fn policy() -> Policy {
    Policy {
        retry: Duration::from_secs(3),
        backoff_max: Duration::from_mins(1),
        idle_timeout: None,
        attempts_max: None,
        redirects_max: 20,
        retries_refusals: false,
        accepted: Vec::new(),
        limits: DecoderLimits { event_bytes_max: 1 << 20 },
    }
}

impl World {
    pub(super) fn new(policy: Policy) -> Self {
        Self::resuming("", policy)
    }

    fn resuming(last_event_id: &str, policy: Policy) -> Self {
        let url = Url::parse("http://one.test/stream").unwrap();
        let target = Target { url, method: Method::GET, body: "".into(), is_trusted: true };
        let now = Instant::now();
        Self { machine: Machine::new(target, last_event_id, policy, 7, now), now }
    }

    /// Already reading a stream, with the announcement taken.
    pub(super) fn open() -> Self {
        let mut world = Self::new(policy());
        world.connect();
        world.answer(200, STREAM);
        assert_eq!(world.told(), ["open http://one.test/stream"]);
        world
    }

    /// What the machine asks for now, which is a connection.
    fn connect(&mut self) -> Ask {
        match self.machine.step(self.now) {
            Step::Connect(ask) => *ask,
            other => panic!("expected Connect, got {other:?}"),
        }
    }

    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) -> Onward {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let head = Head { status, headers: map, excerpt: String::new() };
        self.machine.on_head(&head, self.now, SystemTime::UNIX_EPOCH)
    }

    /// All that comes of these bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        self.machine.on_bytes(bytes, self.now);
        self.told()
    }

    /// All that the machine gives out until it wants something.
    pub(super) fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        // Only looks ahead of a step that would change something: connecting is for `connect` to ask.
        while !matches!(self.machine.state, super::State::Waiting { .. }) || !self.machine.untold.is_empty() {
            match self.machine.step(self.now) {
                Step::Deliver(raw) => told.push(show(&raw)),
                _ => break,
            }
        }
        told
    }

    /// The stream ends; gives how long the machine waits.
    fn end(&mut self) -> Duration {
        self.machine.on_lost(Lost::Ended, self.now);
        self.wait()
    }

    /// How long the machine waits; what it tells meanwhile is dropped.
    fn wait(&mut self) -> Duration {
        self.told();
        match self.machine.step(self.now) {
            Step::Wait { until } => until - self.now,
            other => panic!("expected Wait, got {other:?}"),
        }
    }

    /// Waits as long as it wants to, connects, and gives what it asks.
    fn come_back(&mut self) -> Ask {
        let wait = self.wait();
        self.now += wait;
        self.connect()
    }

    fn is_over(&mut self) -> bool {
        matches!(self.machine.step(self.now), Step::Ended)
    }
}

const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];

fn show(raw: &Result<Raw, Error>) -> String {
    match raw {
        Ok(Raw::Open { url }) => format!("open {url}"),
        Ok(Raw::Event(event)) => format!("{}|{}|{}", event.event_type, event.data, event.last_event_id),
        Ok(Raw::Comment(text)) => format!("comment {text}"),
        Ok(Raw::Retry(time)) => format!("retry {}", time.as_millis()),
        Ok(Raw::Id(id)) => format!("id {id}"),
        Ok(Raw::Lost { cause, .. }) => format!("lost {cause}"),
        Err(error) => format!("error {error}"),
    }
}
