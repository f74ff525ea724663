//! The door: accepts connections and reads the first request head of each, before anything is spent on it.
//!
//! A plain subscribe goes to a shard at once, so that a storm of reconnects pays for no HTTP machinery. Everything else
//! is passed on with the bytes that were read. Does not know what a request means: a [`Porter`] does.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use tidings_core::session::Tick;
use tidings_core::{Counters, Limit, Limits, LiveLimits, Rarely};

use crate::fanout::{FanoutHandle, Subscription};
use crate::heads::Heads;
use crate::permit::{ConnectionGate, Permit};
use crate::socket::{self, Received};

/// Most header fields of a head that the door itself reads; one with more is passed on.
const HEADERS_MAX: usize = 64;
/// Connections accepted, and given up, before those that are waiting are looked at again, and before others have their
/// turn of this thread's processor: half a millisecond's work.
const PER_TURN_MAX: usize = 32;
/// This part of all places is for connections whose head is under way, when all are taken.
const HEADS_PART_WHEN_FULL: usize = 8;
/// After the system had no descriptor left, how long until it is asked again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const WAKER_TOKEN: Token = Token(usize::MAX);
const LISTENER_TOKEN_FIRST: usize = usize::MAX - 64;
const LISTENERS_MAX: usize = 63;

/// Says what becomes of a connection.
pub trait Porter: Send + Sync + 'static {
    /// A whole request head has come, of a `GET` by HTTP/1.1 without body and upgrade, from a connection with a place.
    /// Called on the door's thread: it must not block.
    fn admit(&self, head: &httparse::Request<'_, '_>, peer: SocketAddr) -> Admission;

    /// Are heads encrypted? Then a connection is passed on with its first bytes, else with its first head.
    fn is_private(&self) -> bool;

    /// A connection that is not for a shard: it is served by somebody else, who reads `arrival.read` first.
    fn pass_on(&self, arrival: Arrival);
}

/// What a [`Porter`] decided.
pub enum Admission {
    /// It is a plain subscribe.
    Subscribe(Box<Admitted>),
    /// It is for others.
    PassOn,
}

/// A plain subscribe, ready for a shard.
pub struct Admitted {
    /// The head of the response, with its blank line.
    pub head: Vec<u8>,
    /// The reader.
    pub subscription: Subscription,
}

/// A connection that the door passes on.
#[derive(Debug)]
pub struct Arrival {
    /// The socket, non-blocking.
    pub socket: std::net::TcpStream,
    /// What was read from it by now.
    pub read: Vec<u8>,
    /// Who is on the other side.
    pub peer: SocketAddr,
    /// Its place.
    pub permit: Permit,
}

/// The thread that accepts. It ends when this is closed or dropped.
#[derive(Debug)]
pub struct Door {
    waker: Waker,
    is_closed: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Door {
    /// Accepts from `listeners` until it is closed.
    ///
    /// # Errors
    /// When a listener cannot be prepared, or the system gives no poll or thread.
    pub fn open(
        listeners: Vec<TcpListener>,
        porter: Arc<dyn Porter>,
        fanout: FanoutHandle,
        gate: Arc<ConnectionGate>,
        counters: Arc<Counters>,
        live_limits: Arc<LiveLimits>,
    ) -> io::Result<Self> {
        if listeners.len() > LISTENERS_MAX {
            return Err(io::Error::other(format!("{} listeners, at most {LISTENERS_MAX} are served", listeners.len())));
        }
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER_TOKEN)?;
        let mut watched = Vec::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            socket::prepare_listener(&listener, &live_limits.get())?;
            let mut listener = mio::net::TcpListener::from_std(listener);
            poll.registry().register(&mut listener, Token(LISTENER_TOKEN_FIRST + number), Interest::READABLE)?;
            watched.push(listener);
        }
        let is_closed = Arc::new(AtomicBool::new(false));
        let hall = Hall {
            poll,
            listeners: watched,
            porter,
            fanout,
            gate,
            counters,
            limits: live_limits.get(),
            live_limits,
            heads: Heads::new(),
            began: Instant::now(),
            now: Tick(0),
            to_accept: VecDeque::new(),
            accept_again_at: None,
            is_closed: Arc::clone(&is_closed),
        };
        let thread = std::thread::Builder::new().name("tidings-door".into()).spawn(move || hall.run())?;
        Ok(Self { waker, is_closed, thread: Mutex::new(Some(thread)) })
    }

    /// Accepts no more: the listeners are closed, and with them those whose head is not complete. Waits for the thread.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the door cannot be woken");
            return;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the door had ended by a panic");
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the door's thread knows.
struct Hall {
    poll: Poll,
    listeners: Vec<mio::net::TcpListener>,
    porter: Arc<dyn Porter>,
    fanout: FanoutHandle,
    gate: Arc<ConnectionGate>,
    counters: Arc<Counters>,
    live_limits: Arc<LiveLimits>,
    /// As they were at the begin of the turn.
    limits: Arc<Limits>,
    /// Connections whose head is not complete. Bounded by the gate.
    heads: Heads<Waiting>,
    began: Instant,
    now: Tick,
    /// Listeners that may have more to accept.
    to_accept: VecDeque<usize>,
    accept_again_at: Option<Tick>,
    is_closed: Arc<AtomicBool>,
}

