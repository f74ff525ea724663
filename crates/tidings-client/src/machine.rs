//! The life of an event source: when to ask, what an answer means, what to give out, when to wait, when to stop.
//!
//! Pure: time comes in, steps go out. Who connects, reads and sleeps is `stream`.

#[cfg(test)]
mod properties;
#[cfg(test)]
mod rules;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, StatusCode};
use tidings_wire::{Decoder, DecoderLimits, Item};

use crate::answer::{Encoding, Verdict, judge};
use crate::backoff::Backoff;
use crate::error::{Error, Lost};
use crate::event::{Event, Raw, ReadyState};
use crate::request::{Target, header_of};

/// An event source without its sockets.
#[derive(Debug)]
pub(crate) struct Machine {
    policy: Policy,
    state: State,
    /// Where the next attempt begins: what the caller gave, or where permanent redirects led.
    home: Target,
    /// Where the present attempt is.
    current: Target,
    origin: Arc<str>,
    decoder: Decoder,
    backoff: Backoff,
    /// When the last byte came, or the attempt began.
    last_byte: Instant,
    /// What has happened and was not told yet: one entry, or two where an answer came and went at once.
    untold: VecDeque<Result<Raw, Error>>,
}

/// What a machine is told once.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) retry: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) attempts_max: Option<u32>,
    pub(crate) redirects_max: u32,
    pub(crate) retries_refusals: bool,
    pub(crate) accepted: Vec<Encoding>,
    pub(crate) limits: DecoderLimits,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Give this out, then ask again.
    Deliver(Box<Result<Raw, Error>>),
    /// Drop what connection there is, connect there and send the request, then tell `on_head` or `on_lost`.
    Connect(Box<Ask>),
    /// Go on waiting for the head; tell `on_silence` at that time.
    AwaitHead { until: Option<Instant> },
    /// Read the stream, then tell `on_bytes` or `on_lost`; tell `on_silence` at that time.
    Read { until: Option<Instant> },
    /// No connection; ask again at that time.
    Wait { until: Instant },
    /// There is no more.
    Ended,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) target: Target,
    pub(crate) last_event_id: String,
}

/// The head of a response, and for a refusal how its body begins.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) excerpt: String,
}

#[derive(Clone, Debug)]
enum State {
    /// Ask at that time.
    Waiting {
        until: Instant,
    },
    /// Asked; so many redirects were followed. `is_permanent`: by permanent ones alone.
    Asking {
        redirects: u32,
        is_permanent: bool,
    },
    /// Reading since then. `has_served`: an event came, so the server works.
    Open {
        since: Instant,
        has_served: bool,
    },
    Closed,
}

impl Machine {
    pub(crate) fn new(target: Target, last_event_id: &str, policy: Policy, seed: u64, now: Instant) -> Self {
        Self {
            state: State::Waiting { until: now },
            current: target.clone(),
            home: target,
            origin: "".into(),
            decoder: Decoder::with_limits(policy.limits).with_last_event_id(last_event_id),
            backoff: Backoff::new(policy.retry, policy.backoff_max, seed),
            last_byte: now,
            untold: VecDeque::new(),
            policy,
        }
    }

    /// What to do now. Whoever does it tells what came of it, and asks again.
    pub(crate) fn step(&mut self, now: Instant) -> Step {
        if let Some(told) = self.untold.pop_front() {
            return Step::Deliver(Box::new(told));
        }
        match self.state {
            State::Closed => Step::Ended,
            State::Waiting { until } if now < until => Step::Wait { until },
            State::Waiting { .. } => self.ask_anew(now),
            State::Asking { .. } => Step::AwaitHead { until: self.silence_at() },
            State::Open { .. } => match self.decoder.poll() {
                None => Step::Read { until: self.silence_at() },
                Some(Ok(item)) => Step::Deliver(Box::new(Ok(self.take_item(item)))),
                Some(Err(error)) => {
                    self.close();
                    Step::Deliver(Box::new(Err(error.into())))
                }
            },
        }
    }

    /// ## Asking => Open, Asking (a redirect), Waiting or Closed
    ///
    /// Gives how the body is compressed if it is to be read, and else what to ask next, if there is something.
    pub(crate) fn on_head(&mut self, head: &Head, now: Instant, wall_clock: SystemTime) -> Onward {
        let State::Asking { redirects, is_permanent } = self.state else { return Onward::Drop };
        self.last_byte = now;
        let url = || self.current.url.clone();
        let (status, body) = (head.status, || head.excerpt.clone());
        match judge(status, &head.headers, &self.policy.accepted, wall_clock) {
            Verdict::Stream(encoding) => {
                self.open(is_permanent, now);
                return Onward::Read(encoding);
            }
            Verdict::Redirect { location } => return self.redirect(status, &location, redirects, is_permanent, now),
            Verdict::Stop => self.close(),
            Verdict::Refused { after } if self.policy.retries_refusals => {
                self.lose(Lost::Refused { status, body: body() }, after.unwrap_or_default(), now);
            }
            Verdict::Refused { .. } | Verdict::Status => self.fail(Error::Status { url: url(), status, body: body() }),
            Verdict::ContentType(content_type) => self.fail(Error::ContentType { url: url(), content_type }),
            Verdict::Encoding(encoding) => self.fail(Error::Encoding { url: url(), encoding }),
        }
        Onward::Drop
    }

