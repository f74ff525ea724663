//! How a hub is put together: what its user decides, with defaults for a hub on one's own machine.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidings_auth::{Authority, SecretText};
use tidings_core::phase::PhaseLatch;
use tidings_core::{Counters, Engine, Epoch, HistoryLimits, Limits, MemoryEngine, MemoryOptions, Phase};
use tidings_fanout::{Fanout, FanoutOptions, Network};
use tidings_http::{
    Access, Auth, Cors, Delivery, Dripping, HttpConfig, HttpState, MercureRules, Publishers, StreamShares, Tls,
    TlsIdentity, TokenRules, Welcome,
};

use crate::hub::Hub;

/// Settings of a [`Hub`]. Every default is that of `tidings serve --memory`.
#[derive(Clone, Debug, Default)]
pub struct HubBuilder {
    engine: Option<GivenEngine>,
    history: HistoryLimits,
    fanout: FanoutOptions,
    http: HttpConfig,
    authority: Option<Arc<Authority>>,
    tls: Option<TlsIdentity>,
}

/// An engine that is not ours.
#[derive(Clone)]
struct GivenEngine(Arc<dyn Engine>);

impl fmt::Debug for GivenEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GivenEngine").field(&self.0.epoch()).finish()
    }
}

impl HubBuilder {
    /// The history that the hub runs on, in place of one in memory that begins with the hub. What it keeps and which ids
    /// it knows it was told when it was opened: [`HubBuilder::history`] counts for nothing then, and
    /// [`HubBuilder::demo`] only greets.
    ///
    /// The hub closes it when it has drained; one that is dropped without that leaves it as it is. An engine is for one
    /// hub. Default: none.
    pub fn engine(mut self, engine: Arc<dyn Engine>) -> Self {
        self.engine = Some(GivenEngine(engine));
        self
    }

    /// How much history is kept. Default: 64 MiB in memory.
    pub fn history(mut self, history: HistoryLimits) -> Self {
        self.history = history;
        self
    }

    /// The limits of connections, requests and readers.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.fanout.limits = Arc::new(limits.into());
        self
    }

    /// A heartbeat this long after a stream's last byte; `None`: none. Default: 15 s.
    pub fn heartbeat(mut self, heartbeat: Option<Duration>) -> Self {
        self.fanout.heartbeat = heartbeat;
        self
    }

    /// How long readers wait before they come back; each gets up to a quarter more or less. Default: 2 s.
    pub fn retry(mut self, retry: Duration) -> Self {
        self.fanout.retry = retry;
        self.http.retry = retry;
        self
    }

    /// Who may do what. Default: open to all, for loopback host names only.
    pub fn access(mut self, access: Access) -> Self {
        self.http.access = access;
        self
    }

    /// Closes the hub to all but those whose tokens `authority` accepts: for publishing, and for reading unless
    /// [`Access::allows_anonymous`] says otherwise. What it has no key for nobody may do. Default: none, and then
    /// [`HubBuilder::access`] alone decides.
    pub fn authority(mut self, authority: Arc<Authority>) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Whom [`Hub::serve`] shows the hub as: all its listeners then speak HTTPS, and nothing else. Default: none, plain
    /// HTTP. Cost: about 30 KB for each connection, and no stream takes the direct way.
    pub fn tls(mut self, identity: TlsIdentity) -> Self {
        self.tls = Some(identity);
        self
    }

    /// Where tokens stand on plain channels, and when streams are told that theirs end.
    pub fn tokens(mut self, tokens: TokenRules) -> Self {
        self.http.tokens = tokens;
        self
    }

    /// What the Mercure endpoint offers, and as whom. Default: no active subscriptions, as the host of each request.
    pub fn mercure(mut self, mercure: MercureRules) -> Self {
        self.http.mercure = mercure;
        self
    }

    /// Whoever brings this to the admin routes may end streams. Default: none, and nobody may.
    pub fn admin_token(mut self, token: SecretText) -> Self {
        self.http.admin_token = Some(token);
        self
    }

    /// Which web pages may read the answers. Default: those of loopback hosts.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.http.cors = cors;
        self
    }

    /// Origins whose pages may publish: with a cookie, and on an open loopback hub beside the loopback ones. Default: none.
    pub fn publish_origins(mut self, origins: Vec<String>) -> Self {
        self.http.publish_origins = origins;
        self
    }

    /// Proxies that are believed when they say for whom they ask, by `X-Forwarded-For` or `Forwarded`: limits for an address
    /// then hold for those behind them. Default: none.
    pub fn trusted_proxies(mut self, proxies: Vec<Network>) -> Self {
        self.http.trusted_proxies = proxies;
        self
    }

    /// Which way out plain HTTP/1.1 takes in [`Hub::serve`]. Default: direct.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.http.delivery = delivery;
        self
    }

    /// A greeting for each new reader of the topic `default`. Ids that are milliseconds since 1970 then resolve by
    /// their time, so that a reader who was only greeted resumes. Default: none; `tidings demo` has one.
    pub fn demo(mut self, welcome: Welcome) -> Self {
        self.http.demo = Some(welcome);
        self
    }

    /// How many shards, each a thread. Default: one for each core.
    pub fn shards(mut self, shards: usize) -> Self {
        self.fanout.shards = shards;
        self
    }

    /// Starts the hub: its threads run until the last clone of it is dropped.
    ///
    /// # Errors
    /// When the system gives no thread or no poll.
    pub fn build(self) -> io::Result<Hub> {
        let Self { engine, history, fanout, mut http, authority, tls } = self;
        http.access.is_open &= authority.is_none();
        let engine = match engine {
            Some(GivenEngine(engine)) => engine,
            None => Arc::new(memory(MemoryOptions { history, ids_resolve_by_time: http.demo.is_some() })),
        };
        let counters = Arc::new(Counters::default());
        let limits = Arc::clone(&fanout.limits);
        let fanout = Fanout::start(&engine, &counters, &fanout)?;
        let phase = Arc::new(PhaseLatch::default());
        phase.advance(Phase::Ready);
        let state = HttpState {
            engine,
            fanout: fanout.handle().clone(),
            counters,
            phase,
            auth: Auth::new(authority),
            active: Arc::default(),
            tls: tls.map(Tls::new),
            streams: StreamShares::default(),
            publishers: Publishers::default(),
            incoming: Arc::default(),
            dripping: Dripping::default(),
            limits,
            config: http,
        };
        Ok(Hub::new(Arc::new(state), fanout))
    }
}

/// A history in memory that begins now.
fn memory(options: MemoryOptions) -> MemoryEngine {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    MemoryEngine::new(Epoch::from_unix_micros(u64::try_from(began.as_micros()).unwrap_or(u64::MAX)), options)
}
