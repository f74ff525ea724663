//! A hub in this process, on a port that was free.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tidings::{Counters, Delivery, HistoryLimits, Hub, HubBuilder, Limits, Publication, Published, Topic};
use tidings_core::MemoryOptions;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::DEADLINE;
use super::client::Client;
use super::far::FarEngine;

/// What a scenario runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) delivery: Delivery,
    /// Its older history must be fetched.
    pub(crate) is_far: bool,
}

/// A hub that serves until it is dropped.
pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) address: SocketAddr,
    far: Option<Arc<FarEngine>>,
    runtime: Option<Runtime>,
    shutdown: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

/// Limits for a hub whose test does not care for them.
pub(crate) fn wide_limits() -> Limits {
    Limits { connections_max: 100_000, ..Limits::default() }
}

impl From<Delivery> for Setup {
    fn from(delivery: Delivery) -> Self {
        Self { delivery, is_far: false }
    }
}

impl TestHub {
    /// A hub with two shards and room for every connection, but for what `configure` changes.
    pub(crate) fn start(setup: impl Into<Setup>, configure: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        Self::start_draining(setup, Duration::ZERO, configure)
    }

    /// The same; it keeps so much.
    pub(crate) fn start_keeping(
        setup: impl Into<Setup>,
        history: HistoryLimits,
        configure: impl FnOnce(HubBuilder) -> HubBuilder,
    ) -> Self {
        Self::start_as(setup.into(), history, Duration::ZERO, configure)
    }

    /// The same; when it is told to shut down, it drains within `drain`.
    pub(crate) fn start_draining(
        setup: impl Into<Setup>,
        drain: Duration,
        configure: impl FnOnce(HubBuilder) -> HubBuilder,
    ) -> Self {
        Self::start_as(setup.into(), HistoryLimits::default(), drain, configure)
    }

    fn start_as(
        setup: Setup,
        history: HistoryLimits,
        drain: Duration,
        configure: impl FnOnce(HubBuilder) -> HubBuilder,
    ) -> Self {
        let options = MemoryOptions { history: history.clone(), ..MemoryOptions::default() };
        let far = setup.is_far.then(|| FarEngine::new(options));
        let mut builder = Hub::builder().limits(wide_limits()).shards(2).delivery(setup.delivery).history(history);
        if let Some(far) = &far {
            builder = builder.engine(far.clone());
        }
        let hub = configure(builder).build().expect("a hub needs only threads");
        let runtime = runtime();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (shutdown, is_shut_down) = oneshot::channel::<()>();
        let served = runtime.spawn({
            let hub = hub.clone();
            async move {
                let shutdown = async { drop(is_shut_down.await) };
                hub.serve(vec![listener], shutdown, drain).await
            }
        });
        Self { hub, address, far, runtime: Some(runtime), shutdown: Some(shutdown), served: Some(served) }
    }

    /// Publishes in process.
    #[track_caller]
    pub(crate) fn publish(&self, topic: &str, data: impl Into<String>) -> Published {
        self.publish_all_of(Publication::new(parse_topic(topic), data))
    }

    /// Publishes in process.
    #[track_caller]
    pub(crate) fn publish_all_of(&self, publication: Publication) -> Published {
        let topic = publication.topic.clone();
        let published = self.block_on(self.hub.publish(publication));
        published.unwrap_or_else(|error| panic!("publishing on {topic}: {error}"))
    }

    /// The engine of a hub whose history is far.
    #[track_caller]
    pub(crate) fn far(&self) -> &Arc<FarEngine> {
        self.far.as_ref().expect("the history of this hub is far")
    }

    /// Checks that the scenario was what it says: that history was fetched, if it is far.
    #[track_caller]
    pub(crate) fn expect_fetches_if_far(&self) {
        if let Some(far) = &self.far {
            assert!(far.fetches() > 0, "all of its history was at hand");
        }
    }

    /// A connection for requests.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.hub.counters()
    }

    /// Sessions of either way, now.
    pub(crate) fn sessions(&self) -> u64 {
        self.counters().sessions_direct.get() + self.counters().sessions_body.get()
    }

    /// Waits for `future`, at most as long as any wait may last.
    #[track_caller]
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        let outcome = runtime.block_on(async { tokio::time::timeout(DEADLINE, future).await });
        outcome.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for the hub"))
    }

    /// Tells it to shut down, and waits until it has.
    pub(crate) fn shut_down(&mut self) {
        drop(self.shutdown.take());
        let served = self.served.take().expect("a hub is shut down once");
        let ended = self.block_on(served).expect("serving does not panic");
        ended.expect("serving ends well");
    }

    /// Runs `future` beside the test.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.as_ref().expect("it is there until it is dropped").spawn(future);
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the system has two threads more")
}

pub(crate) fn parse_topic(raw: &str) -> Topic {
    Topic::parse(raw).unwrap_or_else(|error| panic!("the test has a bad topic: {error}"))
}
