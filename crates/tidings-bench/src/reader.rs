//! A thread that owns the sockets of its share of the subscribers.
//!
//! Orders come over a channel; what was counted goes back as an answer.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::iter::StepBy;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::connection::{Connection, Role, StreamFault};
use crate::error::BenchError;
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::plan::{Mode, Plan};
use crate::tally::{Counts, Tally};
use crate::template::Places;
use crate::verify::Verifier;

/// What a thread is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Connect all that are not connected. Those that have an id name it.
    Connect,
    /// Begin to read the ids of the clients.
    LearnIds(SyncSender<()>),
    /// Cut the clients; answers how many had no id.
    Cut(SyncSender<u64>),
    /// What the clients have missed counts until they have caught up; the time counts from now.
    Owe(Arc<Ledger>, Instant),
    /// Count from 0.
    Baseline(SyncSender<()>),
    /// What was counted since the baseline.
    Count(SyncSender<Counts>),
    /// What was lost since the run began, and what the decoder said.
    Close(Arc<Ledger>, SyncSender<(u64, Option<Verifier>)>),
    Stop,
}

/// What a thread needs to begin.
#[derive(Debug)]
pub(crate) struct ReaderParts {
    /// Which thread, of how many.
    pub(crate) share: usize,
    pub(crate) shares: usize,
    pub(crate) plan: Arc<Plan>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) poll: Poll,
    pub(crate) orders: Receiver<Order>,
    /// The first fault that ends the run.
    pub(crate) faults: SyncSender<BenchError>,
    pub(crate) tally: Tally,
}

/// The token of the waker; connections have theirs from 0.
pub(crate) const ORDERS: Token = Token(usize::MAX);

/// A subscriber and what it needs for its socket.
#[derive(Debug)]
struct Seat {
    connection: Connection,
    stream: Option<TcpStream>,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    /// Not all of the request is written.
    Asking {
        request: Vec<u8>,
        written: usize,
    },
    /// Waits for the head of the answer.
    Waiting,
    Streaming,
}

#[derive(Debug)]
struct Reader {
    plan: Arc<Plan>,
    layout: Arc<Layout>,
    poll: Poll,
    seats: Vec<Seat>,
    /// Seats that are to be connected. At most `connecting_max` are being connected.
    queue: VecDeque<usize>,
    connecting: usize,
    connecting_max: usize,
    /// Seats to be connected again later, in order of their times.
    later: VecDeque<(Instant, usize)>,
    /// Whether a connection that fails is tried again: in a storm a refusal is an answer like another.
    is_patient: bool,
    tally: Tally,
}

/// Runs until it is told to stop or the other side has gone.
pub(crate) fn read(parts: ReaderParts) {
    let ReaderParts { share, shares, plan, layout, poll, orders, faults, tally } = parts;
    let clients = plan.client_count();
    let seat = |number| {
        let role = if number < clients { Role::Client } else { Role::Reader };
        let connection = Connection::new(number, role, &layout, plan.verify);
        Seat { connection, stream: None, stage: Stage::Closed }
    };
    let numbers = share_of(share, shares, clients, layout.subscribers);
    let seats = numbers.map(seat).collect();
    let connecting_max = (plan.connecting_max / shares).max(1);
    let mut reader = Reader {
        plan,
        layout,
        poll,
        seats,
        queue: VecDeque::new(),
        connecting: 0,
        connecting_max,
        later: VecDeque::new(),
        is_patient: false,
        tally,
    };
    if let Err(fault) = reader.run(&orders) {
        // The first one is told; the others only say that the run is over.
        let _ = faults.try_send(fault);
    }
}