struct Waiting {
    stream: TcpStream,
    read: Vec<u8>,
    peer: SocketAddr,
    permit: Permit,
}

/// What the bytes that were read are.
enum Head {
    Incomplete,
    PlainGet,
    Other,
}

impl Hall {
    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut room = Vec::new();
        while !self.is_closed.load(Ordering::Acquire) {
            match self.poll.poll(&mut events, self.time_to_sleep()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the door cannot poll its sockets and closes");
                    return;
                }
            }
            self.now = Tick(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
            self.limits = self.live_limits.get();
            room.resize(self.limits.head_bytes_max, 0);
            for event in &events {
                match event.token() {
                    WAKER_TOKEN => {}
                    Token(listener) if listener >= LISTENER_TOKEN_FIRST => {
                        self.to_accept.push_back(listener - LISTENER_TOKEN_FIRST);
                    }
                    Token(index) => self.on_readable(index, &mut room),
                }
            }
            let has_more_to_accept = self.accept(&mut room);
            if self.give_up() || has_more_to_accept {
                // In a storm this thread would not rest before the system takes its processor away, and a publisher or a
                // shard that wants it would have to wait for that.
                std::thread::yield_now();
            }
        }
    }

    fn time_to_sleep(&self) -> Option<Duration> {
        if !self.to_accept.is_empty() && self.accept_again_at.is_none() {
            return Some(Duration::ZERO);
        }
        let give_up_at = self.heads.first().map(|(_, came_at)| came_at.after(self.patience()));
        let due = give_up_at.unwrap_or(Tick::NEVER).min(self.accept_again_at.unwrap_or(Tick::NEVER));
        (due != Tick::NEVER).then(|| Duration::from_millis(due.0.saturating_sub(self.now.0)))
    }

    /// Answers whether there may be more now.
    fn accept(&mut self, room: &mut [u8]) -> bool {
        if self.accept_again_at.is_some_and(|at| at > self.now) {
            return false;
        }
        self.accept_again_at = None;
        for _ in 0..PER_TURN_MAX {
            let Some(&listener) = self.to_accept.front() else { return false };
            match self.listeners[listener].accept() {
                Ok((stream, peer)) => self.on_arrival(stream, peer, room),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.to_accept.retain(|other| *other != listener);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    static SAID: Rarely = Rarely::new();
                    if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                        tracing::error!(%error, unsaid_before, "no connection can be accepted; raise the limit of open files or lower --max-connections");
                    }
                    self.accept_again_at = Some(self.now.after(ACCEPT_PAUSE));
                    return false;
                }
            }
        }
        true
    }

    fn on_arrival(&mut self, mut stream: TcpStream, peer: SocketAddr, room: &mut [u8]) {
        self.make_room();
        let Some(permit) = self.gate.enter(peer.ip()) else {
            self.counters.refused_limits.increment();
            return;
        };
        // Most clients send their request with the end of the handshake, so it is often here already.
        match socket::receive(&mut stream, room) {
            Ok(Received::Bytes(count)) => {
                let read = &room[..count];
                match self.judge(read, 0) {
                    Head::Incomplete => self.wait(stream, read.to_vec(), peer, permit),
                    Head::PlainGet => self.decide(stream, read, peer, permit),
                    Head::Other => self.pass_on(stream, read.to_vec(), peer, permit),
                }
            }
            Ok(Received::Nothing) => self.wait(stream, Vec::new(), peer, permit),
            Ok(Received::End) | Err(_) => {}
        }
    }

    fn wait(&mut self, stream: TcpStream, read: Vec<u8>, peer: SocketAddr, permit: Permit) {
        let index = self.heads.insert(Waiting { stream, read, peer, permit }, self.now);
        let Some(Waiting { stream, .. }) = self.heads.get_mut(index) else { return };
        if self.poll.registry().register(stream, Token(index), Interest::READABLE).is_err() {
            self.heads.remove(index);
        }
    }

    fn on_readable(&mut self, index: usize, room: &mut [u8]) {
        loop {
            let Some(waiting) = self.heads.get_mut(index) else { return };
            // Never none: a head that is as long as it may be does not wait, unless the limit was lowered meanwhile.
            let left = self.limits.head_bytes_max.saturating_sub(waiting.read.len()).max(1);
            match socket::receive(&mut waiting.stream, &mut room[..left]) {
                Ok(Received::Nothing) => return,
                Ok(Received::Bytes(count)) => {
                    let searched = waiting.read.len();
                    extend(&mut waiting.read, &room[..count], self.limits.head_bytes_max);
                    let head = self.judge(&self.heads.get(index).expect("it waits").read, searched);
                    if matches!(head, Head::Incomplete) {
                        continue;
                    }
                    let Some(Waiting { stream, read, peer, permit }) = self.take(index) else { return };
                    return match head {
                        Head::PlainGet => self.decide(stream, &read, peer, permit),
                        _ => self.pass_on(stream, read, peer, permit),
                    };
                }
                Ok(Received::End) | Err(_) => {
                    self.take(index);
                    return;
                }
            }
        }
    }

    fn take(&mut self, index: usize) -> Option<Waiting> {
        let mut waiting = self.heads.remove(index)?;
        let _ = self.poll.registry().deregister(&mut waiting.stream); // it may be closed, which is the same
        Some(waiting)
    }

    /// What the bytes that were read are; the first `searched` of them were looked at before.
    fn judge(&self, read: &[u8], searched: usize) -> Head {
        if self.porter.is_private() { Head::Other } else { judge(read, searched, self.limits.head_bytes_max) }
    }

    /// How long a head may take now.
    fn patience(&self) -> Duration {
        self.gate.head_patience(self.limits.head_timeout)
    }

    /// A complete head of a plain `GET`: is it a subscribe?
    fn decide(&self, stream: TcpStream, read: &[u8], peer: SocketAddr, permit: Permit) {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let is_whole = matches!(head.parse(read), Ok(httparse::Status::Complete(len)) if len == read.len());
        if permit.refused_for().is_none()
            && is_whole
            && is_plain(&head)
            && let Admission::Subscribe(admitted) = self.porter.admit(&head, peer)
        {
            let Admitted { head, subscription } = *admitted;
            return self.fanout.join_direct(std_stream(stream), &head, subscription, permit);
        }
        self.pass_on(stream, read.to_vec(), peer, permit);
    }

    fn pass_on(&self, stream: TcpStream, read: Vec<u8>, peer: SocketAddr, permit: Permit) {
        self.porter.pass_on(Arrival { socket: std_stream(stream), read, peer, permit });
    }

    /// While those who have asked for nothing yet hold more than their part of the places, and all are taken, who has
    /// waited longest gives its place to who comes. Otherwise it is who comes that must wait: a head under way is worth more.
    fn make_room(&mut self) {
        while self.gate.is_full()
            && self.heads.len() > self.limits.connections_max / HEADS_PART_WHEN_FULL
            && let Some((index, _)) = self.heads.first()
        {
            self.turn_out(index);
        }
    }

    fn turn_out(&mut self, index: usize) {
        if let Some(Waiting { peer, .. }) = self.take(index) {
            self.counters.bad_heads.increment();
            self.counters.reach_by(Limit::HeadTime, &peer.ip());
        }
    }

    /// Closes those whose head takes too long. They have no request yet, so there is nothing to answer. Answers whether
    /// there may be more now.
    fn give_up(&mut self) -> bool {
        let patience = self.patience(); // as it was before places came free
        for _ in 0..PER_TURN_MAX {
            match self.heads.first() {
                Some((index, came_at)) if came_at.after(patience) <= self.now => self.turn_out(index),
                _ => return false,
            }
        }
        true
    }
}

