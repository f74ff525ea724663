//! One connection that speaks HTTP by hyper, until it ends or a shard takes its socket.
//!
//! A browser asks for its event stream on the connection that fetched the page. Then the answer's head is not hyper's:
//! the driver stops polling the connection, takes the socket out of it, and gives it to a shard.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tidings_core::{CloseReason, Limit, Rarely};
use tidings_fanout::{Arrival, Permit, Subscription, has_empty_line};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::io::{Io, Unflushed};
use super::porter::response_head;
use crate::channel::refuse_for_limit;
use crate::client_address::Peer;
use crate::drip::ReadRest;
use crate::tls::{self, CameByHttps, Private, Tls};
use crate::{HttpState, TakeOver, Takeover};

/// How long a connection may wait for its next request.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How often somebody who is late is looked at.
const HEAD_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The shard ends a slow reader after `--slow-client-timeout`; what hyper still holds for it then is given up after so
/// many of them.
const WRITE_TIMEOUTS: u32 = 2;
/// How an HTTP/2 connection begins; no method of HTTP/1.1 does.
const HTTP2_PREFACE: &[u8] = b"PRI";
/// Hyper reads a head of at most so many bytes whatever it is told: it takes no smaller buffer.
const HYPER_BUFFER_MIN: usize = 8 * 1024;
/// How often an HTTP/2 peer is asked whether it is still there.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);
/// What an HTTP/2 connection may send before somebody has read it: so much memory for each at most.
const HTTP2_WINDOW_BYTES: u32 = 256 * 1024;
/// Streams of one HTTP/2 connection at a time, as browsers expect it at least.
const HTTP2_STREAMS_MAX: u32 = 128;

/// What a connection's task needs of its hub.
pub(super) struct Connection {
    pub(super) state: Arc<HttpState>,
    pub(super) closing: CancellationToken,
}

/// A stream that a shard is to carry on this connection's socket.
type Taken = (HeaderMap, Subscription);

/// Where the handler of a request leaves what the connection's driver is to hand over.
struct Slot {
    unflushed: Unflushed,
    taken: Mutex<Option<Taken>>,
}

impl TakeOver for Slot {
    fn take(&self, headers: HeaderMap, subscription: Subscription) -> Option<Taken> {
        *self.lock() = Some((headers, subscription));
        None
    }
}

impl Slot {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ready(&self) -> bool {
        self.lock().is_some() && !self.unflushed.get()
    }
}

