//! `tidings bench`: loads any server of event streams, and tells what came and what it cost.
//!
//! Here are the flags. `table` is the report for people, `bar` the progress. What is measured and how is in `tidings-bench`.

mod bar;
mod table;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};
use tidings_auth::{Algorithm, Claims, KeySource, MintError, mint};
use tidings_bench::{
    Amount, BenchError, FanoutPlan, IdlePlan, Mode, Pace, Plan, PublishPlan, Server, StormPlan, SubscribePlan,
    Template, TemplateError,
};
use tidings_core::Timestamp;

use crate::config::{parse_count, parse_duration, parse_size};
use crate::exit::Failure;
use crate::http_client::Token;
use crate::say;
use bar::Bar;

/// Load a server of event streams, this one or another, and measure it
///
/// Subscribers connect, events are published, and every delivery is counted: what was lost, came twice or out of order,
/// how late it was, and what it cost the server when its process id is given.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("how much").args(["events", "duration"]))]
pub(crate) struct Bench {
    /// Where the server is; plain http
    #[arg(value_name = "URL", env = "TIDINGS_HUB", default_value = "http://127.0.0.1:3000", value_parser = Server::parse)]
    server: Server,

    #[command(flatten)]
    load: LoadFlags,
    #[command(flatten)]
    other: OtherModeFlags,
    #[command(flatten)]
    requests: RequestFlags,
    #[command(flatten)]
    measuring: MeasuringFlags,

    /// Print one JSON object in place of the table
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Load")]
struct LoadFlags {
    /// How many subscribers
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse_count)]
    subscribers: usize,

    /// How many topics; subscribers and events take turns on them
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    topics: usize,

    /// How many different sets of topics are listened to: subscriber I gets the topics whose number leaves the same
    /// remainder by N as I, and --subscribe must ask for them [default: as many as topics]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    groups: Option<usize>,

    /// How many connections publish, each the next event after the answer to the last one [default: 1, with --storm 8]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    publishers: Option<usize>,

    /// How many events are published [default: 1000]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    events: Option<usize>,

    /// How long events are published, in place of how many
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,

    /// How many events a second, all publishers together; latency then counts from the time an event was due
    /// [default: as fast as they are answered, with --storm 100]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,

    /// How long each payload is
    #[arg(long, value_name = "SIZE", default_value = "128B", value_parser = parse_size)]
    payload: usize,

    /// How long events are published before the measurement
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = parse_duration)]
    warm_up: Duration,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "In place of a fan-out")]
struct OtherModeFlags {
    /// Publish nothing: what does a connection cost that waits?
    #[arg(long, conflicts_with_all = ["storm", "how much", "rate", "warm_up", "publishers", "verify"])]
    idle: bool,

    /// How long the server's CPU is watched with --idle
    #[arg(long, value_name = "DURATION", default_value = "3s", requires = "idle", value_parser = parse_duration)]
    hold: Duration,

    /// Cut all subscribers but --live, publish --behind events, and let all come back at once with their last ids
    #[arg(long, conflicts_with_all = ["how much", "warm_up"])]
    storm: bool,

    /// How many events each has missed, of each topic, with --storm
    #[arg(long, value_name = "N", default_value = "1000", requires = "storm", value_parser = parse_count)]
    behind: usize,

    /// How many of the subscribers are not cut and read a topic of their own, the one after the last, with --storm
    #[arg(long, value_name = "N", default_value = "100", requires = "storm")]
    live: usize,

    /// How long the live ones are watched before the storm, to compare with
    #[arg(long, value_name = "DURATION", default_value = "2s", requires = "storm", value_parser = parse_duration)]
    calm: Duration,

    /// The header that names the last id, with --storm
    #[arg(long, value_name = "NAME", default_value = "Last-Event-ID", requires = "storm")]
    resume_header: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Requests")]
struct RequestFlags {
    /// Path to subscribe to
    #[arg(long, value_name = "PATH", default_value = "/events/t{t}")]
    subscribe: Template,

