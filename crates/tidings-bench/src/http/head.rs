//! The head of an answer.

use super::{HEAD_BYTES_MAX, HttpError};

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    /// The server will not take another request on this connection.
    pub(crate) closes: bool,
    /// How many bytes the head has.
    pub(crate) head_len: usize,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Chunked,
    Sized(u64),
    UntilClose,
}

impl Answer {
    /// Reads the head if all of it is there. Interim answers (1xx) are left to the caller: their framing is an empty body.
    ///
    /// # Errors
    /// When the bytes are no head, or one without an end.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, HttpError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let head_len = match response.parse(bytes).map_err(HttpError::Head)? {
            httparse::Status::Complete(head_len) => head_len,
            httparse::Status::Partial if bytes.len() > HEAD_BYTES_MAX => return Err(HttpError::HeadTooLarge),
            httparse::Status::Partial => return Ok(None),
        };
        let status = response.code.unwrap_or_default();
        let mut length = None;
        let mut is_chunked = false;
        let mut closes = response.version == Some(0);
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                let value = String::from_utf8_lossy(header.value);
                let parsed = value.trim().parse::<u64>();
                length =
                    Some(parsed.map_err(|_| HttpError::Header { name: "Content-Length", value: value.into_owned() })?);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked |= has_token(header.value, "chunked");
            } else if header.name.eq_ignore_ascii_case("connection") {
                closes |= has_token(header.value, "close");
                closes &= !has_token(header.value, "keep-alive");
            }
        }
        let framing = match (status, length) {
            (100..=199 | 204 | 304, _) => Framing::Sized(0),
            _ if is_chunked => Framing::Chunked,
            (_, Some(length)) => Framing::Sized(length),
            (_, None) => Framing::UntilClose,
        };
        closes |= framing == Framing::UntilClose;
        Ok(Some(Self { status, framing, closes, head_len }))
    }
}

/// Most headers of an answer; more are an error of `httparse`.
const HEADERS_MAX: usize = 100;

fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, status: u16, framing: Framing, closes: bool) {
        let want = Answer { status, framing, closes, head_len: head.len() };
        let with_more = format!("{head}1\r\n");
        assert_eq!(Answer::parse(with_more.as_bytes()), Ok(Some(want)), "{head:?}");
        for cut in 0..head.len() {
            assert_eq!(Answer::parse(&head.as_bytes()[..cut]), Ok(None), "{head:?} cut at {cut}");
        }
    }

    #[test]
    fn the_head_says_where_the_body_ends() {
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", 200, Framing::Chunked, false);
        check("HTTP/1.1 200 OK\r\ncontent-length:  12\r\n\r\n", 200, Framing::Sized(12), false);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: te, close\r\n\r\n", 200, Framing::Sized(2), true);
        check("HTTP/1.1 200 OK\r\n\r\n", 200, Framing::UntilClose, true);
        check("HTTP/1.1 204 No Content\r\n\r\n", 204, Framing::Sized(0), false);
        check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, Framing::Sized(0), true);
        check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", 200, Framing::Sized(0), false);
    }

    #[test]
    fn what_is_no_head_is_an_error() {
        assert!(matches!(Answer::parse(b"SSH-2.0-x\r\n\r\n"), Err(HttpError::Head(_))));
        let sized = Answer::parse(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n");
        assert!(matches!(sized, Err(HttpError::Header { name: "Content-Length", .. })), "{sized:?}");
        let endless = ["HTTP/1.1 200 OK\r\nX: ", &"x".repeat(HEAD_BYTES_MAX)].concat();
        assert_eq!(Answer::parse(endless.as_bytes()), Err(HttpError::HeadTooLarge));
    }
}
