//! A hub's listeners, from their opening to the end of the last connection.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tidings_core::Phase;
use tidings_fanout::{ConnectionGate, Door};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::porter::HubPorter;
use super::workers::Workers;
use crate::HttpState;

/// The shards do the fan-out; a worker that serves many publishers sleeps less, and being woken costs more than a publish.
const CORES_PER_WORKER: usize = 2;

/// The open listeners of a hub. Closes them when it is dropped; connections then end as soon as they can.
pub struct Server {
    state: Arc<HttpState>,
    gate: Arc<ConnectionGate>,
    door: Door,
    connections: TaskTracker,
    closing: CancellationToken,
    /// They end last: the fields are dropped in this order.
    _workers: Arc<Workers>,
}

impl Server {
    /// Accepts from `listeners` from now on; what does not go the direct way is served by threads of its own.
    ///
    /// # Errors
    /// When a listener cannot be prepared, or the system gives no poll, runtime or thread.
    pub fn open(listeners: Vec<TcpListener>, state: Arc<HttpState>) -> io::Result<Self> {
        let gate = ConnectionGate::new(
            Arc::clone(&state.limits),
            Arc::clone(&state.counters),
            state.config.trusted_proxies.clone(),
        );
        let count = available_parallelism().map_or(1, usize::from) / CORES_PER_WORKER;
        let workers = Arc::new(Workers::start(count, &state.engine)?);
        let (connections, closing) = (TaskTracker::new(), CancellationToken::new());
        let porter = HubPorter {
            state: Arc::clone(&state),
            workers: Arc::clone(&workers),
            connections: connections.clone(),
            closing: closing.clone(),
        };
        let door = Door::open(
            listeners,
            Arc::new(porter),
            state.fanout.clone(),
            Arc::clone(&gate),
            Arc::clone(&state.counters),
            Arc::clone(&state.limits),
        )?;
        state.phase.advance(Phase::Ready);
        Ok(Self { state, gate, door, connections, closing, _workers: workers })
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.gate.connections()
    }

    /// Takes no new connection, lets requests under way end, and waits for all connections to end, at most `deadline`.
    /// Streams end when their shards end them.
    pub async fn close(self, deadline: Duration) {
        self.state.phase.advance(Phase::Draining);
        self.door.close();
        self.closing.cancel();
        self.connections.close();
        if timeout(deadline, self.connections.wait()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "connections were still open at the end of the drain");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}
