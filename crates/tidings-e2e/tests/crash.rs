//! The hub is killed, and nothing that was acknowledged is lost.

use std::env;
use std::fs::{self, File};
use std::path::Path;

use tidings_e2e::{CrashPlan, Durability, Retention, newest_log, survive_crashes};

#[test]
fn ten_kills_lose_nothing_that_was_acknowledged() {
    survive(10, Durability::Sync, Retention::All);
}

#[test]
fn ten_kills_lose_nothing_in_relaxed_either() {
    survive(10, Durability::Relaxed, Retention::All);
}

#[test]
fn ten_kills_while_history_is_trimmed_lose_nothing_that_is_retained() {
    survive(10, Durability::Sync, Retention::Little);
}

#[test]
#[ignore = "the long form: `cargo xtask crash`, which sets the variables"]
fn any_number_of_kills_loses_nothing() {
    let kills = env::var("TIDINGS_CRASH_KILLS").map_or(100, |kills| kills.parse().expect("a number of kills"));
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|given| given == value);
    let is_relaxed = is("TIDINGS_CRASH_DURABILITY", "relaxed");
    let keeps_little = is("TIDINGS_CRASH_RETENTION", "little");
    let durability = if is_relaxed { Durability::Relaxed } else { Durability::Sync };
    survive(kills, durability, if keeps_little { Retention::Little } else { Retention::All });
}

/// A proof that cannot fail proves nothing.
#[test]
fn a_hub_that_loses_what_it_acknowledged_is_found_out() {
    let (durability, retention) = (Durability::Sync, Retention::All);
    let plan = CrashPlan { seed: 1, kills: 2, durability, retention, meddle: Some(forget_the_newest_half) };
    // What it says depends on what comes after: that events are missing, or that their ids were given out again.
    survive_crashes(&plan, &mut |_| {}).expect_err("half of what was acknowledged is gone");
}

/// Cuts the newest log file in the middle of what is written in it.
fn forget_the_newest_half(directory: &Path) {
    let log = newest_log(directory);
    let bytes = fs::read(&log).expect("the hub is dead");
    let end = bytes.iter().rposition(|&byte| byte != 0).expect("something is written");
    let file = File::options().write(true).open(&log).expect("the log is a file");
    file.set_len(end as u64 / 2).expect("a file can be cut");
}

/// `TIDINGS_SEED` repeats the choices of an earlier run.
#[expect(clippy::print_stdout, reason = "the long form is run by people: it tells them how it goes, and the seed")]
fn survive(kills: u64, durability: Durability, retention: Retention) {
    let seed = env::var("TIDINGS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    let plan = CrashPlan { seed, kills, durability, retention, meddle: None };
    let report =
        survive_crashes(&plan, &mut |line| println!("{line}")).unwrap_or_else(|fault| panic!("{}", fault.keep()));
    println!("{report}");
    let summary = &report.summary;
    assert!(summary.acknowledged as u64 >= kills * 5, "too little happened to prove anything: {report}");
    assert!(summary.resumed as u64 >= kills * 3, "too few came back to prove anything: {report}");
}
