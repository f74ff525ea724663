//! What the bare loops have in common: as much HTTP as a benchmark needs, and a socket that keeps what did not fit.

use std::error::Error;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};

/// Binds the address of the command line, any free port without one, and says on stdout where that is.
///
/// # Errors
/// When the address cannot be had.
pub(crate) fn listen() -> Result<TcpListener, Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    Ok(listener)
}

/// A request that is there as a whole.
pub(crate) struct Request<'a> {
    /// A GET subscribes, all else publishes.
    pub(crate) subscribes: bool,
    pub(crate) body: &'a [u8],
    /// How many bytes the request has.
    pub(crate) len: usize,
}

/// The first request in the bytes; `None` when more must come. What is no request is one without a body.
pub(crate) fn first_request(bytes: &[u8]) -> Option<Request<'_>> {
    let head_len = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_len]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let body = bytes.get(head_len..head_len + length)?;
    Some(Request { subscribes: bytes.starts_with(b"GET "), body, len: head_len + length })
}

/// One event, with an id of its own.
pub(crate) fn event(id: u64, data: &[u8]) -> Vec<u8> {
    let mut event = format!("id: {id}\ndata: ").into_bytes();
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    event
}

/// The head of a stream.
pub(crate) const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The answer to a publish.
pub(crate) const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Reads what there is; false when the other side has closed.
pub(crate) fn read_all(stream: &mut TcpStream, bytes: &mut Vec<u8>, buffer: &mut [u8]) -> bool {
    loop {
        match stream.read(buffer) {
            Ok(0) => return false,
            Ok(len) => bytes.extend_from_slice(&buffer[..len]),
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// A socket that keeps what the kernel did not take.
pub(crate) struct Outlet {
    stream: TcpStream,
    rest: Vec<u8>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is on its way, perhaps with a rest that is kept.
    Taken,
    /// Nothing of it was taken: the socket is full.
    Full,
    /// The reader has gone.
    Gone,
}

impl Outlet {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Writes all parts as one, or nothing of them while there is a rest of the last ones.
    pub(crate) fn write(&mut self, parts: [&[u8]; 3]) -> Written {
        match self.flush() {
            Written::Taken => {}
            other => return other,
        }
        let slices = parts.map(IoSlice::new);
        let mut taken = match self.stream.write_vectored(&slices) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Full,
            Err(_) => return Written::Gone,
        };
        for part in parts {
            let of_part = taken.min(part.len());
            taken -= of_part;
            self.rest.extend_from_slice(&part[of_part..]);
        }
        Written::Taken
    }

    /// Writes the rest; `Full` while there is one.
    pub(crate) fn flush(&mut self) -> Written {
        while !self.rest.is_empty() {
            match self.stream.write(&self.rest) {
                Ok(taken) => drop(self.rest.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Full,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Written::Gone,
            }
        }
        Written::Taken
    }
}
