//! What a soak is to be like.

use std::fmt;
use std::time::Duration;

use tidings_history::Entry;

/// What is to be survived.
#[derive(Clone, Debug)]
pub struct SoakPlan {
    /// The same seed makes the same choices. When the threads come to make them is the system's.
    pub seed: u64,
    /// How often everybody comes and, after a while, leaves. After each the hub is looked at while it rests.
    pub cycles: u32,
    /// How long everybody is there.
    pub load: Duration,
    /// So many recorded readers at a time, beside those that are slow on purpose.
    pub readers: usize,
    /// Done to what was recorded, before it is judged. So the test of this test loses something.
    pub meddle: Option<fn(&mut Vec<Entry>)>,
}

impl SoakPlan {
    /// One of about this time, with as many readers as there are to be.
    pub fn lasting(time: Duration, seed: u64) -> Self {
        let minutes = u32::try_from(time.as_secs() / 60).unwrap_or(u32::MAX);
        let cycles = minutes.max(CYCLES_MIN);
        let load = (time / cycles).saturating_sub(END_OF_CYCLE).max(Duration::from_secs(1));
        Self { seed, cycles, load, readers: READERS, meddle: None }
    }

    /// The chance of one part of the run, whatever the others draw.
    pub(super) fn chance(&self, part: Part) -> fastrand::Rng {
        let Part { cycle, kind, number } = part;
        let part = (u64::from(cycle) << 32) | (kind << 24) | number as u64;
        fastrand::Rng::with_seed(self.seed.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Readers share topics with those of their room only.
    pub(super) fn rooms(&self) -> usize {
        self.readers.div_ceil(READERS_IN_A_ROOM)
    }
}

/// A part of a run that draws for itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) cycle: u32,
    pub(super) kind: u64,
    pub(super) number: usize,
}

impl fmt::Display for SoakPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, cycles, load, readers, .. } = self;
        write!(f, "seed {seed}, {readers} readers, {cycles} cycles of {:.0} s", load.as_secs_f64())
    }
}

/// As many as the system is to bear, by the issue that asked for it.
const READERS: usize = 2000;
pub(super) const READERS_IN_A_ROOM: usize = 100;
/// Two to get warm, and two to compare them with.
const CYCLES_MIN: u32 = 4;
/// Everybody reads to the end and leaves, and the hub comes to rest.
const END_OF_CYCLE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_fills_its_time_with_cycles() {
        let check = |seconds, want: (u32, u64)| {
            let plan = SoakPlan::lasting(Duration::from_secs(seconds), 1);
            assert_eq!((plan.cycles, plan.load.as_secs()), want, "{seconds} s");
        };
        check(60, (4, 12));
        check(600, (10, 57));
        check(1, (4, 1));
    }
}
