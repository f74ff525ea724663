//! The hub: publish, listen, serve, drain.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tidings_auth::Authority;
use tidings_core::{AppendError, Counters, EngineError, Grants, Limits, Phase, Position, Publication, ResumeRequest};
use tidings_fanout::{Fanout, Subscription};
use tidings_http::{HttpState, Server, TlsIdentity};
use tidings_topic::Topic;
use tidings_wire::EventId;

use crate::builder::HubBuilder;
use crate::events::{Events, SubscribeOptions};
use crate::limit_log::LimitLog;
use crate::top::Top;

/// A hub. Clones are the same hub; it ends with the last of them, and its streams with it.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    state: Arc<HttpState>,
    fanout: Fanout,
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The id under which readers see it.
    pub id: EventId,
    /// Where it was published.
    pub topic: Topic,
    /// Its place in the hub's history.
    pub position: Position,
    /// It was published before under the same idempotency key; nothing was published now.
    pub is_repeat: bool,
}

/// How often a drain looks whether all streams have ended. Nothing waits for it but the end of the program.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// How long after a drain's time connections may take to end.
const DRAIN_GRACE: Duration = Duration::from_secs(1);
/// How long the engine may take to close at least, though readers that never read have used up all the time.
const CLOSE_TIME_MIN: Duration = Duration::from_secs(1);

