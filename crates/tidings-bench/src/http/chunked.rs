//! The chunks of a body, without a copy: pieces of the payload are given as they stand in the bytes.

use thiserror::Error;

/// Reads `Transfer-Encoding: chunked` (RFC 9112, 7.1), split wherever the network split it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    /// What is read of the size of a chunk, then what is left of its data.
    remaining: u64,
}

/// Why the bytes are no chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the body is not chunked as its head says: {found:#04x} where {expected} was expected")]
pub(crate) struct ChunkError {
    found: u8,
    expected: &'static str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Size,
    Digits,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    /// At the beginning of a line after the last chunk.
    Trailer,
    TrailerLine,
    TrailerEnd,
    Over,
}

impl Chunked {
    /// The next piece of payload; see `Body::next`.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ChunkError> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Data => {
                    let taken = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(bytes.len());
                    let (piece, rest) = bytes.split_at(taken);
                    *bytes = rest;
                    self.remaining -= taken as u64;
                    if self.remaining == 0 {
                        self.state = State::DataReturn;
                    }
                    return Ok(Some(piece));
                }
                State::Over => return Ok(None),
                _ => {
                    self.step(byte)?;
                    *bytes = rest;
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// One byte of the framing.
    fn step(&mut self, byte: u8) -> Result<(), ChunkError> {
        let unexpected = |expected| Err(ChunkError { found: byte, expected });
        self.state = match (self.state, byte) {
            (State::Size | State::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).expect("a hexadecimal digit");
                let size = self.remaining.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                let Some(size) = size else { return unexpected("the end of the size") };
                self.remaining = size;
                State::Digits
            }
            (State::Digits | State::Extension | State::SizeEnd, b'\n') if self.remaining == 0 => State::Trailer,
            (State::Digits | State::Extension | State::SizeEnd, b'\n') => State::Data,
            (State::Digits | State::Extension, b'\r') => State::SizeEnd,
            (State::Digits, b';' | b' ' | b'\t') | (State::Extension, _) => State::Extension,
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataReturn | State::DataEnd, b'\n') => State::Size,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::Trailer | State::TrailerEnd, b'\n') => State::Over,
            (State::TrailerLine, b'\n') => State::Trailer,
            (State::Trailer | State::TrailerLine, _) => State::TrailerLine,
            (State::Size | State::Digits, _) => return unexpected("a chunk's size"),
            (State::SizeEnd | State::TrailerEnd | State::DataEnd, _) => return unexpected("a line feed"),
            (State::DataReturn, _) => return unexpected("the end of a chunk"),
            (State::Data | State::Over, _) => unreachable!("no framing is read there"),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), ChunkError> {
        let mut chunked = Chunked::default();
        let (mut payload, mut left) = (Vec::new(), 0);
        for piece in pieces {
            let mut bytes = *piece;
            while let Some(piece) = chunked.next(&mut bytes)? {
                payload.extend_from_slice(piece);
            }
            left += bytes.len();
        }
        Ok((payload, chunked.is_over(), left))
    }

    fn check(stream: &[u8], want: &[u8], want_over: bool, want_left: usize) {
        for first in 0..=stream.len() {
            let got = read(&[&stream[..first], &stream[first..]]);
            assert_eq!(got, Ok((want.to_vec(), want_over, want_left)), "{stream:?} split at {first}");
        }
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(read(&bytes), Ok((want.to_vec(), want_over, want_left)));
    }

    #[test]
    fn the_payload_is_the_same_however_the_stream_is_split() {
        check(b"", b"", false, 0);
        check(b"3\r\nabc\r\n00A;x=y\r\n0123456789\r\n", b"abc0123456789", false, 0);
        check(b"1 \r\na\r\n0\r\n\r\n", b"a", true, 0);
        check(b"1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\nHTTP", b"a", true, 4);
        check(b"1\na\n0\n\n", b"a", true, 0);
    }

    #[test]
    fn what_is_no_chunk_is_an_error() {
        for (stream, want) in [
            (&b"data: x"[..], "a chunk's size"),
            (b"\r\n", "a chunk's size"),
            (b"1\r\nabc", "the end of a chunk"),
            (b"1\rx", "a line feed"),
            (b"fffffffffffffffff\r\n", "the end of the size"),
        ] {
            let error = read(&[stream]).expect_err("no chunks");
            assert_eq!(error.expected, want, "{stream:?}: {error}");
        }
    }
}