/// Serves a connection to its end. Its errors are its own: a peer that breaks HTTP or leaves is not our fault.
pub(super) async fn serve(connection: Connection, arrival: Arrival) {
    let Arrival { socket, read, permit, peer } = arrival;
    let Ok(stream) = TcpStream::from_std(socket) else { return };
    let counters = Arc::clone(&connection.state.counters);
    let state = Arc::clone(&connection.state);
    let served = match &state.tls {
        None => {
            let Some((io, is_http2)) = begin(&state, stream, read, peer, &permit).await else { return };
            let visitor =
                Visitor { state: Arc::clone(&state), peer, refused_for: permit.refused_for(), came_by_https: false };
            if is_http2 {
                serve_http2(visitor, connection.closing, io, permit).await
            } else {
                serve_http1(visitor, connection.closing, io, permit).await
            }
        }
        Some(tls) => {
            let Some(private) = make_private(&state, tls, stream, read, peer, &permit).await else { return };
            let Some((io, is_http2)) = begin(&state, private, Vec::new(), peer, &permit).await else { return };
            let visitor =
                Visitor { state: Arc::clone(&state), peer, refused_for: permit.refused_for(), came_by_https: true };
            if is_http2 {
                serve_http2(visitor, connection.closing, io, permit).await
            } else {
                serve_private(visitor, connection.closing, io, permit).await
            }
        }
    };
    if let Err(error) = served {
        if error.is_parse() {
            counters.bad_heads.increment();
        }
        if error.is_parse_too_large() {
            counters.reach_by(Limit::HeadBytes, &peer.ip()); // hyper has answered 431
        }
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Makes a connection private; `None` when it did not become so in time. Who speaks plain HTTP to such a port is told.
async fn make_private(
    state: &HttpState,
    tls: &Tls,
    mut stream: TcpStream,
    read: Vec<u8>,
    peer: SocketAddr,
    permit: &Permit,
) -> Option<Private> {
    if !read.is_empty() && !tls::is_handshake(&read) {
        state.counters.bad_heads.increment();
        // Whatever became of it: the connection ends here.
        let _ = timeout(state.limits().head_timeout, stream.write_all(PLAIN_HTTP_HERE)).await;
        return None;
    }
    match in_head_time(state, permit, tls.accept(stream, read)).await {
        Some(Ok(private)) => Some(private),
        Some(Err(error)) => {
            state.counters.bad_heads.increment();
            tracing::debug!(%error, "a connection did not become private");
            None
        }
        None => {
            count_late(state, peer);
            None
        }
    }
}

/// What comes of `future` within the time that a head may take; `None` if nothing does.
async fn in_head_time<T>(state: &HttpState, permit: &Permit, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, began) = (pin!(future), Instant::now());
    loop {
        let patience = permit.head_patience(state.limits().head_timeout).saturating_sub(began.elapsed());
        if patience.is_zero() {
            return None;
        }
        // It may become shorter meanwhile.
        if let Ok(come) = timeout(patience.min(HEAD_LOOK_INTERVAL), &mut future).await {
            return Some(come);
        }
    }
}

/// The answer to plain HTTP where HTTPS is spoken.
const PLAIN_HTTP_HERE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 45\r\nconnection: close\r\n\r\nThis port speaks HTTPS: use an https address\n";

/// Waits for the first head. Answers what hyper goes on with, and whether it is HTTP/2; `None` when none came in time.
async fn begin<S: AsyncRead + Unpin>(
    state: &HttpState,
    mut stream: S,
    read: Vec<u8>,
    peer: SocketAddr,
    permit: &Permit,
) -> Option<(Io<S>, bool)> {
    let limits = state.limits();
    let Some(read) = in_head_time(state, permit, read_head(&mut stream, read, limits.head_bytes_max)).await else {
        count_late(state, peer);
        return None;
    };
    let read = read?;
    let is_http2 = read.starts_with(HTTP2_PREFACE);
    let write_timeout = limits.slow_client_timeout.map(|timeout| timeout * WRITE_TIMEOUTS);
    Some((Io::new(stream, read.into(), write_timeout), is_http2))
}

/// A head, or what must come before it, did not come in time.
fn count_late(state: &HttpState, peer: SocketAddr) {
    state.counters.bad_heads.increment();
    state.counters.reach_by(Limit::HeadTime, &peer.ip());
}

/// Reads on until the first head is whole, or is HTTP/2's, or is too long, which hyper then says; `None` when the peer
/// leaves before. Hyper has one time for a head and for the wait before it; the first head gets less.
async fn read_head(stream: &mut (impl AsyncRead + Unpin), mut read: Vec<u8>, bytes_max: usize) -> Option<Vec<u8>> {
    let mut room = [0; 2048];
    while !read.starts_with(HTTP2_PREFACE) && !has_empty_line(&read) && read.len() <= bytes_max {
        let count = stream.read(&mut room).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&room[..count]);
    }
    Some(read)
}

async fn serve_http1(visitor: Visitor, closing: CancellationToken, io: Io, permit: Permit) -> hyper::Result<()> {
    let state = Arc::clone(&visitor.state);
    let slot = Arc::new(Slot { unflushed: io.unflushed(), taken: Mutex::default() });
    let (takeover, read_rest) = (Takeover(slot.clone()), io.read_rest());
    let handler = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(takeover.clone());
        offer_rest(&mut request, &read_rest);
        visitor.clone().respond(request)
    });
    let mut driver = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(state.limits().head_bytes_max.max(HYPER_BUFFER_MIN))
        .serve_connection(io, handler);
    let mut closing = pin!(closing.cancelled());
    let mut is_closing = false;
    let is_taken = poll_fn(|cx| {
        if !is_closing && closing.as_mut().poll(cx).is_ready() {
            is_closing = true;
            Pin::new(&mut driver).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut driver).poll(cx) {
            return Poll::Ready(ended.map(|()| false));
        }
        if slot.is_ready() { Poll::Ready(Ok(true)) } else { Poll::Pending }
    })
    .await?;
    if is_taken {
        hand_over(&state, &slot, driver.into_parts(), permit);
    }
    Ok(())
}

