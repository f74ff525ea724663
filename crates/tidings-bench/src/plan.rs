//! What is to be measured.

use std::time::Duration;

use crate::error::PlanError;
use crate::layout::Layout;
use crate::server::Server;
use crate::stamp::PAYLOAD_BYTES_MIN;
use crate::template::Template;

/// What is to be measured, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the subscribers connect to.
    pub server: Server,
    /// How they subscribe.
    pub subscribe: SubscribePlan,
    /// How events are published.
    pub publish: PublishPlan,
    /// How many subscribers. Default: 100. Cost: one file descriptor and about 0.5 KiB each.
    pub subscribers: usize,
    /// How many topics. Default: 1.
    pub topics: usize,
    /// How many different sets of topics are subscribed to. Subscriber `i` gets the topics whose number leaves the
    /// same remainder by this as `i`. Default: `None`, as many as topics, so that each subscriber has one topic.
    ///
    /// Where a set is more than one topic the subscription must say so: `/events?topic=g{i%50}/*` with 50 groups, and
    /// topics that are published to at `/events/g{t%50}/t{t}`.
    pub groups: Option<usize>,
    /// How many bytes each payload has. Default: 128; at least [`PAYLOAD_BYTES_MIN`].
    pub payload_bytes: usize,
    /// What is done.
    pub mode: Mode,
    /// The server's processes; their children count too. Default: none, and then nothing is said of CPU and memory.
    pub pids: Vec<u32>,
    /// How many threads read. Default: `None`, half of the cores, at most 8. In a storm the live readers have one more.
    pub readers: Option<usize>,
    /// Most connections that are being made at a time. Default: 100, for many servers let only 128 wait to be accepted; beyond
    /// that the kernel drops them, and they come a second later or are reset.
    pub connecting_max: usize,
    /// How long the server may come to rest after the subscribers have connected, before its memory is measured.
    /// Default: 500 ms.
    pub settle: Duration,
    /// How long each phase may take beyond what it is planned to take. Default: 60 s.
    pub timeout: Duration,
    /// How long nothing may come before what is missing counts as lost. Default: 5 s.
    pub quiet: Duration,
    /// Whether each event is decoded and its id checked. Costs the reading threads several times as much. Default: no.
    pub verify: bool,
}

/// How subscribers subscribe.
#[derive(Clone, Debug)]
pub struct SubscribePlan {
    /// The target of the request. Default: `/events/t{t}`.
    pub path: Template,
    /// Added to the path for each topic of the subscriber, for those that listen to many: `topic=t{t}&`. Default: nothing.
    pub each: Option<Template>,
    /// More headers, as `Name: value`. Default: none but `Accept` and `Host`.
    pub headers: Vec<Template>,
    /// One header more for each subscriber, taken in turns: a token of its own. Default: none.
    pub own_headers: Vec<String>,
}

/// How events are published.
#[derive(Clone, Debug)]
pub struct PublishPlan {
    /// Where to. Default: `None`, where the subscribers are.
    pub server: Option<Server>,
    /// Default: POST.
    pub method: String,
    /// The target of the request. Default: `/events/t{t}`.
    pub path: Template,
    /// More headers, as `Name: value`. Default: none but `Host` and `Content-Length`.
    pub headers: Vec<Template>,
    /// Default: `{payload}`.
    pub body: Template,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Events are published and delivered.
    Fanout(FanoutPlan),
    /// Subscribers wait and nothing happens: what a connection costs.
    Idle(IdlePlan),
    /// Many come back at once, each with events to catch up on.
    Storm(StormPlan),
}

/// Events are published and delivered.
#[derive(Clone, Debug)]
pub struct FanoutPlan {
    /// How many connections publish. Each waits for an answer before it publishes again. Default: 1.
    pub publishers: usize,
    /// How much is published. Default: 1,000 events.
    pub amount: Amount,
    /// How fast. Default: full speed.
    pub pace: Pace,
    /// How long events are published before the measurement, at the same pace. Default: not at all.
    pub warm_up: Duration,
}

/// Subscribers wait.
#[derive(Clone, Debug)]
pub struct IdlePlan {
    /// How long the server's CPU is watched. Default: 3 s.
    pub hold: Duration,
}

/// All come back at once.
///
/// The clients connect, get one event of each topic and are cut. `events_behind` events are published while they are away. Then
/// all come back with the id they saw last, while the live readers go on reading what is published at `live_rate` to a topic
/// of their own, the one after the last: were it the same, the clients would get it too, and a server could be too slow for
/// the live events and never be done with the storm.
#[derive(Clone, Debug)]
pub struct StormPlan {
    /// How many readers are not cut. They are among the subscribers, the last ones. Default: 100.
    pub live_readers: usize,
    /// How many events each client has missed, of each topic. Default: 1,000.
    pub events_behind: u64,
    /// Events a second for the live readers. Default: 100.
    pub live_rate: f64,
    /// How long the live readers are watched before the storm, to compare with. Default: 2 s.
    pub calm: Duration,
    /// How many connections publish what the clients miss. Default: 8.
    pub publishers: usize,
    /// The header by which a client says what it saw last, up to the id. Default: `Last-Event-ID`.
    pub resume_header: String,
}

