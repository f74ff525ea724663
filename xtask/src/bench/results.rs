//! What is kept of a comparison: for each load and server, each figure of each round.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::machine::Machine;
use super::peers::Peer;
use super::scenarios::Scenario;

/// All figures of one run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) rounds: usize,
    /// By load, server and figure; a number for each round that worked.
    figures: BTreeMap<(String, String, String), Vec<f64>>,
}

impl Results {
    pub(super) fn new(machine: Machine, rounds: usize) -> Self {
        Self { machine, rounds, figures: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, scenario: &Scenario, peer: Peer, report: &Value) {
        for figure in scenario.figures {
            if let Some(number) = figure.of(report) {
                self.add_figure(scenario.name, peer.name(), figure.name, number);
            }
        }
    }

    pub(super) fn add_figure(&mut self, scenario: &str, peer: &str, figure: &str, number: f64) {
        let key = (scenario.to_owned(), peer.to_owned(), figure.to_owned());
        self.figures.entry(key).or_default().push(number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// The median of the rounds; `None` when it was not measured.
    pub(super) fn median(&self, scenario: &str, peer: Peer, figure: &str) -> Option<f64> {
        let key = (scenario.to_owned(), peer.name().to_owned(), figure.to_owned());
        let mut numbers = self.figures.get(&key)?.clone();
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.len() / 2;
        let high = *numbers.get(middle)?;
        Some(if numbers.len() % 2 == 1 { high } else { f64::midpoint(numbers[middle - 1], high) })
    }

    /// The most of any round: losses are not averaged away.
    pub(super) fn worst(&self, scenario: &str, peer: Peer, figure: &str) -> Option<f64> {
        let key = (scenario.to_owned(), peer.name().to_owned(), figure.to_owned());
        self.figures.get(&key)?.iter().copied().max_by(f64::total_cmp)
    }

    /// # Errors
    /// When the file cannot be read or is no results.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let json = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::from_json(&json).ok_or_else(|| format!("{}: these are no results of `cargo xtask bench`", path.display()))
    }

    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(&self.to_json()).expect("numbers and texts are JSON");
        super::write(path, &(text + "\n"))
    }

    fn to_json(&self) -> Value {
        let mut scenarios = json!({});
        for ((scenario, peer, figure), numbers) in &self.figures {
            scenarios[scenario][peer][figure] = json!(numbers);
        }
        json!({"machine": self.machine.to_json(), "rounds": self.rounds, "scenarios": scenarios})
    }

    fn from_json(json: &Value) -> Option<Self> {
        let machine = Machine::from_json(json.get("machine")?)?;
        let mut results = Self::new(machine, usize::try_from(json.get("rounds")?.as_u64()?).ok()?);
        for (scenario, peers) in json.get("scenarios")?.as_object()? {
            for (peer, figures) in peers.as_object()? {
                for (figure, numbers) in figures.as_object()? {
                    for number in numbers.as_array()? {
                        results.add_figure(scenario, peer, figure, number.as_f64()?);
                    }
                }
            }
        }
        Some(results)
    }
}

/// Some results to show, for tests.
#[cfg(test)]
pub(super) fn example() -> Results {
    let machine = Machine {
        commit: "abc1234".to_owned(),
        cores: 4,
        cpu: "A CPU".to_owned(),
        kernel: "6.1".to_owned(),
        memory_mib: 1_024,
    };
    let mut results = Results::new(machine, 3);
    for (peer, numbers) in [("tidings", [0.06, 0.05, 0.9]), ("nchan", [5.0, 7.0, 6.0])] {
        for number in numbers {
            results.add_figure("fan1k", peer, "cpu_us_per_delivery", number);
        }
    }
    results.add_figure("fan1k", "nchan", "lost", 0.0);
    results.add_figure("fan1k", "nchan", "lost", 12_000.0);
    results.add_figure("idle", "tidings", "memory_bytes", 200.0);
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_shown_and_the_worst_loss() {
        let mut results = example();
        assert_eq!(results.median("fan1k", Peer::Tidings, "cpu_us_per_delivery"), Some(0.06));
        assert_eq!(results.median("fan1k", Peer::Axum, "cpu_us_per_delivery"), None);
        assert_eq!(results.worst("fan1k", Peer::Nchan, "lost"), Some(12_000.0));
        results.add_figure("fan1k", "tidings", "cpu_us_per_delivery", 0.08);
        assert_eq!(results.median("fan1k", Peer::Tidings, "cpu_us_per_delivery"), Some(0.07));
    }

    #[test]
    fn results_survive_the_file() {
        let results = example();
        assert_eq!(Results::from_json(&results.to_json()), Some(results));
        assert_eq!(Results::from_json(&json!({"rounds": 1})), None);
    }
}
