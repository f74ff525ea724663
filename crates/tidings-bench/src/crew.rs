//! All reading threads, as the thread that runs the plan sees them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Poll, Waker};

use crate::error::BenchError;
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::progress::{Phase, Progress};
use crate::reader::{ORDERS, Order, ReaderParts, read};
use crate::report::VerifyReport;
use crate::stamp::RunMark;
use crate::tally::{Counts, Gauges, Tally};
use crate::verify::Verifier;

/// All reading threads. They stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Crew {
    readers: Vec<ReaderHandle>,
    faults: Receiver<BenchError>,
}

#[derive(Debug)]
struct ReaderHandle {
    orders: SyncSender<Order>,
    waker: Waker,
    gauges: Arc<Gauges>,
    thread: Option<JoinHandle<()>>,
}

/// Whom to tell how far the run is.
pub(crate) type Teller<'a> = &'a mut dyn FnMut(Progress);

impl Crew {
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn start(
        plan: &Arc<Plan>,
        layout: &Arc<Layout>,
        run: RunMark,
        epoch: Instant,
    ) -> Result<Self, BenchError> {
        let shares = plan.thread_count();
        let (fault_sender, faults) = mpsc::sync_channel(shares);
        let mut crew = Self { readers: Vec::with_capacity(shares), faults };
        for share in 0..shares {
            let lacking = |what| move |source: io::Error| BenchError::System { what, source };
            let poll = Poll::new().map_err(lacking("poll"))?;
            let waker = Waker::new(poll.registry(), ORDERS).map_err(lacking("waker"))?;
            let (order_sender, orders) = mpsc::sync_channel(ORDERS_MAX);
            let gauges = Arc::new(Gauges::default());
            let tally = Tally {
                run,
                epoch,
                counts: Counts::new(),
                verifier: plan.verify.then(Verifier::default),
                debt: None,
                gauges: Arc::clone(&gauges),
            };
            let (plan, layout, faults) = (Arc::clone(plan), Arc::clone(layout), fault_sender.clone());
            let parts = ReaderParts { share, shares, plan, layout, poll, orders, faults, tally };
            let thread = thread::Builder::new().name(format!("bench-reader-{share}"));
            let thread = thread.spawn(move || read(parts)).map_err(lacking("thread"))?;
            crew.readers.push(ReaderHandle { orders: order_sender, waker, gauges, thread: Some(thread) });
        }
        Ok(crew)
    }

    /// Gives all threads an order that has no answer.
    pub(crate) fn tell(&self, order: impl Fn() -> Order) {
        for reader in &self.readers {
            reader.give(order());
        }
    }

    /// Gives all threads an order and waits for their answers.
    ///
    /// # Errors
    /// The fault that ended a thread.
    pub(crate) fn ask<T>(&self, order: impl Fn(SyncSender<T>) -> Order) -> Result<Vec<T>, BenchError> {
        let answers: Vec<_> = self
            .readers
            .iter()
            .map(|reader| {
                let (sender, answer) = mpsc::sync_channel(1);
                reader.give(order(sender));
                answer
            })
            .collect();
        answers.into_iter().map(|answer| answer.recv().map_err(|_| self.fault())).collect()
    }

    /// Counts from 0 from now on.
    pub(crate) fn baseline(&self) -> Result<(), BenchError> {
        self.ask(Order::Baseline).map(drop)
    }

    /// What all have counted since the baseline.
    pub(crate) fn count(&self) -> Result<Counts, BenchError> {
        let mut sum = Counts::new();
        for counts in self.ask(Order::Count)? {
            sum.add(&counts);
        }
        Ok(sum)
    }

    /// What was lost since the run began, and what the decoder said.
    pub(crate) fn close(&self, ledger: &Arc<Ledger>) -> Result<(u64, Option<VerifyReport>), BenchError> {
        let answers = self.ask(|answer| Order::Close(Arc::clone(ledger), answer))?;
        let lost = answers.iter().map(|(lost, _)| lost).sum();
        let verifiers: Option<Vec<_>> = answers.into_iter().map(|(_, verifier)| verifier).collect();
        Ok((lost, verifiers.map(Verifier::report)))
    }

    /// Waits until `done` of all gauges says that there is no more to wait for, or until the deadline. Tells which it was.
    ///
    /// # Errors
    /// The first fault of a thread.
    pub(crate) fn wait(
        &self,
        deadline: Instant,
        tell: Teller<'_>,
        mut done: impl FnMut(&Self) -> (Progress, bool),
    ) -> Result<bool, BenchError> {
        let mut told_at: Option<Instant> = None;
        loop {
            let (progress, is_done) = done(self);
            let now = Instant::now();
            if is_done || told_at.is_none_or(|at| now.duration_since(at) >= TOLD_EVERY) {
                tell(progress);
                told_at = Some(now);
            }
            if is_done || now >= deadline {
                return Ok(is_done);
            }
            match self.faults.recv_timeout(LOOKED_EVERY.min(deadline - now)) {
                Ok(fault) => return Err(fault),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }

    /// Lets time go by.
    ///
    /// # Errors
    /// The first fault of a thread.
    pub(crate) fn pause(&self, phase: Phase, time: Duration, tell: Teller<'_>) -> Result<(), BenchError> {
        let began = Instant::now();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.wait(began + time, tell, |_| {
            let done = millis(began.elapsed());
            (Progress { phase, done, total: Some(millis(time)) }, false)
        })?;
        Ok(())
    }

    pub(crate) fn sum(&self, gauge: impl Fn(&Gauges) -> &AtomicU64) -> u64 {
        self.readers.iter().map(|reader| gauge(&reader.gauges).load(Ordering::Acquire)).sum()
    }

    /// When the last delivery was read, since the epoch.
    pub(crate) fn last_delivery(&self) -> Duration {
        self.readers.iter().map(|reader| reader.gauges.last_delivery()).max().unwrap_or_default()
    }

    /// Why a thread has ended that should not have.
    fn fault(&self) -> BenchError {
        self.faults.recv_timeout(TOLD_EVERY).unwrap_or_else(|_| gone())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.tell(|| Order::Stop);
        for reader in &mut self.readers {
            // One that has panicked has said so on stderr.
            let _ = reader.thread.take().map(JoinHandle::join);
        }
    }
}

impl ReaderHandle {
    /// A thread that has ended takes no orders; its fault is seen by whoever waits.
    fn give(&self, order: Order) {
        let _ = self.orders.send(order);
        let _ = self.waker.wake();
    }
}

fn gone() -> BenchError {
    BenchError::System { what: "reading thread", source: io::ErrorKind::BrokenPipe.into() }
}

/// Orders that wait for a thread; each one is answered or obeyed before the next but for the last.
const ORDERS_MAX: usize = 4;

const LOOKED_EVERY: Duration = Duration::from_millis(10);
const TOLD_EVERY: Duration = Duration::from_millis(100);
