//! A server that does exactly what a test says, byte by byte, and tells what it was asked.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tidings_client::{Error, Event, EventSource, EventSourceBuilder, Raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A response's head; the body goes on until the connection ends.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// A server on loopback; it ends with this value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
    accepting: JoinHandle<()>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Counted from 0.
    pub(crate) nth: usize,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) at: tokio::time::Instant,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1")
    }
}

impl Server {
    /// Lets `act` treat each connection once its request is read; the connection ends with it.
    pub(crate) async fn start<F, A>(act: F) -> Self
    where
        F: Fn(Request, TcpStream) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let (sender, requests) = mpsc::unbounded_channel(); // a test asks a few dozen times
        let accepting = tokio::spawn(async move {
            for nth in 0.. {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let (sender, act) = (sender.clone(), act.clone());
                tokio::spawn(async move {
                    if let Some(request) = read_request(nth, &mut socket).await {
                        let _ = sender.send(request.clone());
                        act(request, socket).await;
                    }
                });
            }
        });
        Self { address, requests, accepting }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A client of this server that comes back soon.
    pub(crate) fn client(&self) -> EventSourceBuilder {
        EventSource::get(self.url("/stream")).no_proxy().retry(Duration::from_millis(10))
    }

    pub(crate) async fn next_request(&mut self) -> Request {
        timeout(DEADLINE, self.requests.recv()).await.expect("a request comes").expect("the server lives")
    }

    /// What was asked and not yet looked at.
    pub(crate) fn unseen_requests(&mut self) -> usize {
        std::iter::from_fn(|| self.requests.try_recv().ok()).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn read_request(nth: usize, socket: &mut TcpStream) -> Option<Request> {
    let mut read = Vec::new();
    let head_len = loop {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&read[..head_len]).into_owned();
    let mut request = Request { nth, head, body: String::new(), at: tokio::time::Instant::now() };
    let body_len = request.header("content-length").map_or(0, |len| len.parse().expect("a number"));
    while read.len() < head_len + body_len {
        socket.read_buf(&mut read).await.ok()?;
    }
    request.body = String::from_utf8_lossy(&read[head_len..]).into_owned();
    Some(request)
}

/// Writes as far as the client reads it.
pub(crate) async fn send(socket: &mut TcpStream, text: impl AsRef<[u8]>) {
    let _ = socket.write_all(text.as_ref()).await;
    let _ = socket.flush().await;
}

/// Ends a connection with a reset instead of an orderly end.
pub(crate) fn reset(socket: &TcpStream) {
    socket.set_zero_linger().expect("a TCP socket");
}

/// Holds a connection open until the client leaves.
pub(crate) async fn hold(socket: &mut TcpStream) {
    let mut rest = [0; 64];
    while socket.read(&mut rest).await.is_ok_and(|len| len > 0) {}
}

pub(crate) async fn next(source: &mut EventSource) -> Option<Result<Event, Error>> {
    timeout(DEADLINE, source.next()).await.expect("something comes")
}

pub(crate) async fn next_event(source: &mut EventSource) -> Event {
    next(source).await.expect("the stream goes on").expect("an event comes")
}

pub(crate) async fn next_data(source: &mut EventSource) -> String {
    next_event(source).await.data
}

pub(crate) async fn next_error(source: &mut EventSource) -> Error {
    let error = next(source).await.expect("an error comes first").expect_err("an error comes");
    assert!(next(source).await.is_none(), "an error is the last");
    error
}

pub(crate) async fn next_raw(source: &mut EventSource) -> Raw {
    let raw = timeout(DEADLINE, source.next_raw()).await.expect("something comes");
    raw.expect("the stream goes on").expect("it is no error")
}

/// The next loss: its cause, and how long the client waits.
pub(crate) async fn next_lost(source: &mut EventSource) -> (tidings_client::Lost, Duration) {
    loop {
        if let Raw::Lost { cause, wait } = next_raw(source).await {
            return (cause, wait);
        }
    }
}
