//! A run: checks, connections, what was asked for, a report.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{fanout, idle, storm};
use crate::crew::{Crew, Teller};
use crate::descriptors;
use crate::error::BenchError;
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::plan::{Amount, Mode, Pace, Plan};
use crate::process::{CpuMark, Processes};
use crate::progress::{Phase, Progress};
use crate::publisher::{Publishers, Round, RoundCount};
use crate::reader::Order;
use crate::report::{ConnectReport, DeliveryReport, PublishReport, Report, ServerReport};
use crate::stamp::RunMark;
use crate::tally::Counts;

/// Measures what the plan asks for. `progress` is called about ten times a second, from this thread.
///
/// # Errors
/// [`BenchError`] when the plan cannot be carried out or nothing was measured. Losses and refusals are in the report.
pub fn run(plan: &Plan, mut progress: impl FnMut(Progress)) -> Result<Report, BenchError> {
    plan.check()?;
    let processes = Processes::new(&plan.pids)?;
    descriptors::reserve(plan.subscribers + plan.publisher_count())?;
    let mut run = Run::start(plan, processes)?;
    match &plan.mode {
        Mode::Fanout(fanout) => fanout::run(&mut run, fanout, &mut progress),
        Mode::Idle(idle) => idle::run(&run, idle, &mut progress),
        Mode::Storm(storm) => storm::run(&mut run, storm, &mut progress),
    }
}

/// What all modes work with.
pub(super) struct Run {
    pub(super) plan: Arc<Plan>,
    pub(super) layout: Arc<Layout>,
    pub(super) processes: Processes,
    pub(super) crew: Crew,
    pub(super) publishers: Publishers,
    pub(super) epoch: Instant,
}

impl Run {
    fn start(plan: &Plan, processes: Processes) -> Result<Self, BenchError> {
        let plan = Arc::new(plan.clone());
        let layout = Arc::new(Layout::of(&plan));
        let epoch = Instant::now();
        // A mark that differs from run to run: a server may replay what an earlier run has published.
        let mark = RandomState::new().hash_one(std::process::id());
        let mark = RunMark(u16::try_from(mark & 0xffff).expect("16 bits"));
        let crew = Crew::start(&plan, &layout, mark, epoch)?;
        let publishers = Publishers::new(&plan, mark, epoch);
        Ok(Self { plan, layout, processes, crew, publishers, epoch })
    }

    /// All subscribers, as a range.
    pub(super) fn everybody(&self) -> Range<usize> {
        0..self.layout.subscribers
    }

    /// Connects all subscribers and lets the server come to rest.
    pub(super) fn connect(&self, tell: Teller<'_>) -> Result<ConnectReport, BenchError> {
        let pss = self.processes.pss_bytes();
        let cpu = self.processes.cpu();
        let began = Instant::now();
        let wanted = self.layout.subscribers as u64;
        self.crew.tell(|| Order::Connect);
        let connected = |crew: &Crew| {
            let done = crew.sum(|gauges| &gauges.connected);
            (Progress { phase: Phase::Connecting, done, total: Some(wanted) }, done >= wanted)
        };
        if !self.crew.wait(began + self.plan.timeout, tell, connected)? {
            return Err(BenchError::Timeout {
                what: "connecting the subscribers",
                timeout: self.plan.timeout,
                reached: self.crew.sum(|gauges| &gauges.connected),
                wanted,
            });
        }
        let took = began.elapsed();
        let used = self.cpu_since(cpu.as_ref());
        self.crew.pause(Phase::Settling, self.plan.settle, tell)?;
        let grown = pss.zip(self.processes.pss_bytes()).map(|(before, after)| as_f64(after) - as_f64(before));
        Ok(ConnectReport {
            seconds: took.as_secs_f64(),
            cpu_us_per_subscriber: used.map(|used| micros(used) / as_f64(wanted)),
            pss_bytes_per_subscriber: grown.map(|grown| grown / as_f64(wanted)),
        })
    }

    /// The server's CPU time since then.
    pub(super) fn cpu_since(&self, mark: Option<&CpuMark>) -> Option<Duration> {
        mark.zip(self.processes.cpu()).map(|(before, after)| before.until(&after))
    }

    /// Publishes to the shared topics and waits until it is published; whatever is left when the time is over stays unpublished.
    pub(super) fn publish(
        &mut self,
        amount: Amount,
        pace: Pace,
        tell: Teller<'_>,
        progress: impl Fn(&Crew, &Round) -> Progress,
    ) -> Result<RoundCount, BenchError> {
        let round = self.publishers.begin(self.layout.shared_topics(), amount, pace)?;
        let deadline = round.began() + planned_time(amount, pace) + self.plan.timeout;
        self.crew.wait(deadline, tell, |crew| (progress(crew, &round), round.is_over()))?;
        round.stop();
        Ok(self.publishers.finish(round))
    }

