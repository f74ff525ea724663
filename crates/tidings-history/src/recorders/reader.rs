//! A reader that writes down what it sees and comes back with its last id, as an `EventSource` does.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tidings_wire::{Decoder, Item};

use super::base::Base;
use super::http::{Body, Connection};
use super::listener::Listener;
use super::recorder::Recorder;
use crate::entry::{End, Entry, Saw, StartFrom};
use crate::name::{Place, PublicationName, ReaderName};

/// A reader that runs. It ends with this.
#[derive(Debug)]
pub struct Reader {
    name: ReaderName,
    recorder: Recorder,
    line: Arc<Line>,
    /// `None` when it has ended.
    thread: Option<JoinHandle<()>>,
}

/// What a reader's thread shares with its owner.
#[derive(Debug, Default)]
struct Line(Mutex<LineState>);

#[derive(Debug, Default)]
struct LineState {
    /// The connection in use, to cut it from outside.
    stream: Option<TcpStream>,
    /// The owner has cut it.
    is_cut: bool,
    is_ended: bool,
    /// The last `retry:`.
    retry: Option<Duration>,
}

impl Reader {
    /// Starts a reader, on a thread of its own.
    pub fn start(recorder: &Recorder, base: &Base, listener: Listener) -> Self {
        let name = recorder.add_reader();
        recorder.write(Entry::Listens { reader: name, interest: listener.interest.clone() });
        let line = Arc::new(Line::default());
        let running = Running {
            name,
            recorder: recorder.clone(),
            base: base.clone(),
            target: listener.target(base),
            chance: listener.cuts.map(|cuts| fastrand::Rng::with_seed(cuts.seed)),
            cuts_left: listener.cuts.map_or(0, |cuts| cuts.count),
            listener,
            line: Arc::clone(&line),
            decoder: Decoder::new(),
            connections: 0,
        };
        let builder = thread::Builder::new().name(name.to_string()).stack_size(STACK_BYTES);
        let thread = builder.spawn(move || running.run());
        let thread = Some(thread.expect("the system has a thread more"));
        Self { name, recorder: recorder.clone(), line, thread }
    }

    /// Its name in the history.
    pub fn name(&self) -> ReaderName {
        self.name
    }

    /// Cuts its connection, if it has one; it comes back.
    pub fn cut(&self) {
        self.line.lock().cut();
    }

    /// Has it go for good, and does not wait until it is gone: see [`is_gone`](Self::is_gone).
    pub fn leave(&self) {
        self.line.lock().end();
    }