/// How much is published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many events in all, over all topics and publishers.
    Events(u64),
    /// As many as there are in this time.
    For(Duration),
}

/// How fast events are published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each publisher sends as soon as it has its answer.
    FullSpeed,
    /// So many events a second, all publishers together. Latency counts from the time an event was due.
    Rate(f64),
}

impl Plan {
    /// All defaults, for a hub that speaks as Tidings does.
    pub fn new(server: Server) -> Self {
        let template = |raw: &str| raw.parse().expect("a template of ours");
        Self {
            server,
            subscribe: SubscribePlan {
                path: template("/events/t{t}"),
                each: None,
                headers: Vec::new(),
                own_headers: Vec::new(),
            },
            publish: PublishPlan {
                server: None,
                method: "POST".to_owned(),
                path: template("/events/t{t}"),
                headers: Vec::new(),
                body: template("{payload}"),
            },
            subscribers: 100,
            topics: 1,
            groups: None,
            payload_bytes: 128,
            mode: Mode::Fanout(FanoutPlan::default()),
            pids: Vec::new(),
            readers: None,
            connecting_max: 100,
            settle: Duration::from_millis(500),
            timeout: Duration::from_mins(1),
            quiet: Duration::from_secs(5),
            verify: false,
        }
    }

    /// Where events are published.
    pub(crate) fn publish_server(&self) -> &Server {
        self.publish.server.as_ref().unwrap_or(&self.server)
    }

    /// How many different sets of topics there are.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.unwrap_or(self.topics)
    }

    /// The most publishing connections at a time.
    pub(crate) fn publisher_count(&self) -> usize {
        match &self.mode {
            Mode::Fanout(fanout) => fanout.publishers,
            Mode::Idle(_) => 0,
            Mode::Storm(storm) => storm.publishers,
        }
    }

    pub(crate) fn reader_count(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.readers.unwrap_or((cores / 2).clamp(1, 8)).min(self.subscribers)
    }

    /// How many subscribers are cut and come back: the first ones.
    pub(crate) fn client_count(&self) -> usize {
        match &self.mode {
            Mode::Storm(storm) => self.subscribers - storm.live_readers,
            Mode::Fanout(_) | Mode::Idle(_) => 0,
        }
    }

    /// How many threads read in all.
    pub(crate) fn thread_count(&self) -> usize {
        self.reader_count() + usize::from(self.client_count() > 0)
    }

    /// # Errors
    /// The first thing in the plan that nobody could carry out.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        let topics = u64::try_from(self.topics).unwrap_or(u64::MAX);
        within("the number of subscribers", self.subscribers as u64, 1, 10_000_000)?;
        within("the number of topics", topics, 1, u64::from(u32::MAX))?;
        within("the number of groups", self.group_count() as u64, 1, topics)?;
        within("the number of payload bytes", self.payload_bytes as u64, PAYLOAD_BYTES_MIN as u64, 1 << 30)?;
        within("the number of reading threads", self.reader_count() as u64, 1, 1_000)?;
        within("the number of connections being made", self.connecting_max as u64, 1, 10_000_000)?;
        // Four bytes for each subscriber, publisher and topic of its own, by which losses are told from repeats.
        let counters = Layout::of(self).streams().saturating_mul(self.subscribers) as u64;
        within("subscribers × publishers × topics of each", counters, 0, COUNTERS_MAX)?;
        match &self.mode {
            Mode::Fanout(fanout) => fanout.check()?,
            Mode::Idle(_) => {}
            Mode::Storm(storm) => storm.check(self.subscribers as u64)?,
        }
        self.check_templates()
    }

    fn check_templates(&self) -> Result<(), PlanError> {
        let fault = |what, template: &Template, fault, expected| PlanError::Template {
            what,
            template: template.to_string(),
            fault,
            expected,
        };
        for (what, path) in
            [("the path to subscribe", &self.subscribe.path), ("the path to publish", &self.publish.path)]
        {
            if !path.to_string().starts_with('/') || path.has_blanks() || path.breaks_lines() {
                return Err(fault(what, path, "is no target of a request", "it to begin with / and to hold no blanks"));
            }
        }
        if let Some(each) = &self.subscribe.each
            && (each.has_blanks() || each.breaks_lines())
        {
            return Err(fault("the addition for each topic", each, "holds blanks", "none"));
        }
        for header in self.subscribe.headers.iter().chain(&self.publish.headers) {
            if header.breaks_lines() || !header.to_string().contains(':') {
                return Err(fault("the header", header, "is no line of a head", "Name: value"));
            }
        }
        let publish = &self.publish;
        let says_it = publish.body.has_payload()
            || publish.path.has_payload()
            || publish.headers.iter().any(Template::has_payload);
        if !matches!(self.mode, Mode::Idle(_)) && !says_it {
            return Err(fault("the body", &publish.body, "has no place for the payload", "{payload} somewhere"));
        }
        if publish.method.is_empty() || !publish.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(PlanError::Number {
                what: "the method",
                got: publish.method.clone(),
                expected: "a word in capitals, such as POST".to_owned(),
            });
        }
        Ok(())
    }
}

