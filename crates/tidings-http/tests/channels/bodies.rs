//! Request bodies that come in parts, or not at all.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// A body in these frames.
pub(crate) fn in_frames(frames: &[&str]) -> Body {
    let (sender, body) = fed();
    for frame in frames {
        sender.send(Ok(Bytes::copy_from_slice(frame.as_bytes()))).expect("the body is there");
    }
    body
}

/// A body that never comes.
pub(crate) fn stalled() -> Body {
    let (sender, body) = fed();
    std::mem::forget(sender); // were it dropped, the body would end
    body
}

/// A body that is fed by the test, and ends with the sender.
pub(crate) fn fed() -> (mpsc::UnboundedSender<Result<Bytes, Broken>>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Body::new(Fed(receiver)))
}

/// The connection broke.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection broke")
    }
}

impl std::error::Error for Broken {}

struct Fed(mpsc::UnboundedReceiver<Result<Bytes, Broken>>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(cx).map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }
}
