//! A bare socket: requests as written, answers as they arrive, nothing done behind the test's back.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::DEADLINE;
use crate::http::{Response, connect, parse_head, read_more};

/// A connection and all bytes that came back and were not taken yet.
#[derive(Debug)]
pub struct RawStream {
    stream: TcpStream,
    address: SocketAddr,
    bytes: Vec<u8>,
}

impl RawStream {
    /// Connects and asks nothing yet.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self { stream: connect(address), address, bytes: Vec::new() }
    }

    /// Connects and sends one GET.
    #[track_caller]
    pub fn get(address: SocketAddr, target: &str, headers: &[&str]) -> Self {
        let mut stream = Self::connect(address);
        stream.send_get(target, headers);
        stream
    }

    /// Sends one more GET on the same connection.
    #[track_caller]
    pub fn send_get(&mut self, target: &str, headers: &[&str]) {
        let mut request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        self.send(request.as_bytes());
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap_or_else(|error| panic!("sending to {}: {error}", self.address));
    }

    /// Waits until `find` finds what it looks for in all bytes so far, and gives that.
    ///
    /// `what` completes "waited for …" when the deadline passes or the stream ends before.
    #[track_caller]
    pub fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&[u8]) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = find(&self.bytes) {
                return found;
            }
            let read = read_more(&mut self.stream, &mut self.bytes, deadline);
            assert!(
                matches!(read, Ok(1..)),
                "{}: waited for {what}, but reading gave {read:?} after\n{}",
                self.address,
                String::from_utf8_lossy(&self.bytes)
            );
        }
    }

    /// Waits until `text` has come.
    #[track_caller]
    pub fn wait_for_text(&mut self, text: &str) {
        self.wait_for(&format!("{text:?}"), |bytes| String::from_utf8_lossy(bytes).contains(text).then_some(()));
    }

    /// Waits for the head of the answer and gives its status.
    #[track_caller]
    pub fn status(&mut self) -> u16 {
        self.wait_for("a response head", |bytes| parse_head(bytes).map(|(status, _, _)| status))
    }

    /// Waits for an answer with an end and takes it, so that the next one can be read.
    #[track_caller]
    pub fn take_response(&mut self) -> Response {
        let (response, used) = self.wait_for("a whole response", |bytes| Response::parse(bytes, false));
        self.bytes.drain(..used);
        response
    }

    /// Waits until the other side has ended the stream, and gives all bytes that were not taken.
    #[track_caller]
    pub fn read_to_end(mut self) -> Vec<u8> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match read_more(&mut self.stream, &mut self.bytes, deadline) {
                Ok(0) => return self.bytes,
                Ok(_) => {}
                Err(error) => panic!(
                    "{}: waited for the end, but reading gave {error} after\n{}",
                    self.address,
                    String::from_utf8_lossy(&self.bytes)
                ),
            }
        }
    }
}
