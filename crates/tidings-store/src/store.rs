//! The engine: what a hub asks of it, and who does it.

use std::future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Instant;

use tidings_core::{
    Announcement, AppendError, Appended, Behind, CommitListener, Engine, EngineError, EngineFuture, EngineUsage, Epoch,
    Fetched, HistoryLimits, Publication, Read, ReadRequest, Record, Resolution, ResumeRequest, SelfCommit, Sequence,
    Timestamp,
};
use tidings_topic::{SelectorSet, Topic};
use tokio::sync::oneshot;

use crate::commit::Committer;
use crate::options::{OpenError, StoreOptions};
use crate::queue::Request;
use crate::recover::recover;
use crate::shared::{Shared, WAITING_KIB_MAX};
use crate::{keeper, offer, pages, readers, resolve};

/// A history on disk. It ends with the last of its users, in order; what was acknowledged survives any other end.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    committer: Arc<Mutex<Committer>>,
    commit_thread: Mutex<Option<JoinHandle<()>>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// Opens the history in a directory, or begins one there.
    ///
    /// Cost: reads the newest log file, the checkpoint, and a block of each index; a second at most with tens of millions
    /// of events.
    ///
    /// # Errors
    /// See [`OpenError`]; after one nothing was changed but what a crash had left half done.
    pub fn open(options: StoreOptions) -> Result<Self, OpenError> {
        let readers = options.readers.max(1);
        let (shared, committer) = recover(options)?;
        let spawn_error = |source| OpenError::Io {
            doing: "cannot start a thread for",
            path: shared.layout.root().to_owned(),
            source,
        };
        let thread = |name: String| std::thread::Builder::new().name(name);
        let store = Self {
            shared: Arc::clone(&shared),
            committer: Arc::new(Mutex::new(committer)),
            commit_thread: Mutex::new(None),
            keeper: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
        };
        for number in 0..readers {
            let shared = Arc::clone(&shared);
            let reader = thread(format!("tidings-read-{number}")).spawn(move || readers::run(&shared));
            lock(&store.readers).push(reader.map_err(spawn_error)?);
        }
        let its_shared = Arc::clone(&shared);
        let keeper = thread("tidings-keeper".to_owned()).spawn(move || keeper::run(&its_shared));
        *lock(&store.keeper) = Some(keeper.map_err(spawn_error)?);
        let (its_shared, committer) = (Arc::clone(&shared), Arc::clone(&store.committer));
        let committing = thread("tidings-commit".to_owned()).spawn(move || Committer::run(&committer, &its_shared));
        *lock(&store.commit_thread) = Some(committing.map_err(spawn_error)?);
        shared.keeper.wake(); // what an earlier run left to do
        Ok(store)
    }

    fn append_in_order(
        &self,
        mut publication: Publication,
        now: Timestamp,
    ) -> EngineFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            publication.tidy();
            let alternates: usize = publication.alternates.iter().map(|topic| topic.as_str().len()).sum();
            let kib = ((publication.data.len() + alternates) / 1024 + 1).min(WAITING_KIB_MAX);
            let permits = u32::try_from(kib).expect("it is at most the limit");
            let room = Arc::clone(&self.shared.room);
            let permit = room.acquire_many_owned(permits).await.map_err(|_| EngineError::Closed)?;
            let (answer, answered) = oneshot::channel();
            let publication = Box::new(publication);
            let request = Request::Append { publication, now, answer, permit };
            let may_leave = offer::stands(&self.shared) && self.shared.disk.is_quick();
            match self.shared.queue.push(request, may_leave) {
                Ok(true) => offer::take_up(),
                Ok(false) => {}
                Err(_) => return Err(EngineError::Closed.into()),
            }
            answered.await.unwrap_or_else(|_| Err(EngineError::Closed.into()))
        })
    }
}

impl Engine for Store {
    fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    fn tail(&self) -> Sequence {
        self.shared.tail()
    }