impl Default for FanoutPlan {
    fn default() -> Self {
        Self { publishers: 1, amount: Amount::Events(1_000), pace: Pace::FullSpeed, warm_up: Duration::ZERO }
    }
}

impl FanoutPlan {
    fn check(&self) -> Result<(), PlanError> {
        within("the number of publishers", self.publishers as u64, 1, PUBLISHERS_MAX)?;
        match self.amount {
            Amount::Events(events) => within("the number of events", events, 1, u64::from(u32::MAX))?,
            Amount::For(time) => within("the time to publish in seconds", time.as_secs().max(1), 1, 86_400)?,
        }
        match self.pace {
            Pace::FullSpeed => Ok(()),
            Pace::Rate(rate) => check_rate(rate),
        }
    }
}

impl Default for IdlePlan {
    fn default() -> Self {
        Self { hold: Duration::from_secs(3) }
    }
}

impl Default for StormPlan {
    fn default() -> Self {
        Self {
            live_readers: 100,
            events_behind: 1_000,
            live_rate: 100.0,
            calm: Duration::from_secs(2),
            publishers: 8,
            resume_header: "Last-Event-ID".to_owned(),
        }
    }
}

impl StormPlan {
    fn check(&self, subscribers: u64) -> Result<(), PlanError> {
        // One client at least: a storm of nobody has no end.
        within("the number of live readers", self.live_readers as u64, 0, subscribers - 1)?;
        within("the number of events behind", self.events_behind, 1, 100_000_000)?;
        within("the number of publishers", self.publishers as u64, 1, PUBLISHERS_MAX)?;
        check_rate(self.live_rate)
    }
}

/// 2 GB of memory.
const COUNTERS_MAX: u64 = 500_000_000;

/// A thread each.
const PUBLISHERS_MAX: u64 = 4_096;

fn within(what: &'static str, got: u64, least: u64, most: u64) -> Result<(), PlanError> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(PlanError::Number { what, got: got.to_string(), expected: format!("{least} to {most}") })
}

fn check_rate(rate: f64) -> Result<(), PlanError> {
    if rate.is_finite() && (0.001..=10_000_000.0).contains(&rate) {
        return Ok(());
    }
    Err(PlanError::Number {
        what: "the rate",
        got: rate.to_string(),
        expected: "0.001 to 10000000 events a second".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::new(Server::parse("http://127.0.0.1:1").expect("a server"))
    }

    #[test]
    fn the_defaults_are_a_good_plan() {
        assert_eq!(plan().check(), Ok(()));
        assert_eq!(plan().publish_server(), &plan().server);
        assert_eq!(Plan { topics: 7, ..plan() }.group_count(), 7);
    }

    #[test]
    fn what_nobody_can_carry_out_is_refused() {
        let template = |raw: &str| raw.parse::<Template>().expect("a template");
        let fanout = |fanout: FanoutPlan| Plan { mode: Mode::Fanout(fanout), ..plan() };
        let subscribe = |path: &str, headers: &[&str]| SubscribePlan {
            path: template(path),
            each: None,
            headers: headers.iter().map(|raw| template(raw)).collect(),
            own_headers: Vec::new(),
        };
        let publish = |method: &str, body: &str| PublishPlan {
            method: method.to_owned(),
            body: template(body),
            ..plan().publish
        };
        let storm = StormPlan { live_readers: 100, ..StormPlan::default() };
        for (bad, want) in [
            (Plan { subscribers: 0, ..plan() }, "subscribers is 0"),
            (Plan { topics: 0, ..plan() }, "topics is 0"),
            (Plan { topics: 5, groups: Some(6), ..plan() }, "groups is 6; expected 1 to 5"),
            (Plan { payload_bytes: 41, ..plan() }, "payload bytes is 41; expected 42"),
            (Plan { mode: Mode::Storm(storm), ..plan() }, "live readers is 100; expected 0 to 99"),
            (fanout(FanoutPlan { publishers: 0, ..FanoutPlan::default() }), "publishers is 0"),
            (fanout(FanoutPlan { amount: Amount::Events(0), ..FanoutPlan::default() }), "events is 0"),
            (fanout(FanoutPlan { pace: Pace::Rate(f64::NAN), ..FanoutPlan::default() }), "rate is NaN"),
            (Plan { subscribe: subscribe("events", &[]), ..plan() }, "begin with /"),
            (Plan { subscribe: subscribe("/a b", &[]), ..plan() }, "no blanks"),
            (Plan { subscribe: subscribe("/", &["X"]), ..plan() }, "Name: value"),
            (Plan { subscribe: subscribe("/", &["X: y\r\nZ: w"]), ..plan() }, "Name: value"),
            (Plan { publish: publish("POST", "x"), ..plan() }, "{payload} somewhere"),
            (Plan { publish: publish("post", "{payload}"), ..plan() }, "POST"),
        ] {
            let error = bad.check().expect_err(want).to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
