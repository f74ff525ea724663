//! An engine that is a store in a directory of its own, which goes with it. It may be closed or killed and opened again
//! before some of the questions to it.

use std::fs;
use std::future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use tempfile::TempDir;
use tidings_core::suite::SuiteOptions;
use tidings_core::{
    AppendError, Appended, Behind, CommitListener, Engine, EngineError, EngineFuture, EngineUsage, Epoch, Fetched,
    Publication, Read, ReadRequest, Record, Resolution, ResumeRequest, Sequence, Timestamp,
};
use tidings_store::{Durability, Store, StoreOptions};
use tidings_topic::{SelectorSet, Topic};

/// How large the files and the memory of the store are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Segments {
    /// As by default.
    Usual,
    /// Memory has just what the suite expects of live readers: a burst of a hundred events. Relaxed, so that both kinds of
    /// durability pass the suite.
    Small,
    /// A few events in each file, and a few in memory.
    Tiny,
}

/// The engine.
pub(crate) struct Reopened {
    options: StoreOptions,
    inner: Mutex<Inner>,
}

struct Inner {
    store: Option<Arc<Store>>,
    directory: TempDir,
    /// When it is opened again; `None`: never.
    random: Option<fastrand::Rng>,
}

impl Reopened {
    /// An empty one. Equal seeds open it again at the same moments; without one it stays open.
    pub(crate) fn make(options: SuiteOptions, segments: Segments, seed: Option<u64>) -> Box<dyn Engine> {
        let SuiteOptions { history, ids_resolve_by_time } = options;
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let mut options = StoreOptions::with_history(directory.path(), history);
        options.ids_resolve_by_time = ids_resolve_by_time;
        options.new_epoch = Some(Epoch::from_unix_micros(1_795_464_000_000_000)); // when the suite's clock begins
        match segments {
            Segments::Usual => {}
            Segments::Small => {
                (options.segment_bytes, options.window_bytes_max) = (256, 128 * 1024);
                (options.durability, options.boot_id) = (Durability::Relaxed, None);
            }
            Segments::Tiny => (options.segment_bytes, options.window_bytes_max) = (256, 2 * 1024),
        }
        let store = Store::open(options.clone()).expect("an empty directory can be opened");
        let random = seed.map(fastrand::Rng::with_seed);
        let inner = Mutex::new(Inner { store: Some(Arc::new(store)), directory, random });
        Box::new(Self { options, inner })
    }

    /// The store, opened again now and then.
    fn store(&self) -> Arc<Store> {
        let mut inner = self.inner.lock().expect("nobody panics with it");
        match inner.random.as_mut().map(|random| random.u8(..20)) {
            Some(0) => {
                inner.store = None; // it ends in order
                self.open(&mut inner);
            }
            Some(1) => {
                let snapshot = snapshot(inner.directory.path());
                inner.store = None;
                inner.directory = snapshot;
                self.open(&mut inner);
            }
            _ => {}
        }
        Arc::clone(inner.store.as_ref().expect("it was opened"))
    }

    fn open(&self, inner: &mut Inner) {
        let options = StoreOptions { directory: inner.directory.path().to_owned(), ..self.options.clone() };
        inner.store = Some(Arc::new(Store::open(options).expect("what a kill leaves can be opened")));
    }

    fn current(&self) -> Arc<Store> {
        let inner = self.inner.lock().expect("nobody panics with it");
        Arc::clone(inner.store.as_ref().expect("it was opened"))
    }
}

/// What stands on disk at one moment, as a kill would leave it: copied until nothing changed meanwhile.
fn snapshot(from: &Path) -> TempDir {
    loop {
        let before = state_of(from);
        let copy = tempfile::tempdir().expect("there is room for a directory");
        let is_copied = copy_tree(from, copy.path());
        if is_copied && state_of(from) == before {
            return copy;
        }
    }
}

fn state_of(directory: &Path) -> Vec<(std::path::PathBuf, u64, Option<SystemTime>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            files.extend(state_of(&entry.path()));
        } else {
            files.push((entry.path(), metadata.len(), metadata.modified().ok()));
        }
    }
    files.sort();
    files
}

fn copy_tree(from: &Path, to: &Path) -> bool {
    let Ok(entries) = fs::read_dir(from) else { return false };
    entries.flatten().all(|entry| {
        let to = to.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::create_dir(&to).is_ok() && copy_tree(&entry.path(), &to),
            _ => fs::copy(entry.path(), &to).is_ok(),
        }
    })
}

impl Engine for Reopened {
    fn epoch(&self) -> Epoch {
        self.current().epoch()
    }

    fn tail(&self) -> Sequence {
        self.store().tail()
    }

    fn append(&self, publication: Publication, now: Timestamp) -> EngineFuture<'_, Result<Appended, AppendError>> {
        let store = self.store();
        // Its place in the queue is that of this call, and not of whoever waits.
        let mut append = Box::pin(async move { store.append(publication, now).await });
        match append.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Box::pin(future::ready(answer)),
            Poll::Pending => append,
        }
    }

    fn committed(&self, after: Sequence, bytes_max: usize, out: &mut Vec<Arc<Record>>) -> Result<Sequence, Behind> {
        self.current().committed(after, bytes_max, out) // a live reader does not outlive the process
    }

    fn read(&self, request: &ReadRequest) -> Read {
        self.store().read(request)
    }

    fn fetch(&self, request: ReadRequest, done: Fetched) {
        self.current().fetch(request, done);
    }

    fn resolve(&self, request: ResumeRequest, now: Timestamp) -> EngineFuture<'_, Result<Resolution, EngineError>> {
        let store = self.store();
        Box::pin(async move { store.resolve(request, now).await })
    }

    fn delete(&self, topic: Topic, now: Timestamp) -> EngineFuture<'_, Result<bool, EngineError>> {
        let store = self.store();
        Box::pin(async move { store.delete(topic, now).await })
    }

    fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        self.store().ended_through(selectors)
    }

    fn time_mark(&self, now: Timestamp) -> (Timestamp, Sequence) {
        self.store().time_mark(now)
    }

    fn listen(&self, listener: Arc<dyn CommitListener>) {
        self.current().listen(listener);
    }

    fn usage(&self, now: Timestamp) -> EngineUsage {
        self.store().usage(now)
    }

    fn health(&self) -> Result<(), EngineError> {
        self.store().health()
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        let store = self.current();
        Box::pin(async move { store.close().await })
    }
}