/// Whoever reads its body may have the connection rest.
fn offer_rest(request: &mut Request<Incoming>, read_rest: &ReadRest) {
    if !request.body().is_end_stream() {
        request.extensions_mut().insert(read_rest.clone());
    }
}

/// Gives the socket to a shard. Hyper has written all it had and is in the middle of no answer: it waits for the handler
/// that has filled the slot, and that one is dropped here.
fn hand_over<S>(state: &HttpState, slot: &Slot, parts: http1::Parts<Io, S>, permit: Permit) {
    let Some((headers, subscription)) = slot.lock().take() else { return };
    if !parts.read_buf.is_empty() {
        state.counters.closed(CloseReason::UnexpectedBytes).increment();
        return;
    }
    match parts.io.into_stream().into_std() {
        Ok(socket) => state.fanout.join_direct(socket, &response_head(&headers), subscription, permit),
        Err(error) => {
            static SAID: Rarely = Rarely::new();
            if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                tracing::warn!(%error, unsaid_before, "a socket cannot leave the runtime; its reader comes back");
            }
        }
    }
}

/// HTTP/1 on a private connection: nobody can take its socket over.
async fn serve_private(
    visitor: Visitor,
    closing: CancellationToken,
    io: Io<Private>,
    _permit: Permit,
) -> hyper::Result<()> {
    let head_bytes_max = visitor.state.limits().head_bytes_max;
    let read_rest = io.read_rest();
    let handler = service_fn(move |mut request| {
        offer_rest(&mut request, &read_rest);
        visitor.clone().respond(request)
    });
    let mut driver = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE_TIMEOUT)
            .max_buf_size(head_bytes_max.max(HYPER_BUFFER_MIN))
            .serve_connection(io, handler)
    );
    tokio::select! {
        ended = &mut driver => ended,
        () = closing.cancelled() => {
            driver.as_mut().graceful_shutdown();
            driver.await
        }
    }
}

async fn serve_http2<S>(visitor: Visitor, closing: CancellationToken, io: Io<S>, _permit: Permit) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = visitor.state.limits();
    let handler = service_fn(move |request| visitor.clone().respond(request));
    let mut driver = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
            .max_send_buf_size(limits.batch_bytes_max)
            .initial_stream_window_size(HTTP2_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_WINDOW_BYTES)
            .keep_alive_interval(Some(HTTP2_PING_INTERVAL))
            .serve_connection(io, handler)
    );
    tokio::select! {
        ended = &mut driver => ended,
        () = closing.cancelled() => {
            driver.as_mut().graceful_shutdown();
            driver.await
        }
    }
}

/// Who is on the other end of a connection, for the requests that come on it.
#[derive(Clone)]
struct Visitor {
    state: Arc<HttpState>,
    peer: SocketAddr,
    /// It has come only to be told that this limit is reached.
    refused_for: Option<Limit>,
    came_by_https: bool,
}

impl Visitor {
    async fn respond(self, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let Self { state, peer, refused_for, came_by_https } = self;
        request.extensions_mut().insert(Peer(peer));
        if came_by_https {
            request.extensions_mut().insert(CameByHttps);
        }
        let Some(limit) = refused_for else {
            return Ok(crate::answer(&state, request.map(Body::new)).await);
        };
        let (parts, _) = request.into_parts();
        let mut response = refuse_for_limit(&state, &parts, limit);
        if parts.version < http::Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}
