//! A connection's bytes, as hyper reads and writes them: first what was read before, then the socket; whether hyper still
//! holds bytes that the socket has not taken; and the end of a peer that takes none for too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A socket whose first bytes were read by somebody else, or what makes one private.
pub(super) struct Io<S = TcpStream> {
    stream: TokioIo<S>,
    /// What was read before; it comes first.
    before: Bytes,
    has_unflushed: Unflushed,
    /// How long the peer may take no byte while there is something for it.
    write_timeout: Option<Duration>,
    /// Until when it may, since it takes none.
    stall: Option<Pin<Box<Sleep>>>,
}

/// Does hyper hold bytes of an earlier answer that the socket has not taken? Shared with who may take the socket over.
#[derive(Clone, Default)]
pub(super) struct Unflushed(Arc<AtomicBool>);

impl Unflushed {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed) // one task reads and writes it
    }
}

impl<S> Io<S> {
    pub(super) fn new(stream: S, before: Bytes, write_timeout: Option<Duration>) -> Self {
        Self { stream: TokioIo::new(stream), before, has_unflushed: Unflushed::default(), write_timeout, stall: None }
    }

    pub(super) fn unflushed(&self) -> Unflushed {
        self.has_unflushed.clone()
    }

    /// `written`, or an error once the peer has taken nothing for too long.
    fn or_stalled(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let (Poll::Pending, Some(write_timeout)) = (&written, self.write_timeout) else {
            self.stall = None;
            return written;
        };
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(write_timeout)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The socket itself. What stood in `before` must have been read.
    pub(super) fn into_stream(self) -> S {
        self.stream.into_inner()
    }
}

impl<S: AsyncRead + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.before.len().min(buffer.remaining());
        buffer.put_slice(&self.before.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.has_unflushed.0.store(true, Ordering::Relaxed);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.or_stalled(cx, written)
    }

    /// Hyper flushes only when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.has_unflushed.0.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.has_unflushed.0.store(true, Ordering::Relaxed);
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.or_stalled(cx, written)
    }
}