/// Is it a whole head, and is it worth parsing here? The first `searched` bytes hold no empty line.
fn judge(read: &[u8], searched: usize, head_bytes_max: usize) -> Head {
    if !may_be_a_head(read) {
        return Head::Other; // somebody who speaks TLS, say: nothing that is worth waiting for
    }
    // Three bytes may have been the begin of one.
    if !has_empty_line(&read[searched.saturating_sub(3)..]) {
        return if read.len() >= head_bytes_max { Head::Other } else { Head::Incomplete };
    }
    // Where more has come than one head, the client has not waited for its answer.
    let is_alone = read.ends_with(b"\n\r\n") || read.ends_with(b"\n\n");
    if is_alone && read.starts_with(b"GET ") { Head::PlainGet } else { Head::Other }
}

/// A head begins with the name of a method; a client may send an empty line before it. (RFC 9112, 2.2)
fn may_be_a_head(read: &[u8]) -> bool {
    read.first().is_none_or(|first| first.is_ascii_graphic() || matches!(first, b'\r' | b'\n'))
}

/// Has a whole head come? It ends with an empty line, and the line before that may end with a bare line feed.
pub fn has_empty_line(read: &[u8]) -> bool {
    read.windows(3).any(|window| window == b"\n\r\n") || read.windows(2).any(|window| window == b"\n\n")
}

