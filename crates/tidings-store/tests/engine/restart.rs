//! A store that is opened again and again, in order and after kills, agrees with the naive model of every engine: whatever
//! is published, trimmed, deleted, read and resolved between.

use proptest::prelude::*;
use tidings_core::suite::model::{self, Operation};

use crate::reopened::{Reopened, Segments};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn any_history_survives_any_restarts(
        bounds in model::ALL_BOUNDS,
        bits in proptest::collection::vec(any::<u64>(), 1..120),
        seed in any::<u64>(),
        is_tiny in any::<bool>(),
    ) {
        let segments = if is_tiny { Segments::Tiny } else { Segments::Usual };
        let make = move |options| Reopened::make(options, segments, Some(seed));
        model::check(&make, bounds, bits.into_iter().map(Operation::from_bits).map(ageless));
    }
}

/// Without an age of its own: an event that was trimmed before its age, and again after a kill and past its age, leaves no
/// mark the second time. Nobody misses it, but the model still knows of it.
fn ageless(operation: Operation) -> Operation {
    match operation {
        Operation::Publish { topic, alternates, private, own_id, takes_any_id, .. } => {
            Operation::Publish { topic, alternates, ttl_ms: 0, private, own_id, takes_any_id }
        }
        other => other,
    }
}
