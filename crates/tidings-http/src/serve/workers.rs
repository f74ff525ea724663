//! The threads that speak HTTP: each runs the connections that were given to it, and nothing else.
//!
//! A connection stays on its thread: its requests wake that thread and no other. A runtime that moves tasks between
//! threads spends more on waking them than a publish costs. For the same reason a thread commits by itself what is left to
//! it ([`tidings_core::SelfCommit`]); its deputy serves the connections when that takes long.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tidings_core::{Announcement, Engine};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::IDLE_TIMEOUT;
use super::deputy::Absence;

/// A worker that is ended waits so long for a commit that it is in.
const COMMIT_PATIENCE: Duration = Duration::from_secs(1);

/// The worker threads of a server. Ends them when it is dropped, and with them what is still running there.
pub(super) struct Workers {
    all: Vec<Running>,
    next: AtomicUsize,
    stop: CancellationToken,
}

/// A worker and its threads.
struct Running {
    worker: Arc<Worker>,
    thread: JoinHandle<()>,
    /// Where something can be left to the worker.
    deputy: Option<JoinHandle<()>>,
}

/// A runtime and what those who drive it must know.
struct Worker {
    /// `None` while this is dropped.
    runtime: Option<Runtime>,
    engine: Arc<dyn Engine>,
    stop: CancellationToken,
    absence: Absence,
}

impl Workers {
    /// Starts so many threads, for requests to `engine`.
    pub(super) fn start(count: usize, engine: &Arc<dyn Engine>) -> io::Result<Self> {
        let mut workers = Self { all: Vec::new(), next: AtomicUsize::new(0), stop: CancellationToken::new() };
        for number in 0..count.max(1) {
            let worker = Arc::new(Worker {
                runtime: Some(Builder::new_current_thread().enable_all().build()?),
                engine: Arc::clone(engine),
                stop: workers.stop.clone(),
                absence: Absence::default(),
            });
            let spawn = |role, run: fn(&Worker)| {
                let worker = Arc::clone(&worker);
                std::thread::Builder::new().name(format!("tidings-{role}-{number}")).spawn(move || run(&worker))
            };
            let thread = spawn("http", Worker::run)?;
            let deputy = engine.self_commit().map(|_| spawn("deputy", Worker::stand_in)).transpose()?;
            workers.all.push(Running { worker, thread, deputy });
        }
        Ok(workers)
    }

    /// One of the threads: for who needs to be within a runtime for a moment, and gives it no work.
    pub(super) fn any(&self) -> &Handle {
        self.all[0].worker.runtime().handle()
    }

    /// The thread for the next connection: each in turn.
    pub(super) fn next(&self) -> &Handle {
        self.all[self.next.fetch_add(1, Ordering::Relaxed) % self.all.len()].worker.runtime().handle()
    }
}

impl Worker {
    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it goes with the worker")
    }

    /// Serves connections until it is told to stop.
    fn run(&self) {
        let committing = self.engine.self_commit();
        let mut stopped = pin!(self.stopped());
        let mut announcement: Option<Announcement> = None;
        loop {
            let next = poll_fn(|context| {
                // In here, for from outside it would have to wake this very thread.
                if let Some(announce) = announcement.take() {
                    announce();
                }
                if committing.is_some_and(|committing| committing.poll_left(context).is_ready()) {
                    return Poll::Ready(ControlFlow::Continue(()));
                }
                stopped.as_mut().poll(context).map(ControlFlow::Break)
            });
            if self.runtime().block_on(next).is_break() {
                break;
            }
            // Out here no connection depends on this thread: its deputy can take the runtime.
            if let Some(committing) = committing {
                self.absence.during(|| announcement = committing.commit_left());
            }
        }
    }

    /// Serves them while the thread above commits, if that takes long.
    fn stand_in(&self) {
        self.absence.stand_in(self.runtime());
    }

    async fn stopped(&self) {
        // A timer that is due before all others wakes its own thread when it is set. A connection sets one for each
        // request, so one of the thread's own stays before them.
        while timeout(IDLE_TIMEOUT / 2, self.stop.cancelled()).await.is_err() {}
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Perhaps within another runtime, where waiting for this one is not allowed. Nothing is left to wait for.
            runtime.shutdown_background();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        for Running { worker, thread, deputy } in self.all.drain(..) {
            let is_away = worker.absence.end(COMMIT_PATIENCE);
            // A thread that is still away ends when the disk answers: nobody can make it come earlier.
            for thread in deputy.into_iter().chain((!is_away).then_some(thread)) {
                if thread.join().is_err() {
                    tracing::error!("an HTTP worker had ended by a panic");
                }
            }
        }
    }
}
