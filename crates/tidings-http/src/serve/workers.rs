//! The threads that speak HTTP: each runs the connections that were given to it, and nothing else.
//!
//! A connection stays on its thread: its requests wake that thread and no other. A runtime that moves tasks between
//! threads spends more on waking them than a publish costs.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::IDLE_TIMEOUT;

/// The worker threads of a server. Ends them when it is dropped, and with them what is still running there.
pub(super) struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts so many threads.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let mut workers = Self {
            handles: Vec::new(),
            next: AtomicUsize::new(0),
            stop: CancellationToken::new(),
            threads: Vec::new(),
        };
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            workers.handles.push(runtime.handle().clone());
            let stop = workers.stop.clone();
            let thread = std::thread::Builder::new().name(format!("tidings-http-{number}"));
            workers.threads.push(thread.spawn(move || runtime.block_on(run_until(&stop)))?);
        }
        Ok(workers)
    }

    /// One of the threads: for who needs to be within a runtime for a moment, and gives it no work.
    pub(super) fn any(&self) -> &Handle {
        &self.handles[0]
    }

    /// The thread for the next connection: each in turn.
    pub(super) fn next(&self) -> &Handle {
        &self.handles[self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()]
    }
}

/// Lets a worker run until it is told to stop.
async fn run_until(stop: &CancellationToken) {
    // A timer that is due before all others wakes its own thread when it is set. A connection sets one for each request,
    // so one of the thread's own stays before them.
    while timeout(IDLE_TIMEOUT / 2, stop.cancelled()).await.is_err() {}
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an HTTP worker had ended by a panic");
            }
        }
    }
}
