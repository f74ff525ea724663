//! As much of HTTP/1.1 as a load generator reads: the head of an answer, and how its body is framed.
//!
//! Pure: bytes are pushed. Requests are written by who sends them.

mod chunked;
mod head;

pub(crate) use head::{Answer, Framing};

use chunked::{ChunkError, Chunked};
use thiserror::Error;

/// Why the bytes are no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum HttpError {
    #[error("the head of the answer is not HTTP/1: {0}")]
    Head(httparse::Error),
    #[error("the head of the answer has more than {HEAD_BYTES_MAX} bytes")]
    HeadTooLarge,
    #[error("the header {name} of the answer cannot be read: {value:?}")]
    Header { name: &'static str, value: String },
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

/// Takes the payload out of a body.
#[derive(Debug)]
pub(crate) enum Body {
    Chunked(Chunked),
    Sized { remaining: u64 },
    UntilClose,
}

impl Body {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::Sized(remaining) => Self::Sized { remaining },
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// The next piece of payload in the bytes, which are shortened by what was read; `None` when they are used up or the
    /// body has ended.
    ///
    /// # Errors
    /// When they are no chunks.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, HttpError> {
        match self {
            Self::Chunked(chunked) => Ok(chunked.next(bytes)?),
            Self::Sized { remaining } => {
                let taken = usize::try_from(*remaining).unwrap_or(usize::MAX).min(bytes.len());
                *remaining -= taken as u64;
                let (piece, rest) = bytes.split_at(taken);
                *bytes = rest;
                Ok((taken > 0).then_some(piece))
            }
            Self::UntilClose => {
                let piece = std::mem::take(bytes);
                Ok((!piece.is_empty()).then_some(piece))
            }
        }
    }

    /// Whether the body has been read to its end.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Chunked(chunked) => chunked.is_over(),
            Self::Sized { remaining } => *remaining == 0,
            Self::UntilClose => false,
        }
    }
}

/// Most bytes of an answer's head. Unit: bytes. Beyond it the connection fails.
const HEAD_BYTES_MAX: usize = 64 * 1024;
