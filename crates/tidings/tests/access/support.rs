//! What the scenarios share: hubs with keys, tokens, requests, and streams under control.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidings::{
    Access, Algorithm, Authority, AuthorityOptions, Claims, CloseReason, Delivery, Event, Hub, HubBuilder, KeySource,
    Publication, Timestamp, Topic, mint,
};
use tidings_wire::{Decoder, Item};
use tokio::sync::oneshot;

#[path = "../hub/support/dechunk.rs"]
mod dechunk;

use dechunk::Dechunker;

/// No wait is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const PUBLISHER_KEY: &str = "the publishers' own secret, which nobody is to see";
pub(crate) const SUBSCRIBER_KEY: &str = "the readers' own secret, which nobody is to see";

/// Makes two tests of each scenario, one for each way out. A scenario is a function of a `Delivery`.
macro_rules! over_both_ways {
    ($($scenario:ident),+ $(,)?) => {
        mod direct {
            $(#[test] fn $scenario() { super::$scenario(tidings::Delivery::Direct); })+
        }
        mod body {
            $(#[test] fn $scenario() { super::$scenario(tidings::Delivery::Body); })+
        }
    };
}
pub(crate) use over_both_ways;

/// A hub that serves until it is dropped.
pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    dechunker: Dechunker,
    decoder: Decoder,
    events: VecDeque<Event>,
}

/// What a hub has keys for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Has {
    pub(crate) publisher: bool,
    pub(crate) subscriber: bool,
    pub(crate) anonymous: bool,
}

impl Has {
    pub(crate) const BOTH: Self = Self { publisher: true, subscriber: true, anonymous: false };
}

pub(crate) fn key(text: &str) -> KeySource {
    KeySource::new(text, Algorithm::Hs256)
}

impl TestHub {
    /// A hub with both keys.
    pub(crate) fn closed(delivery: Delivery) -> Self {
        Self::with_keys(delivery, Has::BOTH, |builder| builder)
    }

    /// A hub with these keys.
    pub(crate) fn with_keys(delivery: Delivery, has: Has, configure: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let options = AuthorityOptions {
            publisher: has.publisher.then(|| key(PUBLISHER_KEY)),
            subscriber: has.subscriber.then(|| key(SUBSCRIBER_KEY)),
            ..AuthorityOptions::default()
        };
        let authority = Arc::new(Authority::new(options).expect("good keys"));
        let access = Access { allows_anonymous: has.anonymous, ..Access::default() };
        Self::start(delivery, |builder| configure(builder.access(access).authority(authority)))
    }

