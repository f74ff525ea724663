//! What feeds `/top`: pictures of a hub, taken while somebody looks, told to all who look by a hub of their own.
//!
//! That hub is small and in memory. It lets the page and `tidings top` come back, start late and be many, as any reader of
//! any hub may.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::header::ORIGIN;
use axum::routing::get;
use tidings_core::{HistoryLimits, Publication, Rarely};
use tidings_http::{Access, HttpState, Picture};
use tidings_topic::Topic;

use crate::hub::Hub;

/// How often a picture is taken while somebody looks.
const EVERY: Duration = Duration::from_secs(1);
/// An old picture is of no use to whoever comes.
const TTL: Duration = Duration::from_secs(3);

/// The pictures of a hub.
pub(crate) struct Top {
    watched: Arc<HttpState>,
    /// Who looks at `watched` is a reader here.
    own: Hub,
}

impl Top {
    /// # Errors
    /// When the system gives no thread or no poll.
    pub(crate) fn new(watched: Arc<HttpState>) -> io::Result<Self> {
        let history = HistoryLimits { events_max: Some(1), ..HistoryLimits::default() };
        // Who may come here at all is the matter of the admin listener.
        let access = Access { lifts_protection: true, ..Access::default() };
        let own = Hub::builder().shards(1).history(history).access(access).build()?;
        Ok(Self { watched, own })
    }

    /// `GET /top/events`: the stream of pictures, each JSON.
    pub(crate) fn router(&self) -> Router {
        let state = Arc::clone(self.own.state());
        let answer = async move |mut request: Request| {
            *request.uri_mut() = Uri::from_static("/events/top");
            // Pages of other origins, loopback ones too, are not to read what goes on here: to the hub there is no origin,
            // and so no CORS.
            request.headers_mut().remove(ORIGIN);
            tidings_http::answer(&state, request).await
        };
        Router::new().route("/top/events", get(answer))
    }

    /// Takes pictures for as long as this is polled.
    pub(crate) async fn feed(&self) -> Infallible {
        let topic = Topic::parse("top").expect("a good topic");
        let mut before: Option<Picture> = None;
        loop {
            tokio::time::sleep(EVERY).await;
            if self.own.fanout().handle().sessions() == 0 {
                before = None; // rates are of a second, not of a night
                continue;
            }
            let picture = Picture::take(&self.watched, before.as_ref()).await;
            let data = picture.to_json();
            let publication = Publication { ttl: Some(TTL), ..Publication::new(topic.clone(), data) };
            if let Err(error) = self.own.publish(publication).await {
                static SAID: Rarely = Rarely::new();
                if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                    tracing::warn!(%error, unsaid_before, "whoever looks at /top is not told of the hub now");
                }
            }
            before = Some(picture);
        }
    }

    /// Ends the streams of those who look.
    pub(crate) fn end(&self) {
        self.own.fanout().drain(Duration::ZERO);
    }
}
