//! A reader that writes down what it sees and comes back with its last id, as an `EventSource` does.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tidings_wire::{Decoder, Item};

use super::base::{Base, percent_encode};
use super::http::{Body, Connection};
use super::recorder::Recorder;
use crate::entry::{End, Entry, Saw, StartFrom};
use crate::interest::Interest;
use crate::name::{Place, PublicationName, ReaderName};

/// What a reader is like.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it listens to.
    pub interest: Interest,
    /// Where it starts, until it has an id of its own.
    pub start: StartFrom,
    /// It asks for the opening frame, as browsers do.
    pub wants_opening: bool,
    /// How long it waits before it comes back.
    pub delay: Duration,
    /// It waits as long as the last `retry:` says instead, once it was told one. Most tests have no time for that.
    pub keeps_retry: bool,
    /// It cuts its own connections.
    pub cuts: Option<Cuts>,
}

/// How a reader cuts its connections: each after some bytes, anywhere in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    /// The same seed cuts after the same numbers of bytes.
    pub seed: u64,
    /// About so many bytes between two cuts. Half of them come much earlier.
    pub bytes_between: usize,
    /// A connection on which no byte comes for so long is cut too: at the very edge of what was published.
    pub idle: Option<Duration>,
    /// So many cuts, then none.
    pub count: usize,
}

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

impl Listener {
    /// A reader that asks for no opening frame, comes back after 10 ms and is not cut.
    pub fn new(interest: Interest, start: StartFrom) -> Self {
        Self { interest, start, wants_opening: false, delay: Duration::from_millis(10), keeps_retry: false, cuts: None }
    }

    /// It asks for the opening frame.
    pub fn with_opening(self) -> Self {
        Self { wants_opening: true, ..self }
    }

    /// It cuts its own connections.
    pub fn with_cuts(self, cuts: Cuts) -> Self {
        Self { cuts: Some(cuts), ..self }
    }

    /// It comes back when the hub says.
    pub fn with_retry_kept(self) -> Self {
        Self { keeps_retry: true, ..self }
    }

    /// The path and query of its stream.
    fn target(&self, base: &Base) -> String {
        let mut query = Vec::new();
        let path = match &*self.interest.selectors {
            [topic] if !topic.contains('*') => base.channel(topic),
            selectors => {
                query.extend(selectors.iter().map(|selector| format!("topic={}", percent_encode(selector))));
                base.channels()
            }
        };
        if !self.interest.types.is_empty() {
            let types: Vec<_> = self.interest.types.iter().map(|event_type| percent_encode(event_type)).collect();
            query.push(format!("types={}", types.join(",")));
        }
        match &self.start {
            StartFrom::Earliest => query.push("since=earliest".to_owned()),
            StartFrom::Since(since) => query.push(format!("since={}", percent_encode(since))),
            StartFrom::Last(count) => query.push(format!("last={count}")),
            StartFrom::After(_) | StartFrom::Live => {}
        }
        query.push(format!("prime={}", u8::from(self.wants_opening)));
        format!("{path}?{}", query.join("&"))
    }
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

    /// How long the hub asked it last to wait before it comes back, if it did.
    pub fn retry(&self) -> Option<Duration> {
        self.line.lock().retry
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
        let mut line = self.line.lock();
        line.is_ended = true;
        line.cut();
        drop(line);
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
        while bytes_left > 0 {
            let count = match connection.fill(bytes_left) {
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
        }
        Ok(Way::On(End::Cut))
    }

    fn request(&self, from: &StartFrom) -> String {
        let last = match from {
            StartFrom::After(id) => format!("Last-Event-ID: {id}\r\n"),
            _ => String::new(),
        };
        let (target, host) = (&self.target, &self.base.authority);
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n{last}\r\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listener: &Listener, want: &str) {
        let base = Base::parse("http://127.0.0.1:3000").expect("a URL");
        assert_eq!(listener.target(&base), want, "{listener:?}");
    }

    #[test]
    fn a_reader_asks_for_what_it_listens_to() {
        let listener = |selectors: &[&str], start| Listener::new(Interest::in_topics(selectors.iter().copied()), start);
        check(&listener(&["chat/é"], StartFrom::Live), "/events/chat/%C3%A9?prime=0");
        check(&listener(&["chat/*"], StartFrom::Earliest), "/events?topic=chat%2F%2A&since=earliest&prime=0");
        check(&listener(&["a", "b"], StartFrom::Last(3)).with_opening(), "/events?topic=a&topic=b&last=3&prime=1");
        let mut typed = listener(&["a"], StartFrom::Since("10m".to_owned()));
        typed.interest.types = vec!["x".to_owned(), "y z".to_owned()];
        check(&typed, "/events/a?types=x,y%20z&since=10m&prime=0");
    }
}
