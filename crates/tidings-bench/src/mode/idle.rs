//! Subscribers wait and nothing happens: what a connection costs.

use super::run::Run;
use crate::crew::Teller;
use crate::error::BenchError;
use crate::plan::IdlePlan;
use crate::progress::Phase;
use crate::report::{IdleReport, Report};

pub(super) fn run(run: &Run, plan: &IdlePlan, tell: Teller<'_>) -> Result<Report, BenchError> {
    let connect = run.connect(tell)?;
    let cpu = run.processes.cpu();
    let began = std::time::Instant::now();
    run.crew.pause(Phase::Holding, plan.hold, tell)?;
    let seconds = began.elapsed().as_secs_f64();
    let used = run.cpu_since(cpu.as_ref());
    let idle = IdleReport {
        seconds,
        cpu_percent: used.filter(|_| seconds > 0.0).map(|used| used.as_secs_f64() / seconds * 100.0),
        pss_bytes: run.processes.pss_bytes(),
        closed: run.crew.sum(|gauges| &gauges.closed),
    };
    Ok(Report { idle: Some(idle), ..run.report("idle", connect) })
}
