//! An `EventSource` for Rust: server-sent events from any server, by the letter of the standard, with what a
//! program on the other side of a network needs beyond it.
//!
//! ```no_run
//! use tidings_client::EventSource;
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut events = EventSource::get("https://example.com/events/news").build()?;
//! while let Some(event) = events.next().await {
//!     let event = event?; // an error is final: what passes by itself is retried within
//!     println!("{} {}", event.event_type, event.data);
//! }
//! # Ok(()) }
//! ```
//!
//! - It reconnects by itself and says with `Last-Event-ID` where it was, waits as the server's `retry` asks and longer
//!   while attempts fail, stops at a status 204, and ends with an [`Error`] when the server's answer is final.
//! - It knows the frames of a Tidings hub ([`Event::frame`]): above all the one that says that events are missing.
//! - It can notice a silent connection ([`idle_timeout`](EventSourceBuilder::idle_timeout)), ask for a fresh token for each
//!   connection ([`token`](EventSourceBuilder::token)), wait out refusals ([`retry_refusals`](EventSourceBuilder::retry_refusals)).
//! - All that grows is bounded; nothing runs but while it is polled: there is no task behind it, and dropping it ends all.
//!
//! # Streams and tools
//! [`EventSource`] is a [`Stream`](futures_core::Stream) of events, and [`EventSource::next`] needs no trait.
//! [`EventSource::raw`] gives also comments, `retry`, and each lost connection with its reason.
//!
//! # Features
//! | feature | gives | default |
//! |---|---|---|
//! | `rustls` | https, with aws-lc-rs | yes |
//! | `native-roots` | trust in what the operating system trusts | yes |
//! | `webpki-roots` | trust in Mozilla's list, built in | no |
//! | `http2` | HTTP/2 where the server chooses it | yes |
//! | `gzip`, `brotli`, `zstd` | compressed streams, for those who ask for them | no |
//!
//! Proxies are taken from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. The one runtime is tokio.

mod answer;
mod backoff;
mod builder;
mod connect;
mod error;
mod event;
mod frame;
mod machine;
mod request;
mod stream;

pub use builder::{EventSourceBuilder, HttpVersion};
pub use error::{BuildError, Error, Lost, UnsendableId};
pub use event::{Event, Raw, ReadyState};
pub use frame::{Expiring, Frame, Reset};
pub use stream::{EventSource, RawEvents};

pub use http;
/// For [`EventSourceBuilder::tls_config`]: the version that goes with this crate.
#[cfg(feature = "rustls")]
pub use rustls;
pub use tidings_wire::DecodeError;
pub use url::Url;

/// The examples of the documentation are compiled with the tests.
#[cfg(all(doctest, feature = "rustls"))]
#[doc = include_str!("../../../docs/client.md")]
struct Docs;
