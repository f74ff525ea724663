//! As much of HTTP/1.1 as the tests need to ask a question and read the whole answer.
//!
//! Streams without an end are read by `raw`; clients under test bring an HTTP of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::DEADLINE;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and headers as they came, without the blank line.
    pub head: String,
    /// The body, with any chunk framing taken off.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A whole response at the beginning of `bytes` and the bytes it takes; `None` until it is whole.
    ///
    /// `is_ended`: no more bytes will come, which is what ends a body without a length.
    pub(crate) fn parse(bytes: &[u8], is_ended: bool) -> Option<(Self, usize)> {
        let (status, head, rest) = parse_head(bytes)?;
        let head_len = bytes.len() - rest.len();
        let chunked = header(&head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let (body, body_len) = if chunked {
            parse_chunks(rest)?
        } else if let Some(length) = header(&head, "content-length") {
            let length = length.parse().ok()?;
            (rest.get(..length)?.to_vec(), length)
        } else if is_ended {
            (rest.to_vec(), rest.len())
        } else {
            return None;
        };
        Some((Self { status, head, body }, head_len + body_len))
    }
}

/// Sends one request on a connection of its own and reads the whole answer.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Response {
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for header in headers {
        request.extend_from_slice(format!("{header}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);

    let mut stream = connect(address);
    // A server that refuses early may stop reading; its answer is what counts.
    let written = stream.write_all(&request);
    let deadline = Instant::now() + DEADLINE;
    let mut bytes = Vec::new();
    loop {
        let read = read_more(&mut stream, &mut bytes, deadline);
        if let Some((response, _)) = Response::parse(&bytes, matches!(read, Ok(0))) {
            return response;
        }
        assert!(
            matches!(read, Ok(1..)),
            "{method} http://{address}{target}: no whole answer (read: {read:?}, written: {written:?})\n{}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

/// Connects within the deadline.
#[track_caller]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)
        .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    stream.set_nodelay(true).expect("a connected socket takes the option");
    stream
}

/// Appends what one read gives; the number of bytes, 0 at the end of the stream.
///
/// # Errors
/// The socket's own, or `TimedOut` (or `WouldBlock`, as the system calls it) past the deadline.
pub(crate) fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>, deadline: Instant) -> std::io::Result<usize> {
    let left = deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or(std::io::ErrorKind::TimedOut)?;
    stream.set_read_timeout(Some(left))?;
    let mut buffer = [0; 16 * 1024];
    let read = stream.read(&mut buffer)?;
    bytes.extend_from_slice(&buffer[..read]);
    Ok(read)
}

/// Status, head and what follows the head; `None` until the head is whole.
pub(crate) fn parse_head(bytes: &[u8]) -> Option<(u16, String, &[u8])> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head, &bytes[end + 4..]))
}

/// The payload of whole chunks up to the last one, and the bytes they take.
fn parse_chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut payload = Vec::new();
    let mut at = 0;
    loop {
        let line_len = find(&bytes[at..], b"\r\n")?;
        let line = str::from_utf8(&bytes[at..at + line_len]).ok()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        let start = at + line_len + 2;
        let chunk = bytes.get(start..start + size)?;
        bytes.get(start + size..start + size + 2)?;
        payload.extend_from_slice(chunk);
        at = start + size + 2;
        if size == 0 {
            return Some((payload, at));
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &str, is_ended: bool, want: Option<(u16, &str, usize)>) {
        let got = Response::parse(bytes.as_bytes(), is_ended)
            .map(|(response, used)| (response.status, response.text(), used));
        let want = want.map(|(status, body, used)| (status, body.to_owned(), used));
        assert_eq!(got, want, "bytes: {bytes:?}, ended: {is_ended}");
    }

    #[test]
    fn an_answer_is_whole_when_its_length_its_last_chunk_or_the_end_says_so() {
        let sized = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        check(sized, false, Some((200, "hi", sized.len())));
        check(&format!("{sized}HTTP"), false, Some((200, "hi", sized.len())));
        check(&sized[..sized.len() - 1], false, None);

        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\n\r\n";
        check(chunked, false, Some((200, "hi", chunked.len())));
        for cut in 0..chunked.len() {
            check(&chunked[..cut], true, None);
        }

        let unsized_body = "HTTP/1.0 503 Busy\r\nRetry-After: 1\r\n\r\nbusy";
        check(unsized_body, false, None);
        check(unsized_body, true, Some((503, "busy", unsized_body.len())));
    }
}
