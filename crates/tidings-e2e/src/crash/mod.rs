//! The hub killed again and again under load, and the proof that nothing was lost by it.
//!
//! Decides when to kill and what must hold at the end. Who publishes is in `load`, who reads is in `audience`; what they
//! wrote down is judged by `tidings-history`.

mod audience;
mod load;

use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_history::recorders::{Base, Recorder};
use tidings_history::{History, Summary, check, sentences};

use crate::hub::Hub;
use crate::program::Finished;
use crate::quiet::QuietAtEnd;
use crate::{DEADLINE, artifact};
use audience::Audience;
pub(crate) use load::any_filler;
use load::{Load, publish_markers};

/// What is to be survived.
#[derive(Clone, Debug)]
pub struct CrashPlan {
    /// The same seed makes the same choices. When the threads come to make them is the system's.
    pub seed: u64,
    /// How often the hub is killed.
    pub kills: u64,
    /// When it acknowledges.
    pub durability: Durability,
    /// How much it keeps.
    pub retention: Retention,
    /// Done to the data directory while the hub is dead. So the test of this test makes it lose something.
    pub meddle: Option<fn(&Path)>,
}

/// When the hub acknowledges: `--durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `sync`
    Sync,
    /// `relaxed`
    Relaxed,
}

/// How much the hub keeps of what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Everything: then each reader from the beginning must get all that was ever acknowledged.
    All,
    /// A little, so that the hub is killed while it trims. Readers that come too late are told so and miss nothing else.
    Little,
}

/// What was survived.
#[derive(Clone, Debug)]
pub struct CrashReport {
    /// How often the hub was killed.
    pub kills: u64,
    /// What was proved.
    pub summary: Summary,
    /// How long it took.
    pub took: Duration,
}

/// What the hub lost or got wrong.
#[derive(Debug)]
pub struct CrashFault {
    /// The run, and what was wrong with what it recorded.
    pub text: String,
    plan: CrashPlan,
    history: History,
    directory: TempDir,
}

/// Kills the hub again and again, and proves that every acknowledged event is there, in one order, once.
///
/// `tell` is told how it goes, a line after each kill.
///
/// # Errors
/// [`CrashFault`] when something is lost or not as it should be.
///
/// # Panics
/// When something does not happen in time, or the hub complains.
#[track_caller]
pub fn survive_crashes(plan: &CrashPlan, tell: &mut dyn FnMut(&str)) -> Result<CrashReport, CrashFault> {
    let began = Instant::now();
    tell(&format!("{plan}"));
    let directory = TempDir::with_prefix("tidings-crash-").expect("the system has room for a directory");
    let recorder = Recorder::new();
    let history = Run { plan, recorder: &recorder, directory: &directory }.run(tell);
    match judge(plan, &history) {
        Ok(summary) => Ok(CrashReport { kills: plan.kills, summary, took: began.elapsed() }),
        Err(fault) => Err(CrashFault { text: format!("{plan}: {fault}"), plan: plan.clone(), history, directory }),
    }
}

impl CrashFault {
    /// Keeps the history and the data directory for whoever looks for the fault. Answers what they need.
    pub fn keep(self) -> String {
        let Self { text, plan, history, directory } = self;
        let path = artifact(&format!("crash-{}-{}.jsonl", plan.durability.name(), plan.seed));
        let written = File::create(&path).and_then(|file| history.write(BufWriter::new(file)));
        let kept = written.map_or_else(|error| format!("not kept: {error}"), |()| path.display().to_string());
        format!("{text}\nthe history is {kept}, the data directory is {}", directory.keep().display())
    }
}

struct Run<'a> {
    plan: &'a CrashPlan,
    recorder: &'a Recorder,
    directory: &'a TempDir,
}

