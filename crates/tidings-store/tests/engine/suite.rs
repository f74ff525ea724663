//! The engine on disk passes the suite of every engine, with its records in memory and with none of them there.

use proptest::prelude::*;
use tidings_core::suite;
use tidings_core::suite::model::{self, Operation};

use crate::reopened::{Reopened, Segments};

#[test]
fn the_store_passes_the_suite() {
    suite::run(&|options| Reopened::make(options, Segments::Usual, None));
}

/// Each file holds a few events, and memory not many more than that: most of it is read from disk.
#[test]
fn a_store_with_little_memory_passes_the_suite() {
    suite::run(&|options| Reopened::make(options, Segments::Small, None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_history_agrees_with_the_naive_model(
        bounds in model::ALL_BOUNDS,
        bits in proptest::collection::vec(any::<u64>(), 1..150),
    ) {
        let operations = || bits.iter().copied().map(Operation::from_bits);
        model::check(&|options| Reopened::make(options, Segments::Usual, None), bounds, operations());
        model::check(&|options| Reopened::make(options, Segments::Tiny, None), bounds, operations());
    }
}
