//! Threads that publish, each over a connection of its own, each event after the answer to the one before.

use std::io::{self, Read, Write};
use std::mem;
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::BenchError;
use crate::http::{Answer, Body};
use crate::latency::Latencies;
use crate::ledger::Ledger;
use crate::plan::{Amount, Pace, Plan};
use crate::stamp::{RunMark, Stamp};
use crate::template::Places;

/// All publishers between two rounds.
#[derive(Debug)]
pub(crate) struct Publishers {
    plan: Arc<Plan>,
    run: RunMark,
    epoch: Instant,
    idle: Vec<Publisher>,
    /// How many events all rounds so far have begun: topics take turns over all of them.
    begun: u64,
}

/// A round that goes on.
#[derive(Debug)]
pub(crate) struct Round {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<(Publisher, RoundCount)>>,
}

/// What a round did.
#[derive(Clone, Debug)]
pub(crate) struct RoundCount {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// From the beginning of the round to the last answer.
    pub(crate) took: Duration,
    /// Until the answer.
    pub(crate) latencies: Latencies,
}

#[derive(Debug)]
struct Shared {
    plan: Arc<Plan>,
    run: RunMark,
    epoch: Instant,
    began: Instant,
    /// Begins after the events of earlier rounds.
    next_event: AtomicU64,
    first_event: u64,
    topics: Range<usize>,
    amount: Amount,
    pace: Pace,
    stop: AtomicBool,
    answered: AtomicU64,
}

/// What a publisher keeps between two rounds.
#[derive(Debug)]
struct Publisher {
    number: u16,
    /// For each topic, how many sequence numbers were used.
    used: Vec<u32>,
    /// Topic and sequence of what was not accepted.
    refused: Vec<(u32, u32)>,
    stream: Option<TcpStream>,
    payload: Vec<u8>,
    body: Vec<u8>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Publishers {
    pub(crate) fn new(plan: &Arc<Plan>, run: RunMark, epoch: Instant) -> Self {
        let publisher = |number| Publisher {
            number: u16::try_from(number).expect("a plan has at most 4,096 publishers"),
            // The one more is the topic of those that are apart.
            used: vec![0; plan.topics + 1],
            refused: Vec::new(),
            stream: None,
            payload: vec![b'x'; plan.payload_bytes],
            body: Vec::new(),
            request: Vec::new(),
            answer: Vec::new(),
        };
        let idle = (0..plan.publisher_count()).map(publisher).collect();
        Self { plan: Arc::clone(plan), run, epoch, idle, begun: 0 }
    }

    /// Begins a round with all publishers, in which these topics take turns.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn begin(&mut self, topics: Range<usize>, amount: Amount, pace: Pace) -> Result<Round, BenchError> {
        let shared = Arc::new(Shared {
            plan: Arc::clone(&self.plan),
            run: self.run,
            epoch: self.epoch,
            began: Instant::now(),
            next_event: AtomicU64::new(self.begun),
            first_event: self.begun,
            topics,
            amount,
            pace,
            stop: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        });
        let mut round = Round { shared, threads: Vec::with_capacity(self.idle.len()) };
        for publisher in self.idle.drain(..) {
            let shared = Arc::clone(&round.shared);
            let name = format!("bench-publisher-{}", publisher.number);
            let thread = thread::Builder::new().name(name).stack_size(THREAD_STACK_BYTES);
            let thread = thread.spawn(move || publisher.publish(&shared));
            round.threads.push(thread.map_err(|source| BenchError::System { what: "thread", source })?);
        }
        Ok(round)
    }

    /// Waits for the end of a round, which comes when its amount is published or it was stopped.
    pub(crate) fn finish(&mut self, mut round: Round) -> RoundCount {
        let mut sum = RoundCount::new();
        for thread in mem::take(&mut round.threads) {
            let (publisher, count) = thread.join().expect("a publisher does not panic");
            self.idle.push(publisher);
            sum.add(count);
        }
        self.begun = round.shared.next_event.load(Ordering::Relaxed);
        sum
    }

    /// What was published so far, between two rounds.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for publisher in &self.idle {
            ledger.add_publisher(publisher.used.clone(), publisher.refused.iter().copied());
        }
        ledger
    }
}

impl Round {
    pub(crate) fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// How many events were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn began(&self) -> Instant {
        self.shared.began
    }

    /// Asks the publishers to end after the event they are at.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The next event of the round and the time it is due; `None` when there is none.
    fn next(&self) -> Option<(u64, Instant)> {
        let event = self.next_event.fetch_add(1, Ordering::Relaxed);
        let of_round = event - self.first_event;
        let due = match self.pace {
            Pace::FullSpeed => Instant::now(),
            Pace::Rate(rate) => self.began + offset(of_round, rate),
        };
        let is_wanted = match self.amount {
            Amount::Events(events) => of_round < events,
            Amount::For(time) => due.saturating_duration_since(self.began) < time,
        };
        is_wanted.then_some((event, due))
    }

    /// Waits until then; false when it was stopped meanwhile.
    fn wait_until(&self, due: Instant) -> bool {
        loop {
            let rest = due.saturating_duration_since(Instant::now());
            if self.is_stopped() || rest.is_zero() {
                return !self.is_stopped();
            }
            thread::sleep(rest.min(STOP_SEEN_AFTER));
        }
    }
}

