//! What surrounds a request: the owner of its connection, who takes a stream away from the HTTP library and gives it to a
//! shard, and the program whose routes the hub's are below.

use std::sync::Arc;

use axum::extract::OriginalUri;
use http::HeaderMap;
use http::request::Parts;
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

/// The path below which another program has the hub, as `/live`; nothing where it stands alone. What the hub answers as an
/// address must begin with it.
pub(crate) fn prefix_of(parts: &Parts) -> &str {
    let original = parts.extensions.get::<OriginalUri>().map_or("", |OriginalUri(uri)| uri.path());
    original.strip_suffix(parts.uri.path()).unwrap_or("")
}
