//! Chance that can be repeated.

use std::env;

/// The source of a test's chance. Says its seed when the test fails.
pub(crate) struct Seed {
    seed: u64,
}

thread_local! {
    /// All of a scenario, which is a thread, has the same.
    static SEED: u64 = match env::var("TIDINGS_SEED") {
        Ok(raw) => raw.parse().unwrap_or_else(|error| panic!("TIDINGS_SEED={raw:?} is no number: {error}")),
        Err(_) => fastrand::u64(..),
    };
}

impl Seed {
    /// `TIDINGS_SEED`, else a new one for each scenario.
    pub(crate) fn take() -> Self {
        Self { seed: SEED.with(|seed| *seed) }
    }

    /// The chance of one part of the test, whatever the others draw.
    pub(crate) fn part(&self, number: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "who repeats a failed test needs it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat these choices: TIDINGS_SEED={}", self.seed);
        }
    }
}
