//! What was asked for on the command line.

use crate::bench::{BenchOptions, FLOODS};
use crate::crash::CrashOptions;
use crate::soak::SoakOptions;

/// The whole help text.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test   set up, lint, build and run all tests: what a change must pass
  lint   rustfmt, Clippy and cargo-deny, without set-up or tests
  setup  install what the tests need: system packages, Node.js and Python clients
  crash  kill the hub under load again and again, and prove that nothing is lost
  soak   put everything at once on the hub for minutes, and prove that it loses and keeps nothing
  bench  measure this hub beside others, and write the table of docs/performance.md
  flood  attack this hub and nchan, and write what others notice into docs/performance.md
  help   print this text

Options of test and lint:
  --advisories  also check the advisory database (it is fetched from the network)

Options of crash:
  --kills N         how often (default: 100)
  --seed S          repeat the choices of an earlier run, which printed S
  --relaxed         with --durability relaxed in place of sync
  --little-history  with a history so small that it is trimmed all the time

Options of soak:
  --minutes N       for how long (default: 10)
  --seed S          repeat the choices of an earlier run, which printed S

Options of bench:
  --rounds N        how often all is measured; medians are shown (default: 3)
  --only A,B        only these servers: tidings, tidings-sync, tidings-keys, tidings-unbudgeted, batch, limit, durable-streams, axum, nchan
  --scenarios A,B   only these loads: fan1k, sat1k, lat1k, lat10k, many, idle, growth, topics100k, mixed, storm
  --render          measure nothing: write the page and the chart anew from bench/results.json
With --only or --scenarios the table is printed and no committed file is written.

Options of flood:
  --rounds N        how often all is measured; medians are shown (default: 3)
  --only A,B        only these: none, silent, heads, bodies, topics, selectors; the page is not written then";

/// A command with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test { advisories: bool },
    Lint { advisories: bool },
    Setup,
    Crash(CrashOptions),
    Soak(SoakOptions),
    Bench(BenchOptions),
    Flood { rounds: usize, only: Vec<String> },
    Help,
}

impl Command {
    /// # Errors
    /// What is wrong with the arguments, for the person who wrote them.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let Some(name) = arguments.next() else {
            return Err("a command is missing".to_owned());
        };
        let mut command = match name.as_str() {
            "test" => Self::Test { advisories: false },
            "lint" => Self::Lint { advisories: false },
            "setup" => Self::Setup,
            "crash" => Self::Crash(CrashOptions::default()),
            "soak" => Self::Soak(SoakOptions::default()),
            "bench" => Self::Bench(BenchOptions::default()),
            "flood" => Self::Flood { rounds: 3, only: Vec::new() },
            "help" | "--help" | "-h" => Self::Help,
            _ => return Err(format!("there is no command {name:?}")),
        };
        while let Some(option) = arguments.next() {
            match (&mut command, option.as_str()) {
                (Self::Test { advisories } | Self::Lint { advisories }, "--advisories") => {
                    *advisories = true;
                }
                (_, "--help" | "-h") => return Ok(Self::Help),
                (Self::Crash(options), option) => options.take(option, &mut arguments)?,
                (Self::Soak(options), option) => options.take(option, &mut arguments)?,
                (Self::Flood { only, .. }, "--only") => {
                    let raw = arguments.next().ok_or("--only needs a value")?;
                    *only = raw.split(',').map(str::to_owned).collect();
                    if let Some(unknown) = only.iter().find(|name| !FLOODS.contains(&name.as_str())) {
                        return Err(format!("--only {unknown:?}: expected some of {}", FLOODS.join(",")));
                    }
                }
                (Self::Flood { rounds, .. }, "--rounds") => {
                    let raw = arguments.next().ok_or("--rounds needs a value")?;
                    let given = raw.parse().ok().filter(|rounds| (1..=100).contains(rounds));
                    *rounds = given.ok_or_else(|| format!("--rounds {raw:?}: expected 1 to 100"))?;
                }
                (Self::Bench(options), option) => options.take(option, &mut arguments)?,
                _ => return Err(format!("{name} takes no {option:?}")),
            }
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, want: Result<Command, &str>) {
        let got = Command::parse(arguments.split_whitespace().map(str::to_owned));
        assert_eq!(got, want.map_err(str::to_owned), "arguments: {arguments:?}");
    }

    #[test]
    fn commands_take_only_the_options_they_know() {
        check("test", Ok(Command::Test { advisories: false }));
        check("test --advisories", Ok(Command::Test { advisories: true }));
        check("lint --advisories", Ok(Command::Lint { advisories: true }));
        check("setup", Ok(Command::Setup));
        check("help", Ok(Command::Help));
        check("test --help", Ok(Command::Help));
        let options = CrashOptions { kills: 7, seed: Some(42), is_relaxed: true, keeps_little: true };
        check("crash --kills 7 --seed 42 --relaxed --little-history", Ok(Command::Crash(options)));
        check("crash", Ok(Command::Crash(CrashOptions::default())));
        check("crash --kills", Err("--kills needs a value"));
        check("crash --kills many", Err("--kills \"many\": expected a number from 1 on"));
        check("crash --seed -1", Err("--seed \"-1\": expected a number that a run has printed"));
        check("crash --fast", Err("crash takes no \"--fast\""));
        check("soak --minutes 60 --seed 7", Ok(Command::Soak(SoakOptions { minutes: 60, seed: Some(7) })));
        check("soak", Ok(Command::Soak(SoakOptions::default())));
        check("soak --minutes 0", Err("--minutes \"0\": expected 1 to 1440"));
        check("soak --seed x", Err("--seed \"x\": expected a number that a run has printed"));
        check("soak --fast", Err("soak takes no \"--fast\""));
        let options =
            BenchOptions { rounds: 1, only: vec!["tidings".to_owned(), "nchan".to_owned()], ..<_>::default() };
        check("bench --rounds 1 --only tidings,nchan", Ok(Command::Bench(options)));
        check("bench --rounds", Err("--rounds needs a value"));
        check("bench --rounds 0", Err("--rounds \"0\": expected 1 to 100"));
        check("bench --fast", Err("bench takes no \"--fast\""));
        check("flood", Ok(Command::Flood { rounds: 3, only: Vec::new() }));
        check("flood --rounds 1", Ok(Command::Flood { rounds: 1, only: Vec::new() }));
        check("flood --only silent", Ok(Command::Flood { rounds: 3, only: vec!["silent".to_owned()] }));
        check(
            "flood --only noise",
            Err("--only \"noise\": expected some of none,silent,heads,bodies,topics,selectors"),
        );
        check("flood --rounds 0", Err("--rounds \"0\": expected 1 to 100"));
        check("flood --fast", Err("flood takes no \"--fast\""));
        check("", Err("a command is missing"));
        check("tset", Err("there is no command \"tset\""));
        check("test --fast", Err("test takes no \"--fast\""));
        check("setup --advisories", Err("setup takes no \"--advisories\""));
    }
}
