//! A request body that is sent as it comes into being.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// A body of chunks that somebody else makes. It ends when they drop their end.
#[derive(Debug)]
pub(crate) struct ChannelBody(mpsc::Receiver<Bytes>);

impl ChannelBody {
    /// Both ends of a body.
    pub(crate) fn new() -> (mpsc::Sender<Bytes>, Self) {
        let (chunks, body) = mpsc::channel(2); // one is sent while the next one is made
        (chunks, Self(body))
    }
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
