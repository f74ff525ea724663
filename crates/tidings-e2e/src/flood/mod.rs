//! Attackers: clients that want a server's places, memory or time rather than its answers.
//!
//! They run in a process of their own (`tidings-flood`, started by [`Flood`]), for each has as many descriptors as a hub.
//! All are bounded in count and time and end by themselves, at the latest when whoever started them is gone. Here is what
//! they do; `held` and `asking` do it, `newcomers` is the friendly one that finds out what it is like meanwhile.

mod asking;
mod attack;
mod held;
mod newcomers;
mod running;
mod socket;

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use attack::{Attack, AttackError, Kind};
pub use running::{Flood, Newcomers};

/// When a flood ends.
#[derive(Clone, Debug)]
struct End {
    at: Instant,
    is_asked: Arc<AtomicBool>,
}

impl End {
    /// After so long, or when the standard input ends: whoever started it wants no more of it, or is gone.
    fn after(time: Duration) -> Self {
        let is_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_asked);
        thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new()); // an error is an end as well
            asked.store(true, Ordering::Relaxed);
        });
        Self { at: Instant::now() + time, is_asked }
    }

    fn has_come(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed) || Instant::now() >= self.at
    }
}

/// Does what `attack` says until its end; `say` is told once when all is under way, and then what came of it.
///
/// # Errors
/// What the system refuses.
pub fn run(attack: &Attack, mut say: impl FnMut(&str)) -> std::io::Result<()> {
    socket::raise_descriptors();
    let end = End::after(attack.time);
    let report = match attack.kind {
        Kind::Newcomers => newcomers::run(attack, &end, &mut say)?,
        Kind::Topics | Kind::Publishes => asking::run(attack, &end, &mut say),
        Kind::Silent | Kind::Heads | Kind::Bodies | Kind::Selectors | Kind::Readers => {
            held::run(attack, &end, &mut say)?
        }
    };
    say(&report);
    Ok(())
}