    /// Added to that path for each topic of the subscriber, such as `topic=t{t}&`
    #[arg(long, value_name = "TEXT")]
    subscribe_each: Option<Template>,

    /// More headers to subscribe with; repeat it for more
    #[arg(long, value_name = "HEADER")]
    subscribe_header: Vec<Template>,

    /// Path to publish to
    #[arg(long, value_name = "PATH", default_value = "/events/t{t}")]
    publish: Template,

    /// Server to publish to, where it is another one
    #[arg(long, value_name = "URL", value_parser = Server::parse)]
    publish_url: Option<Server>,

    /// Method to publish with
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    publish_method: String,

    /// More headers to publish with; repeat it for more
    #[arg(long, value_name = "HEADER")]
    publish_header: Vec<Template>,

    /// Body to publish
    #[arg(long, value_name = "TEXT", default_value = "{payload}")]
    publish_body: Template,

    /// Token to subscribe and to publish with, sent as `Authorization: Bearer`
    #[arg(long, env = "TIDINGS_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = Bearer::parse)]
    token: Option<Bearer>,

    /// Secret to sign tokens with (HS256): one for each subscriber, and one to publish with
    #[arg(long, value_name = "SECRET", conflicts_with = "token", value_parser = TokenKey::parse)]
    token_key: Option<TokenKey>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Measuring")]
struct MeasuringFlags {
    /// The server's process, for its CPU and memory, its children included; repeat it for more. Linux only
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,

    /// Decode every event and check that each has an id of its own; costs this side several times as much
    #[arg(long)]
    verify: bool,

    /// Threads that read [default: half of the cores, at most 8]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    readers: Option<usize>,

    /// Most connections that are being made at a time; many servers let only 128 wait to be accepted
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse_count)]
    connecting: usize,

    /// How long the server may come to rest after all have connected
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse_duration)]
    settle: Duration,

    /// How long each phase may take longer than planned
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    timeout: Duration,
}

impl Bench {
    /// Measures, and prints what was measured.
    ///
    /// # Errors
    /// A [`Failure`] when the flags do not go together, or nothing could be measured.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let json = self.json;
        let plan = self.into_plan();
        let measured = tokio::task::spawn_blocking(move || {
            let mut bar = Bar::default();
            let report = tidings_bench::run(&plan, |progress| bar.show(progress));
            (report, plan)
        });
        let (report, plan) = measured.await.map_err(|_| Failure::running("the measurement has panicked"))?;
        let report = report.map_err(told)?;
        if json {
            say::result(serde_json::to_string(&report).expect("numbers and texts are JSON"));
        } else {
            say::result(table::of(&report, &plan).trim_end());
        }
        Ok(())
    }

    fn into_plan(self) -> Plan {
        let Self { server, load, other, requests, measuring, json: _ } = self;
        let mode = mode(&load, &other);
        let mut plan = Plan::new(server);
        let publisher = requests.token_key.as_ref().map(|key| Bearer::of(&key.mint("publisher")));
        let own = |key: &TokenKey| (0..load.subscribers).map(|number| key.header_of(number)).collect();
        let own_headers: Vec<String> = requests.token_key.as_ref().map(own).unwrap_or_default();
        let bearer = requests.token.or(publisher).map(|Bearer(header)| header);
        let with_token = |headers: Vec<Template>| headers.into_iter().chain(bearer.clone()).collect();
        plan.subscribe = SubscribePlan {
            path: requests.subscribe,
            each: requests.subscribe_each,
            headers: if own_headers.is_empty() {
                with_token(requests.subscribe_header)
            } else {
                requests.subscribe_header
            },
            own_headers,
        };
        plan.publish = PublishPlan {
            server: requests.publish_url,
            method: requests.publish_method,
            path: requests.publish,
            headers: with_token(requests.publish_header),
            body: requests.publish_body,
        };
        Plan {
            subscribers: load.subscribers,
            topics: load.topics,
            groups: load.groups,
            payload_bytes: load.payload,
            mode,
            pids: measuring.pid,
            readers: measuring.readers,
            connecting_max: measuring.connecting,
            settle: measuring.settle,
            timeout: measuring.timeout,
            verify: measuring.verify,
            ..plan
        }
    }
}

