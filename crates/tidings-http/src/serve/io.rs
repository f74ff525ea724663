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

use crate::drip::ReadRest;

/// A socket whose first bytes were read by somebody else, or what makes one private.
pub(super) struct Io<S = TcpStream> {
    stream: TokioIo<S>,
    /// What was read before; it comes first.
    before: Bytes,
    has_unflushed: Unflushed,
    read_rest: ReadRest,
    /// Until when nothing is read.
    resting: Option<Pin<Box<Sleep>>>,
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
        Self {
            stream: TokioIo::new(stream),
            before,
            has_unflushed: Unflushed::default(),
            read_rest: ReadRest::default(),
            resting: None,
            write_timeout,
            stall: None,
        }
    }

    pub(super) fn unflushed(&self) -> Unflushed {
        self.has_unflushed.clone()
    }

    pub(super) fn read_rest(&self) -> ReadRest {
        self.read_rest.clone()
    }

    /// Pending while nothing is to be read. The socket wakes nobody then: it wakes who has found it empty.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(resting) = &mut self.resting {
            if !self.read_rest.is_none() {
                ready!(resting.as_mut().poll(cx));
            }
            self.resting = None;
        }
        Poll::Ready(())
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
            ready!(self.rest(cx));
            let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
            if read.is_ready() {
                self.resting = self.read_rest.draw().map(|rest| Box::pin(sleep(rest)));
            }
            return read;
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper::rt::ReadBuf;
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    /// Reads what is there; waits if nothing is.
    async fn read(io: &mut Io<tokio::io::DuplexStream>) -> Vec<u8> {
        let mut room = [0; 100];
        let mut buffer = ReadBuf::new(&mut room);
        poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, buffer.unfilled())).await.expect("a pipe does not fail");
        buffer.filled().to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_while_it_rests_and_then_all_that_came() {
        const MEAN: Duration = Duration::from_secs(2);
        let (mut peer, stream) = duplex(1000);
        let mut io = Io::new(stream, Bytes::from_static(b"before"), None);
        let rest = io.read_rest();
        rest.set(MEAN);
        assert_eq!(read(&mut io).await, b"before", "it is not the socket's");
        peer.write_all(b"a").await.expect("there is room");
        assert_eq!(read(&mut io).await, b"a", "it has not been read yet, so it is not tired");

        let began = Instant::now();
        peer.write_all(b"b").await.expect("there is room");
        let early = timeout(MEAN / 4, read(&mut io)).await;
        assert!(early.is_err(), "{early:?} before the rest was over");
        peer.write_all(b"c").await.expect("there is room");
        assert_eq!(read(&mut io).await, b"bc");
        let took = began.elapsed();
        assert!(took >= MEAN / 2 && took <= MEAN * 3 / 2, "{took:?}");

        rest.set(Duration::ZERO);
        let ended = Instant::now();
        peer.write_all(b"d").await.expect("there is room");
        assert_eq!((read(&mut io).await, ended.elapsed()), (b"d".to_vec(), Duration::ZERO), "the body is over");
    }
}