    /// Waits until all that was accepted is delivered to these subscribers, or nothing more comes.
    pub(super) fn drain(
        &self,
        ledger: &Ledger,
        among: &Range<usize>,
        phase: Phase,
        tell: Teller<'_>,
    ) -> Result<(), BenchError> {
        self.drain_to(ledger.expected(&self.layout, among), phase, tell)
    }

    /// Waits until so much was delivered since the run began, or nothing more comes.
    pub(super) fn drain_to(&self, expected: u64, phase: Phase, tell: Teller<'_>) -> Result<(), BenchError> {
        let mut seen = (0, Instant::now());
        self.crew.wait(Instant::now() + self.plan.timeout, tell, |crew| {
            let done = crew.sum(|gauges| &gauges.delivered);
            if done != seen.0 {
                seen = (done, Instant::now());
            }
            let nobody_is_left = crew.sum(|gauges| &gauges.closed) >= self.layout.subscribers as u64;
            let is_over = done >= expected || nobody_is_left || seen.1.elapsed() >= self.plan.quiet;
            (Progress { phase, done, total: Some(expected) }, is_over)
        })?;
        Ok(())
    }

    /// What was delivered, and what it cost the server.
    pub(super) fn deliveries(
        &self,
        began: Instant,
        expected: u64,
        cpu: Option<Duration>,
        counts: &Counts,
        lost: u64,
    ) -> (DeliveryReport, Option<ServerReport>) {
        let ended = self.epoch + self.crew.last_delivery();
        let seconds = ended.saturating_duration_since(began).as_secs_f64();
        let received = as_f64(counts.received);
        let deliveries = DeliveryReport {
            expected,
            received: counts.received,
            lost,
            duplicated: counts.duplicated,
            out_of_order: counts.out_of_order,
            closed: self.crew.sum(|gauges| &gauges.closed),
            seconds,
            per_second: ratio(received, seconds),
            wire_bytes_per_delivery: ratio(as_f64(counts.wire_bytes), received),
            latency_ms: counts.latencies.summary(),
        };
        let server = cpu.map(|cpu| ServerReport {
            pids: self.processes.tree(),
            cpu_seconds: cpu.as_secs_f64(),
            cpu_us_per_delivery: ratio(micros(cpu), received),
            pss_bytes: self.processes.pss_bytes(),
        });
        (deliveries, server)
    }

    pub(super) fn published(&self, count: &RoundCount, pace: Pace) -> PublishReport {
        let seconds = count.took.as_secs_f64();
        PublishReport {
            publishers: self.layout.publishers as u64,
            payload_bytes: self.plan.payload_bytes as u64,
            rate: match pace {
                Pace::FullSpeed => None,
                Pace::Rate(rate) => Some(rate),
            },
            accepted: count.accepted,
            refused: count.refused,
            first_refusal: count.first_refusal.clone(),
            seconds,
            per_second: ratio(as_f64(count.accepted), seconds),
            latency_ms: count.latencies.summary(),
        }
    }

    /// A report in which nothing is said yet but what connecting cost.
    pub(super) fn report(&self, mode: &str, connect: ConnectReport) -> Report {
        Report {
            mode: mode.to_owned(),
            subscribers: self.layout.subscribers as u64,
            topics: self.layout.topics as u64,
            connect,
            publish: None,
            deliveries: None,
            server: None,
            verify: None,
            idle: None,
            storm: None,
        }
    }
}

/// # Errors
/// When nothing was accepted: there is nothing to measure.
pub(super) fn expect_some(count: &RoundCount) -> Result<(), BenchError> {
    if count.accepted > 0 {
        return Ok(());
    }
    let first = count.first_refusal.clone().unwrap_or_else(|| "no answer".to_owned());
    Err(BenchError::NothingAccepted { refused: count.refused, first })
}

/// How long publishing takes when the server keeps up; at full speed nobody knows.
fn planned_time(amount: Amount, pace: Pace) -> Duration {
    match (amount, pace) {
        (Amount::For(time), _) => time,
        (Amount::Events(events), Pace::Rate(rate)) => {
            Duration::try_from_secs_f64(as_f64(events) / rate).unwrap_or(Duration::MAX / 4)
        }
        (Amount::Events(_), Pace::FullSpeed) => Duration::ZERO,
    }
}

pub(super) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes stay far below 2^52")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// 0 when there is nothing to divide by.
fn ratio(of: f64, by: f64) -> f64 {
    if by > 0.0 { of / by } else { 0.0 }
}
