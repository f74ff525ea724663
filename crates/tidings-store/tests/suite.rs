//! The engine on disk passes the suite of every engine, with its records in memory and with none of them there.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;
use tidings_core::suite::model::{self, Operation};
use tidings_core::suite::{self, SuiteOptions};
use tidings_core::{
    AppendError, Appended, Behind, CommitListener, Engine, EngineError, EngineFuture, EngineUsage, Epoch, Fetched,
    Publication, Read, ReadRequest, Record, Resolution, ResumeRequest, Sequence, Timestamp,
};
use tidings_store::{Durability, Store, StoreOptions};
use tidings_topic::{SelectorSet, Topic};

#[test]
fn the_store_passes_the_suite() {
    suite::run(&|options| make(options, Segments::Usual));
}

/// Each file holds a few events, and memory not many more than that: most of it is read from disk. Relaxed, so that both
/// kinds of durability pass the suite.
#[test]
fn a_store_with_little_memory_passes_the_suite() {
    suite::run(&|options| make(options, Segments::Small));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_history_agrees_with_the_naive_model(
        bounds in model::ALL_BOUNDS,
        bits in proptest::collection::vec(any::<u64>(), 1..150),
    ) {
        let operations = || bits.iter().copied().map(Operation::from_bits);
        model::check(&|options| make(options, Segments::Usual), bounds, operations());
        model::check(&|options| make(options, Segments::Tiny), bounds, operations());
    }
}

#[derive(Clone, Copy)]
enum Segments {
    Usual,
    /// Memory has just what the suite expects of live readers: a burst of a hundred events.
    Small,
    /// Memory has a few events.
    Tiny,
}

/// A store and its directory, which goes with it.
struct Kept {
    store: Store,
    _directory: TempDir,
}

fn make(options: SuiteOptions, segments: Segments) -> Box<dyn Engine> {
    let SuiteOptions { history, ids_resolve_by_time } = options;
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let mut options = StoreOptions::with_history(directory.path(), history);
    options.ids_resolve_by_time = ids_resolve_by_time;
    options.new_epoch = Some(Epoch::from_unix_micros(1_795_464_000_000_000)); // when the suite's clock begins
    options.boot_id = None;
    match segments {
        Segments::Usual => {}
        Segments::Small => {
            (options.segment_bytes, options.window_bytes_max) = (256, 128 * 1024);
            options.durability = Durability::Relaxed;
        }
        Segments::Tiny => (options.segment_bytes, options.window_bytes_max) = (256, 2 * 1024),
    }
    let store = Store::open(options).expect("an empty directory can be opened");
    Box::new(Kept { store, _directory: directory })
}

impl Engine for Kept {
    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn tail(&self) -> Sequence {
        self.store.tail()
    }

    fn append(&self, publication: Publication, now: Timestamp) -> EngineFuture<'_, Result<Appended, AppendError>> {
        self.store.append(publication, now)
    }

    fn committed(&self, after: Sequence, bytes_max: usize, out: &mut Vec<Arc<Record>>) -> Result<Sequence, Behind> {
        self.store.committed(after, bytes_max, out)
    }

    fn read(&self, request: &ReadRequest) -> Read {
        self.store.read(request)
    }

    fn fetch(&self, request: ReadRequest, done: Fetched) {
        self.store.fetch(request, done);
    }

    fn resolve(&self, request: ResumeRequest, now: Timestamp) -> EngineFuture<'_, Result<Resolution, EngineError>> {
        self.store.resolve(request, now)
    }

    fn delete(&self, topic: Topic, now: Timestamp) -> EngineFuture<'_, Result<bool, EngineError>> {
        self.store.delete(topic, now)
    }

    fn ended_through(&self, selectors: &SelectorSet) -> Option<Sequence> {
        self.store.ended_through(selectors)
    }

    fn time_mark(&self, now: Timestamp) -> (Timestamp, Sequence) {
        self.store.time_mark(now)
    }

    fn listen(&self, listener: Arc<dyn CommitListener>) {
        self.store.listen(listener);
    }

    fn usage(&self, now: Timestamp) -> EngineUsage {
        self.store.usage(now)
    }

    fn health(&self) -> Result<(), EngineError> {
        self.store.health()
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        self.store.close()
    }
}
