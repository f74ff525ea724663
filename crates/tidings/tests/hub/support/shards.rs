//! Shards without HTTP before them: sessions come to them as whoever answers requests brings them, with any grants and
//! any lease.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidings::{Counters, Delivery, Engine, Event, Grants, Publication, Selector, SelectorSet};
use tidings_core::{
    Dialect, Epoch, GroupSpec, HistoryLimits, MemoryEngine, MemoryOptions, Position, Sequence, Timestamp,
};
use tidings_fanout::{ConnectionGate, EventStream, Fanout, FanoutOptions, Subscription};
use tidings_wire::{Decoder, Item};

use super::client::Head;
use super::dechunk::Dechunker;
use super::far::FarEngine;
use super::hub::{Setup, wide_limits};
use super::reader::End;
use super::{DEADLINE, connect, connect_narrow};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// The first bytes of each stream.
pub(crate) const OPENING: &str = ":opening\n";

/// Shards and their engine.
pub(crate) struct Shards {
    pub(crate) fanout: Fanout,
    pub(crate) counters: Arc<Counters>,
    engine: Arc<dyn Engine>,
    gate: Arc<ConnectionGate>,
    delivery: Delivery,
}

/// A reader of one stream.
pub(crate) struct Listener {
    source: Source,
    decoder: Decoder,
    events: VecDeque<Event>,
    pub(crate) comments: usize,
    /// All that was read, without framing.
    pub(crate) text: String,
}

enum Source {
    Direct { stream: TcpStream, head: Option<Vec<u8>>, dechunker: Dechunker },
    Body(EventStream),
}

impl Shards {
    /// Two shards and the history of `setup`.
    pub(crate) fn start(setup: Setup, configure: impl FnOnce(&mut FanoutOptions)) -> Self {
        let memory = MemoryOptions { history: HistoryLimits::default(), ..MemoryOptions::default() };
        let engine: Arc<dyn Engine> = if setup.is_far {
            FarEngine::new(memory)
        } else {
            Arc::new(MemoryEngine::new(Epoch::from_unix_micros(1_795_464_000_000_000), memory))
        };
        let mut options = FanoutOptions {
            shards: 2,
            limits: Arc::new(wide_limits().into()),
            heartbeat: None,
            retry: Duration::from_secs(2),
        };
        configure(&mut options);
        let counters = Arc::default();
        let fanout = Fanout::start(&engine, &counters, &options).expect("the system has a few threads more");
        Self {
            fanout,
            counters,
            engine,
            gate: ConnectionGate::new(Arc::new(wide_limits().into()), Arc::default(), Vec::new()),
            delivery: setup.delivery,
        }
    }

    #[track_caller]
    pub(crate) fn publish(&self, publication: Publication) -> Position {
        let mut appended = self.engine.append(publication, now());
        let answer = wait(|context| Pin::new(&mut appended).poll(context)).expect("memory answers in time");
        answer.unwrap_or_else(|error| panic!("publishing: {error}")).position
    }

    /// A reader of a new session.
    pub(crate) fn join(&self, subscription: Subscription) -> Listener {
        self.join_by(subscription, connect)
    }

    /// The same; the kernel keeps little for it.
    pub(crate) fn join_narrow(&self, subscription: Subscription) -> Listener {
        self.join_by(subscription, connect_narrow)
    }

    fn join_by(&self, subscription: Subscription, connect: fn(std::net::SocketAddr) -> TcpStream) -> Listener {
        let shards = self.fanout.handle();
        if self.delivery == Delivery::Body {
            return Listener::of(Source::Body(shards.join_body(subscription, None)));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let stream = connect(listener.local_addr().expect("a bound listener has an address"));
        let (socket, _) = listener.accept().expect("somebody has connected");
        socket.set_nonblocking(true).expect("a socket takes O_NONBLOCK");
        let permit = self.gate.enter(Ipv4Addr::LOCALHOST.into()).expect("there are places enough");
        shards.join_direct(socket, HEAD, subscription, permit);
        Listener::of(Source::Direct { stream, head: Some(Vec::new()), dechunker: Dechunker::default() })
    }
}

impl Listener {
    fn of(source: Source) -> Self {
        let decoder = Decoder::new();
        Self { source, decoder, events: VecDeque::new(), comments: 0, text: String::new() }
    }

