//! Requests as written and answers as they come, over one connection that is kept.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::connect;
use super::dechunk::Dechunker;

/// The head of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: String,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// A connection to a hub.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    /// Read and not yet taken.
    bytes: Vec<u8>,
}

impl Head {
    /// The head that `bytes` begin with, and its length; `None` while it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let len = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&bytes[..len]).expect("an answer's head is text");
        let mut lines = text.trim_end().split("\r\n");
        let status_line = lines.next().expect("a head has a first line");
        let mut parts = status_line.split(' ');
        let version = parts.next().expect("a split has a first part").to_owned();
        assert!(version.starts_with("HTTP/1."), "no status line: {status_line:?}");
        let status = parts.next().and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status in {status_line:?}"));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Some((Self { version, status, headers: headers.collect() }, len))
    }

    /// The value of a header that stands there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| &**value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands there twice: {self:?}");
        value
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    pub(crate) fn is_last_of_connection(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// Checks that it is a problem with this status, as the contract has them.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16) {
        assert_eq!(self.head.status, status, "{:?} {:?}", self.head, self.text());
        assert_eq!(self.head.header("content-type"), Some("application/problem+json"), "{:?}", self.head);
        assert_eq!(self.json()["status"], status, "{:?}", self.text());
    }
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self { address, stream: connect(address), bytes: Vec::new() }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap_or_else(|error| panic!("sending to {}: {error}", self.address));
    }

    /// Sends a request. `target` and `headers` are written as they are; each header ends with CRLF.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) {
        let length = match (method, body) {
            ("GET" | "HEAD" | "DELETE", []) => String::new(),
            _ => format!("content-length: {}\r\n", body.len()),
        };
        let mut request =
            format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n{headers}{length}\r\n", self.address).into_bytes();
        request.extend_from_slice(body);
        self.send(request);
    }

    /// Sends a request and takes its answer.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        self.ask(method, target, headers, body);
        if method == "HEAD" { Answer { head: self.head(), body: Vec::new() } } else { self.answer() }
    }

    /// Publishes; answers the id.
    #[track_caller]
    pub(crate) fn publish(&mut self, target: &str, data: &str) -> String {
        let answer = self.request("POST", target, "", data.as_bytes());
        assert_eq!(answer.head.status, 200, "POST {target}: {}", answer.text());
        answer.json()["id"].as_str().unwrap_or_else(|| panic!("no id in {:?}", answer.text())).to_owned()
    }

    /// Takes the head of the next answer.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Head {
        loop {
            if let Some((head, len)) = Head::parse(&self.bytes) {
                self.bytes.drain(..len);
                return head;
            }
            assert!(
                self.read_more(),
                "the connection ended before a head, after {:?}",
                String::from_utf8_lossy(&self.bytes)
            );
        }
    }

    /// Takes the next answer whole.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.head();
        let body = match head.header("content-length").map(str::parse::<usize>) {
            _ if head.status == 204 || head.status == 304 => Vec::new(),
            Some(len) => self.take(len.expect("a length is a number")),
            None if head.is_chunked() => self.chunked_body(),
            None => {
                while self.read_more() {}
                std::mem::take(&mut self.bytes)
            }
        };
        Answer { head, body }
    }

    /// Waits until the other side has ended the connection, which may be by a reset, and answers what came before.
    #[track_caller]
    pub(crate) fn rest(mut self) -> Vec<u8> {
        while self.read_more() {}
        self.bytes
    }

    /// Waits for bytes and takes them as they are.
    #[track_caller]
    pub(crate) fn read_some(&mut self) -> Vec<u8> {
        if self.bytes.is_empty() {
            assert!(self.read_more(), "the connection ended");
        }
        std::mem::take(&mut self.bytes)
    }

    /// Says that nothing more is sent.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("the connection is open");
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The socket, and what was read and not yet taken.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.bytes)
    }

    #[track_caller]
    fn take(&mut self, len: usize) -> Vec<u8> {
        while self.bytes.len() < len {
            assert!(self.read_more(), "the connection ended after {} of {len} bytes", self.bytes.len());
        }
        let rest = self.bytes.split_off(len);
        std::mem::replace(&mut self.bytes, rest)
    }

    #[track_caller]
    fn chunked_body(&mut self) -> Vec<u8> {
        let (mut dechunker, mut body) = (Dechunker::default(), Vec::new());
        // Byte by byte, for what comes after the body is of the next answer.
        while !dechunker.is_done() {
            let byte = self.take(1);
            dechunker.push(&byte, &mut body).unwrap_or_else(|fault| panic!("bad framing: {fault}"));
        }
        body
    }

    /// Answers whether there was more.
    #[track_caller]
    fn read_more(&mut self) -> bool {
        let mut room = [0; 16 * 1024];
        match self.stream.read(&mut room) {
            Ok(0) => false,
            Ok(count) => {
                self.bytes.extend_from_slice(&room[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(error) => {
                panic!("reading from {}: {error} after {:?}", self.address, String::from_utf8_lossy(&self.bytes))
            }
        }
    }
}
