//! Decides at the door: a plain subscribe becomes a session, everything else a task that speaks HTTP.

use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, request};
use tidings_fanout::{Admission, Admitted, Arrival, Porter};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Connection};
use super::workers::Workers;
use crate::client_address::Peer;
use crate::config::Delivery;
use crate::{HttpState, Prepared};

/// The hub at its own door.
pub(super) struct HubPorter {
    pub(super) state: Arc<HttpState>,
    pub(super) workers: Arc<Workers>,
    pub(super) connections: TaskTracker,
    pub(super) closing: CancellationToken,
}

impl Porter for HubPorter {
    fn admit(&self, head: &httparse::Request<'_, '_>, peer: SocketAddr) -> Admission {
        if self.state.config.delivery == Delivery::Body || self.state.tls.is_some() {
            return Admission::PassOn;
        }
        let Some(mut parts) = request_parts(head) else { return Admission::PassOn };
        parts.extensions.insert(Peer(peer));
        if !crate::is_stream_path(parts.uri.path()) || !self.may_ask_twice(&parts) {
            return Admission::PassOn;
        }
        // What must wait, for the history or for a key, is asked again by a task, which may. It may ask for a timer before it
        // does, and the door's thread has no runtime of its own.
        let _runtime = self.workers.any().enter();
        let answer = pin!(crate::prepare(&self.state, &parts));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Prepared::Stream { headers, subscription }) => {
                Admission::Subscribe(Box::new(Admitted { head: response_head(&headers), subscription }))
            }
            Poll::Ready(Prepared::Answer(_)) | Poll::Pending => Admission::PassOn,
        }
    }

    fn is_private(&self) -> bool {
        self.state.tls.is_some()
    }

    fn pass_on(&self, arrival: Arrival) {
        let connection = Connection { state: Arc::clone(&self.state), closing: self.closing.clone() };
        self.connections.spawn_on(connection::serve(connection, arrival), self.workers.next());
    }
}

impl HubPorter {
    /// May this request be looked at here, and again by a task? Not when looking at it publishes who is subscribed.
    fn may_ask_twice(&self, parts: &request::Parts) -> bool {
        !self.state.config.mercure.subscriptions || crate::router::is_channel_path(parts.uri.path())
    }
}

/// The request that a head is, if hyper would take it for one too.
fn request_parts(head: &httparse::Request<'_, '_>) -> Option<request::Parts> {
    let mut request = Request::builder().uri(head.path?);
    let headers = request.headers_mut()?;
    headers.reserve(head.headers.len());
    for header in head.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// The head of a stream's response on the direct way, with its blank line.
pub(super) fn response_head(headers: &HeaderMap) -> Vec<u8> {
    const STATUS_AND_FRAMING: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n";
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(STATUS_AND_FRAMING);
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    write!(head, "date: {}\r\n\r\n", httpdate::HttpDate::from(SystemTime::now()))
        .expect("a Vec takes all that is written");
    head
}