fn mode(load: &LoadFlags, other: &OtherModeFlags) -> Mode {
    if other.idle {
        return Mode::Idle(IdlePlan { hold: other.hold });
    }
    if other.storm {
        let default = StormPlan::default();
        return Mode::Storm(StormPlan {
            live_readers: other.live,
            events_behind: other.behind as u64,
            live_rate: load.rate.unwrap_or(default.live_rate),
            calm: other.calm,
            publishers: load.publishers.unwrap_or(default.publishers),
            resume_header: other.resume_header.clone(),
        });
    }
    let default = FanoutPlan::default();
    let amount = match (load.events, load.duration) {
        (Some(events), _) => Amount::Events(events as u64),
        (None, Some(time)) => Amount::For(time),
        (None, None) => default.amount,
    };
    Mode::Fanout(FanoutPlan {
        publishers: load.publishers.unwrap_or(default.publishers),
        amount,
        pace: load.rate.map_or(default.pace, Pace::Rate),
        warm_up: load.warm_up,
    })
}

/// The header that carries a token.
#[derive(Clone)]
struct Bearer(Template);

impl Bearer {
    fn parse(raw: &str) -> Result<Self, String> {
        Token::parse(raw)?;
        let header = format!("Authorization: Bearer {raw}");
        header.parse().map(Self).map_err(|error: TemplateError| error.to_string())
    }
}

impl Bearer {
    fn of(token: &str) -> Self {
        Self(format!("Authorization: Bearer {token}").parse().expect("a token has no braces"))
    }
}

/// What tokens are signed with.
#[derive(Clone, Debug)]
struct TokenKey(KeySource);

impl TokenKey {
    fn parse(raw: &str) -> Result<Self, String> {
        let key = Self(KeySource::new(raw.to_owned(), Algorithm::Hs256));
        key.try_mint("somebody").map(|_| key).map_err(|error| error.to_string())
    }

    fn header_of(&self, subscriber: usize) -> String {
        format!("Authorization: Bearer {}", self.mint(&format!("subscriber-{subscriber}")))
    }

    fn mint(&self, subject: &str) -> String {
        self.try_mint(subject).expect("it signed when it was parsed")
    }

    /// A token of this subject for all topics, that does not end while anything is measured.
    fn try_mint(&self, subject: &str) -> Result<String, MintError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_hours(24);
        let claims = Claims {
            publish: vec!["*".to_owned()],
            subscribe: vec!["*".to_owned()],
            subject: Some(subject.to_owned()),
            expires_at: Some(Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))),
            ..Claims::default()
        };
        mint(&claims, &self.0)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// A plan that cannot be carried out is wrong usage; all else happened while running.
fn told(error: BenchError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    match error {
        BenchError::Plan(fault) => Failure::usage(fault),
        BenchError::Connect { .. } => {
            Failure::running(format!("{message}; start a hub with `tidings serve --memory`, or name another server"))
        }
        _ => Failure::running(message),
    }
}

const EXAMPLES: &str = "\
Paths, headers and bodies have places: {t} is the number of the topic, {i} that of the connection, \
n in braces that of the event, {payload} the payload; {t%50} is a remainder, {t/50} a quotient.

Examples:
  tidings bench --subscribers 1000 --pid 4242
  tidings bench --subscribers 1000 --publishers 8 --duration 10s
  tidings bench --subscribers 10000 --rate 1 --events 20 --json
  tidings bench --subscribers 1000 --topics 1000 --publishers 8 --events 20000
  tidings bench --subscribers 10000 --idle --pid 4242
  tidings bench --subscribers 10100 --storm --behind 1000 --live 100
  tidings bench --subscribers 1000 --topics 10000 --groups 50 --subscribe '/events?topic=g{i%50}/*' --publish '/events/g{t%50}/t{t}'