    /// Bytes of the stream have come.
    pub(crate) fn on_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.last_byte = now;
        if matches!(self.state, State::Open { .. }) {
            self.decoder.push(bytes);
        }
    }

    /// ## Asking, Open => Waiting   (the connection is no more, or there was none)
    pub(crate) fn on_lost(&mut self, cause: Lost, now: Instant) {
        if matches!(self.state, State::Asking { .. } | State::Open { .. }) {
            self.lose(cause, Duration::ZERO, now);
        }
    }

    /// ## Asking, Open => Waiting   (no byte for too long)
    pub(crate) fn on_silence(&mut self, now: Instant) {
        if let Some(after) = self.policy.idle_timeout
            && self.silence_at().is_some_and(|at| at <= now)
        {
            self.on_lost(Lost::Silence { after }, now);
        }
    }

    /// ## Any but Closed => Waiting, for no time   (the program asks for a new connection)
    pub(crate) fn reconnect(&mut self, now: Instant) {
        if !matches!(self.state, State::Closed) {
            self.decoder.restart();
            self.state = State::Waiting { until: now };
            self.untold = VecDeque::from([Ok(Raw::Lost { cause: Lost::Asked, wait: Duration::ZERO })]);
        }
    }

    /// ## Any => Closed   (nothing that has come meanwhile is given out)
    pub(crate) fn close(&mut self) {
        self.decoder.restart();
        self.untold.clear();
        self.state = State::Closed;
    }

    /// Whether a connection is of use. If not, whoever holds one drops it.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Asking { .. } | State::Open { .. })
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        match self.state {
            State::Waiting { .. } | State::Asking { .. } => ReadyState::Connecting,
            State::Open { .. } => ReadyState::Open,
            State::Closed => ReadyState::Closed,
        }
    }

    pub(crate) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    pub(crate) fn retry(&self) -> Duration {
        self.backoff.retry()
    }

    /// ## Waiting => Asking
    fn ask_anew(&mut self, now: Instant) -> Step {
        self.current = self.home.clone();
        self.state = State::Asking { redirects: 0, is_permanent: true };
        if let Err(unsendable) = header_of(self.last_event_id()) {
            // Without it the server would go on from now, and nobody would know of the gap.
            self.close();
            return Step::Deliver(Box::new(Err(unsendable.into())));
        }
        Step::Connect(Box::new(self.ask(now)))
    }

    fn ask(&mut self, now: Instant) -> Ask {
        self.last_byte = now;
        Ask { target: self.current.clone(), last_event_id: self.last_event_id().to_owned() }
    }

    fn redirect(
        &mut self,
        status: StatusCode,
        location: &str,
        followed: u32,
        was_permanent: bool,
        now: Instant,
    ) -> Onward {
        match self.current.follow(status, location) {
            Err(cause) => self.lose(cause, Duration::ZERO, now),
            Ok(target) if followed >= self.policy.redirects_max => {
                let cause = Lost::Redirects { limit: self.policy.redirects_max, url: target.url };
                self.lose(cause, Duration::ZERO, now);
            }
            Ok(target) => {
                let is_permanent = was_permanent && is_permanent(status);
                self.state = State::Asking { redirects: followed + 1, is_permanent };
                self.current = target;
                return Onward::Ask(Box::new(self.ask(now)));
            }
        }
        Onward::Drop
    }

    fn open(&mut self, is_permanent: bool, now: Instant) {
        if is_permanent {
            self.home = self.current.clone();
        }
        self.origin = self.current.url.origin().ascii_serialization().into();
        self.state = State::Open { since: now, has_served: false };
        self.untold.push_back(Ok(Raw::Open { url: self.current.url.clone() }));
    }

    fn take_item(&mut self, item: Item) -> Raw {
        if let (State::Open { has_served, .. }, Item::Event(_) | Item::Id(_)) = (&mut self.state, &item) {
            *has_served = true;
        }
        match item {
            Item::Event(event) => Raw::Event(Event {
                event_type: event.event_type,
                data: event.data,
                last_event_id: event.last_event_id,
                origin: Arc::clone(&self.origin),
            }),
            Item::Comment(text) => Raw::Comment(text),
            Item::Id(id) => Raw::Id(id),
            Item::Retry(ms) => {
                self.backoff.set_retry(Duration::from_millis(ms));
                Raw::Retry(self.backoff.retry())
            }
        }
    }

    fn lose(&mut self, cause: Lost, at_least: Duration, now: Instant) {
        if let State::Open { since, has_served } = self.state
            && (has_served || now.duration_since(since) >= STEADY_AFTER)
        {
            self.backoff.succeed();
        } else {
            let attempts = self.backoff.fail();
            if self.policy.attempts_max.is_some_and(|max| attempts >= max) {
                self.fail(Error::GaveUp { attempts, source: cause });
                return;
            }
        }
        self.decoder.restart();
        let wait = self.backoff.next_wait(at_least);
        self.state = State::Waiting { until: now + wait };
        self.untold.push_back(Ok(Raw::Lost { cause, wait }));
    }

    fn fail(&mut self, error: Error) {
        self.close();
        self.untold.push_back(Err(error));
    }

    fn silence_at(&self) -> Option<Instant> {
        self.policy.idle_timeout.and_then(|after| self.last_byte.checked_add(after))
    }
}

/// What follows a head.
#[derive(Debug)]
pub(crate) enum Onward {
    /// The body is a stream.
    Read(Encoding),
    /// A redirect: ask there.
    Ask(Box<Ask>),
    /// The connection is of no more use.
    Drop,
}

/// A stream that lived so long was good, even if it had nothing to say.
const STEADY_AFTER: Duration = Duration::from_secs(10);

fn is_permanent(status: StatusCode) -> bool {
    matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT)
}