    fn append(&self, publication: Publication, now: Timestamp) -> EngineFuture<'_, Result<Appended, AppendError>> {
        let mut append = self.append_in_order(publication, now);
        // It has its place in the queue from now on, however late somebody waits for it: a publisher's order is that of
        // its calls. Whoever gets this future asks it again before it waits, so no wake-up is lost.
        match append.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Box::pin(future::ready(answer)),
            Poll::Pending => append,
        }
    }

    fn committed(&self, after: Sequence, bytes_max: usize, out: &mut Vec<Arc<Record>>) -> Result<Sequence, Behind> {
        let state = self.shared.state();
        let (mut through, mut bytes) = (after, 0);
        for (place, record) in state.recent.after_place(after)? {
            through = place;
            let Some(record) = record else { continue };
            bytes += record.chunk.wire().len();
            out.push(Arc::clone(record));
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(through)
    }

    fn read(&self, request: &ReadRequest) -> Read {
        pages::at_hand(&self.shared.state(), request)
    }

    fn fetch(&self, request: ReadRequest, done: Fetched) {
        // In a cell, so that it can be had back when nobody takes the job.
        let done = Arc::new(Mutex::new(Some(done)));
        let its_done = Arc::clone(&done);
        let answer = |done: &Mutex<Option<Fetched>>, read| {
            let done = lock(done).take();
            if let Some(done) = done {
                done(read);
            }
        };
        let job = Box::new(move |shared: &Shared| answer(&its_done, pages::fetch(shared, &request)));
        if self.shared.readers.push(job).is_err() {
            answer(&done, Err(EngineError::Closed));
        }
    }

    fn resolve(&self, request: ResumeRequest, now: Timestamp) -> EngineFuture<'_, Result<Resolution, EngineError>> {
        if let Some(resolution) = resolve::at_hand(&self.shared, &request, now) {
            return Box::pin(future::ready(Ok(resolution)));
        }
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |shared: &Shared| drop(answer.send(resolve::resolve(shared, &request, now))));
        let is_taken = self.shared.readers.push(job).is_ok();
        Box::pin(async move {
            if !is_taken {
                return Err(EngineError::Closed);
            }
            answered.await.unwrap_or(Err(EngineError::Closed))
        })
    }

    fn delete(&self, topic: Topic, now: Timestamp) -> EngineFuture<'_, Result<bool, EngineError>> {
        let (answer, answered) = oneshot::channel();
        let is_taken = self.shared.queue.push(Request::Delete { topic, now, answer }, false).is_ok();
        Box::pin(async move {
            if !is_taken {
                return Err(EngineError::Closed);
            }
            answered.await.unwrap_or(Err(EngineError::Closed))
        })
    }

    fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        self.shared.state().ended.through(selectors)
    }

    fn time_mark(&self, now: Timestamp) -> (Timestamp, Sequence) {
        // The turn first: a commit that has its time already must be seen before the mark is made.
        let _turn = self.shared.take_turn();
        let mut state = self.shared.state_mut();
        (state.times.mark(now), state.tail())
    }

    fn listen(&self, listener: Arc<dyn CommitListener>) {
        self.shared.listeners.add(listener);
    }

    fn usage(&self, now: Timestamp) -> EngineUsage {
        self.shared.trim(now);
        let oldest_at = self.shared.oldest_at(now);
        let topics = self.shared.count_topics();
        let mut state = self.shared.state_mut();
        state.keys.forget(now);
        EngineUsage {
            events: state.events,
            bytes: usize::try_from(state.bytes).unwrap_or(usize::MAX),
            topics,
            oldest_at,
            marks: state.marks.count(),
            idempotency_keys: state.keys.count(),
            disk: Some(self.shared.disk_usage()),
        }
    }

    fn self_commit(&self) -> Option<&dyn SelfCommit> {
        Some(self)
    }

    fn limits(&self) -> Option<&HistoryLimits> {
        Some(&self.shared.options.history)
    }

    fn health(&self) -> Result<(), EngineError> {
        self.shared.health.report()?;
        if self.shared.disk.check(Instant::now())? {
            self.shared.keeper.wake();
        }
        Ok(())
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        let (answer, answered) = oneshot::channel();
        let is_taken = self.shared.queue.push(Request::Close { answer }, false).is_ok();
        Box::pin(async move {
            if is_taken {
                drop(answered.await); // it is dropped when another end came first
            }
        })
    }
}

impl SelfCommit for Store {
    fn poll_left(&self, context: &mut Context<'_>) -> Poll<()> {
        if offer::renew(&self.shared, context.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn commit_left(&self) -> Option<Announcement> {
        let committed = Committer::commit_left(&self.committer, &self.shared)?;
        let shared = Arc::clone(&self.shared);
        Some(Box::new(move || committed.announce(&shared)))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // In this order: the commit thread may wait for the keeper, and both may be asked for pages.
        self.shared.queue.close();
        let commit_thread = lock(&self.commit_thread).take();
        join(commit_thread);
        self.shared.keeper.end();
        let keeper = lock(&self.keeper).take();
        join(keeper);
        self.shared.readers.end();
        let readers = std::mem::take(&mut *lock(&self.readers));
        join(readers);
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the store had ended by a panic");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