impl Reader {
    fn run(&mut self, orders: &Receiver<Order>) -> Result<(), BenchError> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let timeout = self.later.front().map(|(due, _)| due.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, timeout) {
                Err(source) if source.kind() != io::ErrorKind::Interrupted => {
                    return Err(BenchError::System { what: "events", source });
                }
                _ => {}
            }
            for event in &events {
                if event.token() == ORDERS {
                    loop {
                        match orders.try_recv() {
                            Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                            Ok(order) => self.obey(order),
                            Err(TryRecvError::Empty) => break,
                        }
                    }
                } else {
                    self.on_event(event, &mut buffer)?;
                }
            }
            let now = Instant::now();
            while self.later.front().is_some_and(|(due, _)| *due <= now) {
                self.queue.extend(self.later.pop_front().map(|(_, at)| at));
            }
            self.connect_queued()?;
        }
    }

    /// Carries out an order. Whoever asked may have gone away: then nobody wants the answer.
    fn obey(&mut self, order: Order) {
        match order {
            Order::Connect => {
                let closed = self.seats.iter().enumerate().filter(|(_, seat)| seat.stage == Stage::Closed);
                self.queue.extend(closed.map(|(at, _)| at));
            }
            Order::LearnIds(answer) => {
                self.clients().for_each(|seat| seat.connection.learn_ids());
                let _ = answer.send(());
            }
            Order::Cut(answer) => {
                let verify = self.plan.verify;
                let mut without_id = 0;
                for seat in self.clients() {
                    without_id += u64::from(!seat.connection.keep_id(verify));
                    seat.close();
                }
                let _ = answer.send(without_id);
            }
            Order::Owe(ledger, began) => {
                self.is_patient = true;
                let layout = Arc::clone(&self.layout);
                for seat in self.clients() {
                    seat.connection.owe(&layout, &ledger);
                }
                self.tally.debt = Some((ledger, began));
            }
            Order::Baseline(answer) => {
                self.tally.counts.reset();
                let _ = answer.send(());
            }
            Order::Count(answer) => {
                let _ = answer.send(self.tally.counts.clone());
            }
            Order::Close(ledger, answer) => {
                let lost = self.seats.iter().map(|seat| seat.connection.lost(&self.layout, &ledger)).sum();
                let _ = answer.send((lost, self.tally.verifier.take()));
            }
            Order::Stop => unreachable!("it ends the loop before"),
        }
    }

    fn clients(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.seats.iter_mut().filter(|seat| seat.connection.role == Role::Client)
    }

    fn connect_queued(&mut self) -> Result<(), BenchError> {
        while self.connecting < self.connecting_max
            && let Some(at) = self.queue.pop_front()
        {
            self.connecting += 1;
            if let Err(error) = self.connect(at) {
                self.fail(at, Fault::System(error))?;
            }
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) -> io::Result<()> {
        let seat = &mut self.seats[at];
        let socket = open(self.plan.server.address, seat.connection.number, self.layout.subscribers)?;
        let mut stream = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        seat.connection.begin();
        seat.stream = Some(stream);
        let request = request(&self.plan, &self.layout, &seat.connection);
        seat.stage = Stage::Asking { request, written: 0 };
        Ok(())
    }

    fn on_event(&mut self, event: &Event, buffer: &mut [u8]) -> Result<(), BenchError> {
        let at = event.token().0;
        if let Err(fault) = self.seats[at].ask() {
            return self.fail(at, Fault::System(fault));
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            return self.read(at, event.is_read_closed() || event.is_error(), buffer);
        }
        Ok(())
    }

    fn read(&mut self, at: usize, is_ending: bool, buffer: &mut [u8]) -> Result<(), BenchError> {
        loop {
            let seat = &mut self.seats[at];
            let Some(stream) = &mut seat.stream else { return Ok(()) };
            let len = match stream.read(buffer) {
                Ok(0) => return self.end(at),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if seat.stage == Stage::Streaming => {
                    drop(error);
                    return self.end(at);
                }
                Err(error) => return self.fail(at, Fault::System(error)),
            };
            let now = Instant::now();
            match seat.connection.take(&buffer[..len], now, &self.layout, &mut self.tally) {
                Err(fault) => return self.fail(at, Fault::Stream(fault)),
                Ok(taken) => {
                    if taken.answered {
                        seat.stage = Stage::Streaming;
                        self.connecting -= 1;
                        self.tally.gauges.connected.fetch_add(1, Ordering::Relaxed);
                    }
                    if taken.over {
                        return self.end(at);
                    }
                }
            }
            // A short read has emptied the socket: what comes later is a new event. Only an end that was announced with
            // this event is none, and must be read now.
            if len < buffer.len() && !is_ending {
                return Ok(());
            }
        }
    }

    /// The server ended a stream, or closed without an answer.
    fn end(&mut self, at: usize) -> Result<(), BenchError> {
        if self.seats[at].stage == Stage::Streaming {
            self.seats[at].close();
            self.tally.gauges.closed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        self.fail(at, Fault::System(io::ErrorKind::UnexpectedEof.into()))
    }

    /// A connection was not made, or is of no use.
    fn fail(&mut self, at: usize, fault: Fault) -> Result<(), BenchError> {
        let seat = &mut self.seats[at];
        let number = seat.connection.number;
        if seat.stage == Stage::Streaming {
            return Err(fault.told(number));
        }
        self.connecting -= 1;
        seat.close();
        if !self.is_patient {
            return Err(fault.told(number));
        }
        self.tally.gauges.retries.fetch_add(1, Ordering::Relaxed);
        self.later.push_back((Instant::now() + RETRY_AFTER, at));
        Ok(())
    }
}

impl Seat {
    /// Writes what is left of the request.
    fn ask(&mut self) -> io::Result<()> {
        let (Stage::Asking { request, written }, Some(stream)) = (&mut self.stage, &mut self.stream) else {
            return Ok(());
        };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        while *written < request.len() {
            match stream.write(&request[*written..]) {
                Ok(len) => *written += len,
                // Not connected yet, or no room: a later event says when.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stage = Stage::Waiting;
        Ok(())
    }

    /// Closes with a reset, so that no port waits out its time: thousands would be missing in the next run.
    fn close(&mut self) {
        if let Some(stream) = self.stream.take() {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        self.stage = Stage::Closed;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.close();
    }
}

enum Fault {
    System(io::Error),
    Stream(StreamFault),
}

impl Fault {
    fn told(self, connection: usize) -> BenchError {
        match self {
            Self::System(source) => BenchError::Connect { connection, source },
            Self::Stream(StreamFault::Refused { status, answer }) => BenchError::Refused { connection, status, answer },
            Self::Stream(StreamFault::Http(error)) => BenchError::Protocol { connection, reason: error.to_string() },
        }
    }
}

/// The subscribers of a thread. Where some are clients that come back, the others have the last thread for themselves: its
/// latencies are to be the server's, not those of reading what the clients get.
fn share_of(share: usize, shares: usize, clients: usize, all: usize) -> StepBy<Range<usize>> {
    match (clients, shares - 1) {
        (0, _) => (share..all).step_by(shares),
        (_, last) if share == last => (clients..all).step_by(1),
        (_, last) => (share..clients).step_by(last),
    }
}

/// A socket that is being connected. Where the server is on a loopback address, each 20,000 connections come from an
/// address of their own: a pair of addresses has only so many ports.
fn open(server: SocketAddr, number: usize, connections: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(source) = source_of(server, number, connections) {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    match socket.connect(&server.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(socket),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

fn source_of(server: SocketAddr, number: usize, connections: usize) -> Option<Ipv4Addr> {
    let is_local = matches!(server.ip(), IpAddr::V4(address) if address.is_loopback());
    if !is_local || connections <= CONNECTIONS_PER_ADDRESS {
        return None;
    }
    let offset = u32::try_from(number / CONNECTIONS_PER_ADDRESS).ok()?;
    Some(Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + offset))
}

/// The request of a subscriber.
fn request(plan: &Plan, layout: &Layout, connection: &Connection) -> Vec<u8> {
    let number = connection.number as u64;
    let first = layout.topics_of(connection.number).next().unwrap_or_default() as u64;
    let places = Places { topic: first, connection: number, ..Places::default() };
    let mut request = b"GET ".to_vec();
    plan.subscribe.path.render(places, &mut request);
    if let Some(each) = &plan.subscribe.each {
        for topic in layout.topics_of(connection.number) {
            each.render(Places { topic: topic as u64, ..places }, &mut request);
        }
    }
    request.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    request.extend_from_slice(plan.server.authority.as_bytes());
    request.extend_from_slice(b"\r\nAccept: text/event-stream\r\n");
    for header in &plan.subscribe.headers {
        header.render(places, &mut request);
        request.extend_from_slice(b"\r\n");
    }
    if let Some(own) = connection.number.checked_rem(plan.subscribe.own_headers.len()) {
        request.extend_from_slice(plan.subscribe.own_headers[own].as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    if let (Mode::Storm(storm), id @ [_, ..]) = (&plan.mode, connection.last_event_id().as_bytes()) {
        for part in [storm.resume_header.as_bytes(), b": ", id, b"\r\n"] {
            request.extend_from_slice(part);
        }
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// Most connections from one source address to one server: of about 28,000 ports that systems give out.
const CONNECTIONS_PER_ADDRESS: usize = 20_000;

/// How long a client that was refused in a storm waits.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How many events a poll answers at most.
const EVENTS_MAX: usize = 4_096;

/// How much is read at once; a server under load has many events for each subscriber.
const READ_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{StormPlan, SubscribePlan};
    use crate::server::Server;

    #[test]
    fn many_connections_come_from_many_addresses() {
        let local: SocketAddr = "127.0.0.1:3000".parse().expect("an address");
        let far: SocketAddr = "192.0.2.1:3000".parse().expect("an address");
        let loopback = |last| Some(Ipv4Addr::new(127, 0, 0, last));
        assert_eq!(source_of(local, 19_999, 20_000), None);
        assert_eq!(source_of(local, 19_999, 20_001), loopback(1));
        assert_eq!(source_of(local, 20_000, 20_001), loopback(2));
        assert_eq!(source_of(local, 999_999, 1_000_000), loopback(50));
        assert_eq!(source_of(far, 20_000, 1_000_000), None);
    }

    #[test]
    fn every_subscriber_has_one_thread_and_live_readers_their_own() {
        for (shares, clients, all) in [(1, 0, 5), (3, 0, 10), (2, 4, 5), (3, 7, 10), (4, 10, 10)] {
            let shared: Vec<Vec<_>> =
                (0..shares).map(|share| share_of(share, shares, clients, all).collect()).collect();
            let mut sorted = shared.concat();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..all).collect::<Vec<_>>(), "{shared:?}");
            if clients > 0 {
                assert_eq!(shared[shares - 1], (clients..all).collect::<Vec<_>>(), "{shared:?}");
            }
        }
    }

    #[test]
    fn a_request_names_topics_headers_and_the_last_id() {
        let template = |raw: &str| raw.parse().expect("a template");
        let mut plan = Plan::new(Server::parse("http://127.0.0.1:1").expect("a server"));
        plan.topics = 5;
        plan.groups = Some(2);
        plan.mode = Mode::Storm(StormPlan::default());
        plan.subscribe = SubscribePlan {
            path: template("/events?"),
            each: Some(template("topic=t{t}&")),
            headers: vec![template("X-Reader: {i}")],
            own_headers: ["zero", "one", "two"].map(|own| format!("X-Own: {own}")).into(),
        };
        let layout = Layout::of(&plan);
        let mut connection = Connection::new(3, Role::Client, &layout, false);
        let check = |connection: &Connection, last: &str| {
            let want = format!(
                "GET /events?topic=t1&topic=t3& HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAccept: text/event-stream\r\n\
                 X-Reader: 3\r\nX-Own: zero\r\n{last}\r\n"
            );
            assert_eq!(String::from_utf8_lossy(&request(&plan, &layout, connection)), want);
        };
        check(&connection, "");
        connection.learn_ids();
        let now = Instant::now();
        let mut tally = Tally {
            run: crate::stamp::RunMark(0),
            epoch: now,
            counts: Counts::new(),
            verifier: None,
            debt: None,
            gauges: Arc::default(),
        };
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nid: 7\ndata\n\n";
        connection.take(answer, now, &layout, &mut tally).expect("a stream");
        assert!(connection.keep_id(false));
        check(&connection, "Last-Event-ID: 7\r\n");
    }
}
