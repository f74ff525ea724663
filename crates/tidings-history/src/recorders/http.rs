//! As much of HTTP/1.1 as a client needs: heads, bodies with a length, chunks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Status};

/// A connection, and what was read of it and not yet taken.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The other side ends the connection after it.
    pub(super) is_last: bool,
    pub(super) body: Body,
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes of a chunk and of the line end after it; 0 is before a size.
    Chunks(usize),
    /// So many bytes.
    Sized(usize),
    /// All until the connection ends.
    Open,
    /// Nothing.
    Over,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// No read takes longer.
    pub(super) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads at most so many bytes, once. Answers how many; 0 at the end of the stream.
    pub(super) fn fill(&mut self, bytes_max: usize) -> io::Result<usize> {
        let had = self.bytes.len();
        self.bytes.resize(had + bytes_max.min(READ_BYTES), 0);
        let read = self.stream.read(&mut self.bytes[had..]);
        self.bytes.truncate(had + read.as_ref().map_or(0, |&count| count));
        read
    }

    /// Takes the next head; nothing until it is whole.
    pub(super) fn take_head(&mut self) -> io::Result<Option<Head>> {
        let Some((head, len)) = Head::parse(&self.bytes)? else { return Ok(None) };
        self.bytes.drain(..len);
        Ok(Some(head))
    }

    /// Takes what has come of a body.
    pub(super) fn take_payload(&mut self, body: &mut Body, payload: &mut Vec<u8>) -> io::Result<()> {
        let taken = body.take(&self.bytes, payload)?;
        self.bytes.drain(..taken);
        Ok(())
    }

    /// Reads an answer whole.
    pub(super) fn answer(&mut self) -> io::Result<(Head, Vec<u8>)> {
        let head = loop {
            match self.take_head()? {
                Some(head) => break head,
                None if self.fill(READ_BYTES)? == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        };
        let (mut body, mut payload) = (head.body, Vec::new());
        loop {
            self.take_payload(&mut body, &mut payload)?;
            match body {
                Body::Over => return Ok((head, payload)),
                Body::Open if self.fill(READ_BYTES)? == 0 => return Ok((head, payload)),
                Body::Open => {}
                _ if self.fill(READ_BYTES)? == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
        }
    }
}

impl Head {
    /// The head that `bytes` begin with, and its length; nothing until it is whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let Status::Complete(len) = response.parse(bytes).map_err(invalid)? else { return Ok(None) };
        let status = response.code.expect("a whole head has a status");
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            str::from_utf8(header.value).ok()
        };
        let body = match value("content-length") {
            _ if status == 204 || status == 304 => Body::Over,
            _ if value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) => {
                Body::Chunks(0)
            }
            Some(length) => Body::of_length(length.trim().parse().map_err(invalid)?),
            None => Body::Open,
        };
        let is_last = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(Some((Self { status, is_last, body }, len)))
    }
}

impl Body {
    fn of_length(length: usize) -> Self {
        if length == 0 { Self::Over } else { Self::Sized(length) }
    }

    /// Puts what `bytes` hold of it into `payload`. Answers how many bytes that took.
    fn take(&mut self, bytes: &[u8], payload: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match *self {
                Self::Over => return Ok(at),
                _ if rest.is_empty() => return Ok(at),
                Self::Open => {
                    payload.extend_from_slice(rest);
                    return Ok(bytes.len());
                }
                Self::Sized(left) => {
                    let count = left.min(rest.len());
                    payload.extend_from_slice(&rest[..count]);
                    at += count;
                    *self = Self::of_length(left - count);
                }
                Self::Chunks(0) => {
                    let Status::Complete((len, size)) = httparse::parse_chunk_size(rest).map_err(|_| bad_chunk())?
                    else {
                        return Ok(at);
                    };
                    let size = usize::try_from(size).map_err(invalid)?;
                    if size == 0 {
                        // The last chunk has a line end and, from a hub, no trailers.
                        let Some(end) = rest.get(len..len + CRLF.len()) else { return Ok(at) };
                        *self = Self::Over;
                        return if end == CRLF { Ok(at + len + CRLF.len()) } else { Err(bad_chunk()) };
                    }
                    at += len;
                    *self = Self::Chunks(size + CRLF.len());
                }
                Self::Chunks(left) => {
                    let count = left.min(rest.len());
                    let of_data = left.saturating_sub(CRLF.len()).min(count);
                    payload.extend_from_slice(&rest[..of_data]);
                    // What is left of the line end after what was read of it before.
                    let line_end = &CRLF[CRLF.len() - (left - of_data).min(CRLF.len())..];
                    if !line_end.starts_with(&rest[of_data..count]) {
                        return Err(bad_chunk());
                    }
                    at += count;
                    *self = Self::Chunks(left - count);
                }
            }
        }
    }
}

const READ_BYTES: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
const CRLF: &[u8] = b"\r\n";

fn invalid(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, fault)
}

fn bad_chunk() -> io::Error {
    invalid("the body is not chunked as its head says")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Body, bytes: &str, want: Result<(&str, Body), ()>) {
        for piece in 1..=bytes.len() {
            let (mut body, mut payload, mut held) = (body, Vec::new(), Vec::new());
            let read = bytes.as_bytes().chunks(piece).try_for_each(|piece| {
                held.extend_from_slice(piece);
                let taken = body.take(&held, &mut payload)?;
                held.drain(..taken);
                io::Result::Ok(())
            });
            let got = read.map(|()| (String::from_utf8(payload).expect("text"), body)).map_err(drop);
            assert_eq!(got, want.map(|(text, body)| (text.to_owned(), body)), "{bytes:?} in pieces of {piece}");
        }
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        check(Body::Sized(3), "abc", Ok(("abc", Body::Over)));
        check(Body::Sized(3), "ab", Ok(("ab", Body::Sized(1))));
        check(Body::Open, "abc", Ok(("abc", Body::Open)));
        check(Body::Chunks(0), "3\r\nabc\r\nA\r\n0123456789\r\n", Ok(("abc0123456789", Body::Chunks(0))));
        check(Body::Chunks(0), "1\r\na\r\n0\r\n\r\n", Ok(("a", Body::Over)));
        check(Body::Chunks(0), "3\r\nab", Ok(("ab", Body::Chunks(3))));
        check(Body::Chunks(0), "3\r\nabcd\r\n", Err(()));
        check(Body::Chunks(0), "3\r\nabc\rd", Err(()));
        check(Body::Chunks(0), "x\r\n", Err(()));
        check(Body::Chunks(0), "0\r\nab", Err(()));
    }

    #[test]
    fn a_head_says_how_its_body_ends() {
        let check = |head: &str, want: (u16, bool, Body)| {
            let (got, len) = Head::parse(head.as_bytes()).expect("well formed").expect("whole");
            assert_eq!(((got.status, got.is_last, got.body), len), (want, head.len()), "{head:?}");
            for cut in 0..head.len() {
                assert_eq!(
                    Head::parse(&head.as_bytes()[..cut]).expect("well formed so far"),
                    None,
                    "{cut} of {head:?}"
                );
            }
        };
        check("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", (200, false, Body::Sized(3)));
        check("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (404, true, Body::Over));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", (200, false, Body::Chunks(0)));
        check("HTTP/1.1 204 No Content\r\n\r\n", (204, false, Body::Over));
        check("HTTP/1.0 200 OK\r\n\r\n", (200, false, Body::Open));
        assert!(Head::parse(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
