//! The two ways out of a shard: a socket of its own, or a body that somebody else polls. Both are the same session.

use std::io;

use bytes::Bytes;
use mio::net::TcpStream;
use tidings_core::session::Sent;
use tidings_wire::Chunk;

use crate::outbox::Outbox;
use crate::socket;

/// Where a session's bytes go.
#[derive(Debug)]
pub(crate) enum Way {
    /// Plain HTTP/1.1: bytes with chunk framing into a socket of the shard.
    Direct(TcpStream),
    /// Anything else: bare payloads.
    Body(Outbox),
}

impl Way {
    /// The bytes of `chunk` as they go this way.
    pub(crate) fn bytes_of(&self, chunk: &Chunk) -> Bytes {
        match self {
            Self::Direct(_) => chunk.wire().clone(),
            Self::Body(_) => chunk.payload(),
        }
    }

    /// Writes `bytes`, which are framed for this way, as far as the other side takes them.
    pub(crate) fn send(&mut self, bytes: &Bytes, outbox_bytes_max: usize) -> io::Result<Sent> {
        match self {
            Self::Direct(stream) => socket::send(stream, bytes),
            Self::Body(outbox) => Ok(outbox.send(bytes.clone(), outbox_bytes_max)),
        }
    }

    /// Is there room for a page, as far as that is known? If not, the shard hears when there is.
    pub(crate) fn has_room(&self) -> bool {
        match self {
            Self::Direct(_) => true, // the kernel says so when it is asked to take it
            Self::Body(outbox) => outbox.is_empty_or_awaited(),
        }
    }

    /// The end of a stream whose bytes are all written.
    pub(crate) fn end(self) {
        match self {
            Self::Direct(stream) => socket::end(&stream),
            Self::Body(outbox) => outbox.end(),
        }
    }
}