/// Adds `more`. A head takes no more room than it may have bytes, however it comes.
fn extend(read: &mut Vec<u8>, more: &[u8], head_bytes_max: usize) {
    let len = read.len() + more.len();
    if len > read.capacity() {
        let capacity = len.max(read.capacity() * 2).min(head_bytes_max.max(len));
        read.reserve_exact(capacity - read.len());
    }
    read.extend_from_slice(more);
}

fn is_plain(head: &httparse::Request<'_, '_>) -> bool {
    const NOT_PLAIN: [&str; 4] = ["content-length", "transfer-encoding", "upgrade", "expect"];
    let is_plain_header =
        |header: &httparse::Header<'_>| !NOT_PLAIN.iter().any(|name| header.name.eq_ignore_ascii_case(name));
    head.method == Some("GET") && head.version == Some(1) && head.headers.iter().all(is_plain_header)
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn std_stream(stream: TcpStream) -> std::net::TcpStream {
    OwnedFd::from(stream).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read: &str, want: &str) {
        // However it comes: what was searched before held no empty line.
        for searched in 0..=read.len() {
            if has_empty_line(&read.as_bytes()[..searched]) {
                return;
            }
            let got = match judge(read.as_bytes(), searched, 64) {
                Head::Incomplete => "incomplete",
                Head::PlainGet => "get",
                Head::Other => "other",
            };
            assert_eq!(got, want, "{read:?}, of which {searched} were searched");
        }
    }

    #[test]
    fn only_a_whole_head_of_a_get_is_looked_at_here() {
        check("", "incomplete");
        check("G", "incomplete");
        check("GET / HTTP/1.1\r\nHost: a\r\n", "incomplete");
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "get");
        check("GET / HTTP/1.1\nHost: a\n\n", "get");
        check("GET / HTTP/1.1\r\n\r\nGET", "other");
        check("POST / HTTP/1.1\r\n", "incomplete");
        check("POST / HTTP/1.1\r\n\r\n", "other");
        check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "other");
        check("\x16\x03\x01", "other");
        check(&format!("GET /{}", "a".repeat(70)), "other");
    }

    #[test]
    fn a_head_takes_no_more_room_than_it_may_have() {
        let mut read = vec![b'x'; 40];
        for _ in 0..60 {
            extend(&mut read, b"y", 100);
        }
        assert_eq!((read.len(), read.capacity()), (100, 100));
        extend(&mut read, b"y", 100); // the limit was lowered meanwhile
        assert_eq!(read.len(), 101);
    }
}
