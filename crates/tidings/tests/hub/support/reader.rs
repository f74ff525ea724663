//! A reader as an EventSource is one, but under control to the byte: it connects, reads so many bytes, is cut, and
//! comes back with the last id it has seen.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tidings::Event;
use tidings_wire::{Decoder, Item};

use super::client::{Client, Head};
use super::dechunk::Dechunker;
use super::{DEADLINE, connect, connect_narrow, percent_encode, reset};

/// One reader and all its connections, one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    address: SocketAddr,
    target: String,
    headers: String,
    id_by: IdBy,
    /// The kernel keeps little for it.
    is_narrow: bool,
    decoder: Decoder,
    link: Option<Link>,
    events: VecDeque<Event>,
    /// The last `retry:` it was told. Unit: milliseconds.
    pub(crate) retry_ms: Option<u64>,
    pub(crate) comments: usize,
}

/// How a reader says where it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdBy {
    Header,
    Query(&'static str),
}

/// How a connection is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// FIN, and then the reset with which the kernel answers bytes for a closed socket.
    Fin,
    /// Closed with what it may hold unread.
    Close,
    /// RST at once.
    Rst,
}

impl Cut {
    pub(crate) const ALL: [Self; 3] = [Self::Fin, Self::Close, Self::Rst];
}

/// What a look at the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pumped {
    Bytes(usize),
    /// Nothing within the time.
    Idle,
    End(End),
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the end of its body.
    Whole,
    /// In the middle.
    Broken,
}

#[derive(Debug)]
struct Link {
    stream: TcpStream,
    head: Option<Head>,
    /// What is read of the head.
    head_bytes: Vec<u8>,
    dechunker: Dechunker,
}

impl Reader {
    /// A reader of `target`, not connected yet.
    pub(crate) fn new(address: SocketAddr, target: impl Into<String>) -> Self {
        Self {
            address,
            target: target.into(),
            headers: String::new(),
            id_by: IdBy::Header,
            is_narrow: false,
            decoder: Decoder::new(),
            link: None,
            events: VecDeque::new(),
            retry_ms: None,
            comments: 0,
        }
    }

