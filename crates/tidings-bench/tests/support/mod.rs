//! A server for the tests: as small as can be, with faults on request. A thread for each connection, one lock for all.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the server does wrong. Publishes count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Accepts every such publish and delivers it to nobody.
    LosesEach(u64),
    /// Delivers every such publish twice.
    RepeatsEach(u64),
    /// Keeps every such publish back until after the next one.
    DelaysEach(u64),
    /// Answers every such publish with 429.
    RefusesEach(u64),
    /// Ends all streams at this publish.
    EndsAt(u64),
    /// Answers subscribers with 403.
    ForbidsReading,
    HasNoIds,
    /// Sends the same id again and again.
    HasOneId,
    /// Answers the first so many clients that come back with 503.
    RefusesReturns(u64),
    ClosesAfterPublish,
}

/// A server that runs until the test ends.
#[derive(Clone, Debug)]
pub(crate) struct TestServer {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    fault: Fault,
}

#[derive(Debug, Default)]
struct State {
    published: u64,
    returned: u64,
    topics: HashMap<String, Topic>,
    delayed: Option<(String, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Topic {
    /// Frames by their ids.
    history: Vec<(u64, Vec<u8>)>,
    subscribers: Vec<TcpStream>,
}

impl TestServer {
    pub(crate) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let server = Self { url, state: Arc::default(), fault };
        let accepting = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = accepting.clone();
                // A broken connection is the other side's business.
                thread::spawn(move || drop(server.serve(stream)));
            }
        });
        server
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                lines.push(line.trim_end().to_owned());
            }
            let target = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
            let header = |name: &str| {
                lines.iter().find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
                })
            };
            if lines[0].starts_with("GET ") {
                return self.subscribe(stream, &target, header("last-event-id").as_deref());
            }
            let len = header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
            let mut body = vec![0; len];
            reader.read_exact(&mut body)?;
            let status = self.publish(&target, &body);
            let closes = self.fault == Fault::ClosesAfterPublish;
            let connection = if closes { "Connection: close\r\n" } else { "" };
            let answer =
                format!("HTTP/1.1 {status}\r\n{connection}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
            stream.write_all(answer.as_bytes())?;
            if closes {
                return Ok(());
            }
        }
    }

    fn subscribe(&self, mut stream: TcpStream, topic: &str, last: Option<&str>) -> std::io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.fault == Fault::ForbidsReading {
            return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n");
        }
        if last.is_some() {
            state.returned += 1;
            if matches!(self.fault, Fault::RefusesReturns(first) if state.returned <= first) {
                return stream.write_all(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 10\n\n")?;
        let topic = state.topics.entry(topic.to_owned()).or_default();
        if let Some(last) = last {
            let last: u64 = last.parse().expect("an id of ours");
            for (_, frame) in topic.history.iter().filter(|(id, _)| *id > last) {
                stream.write_all(frame)?;
            }
        }
        topic.subscribers.push(stream);
        Ok(())
    }

    fn publish(&self, topic: &str, body: &[u8]) -> &'static str {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.published += 1;
        let number = state.published;
        let is_due = |each: u64| number.is_multiple_of(each);
        if matches!(self.fault, Fault::RefusesEach(each) if is_due(each)) {
            return "429 Slow down";
        }
        let id = if self.fault == Fault::HasOneId { 1 } else { number };
        let mut frame = if self.fault == Fault::HasNoIds { String::new() } else { format!("id: {id}\n") }.into_bytes();
        frame.extend([b"data: ", body, b"\n\n"].concat());
        if matches!(self.fault, Fault::LosesEach(each) if is_due(each)) {
            return "200 OK";
        }
        if matches!(self.fault, Fault::DelaysEach(each) if is_due(each)) {
            state.delayed = Some((topic.to_owned(), frame));
            return "200 OK";
        }
        let times = if matches!(self.fault, Fault::RepeatsEach(each) if is_due(each)) { 2 } else { 1 };
        for _ in 0..times {
            state.deliver(topic, number, &frame);
        }
        if let Some((topic, frame)) = state.delayed.take() {
            state.deliver(&topic, number, &frame);
        }
        if self.fault == Fault::EndsAt(number) {
            state.topics.values_mut().for_each(|topic| topic.subscribers.clear());
        }
        "201 Created"
    }
}

impl State {
    fn deliver(&mut self, topic: &str, id: u64, frame: &[u8]) {
        let topic = self.topics.entry(topic.to_owned()).or_default();
        topic.history.push((id, frame.to_owned()));
        topic.subscribers.retain_mut(|stream| stream.write_all(frame).is_ok());
    }
}