    /// The next event, or the end of the stream.
    #[track_caller]
    pub(crate) fn next_or_end(&mut self) -> Result<Event, End> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.read_more()?;
        }
    }

    /// The data of the next event.
    #[track_caller]
    pub(crate) fn next_data(&mut self) -> String {
        match self.next_or_end() {
            Ok(event) => event.data,
            Err(end) => panic!("the stream ended ({end:?}) where an event was expected; before: {:?}", self.text),
        }
    }

    /// The data of the next events.
    #[track_caller]
    pub(crate) fn next_datas(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next_data()).collect()
    }

    /// Waits for the end of the stream, which comes without an event before it.
    #[track_caller]
    pub(crate) fn end(&mut self) -> End {
        match self.next_or_end() {
            Ok(event) => panic!("{event:?} where the end was expected"),
            Err(end) => end,
        }
    }

    /// Reads until so many heartbeats, or other comments, were seen.
    #[track_caller]
    pub(crate) fn await_comments(&mut self, count: usize) {
        while self.comments < count {
            self.read_more().unwrap_or_else(|end| panic!("the stream ended ({end:?}) after {:?}", self.text));
        }
    }

    /// Reads something, and takes what it says.
    #[track_caller]
    fn read_more(&mut self) -> Result<(), End> {
        let payload = self.source.read()?;
        self.text.push_str(std::str::from_utf8(&payload).expect("the tests send ASCII"));
        self.decoder.push(&payload);
        while let Some(item) = self.decoder.poll() {
            match item.expect("events are small") {
                Item::Event(event) => self.events.push_back(event),
                Item::Comment(_) => self.comments += 1,
                Item::Retry(_) | Item::Id(_) => {}
            }
        }
        Ok(())
    }
}

impl Source {
    #[track_caller]
    fn read(&mut self) -> Result<Bytes, End> {
        match self {
            Self::Body(stream) => {
                let bytes = wait(|context| stream.poll_next(context));
                bytes.unwrap_or_else(|| panic!("nothing came in {DEADLINE:?}")).ok_or(End::Whole)
            }
            Self::Direct { stream, head, dechunker } => {
                let mut room = [0; 16 * 1024];
                let mut read: Vec<u8> = match stream.read(&mut room) {
                    Ok(0) => return Err(if dechunker.is_done() { End::Whole } else { End::Broken }),
                    Ok(count) => room[..count].into(),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(End::Broken),
                    Err(error) => panic!("reading: {error}"),
                };
                if let Some(head_bytes) = head {
                    head_bytes.extend_from_slice(&read);
                    let Some((_, len)) = Head::parse(head_bytes) else { return Ok(Bytes::new()) };
                    read = head_bytes.split_off(len);
                    *head = None;
                }
                let mut payload = Vec::new();
                dechunker.push(&read, &mut payload).unwrap_or_else(|fault| panic!("bad framing: {fault}"));
                Ok(payload.into())
            }
        }
    }
}

/// A reader of all that there is under `selectors` on a plain channel, who may see what `grants` say.
pub(crate) fn subscription(selectors: &[&str], grants: Grants) -> Subscription {
    Subscription {
        group: GroupSpec { selectors: select(selectors), types: None, dialect: Dialect::Plain, announces: false },
        grants,
        cursor: Sequence::ZERO,
        opening: Bytes::from_static(OPENING.as_bytes()),
        lease: None,
        companion: None,
    }
}

/// Private events with a topic that these select.
pub(crate) fn only(selectors: &[&str]) -> Grants {
    Grants::Only(select(selectors))
}

pub(crate) fn select(selectors: &[&str]) -> SelectorSet {
    let selectors = selectors.iter().map(|raw| Selector::parse(raw).expect("the test has good selectors"));
    SelectorSet::new(selectors).expect("the test has a selector")
}

pub(crate) fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
    Timestamp::from_millis(u64::try_from(since_1970.as_millis()).expect("it is not that late"))
}

/// Polls until it is ready; `None` at the deadline.
fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now() + DEADLINE;
    loop {
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending => thread::park_timeout(deadline.checked_duration_since(Instant::now())?),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