impl Publisher {
    fn publish(mut self, shared: &Shared) -> (Self, RoundCount) {
        sharpen_timer();
        let mut count = RoundCount::new();
        let mut broken_in_a_row = 0;
        while !shared.is_stopped() && broken_in_a_row < BROKEN_MAX {
            let Some((event, due)) = shared.next() else { break };
            if !shared.wait_until(due) {
                break;
            }
            // At full speed an event is due when its turn comes.
            let due = match shared.pace {
                Pace::FullSpeed => Instant::now(),
                Pace::Rate(_) => due,
            };
            let (topic, sequence) = self.write_request(shared, event, due);
            let refusal = match self.exchange(shared) {
                Ok(200..=299) => None,
                Ok(_) => {
                    Some(String::from_utf8_lossy(&self.answer[..self.answer.len().min(REFUSAL_SHOWN)]).into_owned())
                }
                Err(error) => {
                    self.stream = None;
                    Some(error.to_string())
                }
            };
            broken_in_a_row = if self.stream.is_some() || refusal.is_none() { 0 } else { broken_in_a_row + 1 };
            let now = Instant::now();
            count.took = now.saturating_duration_since(shared.began);
            if let Some(refusal) = refusal {
                count.refused += 1;
                count.first_refusal.get_or_insert(refusal);
                self.refused.push((topic, sequence));
            } else {
                count.accepted += 1;
                count.latencies.record(now.saturating_duration_since(due));
            }
            shared.answered.fetch_add(1, Ordering::Relaxed);
        }
        (self, count)
    }

    /// Writes the whole request into its buffer; gives its topic and sequence number.
    fn write_request(&mut self, shared: &Shared, event: u64, due: Instant) -> (u32, u32) {
        let plan = &shared.plan;
        let turn = event % shared.topics.len() as u64;
        let topic_at = shared.topics.start + usize::try_from(turn).expect("less than the number of topics");
        let topic = u32::try_from(topic_at).expect("a plan's topics have numbers of 32 bits");
        let sequence = self.used[topic_at];
        self.used[topic_at] += 1;
        let due = due.saturating_duration_since(shared.epoch);
        Stamp { publisher: self.number, topic, sequence, due }.write(shared.run, &mut self.payload);

        let connection = u64::from(self.number);
        let places = Places { topic: u64::from(topic), connection, event, payload: &self.payload };
        self.body.clear();
        plan.publish.body.render(places, &mut self.body);
        let request = &mut self.request;
        request.clear();
        request.extend_from_slice(plan.publish.method.as_bytes());
        request.push(b' ');
        plan.publish.path.render(places, request);
        request.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        request.extend_from_slice(plan.publish_server().authority.as_bytes());
        write!(request, "\r\nContent-Length: {}\r\n", self.body.len()).expect("a Vec takes all");
        for header in &plan.publish.headers {
            header.render(places, request);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&self.body);
        (topic, sequence)
    }

    /// Sends the request and reads the whole answer; gives its status.
    fn exchange(&mut self, shared: &Shared) -> io::Result<u16> {
        let deadline = Instant::now() + shared.plan.timeout;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(&shared.plan)?),
        };
        stream.write_all(&self.request)?;
        self.answer.clear();
        let mut read = |answer: &mut Vec<u8>| read_some(stream, answer, shared, deadline);
        let head = loop {
            match Answer::parse(&self.answer).map_err(io::Error::other)? {
                Some(interim) if interim.status < 200 => {
                    self.answer.drain(..interim.head_len);
                }
                Some(head) => break head,
                None if read(&mut self.answer)? == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        };
        let mut body = Body::new(head.framing);
        let mut seen = head.head_len;
        loop {
            let mut rest = &self.answer[seen..];
            while body.next(&mut rest).map_err(io::Error::other)?.is_some() {}
            seen = self.answer.len() - rest.len();
            if body.is_over() {
                break;
            }
            if self.answer.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("the answer to a publish is longer than 1 MiB"));
            }
            if read(&mut self.answer)? == 0 {
                if head.closes {
                    break;
                }
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if head.closes {
            self.stream = None;
        }
        Ok(head.status)
    }
}

impl RoundCount {
    fn new() -> Self {
        Self { accepted: 0, refused: 0, first_refusal: None, took: Duration::ZERO, latencies: Latencies::new() }
    }

    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
        self.took = self.took.max(other.took);
        self.latencies.add(&other.latencies);
    }
}

fn connect(plan: &Plan) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&plan.publish_server().address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    // Short, so that a publisher whose answer does not come sees that it is stopped.
    stream.set_read_timeout(Some(STOP_SEEN_AFTER))?;
    stream.set_write_timeout(Some(plan.timeout.max(STOP_SEEN_AFTER)))?;
    Ok(stream)
}

fn read_some(stream: &mut TcpStream, answer: &mut Vec<u8>, shared: &Shared, deadline: Instant) -> io::Result<usize> {
    let before = answer.len();
    answer.resize(before + READ_BYTES, 0);
    let read = loop {
        match stream.read(&mut answer[before..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if shared.is_stopped() || Instant::now() >= deadline {
                    break Err(io::Error::new(io::ErrorKind::TimedOut, "no answer to a publish"));
                }
            }
            other => break other,
        }
    };
    answer.truncate(before + read.as_ref().map_or(0, |len| *len));
    read
}

fn offset(event: u64, rate: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "at most 2^32 events, which f64 holds exactly")]
    let seconds = event as f64 / rate;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

/// Sleeps end within microseconds instead of the 50 µs that a system allows itself.
fn sharpen_timer() {
    #[cfg(target_os = "linux")]
    {
        // Refused or not, events are published; a late one counts as late.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

/// How many exchanges may break one after another before a publisher gives up.
const BROKEN_MAX: u32 = 20;

/// How long a stop may go unseen.
const STOP_SEEN_AFTER: Duration = Duration::from_millis(100);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer to a publish is short.
const READ_BYTES: usize = 4 * 1024;
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How much of a refusal is told.
const REFUSAL_SHOWN: usize = 400;

/// Nothing here recurses.
const THREAD_STACK_BYTES: usize = 256 * 1024;
