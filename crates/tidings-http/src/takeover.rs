//! How the owner of a connection takes a stream away from the HTTP library and gives it to a shard.

use std::sync::Arc;

use http::HeaderMap;
use tidings_fanout::Subscription;

/// The owner of one HTTP/1.1 connection, who can hand its socket to a shard.
pub trait TakeOver: Send + Sync {
    /// Takes the stream: `headers` are all of its response's headers but framing and date. Once it is taken the request is
    /// never answered, and whoever took it ends the connection's driver. Gives it back when it cannot be taken; then it
    /// goes out as a body.
    fn take(&self, headers: HeaderMap, subscription: Subscription) -> Option<(HeaderMap, Subscription)>;
}

/// The request extension by which a connection offers its socket.
#[derive(Clone)]
pub struct Takeover(pub Arc<dyn TakeOver>);