    /// A reader that is connected and has the head of its answer, so that it misses nothing from now on.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr, target: impl Into<String>) -> Self {
        let mut reader = Self::new(address, target);
        reader.connect();
        reader.head();
        reader
    }

    /// The same, for which the kernel keeps little: what it does not read soon, the hub cannot write.
    #[track_caller]
    pub(crate) fn open_narrow(address: SocketAddr, target: impl Into<String>) -> Self {
        let mut reader = Self { is_narrow: true, ..Self::new(address, target) };
        reader.connect();
        reader.head();
        reader
    }

    /// Says its last id in this way.
    pub(crate) fn id_by(mut self, id_by: IdBy) -> Self {
        self.id_by = id_by;
        self
    }

    /// Connects, with the last id if there is one.
    #[track_caller]
    pub(crate) fn connect(&mut self) {
        assert!(self.link.is_none(), "it is connected");
        let stream = if self.is_narrow { connect_narrow(self.address) } else { connect(self.address) };
        self.begin(stream, Vec::new());
        self.ask();
    }

    /// Asks for its stream on a connection that had other requests before.
    #[track_caller]
    pub(crate) fn connect_on(&mut self, client: Client) {
        let (stream, read) = client.into_parts();
        assert!(read.is_empty(), "an answer was not taken");
        self.begin(stream, read);
        self.ask();
    }

    /// Loses its connection.
    pub(crate) fn cut(&mut self, cut: Cut) {
        let Some(link) = self.link.take() else { return };
        match cut {
            Cut::Fin => drop(link.stream.shutdown(Shutdown::Write)),
            Cut::Close => {}
            Cut::Rst => return reset(link.stream),
        }
        drop(link.stream);
    }

    /// Reads at most `bytes_max` bytes, once, and takes what they say. Waits no longer than `patience`.
    #[track_caller]
    pub(crate) fn pump(&mut self, bytes_max: usize, patience: Duration) -> Pumped {
        let link = self.link.as_mut().expect("it is connected");
        if link.dechunker.is_done() {
            return Pumped::End(End::Whole);
        }
        let mut room = [0; 16 * 1024];
        let len = bytes_max.min(room.len());
        link.stream.set_read_timeout(Some(patience)).expect("a time that is not zero");
        match link.stream.read(&mut room[..len]) {
            Ok(0) => Pumped::End(if link.dechunker.is_done() { End::Whole } else { End::Broken }),
            Ok(count) => {
                self.take_in(&room[..count]);
                Pumped::Bytes(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Pumped::Idle,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Pumped::End(End::Broken),
            Err(error) => panic!("reading {}: {error}", self.target),
        }
    }

    /// The head of the answer, which is one of a stream.
    #[track_caller]
    pub(crate) fn head(&mut self) -> &Head {
        while self.link.as_ref().is_some_and(|link| link.head.is_none()) {
            let pumped = self.pump(usize::MAX, DEADLINE);
            assert!(matches!(pumped, Pumped::Bytes(_)), "{}: {pumped:?} before the head", self.target);
        }
        self.link.as_ref().and_then(|link| link.head.as_ref()).expect("it is connected")
    }

    /// The next event, or the end of the stream.
    #[track_caller]
    pub(crate) fn next_or_end(&mut self) -> Result<Event, End> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match self.pump(usize::MAX, left) {
                Pumped::Bytes(_) => assert!(Instant::now() < deadline, "{}: no event in {DEADLINE:?}", self.target),
                Pumped::Idle => panic!("{}: no event in {DEADLINE:?}", self.target),
                Pumped::End(end) => return Err(end),
            }
        }
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Event {
        let target = self.target.clone();
        self.next_or_end()
            .unwrap_or_else(|end| panic!("{target}: the stream ended ({end:?}) where an event was expected"))
    }

    /// The next event, and not a byte more is read.
    #[track_caller]
    pub(crate) fn next_alone(&mut self) -> Event {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let pumped = self.pump(1, DEADLINE);
            assert!(matches!(pumped, Pumped::Bytes(_)) && Instant::now() < deadline, "{}: {pumped:?}", self.target);
        }
    }

    /// The data of the next event, which must be an ordinary one.
    #[track_caller]
    pub(crate) fn next_data(&mut self) -> String {
        let event = self.next();
        assert!(!event.event_type.starts_with("tidings."), "{}: {event:?}", self.target);
        event.data
    }

    /// Waits for the end of the stream, which comes without an event before it.
    #[track_caller]
    pub(crate) fn end(&mut self) -> End {
        match self.next_or_end() {
            Ok(event) => panic!("{}: {event:?} where the end was expected", self.target),
            Err(end) => {
                self.link = None;
                end
            }
        }
    }

    /// Takes the events that were read.
    pub(crate) fn take_events(&mut self) -> impl Iterator<Item = Event> + use<> {
        std::mem::take(&mut self.events).into_iter()
    }

    /// With this it comes back; empty when it has seen none.
    pub(crate) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.link.as_ref().expect("it is connected").stream
    }

    fn begin(&mut self, stream: TcpStream, head_bytes: Vec<u8>) {
        self.decoder.restart();
        self.link = Some(Link { stream, head: None, head_bytes, dechunker: Dechunker::default() });
    }

    #[track_caller]
    fn ask(&mut self) {
        let id = self.decoder.last_event_id();
        let (mut target, mut headers) = (self.target.clone(), self.headers.clone());
        match self.id_by {
            _ if id.is_empty() => {}
            IdBy::Header => headers = format!("{headers}Last-Event-ID: {id}\r\n"),
            IdBy::Query(name) => {
                let separator = if target.contains('?') { '&' } else { '?' };
                target = format!("{target}{separator}{name}={}", percent_encode(id));
            }
        }
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n{headers}\r\n", self.address);
        let link = self.link.as_mut().expect("it is connected");
        // A hub that has ended the connection has its reasons; reading says so.
        drop(link.stream.write_all(request.as_bytes()));
    }

    #[track_caller]
    fn take_in(&mut self, bytes: &[u8]) {
        let link = self.link.as_mut().expect("it is connected");
        let mut body = Cow::Borrowed(bytes);
        if link.head.is_none() {
            link.head_bytes.extend_from_slice(bytes);
            let Some((head, len)) = Head::parse(&link.head_bytes) else { return };
            check_stream(&head, &self.target);
            body = std::mem::take(&mut link.head_bytes).split_off(len).into();
            link.head = Some(head);
        }
        let mut payload = Vec::with_capacity(body.len());
        if let Err(fault) = link.dechunker.push(&body, &mut payload) {
            panic!("{}: bad framing: {fault}", self.target);
        }
        self.decoder.push(&payload);
        while let Some(item) = self.decoder.poll() {
            match item.unwrap_or_else(|error| panic!("{}: {error}", self.target)) {
                Item::Event(event) => self.events.push_back(event),
                Item::Comment(_) => self.comments += 1,
                Item::Retry(ms) => self.retry_ms = Some(ms),
                Item::Id(_) => {}
            }
        }
    }
}

#[track_caller]
fn check_stream(head: &Head, target: &str) {
    assert_eq!((head.status, &*head.version), (200, "HTTP/1.1"), "{target}: {head:?}");
    let want = [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")];
    for (name, want) in want {
        let got = head.header(name).unwrap_or_default();
        assert!(got.split([',', ';']).any(|value| value.trim() == want), "{target}: {name}: {got}");
    }
    assert!(head.is_chunked(), "{target}: {head:?}");
}
