//! Many come back at once, each with events to catch up on, while others read live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::run::{Run, expect_some};
use crate::crew::{Crew, Teller};
use crate::error::BenchError;
use crate::plan::{Amount, Pace, StormPlan};
use crate::progress::{Phase, Progress};
use crate::publisher::Round;
use crate::reader::Order;
use crate::report::{Report, StormReport};

pub(super) fn run(run: &mut Run, plan: &StormPlan, tell: Teller<'_>) -> Result<Report, BenchError> {
    let connect = run.connect(tell)?;
    let everybody = run.everybody();
    let clients = run.plan.client_count();
    let topics = run.layout.topics as u64;
    let answered =
        |phase, total| move |_: &Crew, round: &Round| Progress { phase, done: round.answered(), total: Some(total) };

    // ## An event of each topic, so that each client has an id to come back with
    // Answered, for an event must not come before.
    run.crew.ask(Order::LearnIds)?;
    let seeded = run.publish(Amount::Events(topics), Pace::FullSpeed, tell, answered(Phase::WarmingUp, topics))?;
    expect_some(&seeded)?;
    let seed = run.publishers.ledger();
    run.drain(&seed, &everybody, Phase::WarmingUp, tell)?;
    let without_id = run.crew.ask(Order::Cut)?.into_iter().sum::<u64>();
    if without_id > 0 {
        return Err(BenchError::NoIds { clients: without_id });
    }

    // ## What they miss
    let missed = plan.events_behind.saturating_mul(topics);
    let fell = run.publish(Amount::Events(missed), Pace::FullSpeed, tell, answered(Phase::FallingBehind, missed))?;
    expect_some(&fell)?;
    let ledger = Arc::new(run.publishers.ledger());

    // ## The live readers alone, to compare with
    let pace = Pace::Rate(plan.live_rate);
    let forever = Amount::For(Duration::from_hours(24));
    let live = run.publishers.begin(run.layout.topic_apart(), forever, pace)?;
    run.crew.baseline()?;
    run.crew.pause(Phase::Holding, plan.calm, tell)?;
    let live_before = run.crew.count()?.latencies.summary();

    // ## The storm
    run.crew.baseline()?;
    let delivered_before = run.crew.sum(|gauges| &gauges.delivered);
    let cpu = run.processes.cpu();
    let began = Instant::now();
    run.crew.tell(|| Order::Owe(Arc::clone(&ledger), began));
    run.crew.tell(|| Order::Connect);
    let all_are_back = run.crew.wait(began + run.plan.timeout, tell, |crew| {
        let done = crew.sum(|gauges| &gauges.caught_up);
        (Progress { phase: Phase::CatchingUp, done, total: Some(clients as u64) }, done >= clients as u64)
    })?;
    let waited = began.elapsed();
    let during = run.crew.count()?;

    live.stop();
    let count = run.publishers.finish(live);
    let ledger = Arc::new(run.publishers.ledger());
    run.drain(&ledger, &everybody, Phase::CatchingUp, tell)?;
    let cpu = run.cpu_since(cpu.as_ref());
    let counts = run.crew.count()?;
    let (lost, verify) = run.crew.close(&ledger)?;

    let catch_up_ms = during.catch_up.summary();
    let longest = catch_up_ms.map_or(0.0, |latency| latency.max / 1_000.0);
    let storm = StormReport {
        clients: clients as u64,
        events_behind: plan.events_behind,
        caught_up: run.crew.sum(|gauges| &gauges.caught_up),
        seconds: if all_are_back { longest } else { waited.as_secs_f64() },
        catch_up_ms,
        retries: run.crew.sum(|gauges| &gauges.retries),
        live_before_ms: live_before,
        live_during_ms: during.latencies.summary(),
    };
    let expected = ledger.expected(&run.layout, &everybody).saturating_sub(delivered_before);
    let (deliveries, server) = run.deliveries(began, expected, cpu, &counts, lost);
    let publish = Some(run.published(&count, pace));
    let storm = Some(storm);
    Ok(Report { publish, deliveries: Some(deliveries), server, verify, storm, ..run.report("storm", connect) })
}