Other servers:
  Mercure
  tidings bench http://127.0.0.1:3001 --subscribe '/.well-known/mercure?topic=t{t}' --publish /.well-known/mercure \
--publish-body 'topic=t{t}&data={payload}' --publish-header 'Content-Type: application/x-www-form-urlencoded' --token JWT
  nginx with nchan
  tidings bench http://127.0.0.1:8080 --subscribe '/sub/{t}' --publish '/pub/{t}'
  Centrifugo
  tidings bench http://127.0.0.1:8000 \
--subscribe '/connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B%22t{t}%22%3A%7B%7D%7D%7D' --publish /api/publish \
--publish-body '{\"channel\":\"t{t}\",\"data\":\"{payload}\"}' --publish-header 'Content-Type: application/json'
  a server of your own
  tidings bench http://127.0.0.1:8080 --subscribe /stream --publish /send --publish-body '{\"text\":\"{payload}\"}'

Losses and refusals are results and not failures: the exit code is 0 when something was measured.
Latency without --rate counts from each request: a server that is slow to answer is then asked less often.";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: Bench,
    }

    fn plan(flags: &str) -> Plan {
        let line = Line::try_parse_from(["bench"].into_iter().chain(flags.split_whitespace()));
        line.expect(flags).bench.into_plan()
    }

    #[test]
    fn flags_say_what_is_done() {
        let check = |flags: &str, is_wanted: fn(&Mode) -> bool| {
            let mode = plan(flags).mode;
            assert!(is_wanted(&mode), "{flags}: {mode:?}");
        };
        check("", |mode| matches!(mode, Mode::Fanout(plan) if plan.amount == Amount::Events(1_000)));
        check(
            "--rate 20 --publishers 3",
            |mode| matches!(mode, Mode::Fanout(plan) if plan.pace == Pace::Rate(20.0) && plan.publishers == 3),
        );
        check(
            "--duration 2s",
            |mode| matches!(mode, Mode::Fanout(plan) if plan.amount == Amount::For(Duration::from_secs(2))),
        );
        check("--idle --hold 1s", |mode| matches!(mode, Mode::Idle(plan) if plan.hold == Duration::from_secs(1)));
        check(
            "--storm --behind 7",
            |mode| matches!(mode, Mode::Storm(plan) if plan.events_behind == 7 && plan.publishers == 8),
        );
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused() {
        for flags in ["--events 1 --duration 1s", "--idle --storm", "--idle --rate 1", "--hold 1s", "--behind 5"] {
            let line = Line::try_parse_from(["bench"].into_iter().chain(flags.split_whitespace()));
            assert!(line.is_err(), "{flags}");
        }
    }

    #[test]
    fn each_subscriber_brings_a_token_of_its_own() {
        let plan = plan("--token-key a-secret-of-some-length --subscribers 3");
        let mut own = plan.subscribe.own_headers.clone();
        own.sort();
        own.dedup();
        assert_eq!(own.len(), 3, "{own:?}");
        assert!(own.iter().all(|header| header.starts_with("Authorization: Bearer ey")), "{own:?}");
        assert!(plan.publish.headers[0].to_string().starts_with("Authorization: Bearer ey"));
        assert_eq!(plan.subscribe.headers, []);
    }

    #[test]
    fn a_token_goes_with_both_requests() {
        let plan = plan("--token abc --publish-header X:y");
        let texts = |headers: &[Template]| headers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&plan.subscribe.headers), ["Authorization: Bearer abc"]);
        assert_eq!(texts(&plan.publish.headers), ["X:y", "Authorization: Bearer abc"]);
    }
}