    /// Nothing of it runs any more.
    pub fn is_gone(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// How long the hub asked it last to wait before it comes back, if it did.
    pub fn retry(&self) -> Option<Duration> {
        self.line.lock().retry
    }

    /// Waits until it has a stream that is open. Answers whether it has, at the deadline.
    pub fn wait_until_open(&self, deadline: Instant) -> bool {
        self.recorder.wait_for_open(self.name, deadline)
    }

    /// Waits until it has seen all of these. Answers whether it has, at the deadline.
    pub fn wait_for(&self, names: &[PublicationName], deadline: Instant) -> bool {
        self.recorder.wait_for_seen(self.name, names, deadline)
    }

    /// Ends it, and writes down that it had the time to get everything: see [`Entry::Done`].
    ///
    /// # Panics
    /// When its thread panicked.
    pub fn finish(mut self) {
        self.end();
        self.recorder.write(Entry::Done { reader: self.name });
    }

    fn end(&mut self) {
        self.leave();
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || thread::panicking(), "the thread of {} panicked", self.name);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.end();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LineState {
    fn end(&mut self) {
        self.is_ended = true;
        self.cut();
    }

    fn cut(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.is_cut = true;
            // It may be gone already, which is the same.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A reader on its thread.
struct Running {
    name: ReaderName,
    recorder: Recorder,
    base: Base,
    target: String,
    listener: Listener,
    chance: Option<fastrand::Rng>,
    cuts_left: usize,
    line: Arc<Line>,
    decoder: Decoder,
    connections: u32,
}

/// How a connection went.
enum Way {
    On(End),
    /// The hub says that nothing will ever come.
    Over,
}

impl Running {
    fn run(mut self) {
        loop {
            self.connections += 1;
            let place = Place { reader: self.name, connection: self.connections };
            let from = match (self.decoder.last_event_id(), &self.listener.start) {
                ("", start) => start.clone(),
                (id, _) => StartFrom::After(id.to_owned()),
            };
            self.recorder.write(Entry::Connecting { place, from: from.clone() });
            let way = self.follow(place, &from).unwrap_or(Way::On(End::Broken));
            let mut line = self.line.lock();
            line.stream = None;
            let (is_cut, is_ended) = (std::mem::take(&mut line.is_cut), line.is_ended);
            let retry = line.retry.filter(|_| self.listener.keeps_retry);
            drop(line);
            let end = match way {
                Way::On(end) if !is_cut => {
                    self.cuts_left = self.cuts_left.saturating_sub(usize::from(end == End::Cut));
                    end
                }
                Way::On(_) => End::Cut,
                Way::Over => End::Whole,
            };
            self.recorder.write(Entry::Ended { place, end });
            if is_ended || matches!(way, Way::Over) || !self.recorder.pause(retry.unwrap_or(self.listener.delay)) {
                return;
            }
        }
    }

    /// Connects and reads until the stream ends or is cut.
    fn follow(&mut self, place: Place, from: &StartFrom) -> io::Result<Way> {
        let stream = self.base.connect(PATIENCE)?;
        let to_cut = stream.try_clone()?;
        let mut line = self.line.lock();
        if line.is_ended {
            return Ok(Way::On(End::Cut));
        }
        line.stream = Some(to_cut);
        drop(line);

        let mut connection = Connection::new(stream);
        connection.send(self.request(from).as_bytes())?;
        let budget = self.bytes_to_cut();
        let mut bytes_left = budget.unwrap_or(usize::MAX);
        let idle = budget.and_then(|_| self.listener.cuts?.idle);
        connection.set_patience(idle.unwrap_or(PATIENCE))?;
        let mut head = None;
        let mut payload = Vec::new();
        self.decoder.restart();
        let step = self.listener.pace.map_or(usize::MAX, |pace| pace.bytes);
        while bytes_left > 0 {
            let count = match connection.fill(bytes_left.min(step)) {
                Err(error) if idle.is_some() && is_timeout(&error) => return Ok(Way::On(End::Cut)),
                read => read?,
            };
            if count == 0 {
                return Ok(Way::On(if head == Some(Body::Over) { End::Whole } else { End::Broken }));
            }
            bytes_left -= count;
            if head.is_none() {
                let Some(taken) = connection.take_head()? else { continue };
                self.recorder.write(Entry::Opened { place, status: taken.status });
                match taken.status {
                    200 => head = Some(taken.body),
                    204 => return Ok(Way::Over),
                    _ => return Ok(Way::On(End::Whole)),
                }
            }
            let body = head.as_mut().expect("it was read just now or before");
            connection.take_payload(body, &mut payload)?;
            let is_over = *body == Body::Over;
            self.take_events(place, &payload)?;
            payload.clear();
            if is_over {
                return Ok(Way::On(End::Whole));
            }
            if let Some(pace) = self.listener.pace {
                self.recorder.pause(pace.every);
            }
        }
        Ok(Way::On(End::Cut))
    }

    fn request(&self, from: &StartFrom) -> String {
        let last = match from {
            StartFrom::After(id) => format!("Last-Event-ID: {id}\r\n"),
            _ => String::new(),
        };
        let (target, headers) = (&self.target, self.base.headers());
        let version = if self.listener.is_http_1_0 { "1.0" } else { "1.1" };
        format!("GET {target} HTTP/{version}\r\n{headers}Accept: text/event-stream\r\n{last}\r\n")
    }

    fn take_events(&mut self, place: Place, payload: &[u8]) -> io::Result<()> {
        self.decoder.push(payload);
        while let Some(item) = self.decoder.poll() {
            match item.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                Item::Event(event) => {
                    let (id, event_type, data) = (event.last_event_id, event.event_type, event.data.into());
                    self.recorder.write_saw(Saw { place, id, event_type, data });
                }
                Item::Retry(ms) => self.line.lock().retry = Some(Duration::from_millis(ms)),
                Item::Comment(_) | Item::Id(_) => {}
            }
        }
        Ok(())
    }

    /// After how many bytes this connection is to be cut, if it is.
    fn bytes_to_cut(&mut self) -> Option<usize> {
        let cuts = self.listener.cuts.filter(|_| self.cuts_left > 0)?;
        let chance = self.chance.as_mut()?;
        // Now about as much as asked for, now a few bytes: so it is now behind, now at the edge.
        let few = 1 << chance.u32(..14);
        Some(1 + if chance.bool() { chance.usize(..=2 * cuts.bytes_between) } else { chance.usize(..few) })
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Thousands of readers run beside each other, and none of them goes deep.
const STACK_BYTES: usize = 256 * 1024;

/// How long a stream may be silent: longer than a hub's heartbeat.
const PATIENCE: Duration = Duration::from_mins(1);
