//! Events are published and delivered.

use std::sync::Arc;
use std::time::Instant;

use super::run::{Run, expect_some};
use crate::crew::{Crew, Teller};
use crate::error::BenchError;
use crate::plan::{Amount, FanoutPlan};
use crate::progress::{Phase, Progress};
use crate::publisher::Round;
use crate::report::Report;

pub(super) fn run(run: &mut Run, plan: &FanoutPlan, tell: Teller<'_>) -> Result<Report, BenchError> {
    let connect = run.connect(tell)?;
    let everybody = run.everybody();
    let delivered = |phase, total| {
        move |crew: &Crew, _: &Round| Progress { phase, done: crew.sum(|gauges| &gauges.delivered), total }
    };
    if !plan.warm_up.is_zero() {
        let amount = Amount::For(plan.warm_up);
        expect_some(&run.publish(amount, plan.pace, tell, delivered(Phase::WarmingUp, None))?)?;
        run.drain(&run.publishers.ledger(), &everybody, Phase::WarmingUp, tell)?;
    }

    let expected_before = run.publishers.ledger().expected(&run.layout, &everybody);
    run.crew.baseline()?;
    let cpu = run.processes.cpu();
    let began = Instant::now();
    let total = match plan.amount {
        // Topics take turns, and each subscriber has its share of them.
        Amount::Events(events) => Some(events.saturating_mul(run.layout.subscribers as u64) / run.layout.groups as u64),
        Amount::For(_) => None,
    };
    let count = run.publish(plan.amount, plan.pace, tell, delivered(Phase::Delivering, total))?;
    expect_some(&count)?;
    let ledger = Arc::new(run.publishers.ledger());
    run.drain(&ledger, &everybody, Phase::Delivering, tell)?;
    let cpu = run.cpu_since(cpu.as_ref());

    let counts = run.crew.count()?;
    let (lost, verify) = run.crew.close(&ledger)?;
    let expected = ledger.expected(&run.layout, &everybody) - expected_before;
    let (deliveries, server) = run.deliveries(began, expected, cpu, &counts, lost);
    let publish = Some(run.published(&count, plan.pace));
    Ok(Report { publish, deliveries: Some(deliveries), server, verify, ..run.report("fanout", connect) })
}
