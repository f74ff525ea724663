//! A stream of events as an HTTP body: HTTP/2, TLS and HTTP/1.0 take payloads alone and frame them themselves.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tidings_fanout::EventStream;

/// The body of a subscription. Dropping it leaves the hub.
pub(crate) struct EventBody(pub(crate) EventStream);

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        self.get_mut().0.poll_next(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}
