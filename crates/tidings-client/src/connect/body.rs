//! The bytes of a stream, unpacked if it is compressed.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::exchange::Wire;
use crate::answer::Encoding;
use crate::error::Lost;

/// A response's body, and with it its connection.
pub(crate) struct Body(Kind);

enum Kind {
    Plain(Wire),
    #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
    Packed(packed::Unpacker),
}

impl Body {
    pub(super) fn new(wire: Wire, encoding: Encoding) -> Self {
        Self(match encoding {
            Encoding::Identity => Kind::Plain(wire),
            #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
            packed => Kind::Packed(packed::Unpacker::new(wire, packed)),
        })
    }

    /// The next bytes of the stream; `None` at its orderly end.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Lost>>> {
        match &mut self.0 {
            Kind::Plain(wire) => wire.poll_data(cx).map_err(|error| Lost::Cut(Arc::new(error))),
            #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
            Kind::Packed(unpacker) => unpacker.poll_bytes(cx).map_err(|error| Lost::Cut(Arc::new(error))),
        }
    }
}

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod packed {
    //! Unpacks as much as fits one buffer at a time: a small packet may hold gigabytes.

    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use bytes::{Buf, Bytes};
    use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

    use super::{Encoding, Wire};

    pub(super) struct Unpacker {
        reader: Pin<Box<dyn AsyncRead + Send>>,
        buffer: Box<[u8]>,
    }

    impl Unpacker {
        pub(super) fn new(wire: Wire, encoding: Encoding) -> Self {
            let source = Source { wire, ahead: Bytes::new() };
            let reader: Pin<Box<dyn AsyncRead + Send>> = match encoding {
                Encoding::Identity => Box::pin(source),
                #[cfg(feature = "gzip")]
                Encoding::Gzip => Box::pin(async_compression::tokio::bufread::GzipDecoder::new(source)),
                #[cfg(feature = "brotli")]
                Encoding::Brotli => Box::pin(async_compression::tokio::bufread::BrotliDecoder::new(source)),
                #[cfg(feature = "zstd")]
                Encoding::Zstd => Box::pin(async_compression::tokio::bufread::ZstdDecoder::new(source)),
            };
            Self { reader, buffer: vec![0; BUFFER_BYTES].into() }
        }

        pub(super) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
            let mut buffer = ReadBuf::new(&mut self.buffer);
            ready!(self.reader.as_mut().poll_read(cx, &mut buffer))?;
            let filled = buffer.filled();
            Poll::Ready((!filled.is_empty()).then(|| Ok(Bytes::copy_from_slice(filled))))
        }
    }

    const BUFFER_BYTES: usize = 16 * 1024;

    /// The body as the unpackers want to read it.
    struct Source {
        wire: Wire,
        ahead: Bytes,
    }

    impl AsyncBufRead for Source {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            let this = self.get_mut();
            while this.ahead.is_empty() {
                match ready!(this.wire.poll_data(cx)) {
                    None => break,
                    Some(Ok(bytes)) => this.ahead = bytes,
                    Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                }
            }
            Poll::Ready(Ok(&this.ahead))
        }

        fn consume(mut self: Pin<&mut Self>, amount: usize) {
            self.ahead.advance(amount);
        }
    }

    impl AsyncRead for Source {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
            let taken = bytes.len().min(out.remaining());
            out.put_slice(&bytes[..taken]);
            self.consume(taken);
            Poll::Ready(Ok(()))
        }
    }
}