impl Hub {
    /// The settings of a new hub.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    pub(crate) fn new(state: Arc<HttpState>, fanout: Fanout) -> Self {
        Self(Arc::new(Inner { state, fanout }))
    }

    pub(crate) fn state(&self) -> &Arc<HttpState> {
        &self.0.state
    }

    pub(crate) fn fanout(&self) -> &Fanout {
        &self.0.fanout
    }

    /// Publishes an event; answers when readers can be given it and it is as durable as configured.
    ///
    /// # Errors
    /// See [`AppendError`]; after one nothing was published.
    pub async fn publish(&self, publication: Publication) -> Result<Published, AppendError> {
        let topic = publication.topic.clone();
        let bytes = publication.data.len() as u64;
        let appended = self.0.state.engine.append(publication, self.0.state.now()).await?;
        let counters = &self.0.state.counters;
        if appended.is_repeat {
            counters.published_repeats.increment();
        } else {
            counters.published.increment();
            counters.published_bytes.add(bytes);
        }
        Ok(Published { id: appended.id, topic, position: appended.position, is_repeat: appended.is_repeat })
    }

    /// Listens within the program: the same stream that a reader over HTTP gets, decoded. Its first event is
    /// `tidings.reset` when what `options` ask for cannot be kept.
    ///
    /// # Errors
    /// [`EngineError`] when the history cannot be asked now.
    pub async fn subscribe(&self, options: SubscribeOptions) -> Result<Events, EngineError> {
        let state = &self.0.state;
        let SubscribeOptions { selectors, types, from, on_reset, includes_private } = options;
        let grants = if includes_private { Grants::Everything } else { Grants::Anonymous };
        let request = ResumeRequest { selectors: selectors.clone(), grants: grants.clone(), from, on_reset };
        let resolution = state.engine.resolve(request, state.now()).await?;
        let opening = tidings_http::reset_frame(state, &resolution);
        let group =
            tidings_core::GroupSpec { selectors, types, dialect: tidings_core::Dialect::Plain, announces: false };
        let subscription =
            Subscription { group, grants, cursor: resolution.cursor, opening, lease: None, companion: None };
        Ok(Events::new(self.clone(), state.fanout.join_body(subscription, None)))
    }

    /// The hub's routes, for a program that has its own server: `/events`, the page, health. They may be nested.
    ///
    /// Without [`HubBuilder::access`] it answers loopback host names only.
    pub fn router(&self) -> Router {
        tidings_http::router(Arc::clone(&self.0.state))
    }

    /// The routes for those who run it: `/metrics`, `/healthz`, `/readyz`. Not for the public. The page `/top` is live only
    /// where [`Hub::serve_admin`] serves them.
    pub fn admin_router(&self) -> Router {
        tidings_http::admin_router(Arc::clone(&self.0.state))
    }

    /// Checks tokens by `authority` from now on: keys have changed. Streams that are open go on until their tokens end. A
    /// hub that was open to all stays so.
    pub fn replace_authority(&self, authority: Arc<Authority>) {
        self.0.state.auth.replace(authority);
    }

    /// From now on `limits` hold, for what comes: who is within stays, a stream keeps the lifetime that it began with,
    /// and listeners that are open keep the timeouts of their sockets.
    pub fn replace_limits(&self, limits: Limits) {
        self.0.state.limits.replace(limits);
    }

    /// Shows the hub as `identity` from now on, to new connections. A hub that began without [`HubBuilder::tls`] stays
    /// so; answers whether it took it.
    pub fn replace_tls(&self, identity: TlsIdentity) -> bool {
        let Some(tls) = &self.0.state.tls else { return false };
        tls.replace(identity);
        true
    }

    /// Fetches the keys that another server publishes (`JwksSource::Url`) again and again, for ever. [`Hub::serve`] does it
    /// while it serves; a program that has [`Hub::router`] in a server of its own runs this beside it.
    pub async fn keep_keys_fresh(&self) {
        self.0.state.auth.keep_keys_fresh().await;
    }

    /// What the hub counts of itself.
    pub fn counters(&self) -> &Counters {
        &self.0.state.counters
    }

    /// Serves on `listeners` until `shutdown` resolves; then drains within `drain`, closes the history as [`Hub::drain`]
    /// does, and returns. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When a listener cannot be prepared, or the system gives no poll or thread.
    pub async fn serve(
        &self,
        listeners: Vec<TcpListener>,
        shutdown: impl Future<Output = ()>,
        drain: Duration,
    ) -> io::Result<()> {
        let server = Server::open(listeners, Arc::clone(&self.0.state))?;
        tokio::select! {
            () = shutdown => {}
            () = self.keep_keys_fresh() => {}
            () = LimitLog::new(self.counters()).keep(self.counters()) => {}
        }
        let deadline = Instant::now() + drain + DRAIN_GRACE;
        self.0.state.phase.advance(Phase::Draining);
        self.0.fanout.drain(drain);
        server.close(deadline - Instant::now()).await;
        self.wait_for_streams(deadline).await;
        self.close_engine(deadline).await;
        Ok(())
    }

    /// Serves the admin routes on `listener` until `shutdown` resolves. Cost: a thread, and nothing more while nobody looks
    /// at `/top`.
    ///
    /// # Errors
    /// When the listener cannot be used, or the system gives no thread.
    pub async fn serve_admin(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let top = Arc::new(Top::new(Arc::clone(&self.0.state))?);
        let routes = self.admin_router().merge(top.router());
        let stopped = Arc::clone(&top);
        let ended = async move {
            shutdown.await;
            stopped.end();
        };
        let serving = axum::serve(listener, routes).with_graceful_shutdown(ended).into_future();
        tokio::select! {
            served = serving => served,
            never = top.feed() => match never {},
        }
    }

    /// Ends all streams, spread over `over`, each between two frames and with its own time to come back; new ones are
    /// refused from now on. When all have ended, or a second after `over`, the history is closed: all that was published
    /// is as safe as it will be, and one that outlives the hub takes no more ([`EngineError::Closed`]). Returns then, or
    /// at last a second later.
    pub async fn drain(&self, over: Duration) {
        let deadline = Instant::now() + over + DRAIN_GRACE;
        self.0.state.phase.advance(Phase::Draining);
        self.0.fanout.drain(over);
        self.wait_for_streams(deadline).await;
        self.close_engine(deadline).await;
    }

    async fn wait_for_streams(&self, deadline: Instant) {
        let fanout = self.0.fanout.handle();
        while fanout.sessions() > 0 && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    async fn close_engine(&self, deadline: Instant) {
        let time = deadline.saturating_duration_since(Instant::now()).max(CLOSE_TIME_MIN);
        if tokio::time::timeout(time, self.0.state.engine.close()).await.is_err() {
            tracing::error!(?time, "the history was not closed in time; what was accepted last may not be stored yet");
        }
    }
}