    /// A hub without keys, but for what `configure` changes.
    pub(crate) fn start(delivery: Delivery, configure: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let builder = Hub::builder().shards(2).delivery(delivery);
        let hub = configure(builder).build().expect("a hub needs only threads");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (stop, is_stopped) = oneshot::channel::<()>();
        let serving = hub.clone();
        let served = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let stopped = async { drop(is_stopped.await) };
            runtime.block_on(serving.serve(vec![listener], stopped, Duration::ZERO)).expect("serving ends well");
        });
        Self { hub, address, stop: Some(stop), served: Some(served) }
    }

    /// Publishes in process, which needs no token.
    pub(crate) fn publish(&self, topic: &str, data: &str, private: bool) {
        let topic = Topic::parse(topic).expect("a good topic");
        let publication = Publication { private, ..Publication::new(topic, data) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(self.hub.publish(publication)).expect("a good publication");
    }

    /// A request on a connection of its own, and its whole answer.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        // Else the connection stays, and its end would not be that of the answer.
        let mut socket = self.send(method, target, &[headers, &[("connection", "close")]].concat(), body);
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).expect("an answer that ends");
        let (head, body) = split_head(&bytes).expect("a whole head");
        let body = if head.contains("transfer-encoding: chunked") {
            let mut whole = Vec::new();
            Dechunker::default().push(body, &mut whole).expect("good framing");
            whole
        } else {
            body.to_vec()
        };
        let body = String::from_utf8(body).expect("all answers are UTF-8");
        Answer { status: status_of(&head), head, body }
    }

    /// The same with a bearer token.
    #[track_caller]
    pub(crate) fn ask_as(&self, token: &str, method: &str, target: &str, body: &str) -> Answer {
        self.ask(method, target, &[("authorization", &format!("Bearer {token}"))], body)
    }

    /// A stream, if it is one.
    #[track_caller]
    pub(crate) fn try_listen(&self, target: &str, headers: &[(&str, &str)]) -> Result<Stream, Answer> {
        let mut socket = self.send("GET", target, headers, "");
        let mut bytes = Vec::new();
        let head = loop {
            if let Some((head, _)) = split_head(&bytes) {
                break head;
            }
            let mut room = [0; 4096];
            let count = socket.read(&mut room).expect("an answer");
            assert!(count > 0, "no whole head: {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&room[..count]);
        };
        let rest = split_head(&bytes).map(|(_, rest)| rest.to_vec()).unwrap_or_default();
        let status = status_of(&head);
        if status != 200 {
            let mut body = rest;
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
            while body.len() < length {
                let mut room = [0; 4096];
                let count = socket.read(&mut room).expect("an answer");
                body.extend_from_slice(&room[..count]);
            }
            return Err(Answer { status, head, body: String::from_utf8(body).expect("UTF-8") });
        }
        assert!(head.contains("text/event-stream"), "{head}");
        let mut stream =
            Stream { socket, dechunker: Dechunker::default(), decoder: Decoder::new(), events: VecDeque::new() };
        stream.take_in(&rest);
        Ok(stream)
    }

    /// A stream.
    #[track_caller]
    pub(crate) fn listen(&self, target: &str, headers: &[(&str, &str)]) -> Stream {
        self.try_listen(target, headers).unwrap_or_else(|answer| panic!("{target}: {answer:?}"))
    }

    /// A stream with a bearer token.
    #[track_caller]
    pub(crate) fn listen_as(&self, token: &str, target: &str) -> Stream {
        self.listen(target, &[("authorization", &format!("Bearer {token}"))])
    }

    /// Waits until so many streams were closed for `reason`: each is counted a moment after its reader knows.
    #[track_caller]
    pub(crate) fn expect_closed(&self, reason: CloseReason, count: u64) {
        let deadline = Instant::now() + DEADLINE;
        while self.hub.counters().closed(reason).get() != count {
            assert!(Instant::now() < deadline, "{:?} for {reason}", self.hub.counters().closed(reason).get());
            thread::park_timeout(Duration::from_millis(1)); // nobody unparks it: it leaves the processor to the hub
        }
    }

    #[track_caller]
    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut socket = TcpStream::connect_timeout(&self.address, DEADLINE).expect("the hub listens");
        socket.set_read_timeout(Some(DEADLINE)).expect("a time that is not zero");
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        if method != "GET" {
            request.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
        }
        request.push_str("\r\n");
        request.push_str(body);
        socket.write_all(request.as_bytes()).expect("the hub reads");
        socket
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(served) = self.served.take()
            && served.join().is_err()
            && !thread::panicking()
        {
            panic!("serving did not end well");
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that it is a problem with this status whose detail has all of these words.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let json = self.json();
        let text = format!("{} {} {}", json["detail"], json["expected"], json["value"]);
        for word in words {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Stream {
    /// The next event, or `None` at the end of the stream.
    #[track_caller]
    pub(crate) fn next_or_end(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.dechunker.is_done() {
                return None;
            }
            let mut room = [0; 4096];
            let count = self.socket.read(&mut room).expect("the stream goes on or ends in time");
            assert!(count > 0, "the stream was cut");
            self.take_in(&room[..count]);
        }
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Event {
        self.next_or_end().expect("the stream goes on")
    }

    /// The data of the next event, which must not be one of the hub's own.
    #[track_caller]
    pub(crate) fn next_data(&mut self) -> String {
        let event = self.next();
        assert!(!event.event_type.starts_with("tidings."), "{event:?}");
        event.data
    }

    /// The next event, which is of this type: its data as JSON.
    #[track_caller]
    pub(crate) fn next_of(&mut self, event_type: &str) -> serde_json::Value {
        let event = self.next();
        assert_eq!(event.event_type, event_type, "{event:?}");
        serde_json::from_str(&event.data).expect("JSON")
    }

    /// Waits for the end, before which no event comes.
    #[track_caller]
    pub(crate) fn end(&mut self) {
        assert_eq!(self.next_or_end(), None);
    }

    /// With this its reader comes back.
    pub(crate) fn last_event_id(&self) -> String {
        self.decoder.last_event_id().to_owned()
    }

    fn take_in(&mut self, bytes: &[u8]) {
        let mut payload = Vec::new();
        self.dechunker.push(bytes, &mut payload).expect("good framing");
        self.decoder.push(&payload);
        while let Some(item) = self.decoder.poll() {
            if let Item::Event(event) = item.expect("a good stream") {
                self.events.push_back(event);
            }
        }
    }
}

fn split_head(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    Some((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end..]))
}

#[track_caller]
fn status_of(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}

/// A token for publishers, signed with their key.
pub(crate) fn publisher(topics: &[&str]) -> String {
    let publish = topics.iter().map(|&topic| topic.to_owned()).collect();
    sign(&Claims { publish, ..Claims::default() }, PUBLISHER_KEY)
}

/// A token for readers, signed with their key.
pub(crate) fn reader(topics: &[&str]) -> String {
    sign(&reading(topics, None), SUBSCRIBER_KEY)
}

/// A token for a reader that ends in so many seconds.
pub(crate) fn reader_for(subject: &str, topics: &[&str], seconds: u64) -> String {
    let claims = Claims { subject: Some(subject.to_owned()), ..reading(topics, Some(seconds)) };
    sign(&claims, SUBSCRIBER_KEY)
}

pub(crate) fn reading(topics: &[&str], seconds: Option<u64>) -> Claims {
    let subscribe = topics.iter().map(|&topic| topic.to_owned()).collect();
    let expires_at = seconds.map(|seconds| now().saturating_add(Duration::from_secs(seconds)));
    Claims { subscribe, expires_at, ..Claims::default() }
}

#[track_caller]
pub(crate) fn sign(claims: &Claims, secret: &str) -> String {
    mint(claims, &key(secret)).expect("good claims")
}

pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    Timestamp::from_millis(u64::try_from(since_1970.as_millis()).expect("a clock of our days"))
}
