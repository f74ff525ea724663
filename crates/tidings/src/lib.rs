//! A server-sent-events hub to build into your own program.
//!
//! A [`Hub`] takes publications, keeps them for a while, and gives each reader exactly what it missed: over HTTP by
//! [`Hub::router`] or [`Hub::serve`], within the program by [`Hub::subscribe`].
//!
//! ```
//! use futures_util::StreamExt;
//! use tidings::{Hub, Publication, SubscribeOptions, Topic};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::builder().build()?;
//! let mut events = hub.subscribe(SubscribeOptions::topic(Topic::parse("news")?)).await?;
//!
//! hub.publish(Publication::new(Topic::parse("news")?, "Hello")).await?;
//!
//! let event = events.next().await.expect("the hub lives");
//! assert_eq!(event.data, "Hello");
//!
//! // The same events for every browser, in your own axum program:
//! let app: axum::Router = axum::Router::new().nest("/live", hub.router());
//! # Ok(()) }
//! ```

mod builder;
mod events;
mod hub;
mod limit_log;
mod top;

pub use builder::HubBuilder;
pub use events::{Events, SubscribeOptions};
pub use hub::{Hub, Published};

pub use tidings_auth::{
    Action, Algorithm, Authority, AuthorityOptions, Claims, Identity, JwksOptions, JwksSource, KeyError, KeySource,
    MintError, SecretText, TokenError, mint,
};
pub use tidings_core::{
    AppendError, CloseReason, Counters, Engine, EngineError, Grants, HistoryLimits, IdempotencyKey, Limits, OnReset,
    Phase, Position, Publication, ResumeFrom, Timestamp, TypeFilter,
};
pub use tidings_fanout::Network;
pub use tidings_http::{Access, Cors, Delivery, MercureRules, TlsError, TlsIdentity, TokenRules, Welcome};
/// What `/top/events` of the admin listener tells.
pub mod picture {
    pub use tidings_http::{
        Connections, History, Picture, ProcessPicture, Rates, SessionPicture, TopicPicture, Totals,
    };
}
pub use tidings_topic::{Selector, SelectorError, SelectorSet, Topic, TopicError};
pub use tidings_wire::{Event, EventId, EventIdError, EventType, EventTypeError};

/// The example of the README is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
