//! What part of the comparison is wanted.

use super::peers::Peer;
use super::scenarios::SCENARIOS;

/// What part of the comparison is wanted, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BenchOptions {
    /// How often everything is measured; the table shows medians.
    pub(crate) rounds: usize,
    /// Only these servers; all when empty.
    pub(crate) only: Vec<String>,
    /// Only these loads; all when empty.
    pub(crate) scenarios: Vec<String>,
    /// Measure nothing: write the page and the chart anew from what is committed.
    pub(crate) render: bool,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self { rounds: 3, only: Vec::new(), scenarios: Vec::new(), render: false }
    }
}

impl BenchOptions {
    /// Takes one option, with its value from `more`.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    pub(crate) fn take(&mut self, option: &str, more: &mut impl Iterator<Item = String>) -> Result<(), String> {
        let mut value = || more.next().ok_or_else(|| format!("{option} needs a value"));
        match option {
            "--rounds" => {
                let raw = value()?;
                let rounds = raw.parse().ok().filter(|rounds| (1..=100).contains(rounds));
                self.rounds = rounds.ok_or_else(|| format!("--rounds {raw:?}: expected 1 to 100"))?;
            }
            "--only" => self.only = names(option, &value()?, &Peer::ALL.map(Peer::name))?,
            "--scenarios" => {
                let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
                self.scenarios = names(option, &value()?, &known)?;
            }
            "--render" => self.render = true,
            _ => return Err(format!("bench takes no {option:?}")),
        }
        Ok(())
    }

    pub(super) fn wants_peer(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }

    pub(super) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|wanted| wanted == name)
    }

    /// Whether nothing is left out.
    pub(super) fn is_whole(&self) -> bool {
        self.only.is_empty() && self.scenarios.is_empty()
    }
}

fn names(option: &str, raw: &str, known: &[&str]) -> Result<Vec<String>, String> {
    let names: Vec<String> = raw.split(',').map(str::to_owned).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!("{option} {unknown:?}: expected some of {}", known.join(","))),
        None => Ok(names),
    }
}
