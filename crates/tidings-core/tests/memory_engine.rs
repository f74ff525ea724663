//! The engine in memory passes the suite, and agrees with the naive model on any history.

use proptest::prelude::*;
use tidings_core::engine::Engine;
use tidings_core::suite::model::{self, Operation};
use tidings_core::suite::{self, SuiteOptions};
use tidings_core::{Epoch, MemoryEngine, MemoryOptions};

#[test]
fn the_memory_engine_passes_the_suite() {
    suite::run(&make);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_history_agrees_with_the_naive_model(
        bounds in model::ALL_BOUNDS,
        bits in proptest::collection::vec(any::<u64>(), 1..150),
    ) {
        model::check(&make, bounds, bits.into_iter().map(Operation::from_bits));
    }
}

fn make(options: SuiteOptions) -> Box<dyn Engine> {
    let SuiteOptions { history, ids_resolve_by_time } = options;
    let epoch = Epoch::from_unix_micros(1_795_464_000_000_000);
    Box::new(MemoryEngine::new(epoch, MemoryOptions { history, ids_resolve_by_time }))
}
