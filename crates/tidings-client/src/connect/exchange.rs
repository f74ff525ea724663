//! One request and its answer over one connection, by hyper. What hyper wants to run beside it runs within it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
#[cfg(feature = "http2")]
use std::sync::Weak;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn;
use hyper_util::rt::TokioIo;
use url::{Position, Url};

use super::{Answer, Forwarding, Link};
use crate::error::Source;
use crate::machine::Head;
use crate::request::Target;

/// A response's body with the connection that brings it. Dropping it closes the connection.
pub(super) struct Wire {
    body: Pin<Box<Incoming>>,
    chores: Chores,
    /// Hyper ends a connection to which no request can come any more.
    _sender: Sender,
}

enum Sender {
    Http1(#[expect(dead_code, reason = "kept, not used")] conn::http1::SendRequest<Full<Bytes>>),
    #[cfg(feature = "http2")]
    Http2(#[expect(dead_code, reason = "kept, not used")] conn::http2::SendRequest<Full<Bytes>>),
}

pub(super) async fn exchange(link: Link, target: &Target, mut headers: HeaderMap) -> Result<Answer, Source> {
    let mut chores = Chores::default();
    let io = TokioIo::new(link.io);
    let (response, sender) = if link.is_http2 {
        #[cfg(not(feature = "http2"))]
        return Err(Arc::new(std::io::Error::other("the server speaks HTTP/2; expected HTTP/1.1")));
        #[cfg(feature = "http2")]
        {
            let request = make_request(target, headers, without_credentials(&target.url).as_str())?;
            let builder = conn::http2::Builder::new(chores.adder());
            let (mut sender, connection) = chores.run(builder.handshake(io)).await.map_err(share)?;
            chores.add(async { drop(connection.await) });
            (chores.run(sender.send_request(request)).await.map_err(share)?, Sender::Http2(sender))
        }
    } else {
        headers.insert(
            HOST,
            HeaderValue::from_str(&target.url[Position::BeforeHost..Position::AfterPort]).map_err(share)?,
        );
        let uri = match link.forwards {
            None => target.url[Position::BeforePath..Position::AfterQuery].to_owned(),
            Some(Forwarding { login }) => {
                headers.extend(login.map(|login| (PROXY_AUTHORIZATION, login)));
                without_credentials(&target.url).to_string()
            }
        };
        let request = make_request(target, headers, &uri)?;
        let (mut sender, connection) = conn::http1::handshake(io).await.map_err(share)?;
        chores.add(async { drop(connection.await) });
        (chores.run(sender.send_request(request)).await.map_err(share)?, Sender::Http1(sender))
    };
    read_head(response, chores, sender).await
}

async fn read_head(response: Response<Incoming>, chores: Chores, sender: Sender) -> Result<Answer, Source> {
    let (parts, body) = response.into_parts();
    let mut wire = Wire { body: Box::pin(body), chores, _sender: sender };
    let is_refusal = !matches!(parts.status.as_u16(), 200 | 204 | 300..400);
    let excerpt = if is_refusal { wire.read_excerpt().await } else { String::new() };
    Ok(Answer { head: Head { status: parts.status, headers: parts.headers, excerpt }, wire })
}

impl Wire {
    /// The next bytes of the body; `None` at its orderly end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
        loop {
            // First, for it is the connection that fills the body.
            self.chores.poll(cx);
            match self.body.as_mut().poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    } // trailers say nothing to us
                }
            }
        }
    }

    /// How a refusal begins, if it comes soon: people read it.
    async fn read_excerpt(&mut self) -> String {
        let mut read = Vec::new();
        let reading = async {
            while read.len() < EXCERPT_BYTES_MAX
                && let Some(Ok(bytes)) = poll_fn(|cx| self.poll_data(cx)).await
            {
                read.extend_from_slice(&bytes[..bytes.len().min(EXCERPT_BYTES_MAX - read.len())]);
            }
        };
        let _ = tokio::time::timeout(EXCERPT_WITHIN, reading).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}

/// What hyper wants to run beside a request: the connection and, for HTTP/2, what sends on it. They are polled with
/// what they serve, so that no task outlives it.
#[derive(Default)]
struct Chores {
    running: Vec<Chore>,
    added: Arc<Mutex<Vec<Chore>>>,
}

type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a chore adds another. Weak, because chores hold it: they would keep themselves alive.
#[cfg(feature = "http2")]
#[derive(Clone)]
struct Adder(Weak<Mutex<Vec<Chore>>>);

impl Chores {
    fn add(&mut self, chore: impl Future<Output = ()> + Send + 'static) {
        self.running.push(Box::pin(chore));
    }

    #[cfg(feature = "http2")]
    fn adder(&self) -> Adder {
        Adder(Arc::downgrade(&self.added))
    }

    /// Polls all once; those that a chore adds meanwhile too.
    fn poll(&mut self, cx: &mut Context<'_>) {
        self.running.retain_mut(|chore| chore.as_mut().poll(cx).is_pending());
        loop {
            // Taken out, since a chore that is polled may add one.
            let mut added = std::mem::take(&mut *self.added.lock().unwrap_or_else(PoisonError::into_inner));
            if added.is_empty() {
                return;
            }
            added.retain_mut(|chore| chore.as_mut().poll(cx).is_pending());
            self.running.append(&mut added);
        }
    }

    /// Polls a future to its end, and all chores with it.
    async fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.poll(cx);
            future.as_mut().poll(cx)
        })
        .await
    }
}

#[cfg(feature = "http2")]
impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Adder {
    fn execute(&self, chore: F) {
        // None when all is being dropped: then there is nothing more to do.
        if let Some(added) = self.0.upgrade() {
            added.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(chore));
        }
    }
}

fn make_request(target: &Target, headers: HeaderMap, uri: &str) -> Result<Request<Full<Bytes>>, Source> {
    let mut request = Request::new(Full::new(target.body.clone()));
    *request.method_mut() = target.method.clone();
    *request.uri_mut() = uri.parse().map_err(share)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// What a URL says of a login goes into a header, its fragment nowhere.
fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_fragment(None);
    url
}

fn share(error: impl std::error::Error + Send + Sync + 'static) -> Source {
    Arc::new(error)
}

const EXCERPT_BYTES_MAX: usize = 2 * 1024;
const EXCERPT_WITHIN: Duration = Duration::from_secs(2);