impl Run<'_> {
    /// Loads, kills, restarts, and lets everybody read to the end.
    fn run(&self, tell: &mut dyn FnMut(&str)) -> History {
        let (plan, recorder, began) = (self.plan, self.recorder, Instant::now());
        let mut chance = plan.chance(0);
        let directory = self.directory.path().to_str().expect("the name of a temporary directory is text");
        let delivery = if chance.bool() { "direct" } else { "body" };
        // Small log files, so that kills fall on their beginnings and ends too.
        let history_bytes = format!("{}MiB", plan.history_mebibytes());
        let mut hub = Hub::start_to_return(&[
            "serve",
            "--data",
            directory,
            "--durability",
            plan.durability.name(),
            "--delivery",
            delivery,
            "--history-bytes",
            &history_bytes,
            "--heartbeat",
            "1s",
        ]);
        let base = Base::parse(&hub.url("")).expect("a hub's own URL");
        let is_quiet = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut audience = Audience::gather(recorder, &base, plan);
            let _quiet = QuietAtEnd { is_quiet: &is_quiet, recorders: vec![recorder.clone()] };
            let load = Load::start(scope, recorder, &base, plan, &is_quiet);
            for kill in 1..=plan.kills {
                let goal = recorder.tally().acknowledged + acknowledged_before_kill(&mut chance);
                self.wait_for_acknowledged(goal);
                let finished = hub.kill();
                recorder.note(format!("kill {kill}"));
                if let Some(meddle) = plan.meddle {
                    meddle(self.directory.path());
                }
                self.expect_no_complaint(&finished);
                if chance.u8(..4) == 0 {
                    // It dies while it finds its history again, too.
                    self.expect_no_complaint(&hub.start_and_kill(chance.usize(..=2)));
                }
                hub.start_again();
                if kill % plan.late_readers_every() == 0 {
                    audience.add_late_reader();
                    audience.remember(load.some_id(&mut chance));
                }
                let tally = recorder.tally();
                tell(&format!(
                    "kill {kill} of {}: {} acknowledged, {} unknown, {} streams, {:.1} s",
                    plan.kills,
                    tally.acknowledged,
                    tally.unknown,
                    tally.streams,
                    began.elapsed().as_secs_f64()
                ));
            }
            self.wait_for_acknowledged(recorder.tally().acknowledged + ACKNOWLEDGED_AT_END);
            is_quiet.store(true, Ordering::Relaxed);
            load.join();
            let markers = publish_markers(recorder, &base);
            audience.read_to_the_end(&markers);
        });
        let finished = hub.stop().expect_code(0);
        self.expect_no_complaint(&finished);
        recorder.history()
    }

    fn wait_for_acknowledged(&self, goal: u64) {
        let waited = self.recorder.wait_until(Instant::now() + DEADLINE, |tally| tally.acknowledged >= goal);
        waited.unwrap_or_else(|tally| panic!("{}: waited for {goal} acknowledged, came to {tally:?}", self.plan));
    }

    /// A kill is no damage: the log may tell that something was cut, but nothing worse.
    fn expect_no_complaint(&self, finished: &Finished) {
        let complaint = finished.stderr.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
        assert_eq!(complaint, None, "{}: the hub complained\n{}", self.plan, finished.stderr);
    }
}

impl CrashPlan {
    /// The chance of one part of the run, whatever the others draw.
    fn chance(&self, part: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Small, but more than is published where nothing is to be trimmed. (Each line of an event's data counts for seven
    /// bytes more on its way.)
    fn history_mebibytes(&self) -> u64 {
        match self.retention {
            Retention::All => (2 * self.kills).max(64),
            Retention::Little => 3,
        }
    }

    /// Each reads all there is, so there are a few only.
    fn late_readers_every(&self) -> u64 {
        (self.kills / LATE_READERS_MAX).max(3)
    }
}

impl Durability {
    fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Relaxed => "relaxed",
        }
    }
}

impl fmt::Display for CrashPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retention = if self.retention == Retention::All { "" } else { ", little history" };
        write!(f, "seed {}, {} kills, {}{retention}", self.seed, self.kills, self.durability.name())
    }
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills survived in {:.1} s: {}", self.kills, self.took.as_secs_f64(), self.summary)
    }
}

fn judge(plan: &CrashPlan, history: &History) -> Result<Summary, String> {
    let summary = check(history).map_err(|faults| sentences(&faults))?;
    // Nothing was lost, so no epoch can have begun; and a resume can only fail where something was trimmed.
    let may_expire = plan.retention == Retention::Little;
    let is_expected = |reason: &String| may_expire && (reason == "expired" || reason == "unknown");
    let is_whole = summary.epochs.len() == 1 && summary.refused == 0 && summary.verdicts.keys().all(is_expected);
    if is_whole { Ok(summary) } else { Err(format!("there is more than there should be: {summary}")) }
}

/// Now and then at once, mostly in the middle of the work.
fn acknowledged_before_kill(chance: &mut fastrand::Rng) -> u64 {
    if chance.u8(..4) == 0 { chance.u64(..4) } else { chance.u64(10..500) }
}

const ACKNOWLEDGED_AT_END: u64 = 50;
const LATE_READERS_MAX: u64 = 8;
