//! A worker that commits by itself stands still while the disk does. Its deputy then drives its connections.
//!
//! Nobody is woken for a commit that is quick: while there are any, the deputy looks from time to time whether one has
//! begun that is not at its end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// How often the deputy looks. A worker that is away at two looks in a row is stood in for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// After so many looks at a worker that never went away the deputy sleeps until it does. About a second, so that a few
/// events a second do not wake it each time.
const IDLE_LOOKS: u32 = 50;

/// Whether a worker is away from its runtime.
#[derive(Debug, Default)]
pub(super) struct Absence {
    state: Mutex<State>,
    /// For the deputy while it sleeps, and for who waits for the worker's end.
    changed: Condvar,
    /// For the deputy while it stands in.
    is_back: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_away: bool,
    /// How often it went away.
    times: u64,
    is_deputy_asleep: bool,
    is_over: bool,
}

impl Absence {
    /// The worker is away while it does this. Not done once it is over.
    pub(super) fn during(&self, work: impl FnOnce()) {
        {
            let mut state = self.lock();
            if state.is_over {
                return;
            }
            state.is_away = true;
            state.times += 1;
            if std::mem::take(&mut state.is_deputy_asleep) {
                self.changed.notify_all();
            }
        }
        work();
        let mut state = self.lock();
        state.is_away = false;
        if state.is_over {
            self.changed.notify_all();
        }
        drop(state);
        self.is_back.notify_waiters();
    }

    /// The deputy's life: drives `runtime` whenever the worker is away for long.
    pub(super) fn stand_in(&self, runtime: &Runtime) {
        let (mut seen, mut idle_looks) = (0, 0);
        let mut state = self.lock();
        while !state.is_over {
            if state.times != seen {
                (seen, idle_looks) = (state.times, 0);
            } else if state.is_away {
                drop(state);
                runtime.block_on(self.back_from(seen));
                state = self.lock();
                continue;
            } else {
                idle_looks += 1;
            }
            state.is_deputy_asleep = idle_looks >= IDLE_LOOKS;
            state = if state.is_deputy_asleep {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.changed.wait_timeout(state, LOOK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Ends the deputy, and waits so long for a worker that is away. Answers whether it still is; it does not go away again.
    pub(super) fn end(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        state.is_over = true;
        self.changed.notify_all();
        self.is_back.notify_waiters();
        let is_away = |state: &mut State| state.is_away;
        state = self.changed.wait_timeout_while(state, patience, is_away).unwrap_or_else(PoisonError::into_inner).0;
        state.is_away
    }

    /// Waits until the worker is back from its absence of this number.
    async fn back_from(&self, absence: u64) {
        loop {
            let back = self.is_back.notified(); // before the look, so that none is missed
            let is_back = {
                let state = self.lock();
                state.is_over || !state.is_away || state.times != absence
            };
            if is_back {
                return;
            }
            back.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn with_deputy(test: impl FnOnce(&Absence, &Runtime)) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
        let absence = Absence::default();
        thread::scope(|scope| {
            scope.spawn(|| absence.stand_in(&runtime));
            test(&absence, &runtime);
            absence.end(DEADLINE);
        });
    }

    /// Gives the runtime a task that needs both its wake-ups and its timers; tells when it has run.
    fn task_of(runtime: &Runtime) -> mpsc::Receiver<()> {
        let (ran, has_run) = mpsc::channel();
        runtime.spawn(async move {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            ran.send(())
        });
        has_run
    }

    #[test]
    fn connections_are_served_while_the_worker_is_away_for_long() {
        with_deputy(|absence, runtime| {
            for _ in 0..2 {
                absence.during(|| {
                    task_of(runtime).recv_timeout(DEADLINE).expect("the deputy drives the runtime");
                });
                let (ran, has_run) = oneshot::channel();
                runtime.spawn(async { ran.send(()) });
                runtime.block_on(has_run).expect("the worker has it back");
            }
        });
    }

    #[test]
    fn a_deputy_that_sleeps_is_woken() {
        with_deputy(|absence, runtime| {
            let began = Instant::now();
            while !absence.lock().is_deputy_asleep {
                assert!(began.elapsed() < DEADLINE, "it has nothing to do, and does not sleep");
                thread::sleep(LOOK_INTERVAL); // between two looks
            }
            absence.during(|| {
                task_of(runtime).recv_timeout(DEADLINE).expect("the deputy drives the runtime");
            });
        });
    }

    #[test]
    fn who_is_ended_is_waited_for_and_does_not_go_away_again() {
        with_deputy(|absence, _| {
            absence.during(|| {
                assert!(absence.end(Duration::ZERO), "it is away");
            });
            assert!(!absence.end(DEADLINE), "it is back");
            absence.during(|| panic!("it is over"));
        });
    }
}
