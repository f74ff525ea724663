//! A hub under a load of everything at once, again and again, and the proof that it loses nothing and keeps nothing.
//!
//! Decides what happens in which order. Who is there in a cycle is in `cycle`, and beside it: readers that come and go
//! (`room`), publishers (`load`), whoever is in the way (`slow`), topics that end (`finite`), HTTP/2 (`http2`). Through
//! all cycles there are a few readers that stay (`residents`), settings that change (`reloads`) and somebody who looks
//! (`watch`). What the hub holds is asked by `gauge` and judged by `judge`; what was recorded is judged by
//! `tidings-history`.

mod cycle;
mod finite;
mod gauge;
mod http2;
mod judge;
mod load;
mod plan;
mod reloads;
mod report;
mod residents;
mod room;
mod slow;
mod stage;
mod watch;

use std::fs::File;
use std::io::BufWriter;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use tidings_history::History;

use crate::artifact;
use crate::quiet::QuietAtEnd;
use cycle::{Cycle, Recorded, judge_recorded};
use gauge::{look, wait_for_rest, wait_for_sockets};
use judge::{complaint_of, faults_of};
pub use plan::SoakPlan;
use reloads::reload_until_stopped;
pub use report::SoakReport;
use residents::Residents;
use room::Ids;
use stage::Stage;
use watch::watch_until_stopped;

/// What the hub lost, kept or got wrong.
#[derive(Debug)]
pub struct SoakFault {
    /// The run, and what was wrong with it.
    pub text: String,
    seed: u64,
    history: Option<History>,
}

/// Soaks a hub, and proves that it loses nothing and is back where it began.
///
/// `tell` is told how it goes, a line after each cycle.
///
/// # Errors
/// [`SoakFault`] when something is lost or kept.
///
/// # Panics
/// When something does not happen in time, or the hub is not well.
#[track_caller]
pub fn soak(plan: &SoakPlan, tell: &mut dyn FnMut(&str)) -> Result<SoakReport, SoakFault> {
    raise_open_files();
    tell(&format!("{plan}"));
    let stage = Stage::set(plan);
    let run = Run { plan, stage: &stage, ids: Ids::default(), began: Instant::now() };
    let report = run.run(tell)?;
    let log = stage.strike().stderr;
    if let Some(complaint) = complaint_of(&log, report.reloads, report.took) {
        return Err(SoakFault::new(plan, format!("{complaint}\n{report}"), None));
    }
    Ok(SoakReport { log_lines: log.lines().count(), ..report })
}

struct Run<'a> {
    plan: &'a SoakPlan,
    stage: &'a Stage,
    ids: Ids,
    began: Instant,
}

impl Run<'_> {
    fn run(&self, tell: &mut dyn FnMut(&str)) -> Result<SoakReport, SoakFault> {
        let (plan, stage) = (self.plan, self.stage);
        let mut report = SoakReport { durability: stage.durability(), ..SoakReport::default() };
        let residents = Residents::settle(stage);
        let publisher = residents.publisher(stage);
        report.began = look(stage);
        let is_quiet = AtomicBool::new(false);
        thread::scope(|scope| {
            let recorders = vec![residents.recorder.clone()];
            let quiet = QuietAtEnd { is_quiet: &is_quiet, recorders };
            let publisher = scope.spawn(|| Residents::publish(publisher, &is_quiet));
            // Each ends when its sender is gone.
            let (stop_watching, is_stopped) = mpsc::channel::<()>();
            let watch = scope.spawn(move || watch_until_stopped(stage, self.began, &is_stopped));
            let (stop_reloading, is_stopped) = mpsc::channel::<()>();
            let reloads = scope.spawn(move || reload_until_stopped(stage, &is_stopped));
            for number in 0..plan.cycles {
                self.cycle(number, &mut report, tell)?;
            }
            drop(stop_reloading);
            report.reloads = reloads.join().expect("a reload failed");
            drop(stop_watching);
            report.curve = watch.join().expect("the hub was not well");
            let last = report.after_cycles.last_mut().expect("there is a cycle at least");
            *last = wait_for_rest(stage, &report.began);
            let metrics = stage.hub.metrics();
            report.closed = metrics.family("tidings_sessions_closed_total");
            report.limits_reached = metrics.family("tidings_limit_reached_total");
            report.hub_cpu = Duration::from_secs_f64(metrics.value("process_cpu_seconds_total"));
            drop(quiet);
            publisher.join().expect("the residents' publisher failed");
            Ok(())
        })?;
        self.judge(vec![residents.leave(stage)], &mut report)?;
        report.took = self.began.elapsed();
        let faults = faults_of(&report.began, &report.after_cycles);
        if faults.is_empty() {
            Ok(report)
        } else {
            Err(SoakFault::new(plan, faults.join("\n") + "\n" + &report.to_string(), None))
        }
    }

    /// Runs one, judges what was recorded, and looks at the hub when all have left.
    fn cycle(&self, number: u32, report: &mut SoakReport, tell: &mut dyn FnMut(&str)) -> Result<(), SoakFault> {
        let (recorded, passers) = Cycle { plan: self.plan, stage: self.stage, ids: &self.ids, number }.run();
        report.add_passers(passers);
        let rest = wait_for_sockets(self.stage, &report.began);
        report.after_cycles.push(rest);
        let judging = Instant::now();
        self.judge(recorded, report)?;
        tell(&format!(
            "cycle {} of {}: {} acknowledged, {} streams, {} cuts, {} events seen, verdicts {:?}; {} and {} descriptors \
             at rest; judged in {:.1} s, {:.1} s in all",
            number + 1,
            self.plan.cycles,
            report.tally.acknowledged,
            report.tally.streams,
            report.tally.cuts,
            report.tally.seen,
            report.verdicts,
            judge::mib(rest.memory.all),
            rest.held.descriptors(),
            judging.elapsed().as_secs_f64(),
            self.began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    fn judge(&self, recorded: Vec<Recorded>, report: &mut SoakReport) -> Result<(), SoakFault> {
        for recorded in &recorded {
            report.add_tally(&recorded.tally);
        }
        for summary in judge_recorded(recorded, self.plan)? {
            report.add(&summary);
        }
        Ok(())
    }
}

impl SoakFault {
    fn new(plan: &SoakPlan, text: impl AsRef<str>, history: Option<History>) -> Self {
        Self { text: format!("{plan}: {}", text.as_ref()), seed: plan.seed, history }
    }

    /// Keeps the history for whoever looks for the fault. Answers what they need.
    pub fn keep(self) -> String {
        let Self { text, seed, history } = self;
        let Some(history) = history else { return text };
        let path = artifact(&format!("soak-{seed}.jsonl"));
        let written = File::create(&path).and_then(|file| history.write(BufWriter::new(file)));
        let kept = written.map_or_else(|error| format!("not kept: {error}"), |()| path.display().to_string());
        format!("{text}\nthe history is {kept}")
    }
}

/// Lets this process, and the hub that it starts, have as many files open as they may.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised to the hard one");
}
