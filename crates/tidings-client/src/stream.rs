//! The event source with its sockets: does what the machine says, and nothing while it is not polled.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use futures_core::Stream;
use http::Method;
use tokio::time::{Sleep, sleep_until};
use url::Url;

use crate::builder::EventSourceBuilder;
use crate::connect::{Answer, Body, Requests};
use crate::error::{Error, Lost};
use crate::event::{Event, Raw, ReadyState};
use crate::machine::{Machine, Onward, Step};

/// A stream of server-sent events that reconnects by itself.
///
/// It is a [`Stream`] of `Result<Event, Error>`. After an [`Error`] it is over, and after a status 204 or
/// [`close`](Self::close) it is over without one. Poll it within a tokio runtime with its timer and IO.
///
/// Nothing is lost when a future of [`next`](Self::next) is dropped, so it may stand in a `select!`. While it is not
/// polled nothing is read: the server then waits, by the flow control of TCP or HTTP/2. No task is behind it; names alone
/// are resolved by tokio on a thread of its own.
pub struct EventSource {
    url: Url,
    machine: Machine,
    requests: Requests,
    link: Link,
    /// One timer for all: the wait before an attempt, or the watchdog of a connection.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What there is of a connection.
enum Link {
    None,
    Asking(Pin<Box<dyn Future<Output = Result<Answer, Lost>> + Send>>),
    Reading(Box<Body>),
}

impl EventSource {
    /// An event source as a browser has it. The URL is absolute, `http` or `https`.
    pub fn get(url: impl AsRef<str>) -> EventSourceBuilder {
        EventSourceBuilder::new(Method::GET, url.as_ref())
    }

    /// An event source that POSTs: for services that answer a question with a stream.
    pub fn post(url: impl AsRef<str>) -> EventSourceBuilder {
        EventSourceBuilder::new(Method::POST, url.as_ref())
    }

    /// An event source with any method.
    pub fn with_method(method: Method, url: impl AsRef<str>) -> EventSourceBuilder {
        EventSourceBuilder::new(method, url.as_ref())
    }

    pub(crate) fn new(url: Url, machine: Machine, requests: Requests) -> Self {
        Self { url, machine, requests, link: Link::None, timer: None }
    }

    /// The next event; `None` when the stream is over. It waits as long as it takes, over any number of connections.
    ///
    /// # Errors
    /// [`Error`] says why the stream is over for good. What passes is not told here; see [`raw`](Self::raw).
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, comment, `retry`, id, or change of the connection; `None` when the stream is over.
    ///
    /// # Errors
    /// As [`next`](Self::next). The two may be called in turn.
    pub async fn next_raw(&mut self) -> Option<Result<Raw, Error>> {
        poll_fn(|cx| self.poll_raw(cx)).await
    }

    /// All that the stream says and that happens to it, as a [`Stream`].
    pub fn raw(self) -> RawEvents {
        RawEvents(self)
    }

    /// Whether it is connected, by the names of the standard.
    pub fn ready_state(&self) -> ReadyState {
        self.machine.ready_state()
    }

    /// The id to go on from: that of the last event given out, or of a later block without data; empty when there is none.
    pub fn last_event_id(&self) -> &str {
        self.machine.last_event_id()
    }

    /// The URL that was given, in its normal form. After redirects an event's `origin` tells who answered.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The reconnection time in force: the server's, or the one from the start.
    pub fn retry(&self) -> Duration {
        self.machine.retry()
    }

    /// Ends it: the connection is dropped, and nothing more is given out, not even what has already come.
    pub fn close(&mut self) {
        self.machine.close();
        self.link = Link::None;
    }

    /// Drops the connection, or ends the wait for one, and connects anew at once: after a sleep of the machine, or when
    /// a token has changed. It resumes after the last event that was given out. Does nothing once it is closed.
    pub fn reconnect(&mut self) {
        self.machine.reconnect(now());
        self.link = Link::None;
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        loop {
            match ready!(self.poll_raw(cx)) {
                Some(Ok(Raw::Event(event))) => return Poll::Ready(Some(Ok(event))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Raw, Error>>> {
        loop {
            let step = self.machine.step(now());
            if !self.machine.is_connected() {
                self.link = Link::None;
            }
            match step {
                Step::Deliver(told) => return Poll::Ready(Some(*told)),
                Step::Ended => return Poll::Ready(None),
                Step::Wait { until } => ready!(self.poll_timer(until, cx)),
                Step::Connect(ask) => self.link = Link::Asking(Box::pin(self.requests.send(*ask))),
                Step::AwaitHead { until } => ready!(self.poll_head(until, cx)),
                Step::Read { until } => ready!(self.poll_body(until, cx)),
            }
        }
    }

    fn poll_head(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Link::Asking(asking) = &mut self.link else {
            unreachable!("the machine asks to wait for a head only after it asked to connect")
        };
        match asking.as_mut().poll(cx) {
            Poll::Ready(Ok(answer)) => {
                self.link = match self.machine.on_head(&answer.head, now(), SystemTime::now()) {
                    Onward::Read(encoding) => Link::Reading(Box::new(answer.into_body(encoding))),
                    Onward::Ask(ask) => Link::Asking(Box::pin(self.requests.send(*ask))),
                    Onward::Drop => Link::None,
                };
            }
            Poll::Ready(Err(cause)) => self.machine.on_lost(cause, now()),
            Poll::Pending => ready!(self.poll_watchdog(until, cx)),
        }
        Poll::Ready(())
    }

    /// Asks the socket before the watchdog: a program that has not polled for long has not found silence.
    fn poll_body(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Link::Reading(body) = &mut self.link else {
            unreachable!("the machine asks to read only after it took a body")
        };
        match body.poll_bytes(cx) {
            Poll::Ready(Some(Ok(bytes))) => self.machine.on_bytes(&bytes, now()),
            Poll::Ready(Some(Err(cause))) => self.machine.on_lost(cause, now()),
            Poll::Ready(None) => self.machine.on_lost(Lost::Ended, now()),
            Poll::Pending => ready!(self.poll_watchdog(until, cx)),
        }
        Poll::Ready(())
    }

    fn poll_watchdog(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        ready!(self.poll_timer(until, cx));
        self.machine.on_silence(now());
        Poll::Ready(())
    }

    fn poll_timer(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let until = until.into();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }
}

impl Stream for EventSource {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("url", &self.url.as_str())
            .field("ready_state", &self.ready_state())
            .field("last_event_id", &self.last_event_id())
            .finish_non_exhaustive()
    }
}

/// An [`EventSource`] that gives all it hears; see [`EventSource::raw`].
///
/// ```no_run
/// use futures_util::StreamExt;
/// use tidings_client::{EventSource, Raw};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut stream = EventSource::get("http://127.0.0.1:3000/events").build()?.raw();
/// while let Some(raw) = stream.next().await {
///     match raw? {
///         Raw::Event(event) => println!("{}", event.data),
///         Raw::Comment(text) => println!("heard {text:?}"),
///         Raw::Lost { cause, wait } => eprintln!("{cause}; again in {wait:?}"),
///         other => eprintln!("{other:?}"),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RawEvents(EventSource);

impl RawEvents {
    /// The event source behind it.
    pub fn source(&self) -> &EventSource {
        &self.0
    }

    /// The event source behind it, to close it or to connect anew.
    pub fn source_mut(&mut self) -> &mut EventSource {
        &mut self.0
    }
}

impl Stream for RawEvents {
    type Item = Result<Raw, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_raw(cx)
    }
}

/// The clock of tokio, so that a test can stop it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
