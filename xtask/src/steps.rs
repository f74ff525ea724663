//! Steps: each is timed, told as it begins, and listed in a table at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// All steps of one run, in order.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
}

/// How a step ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Passed,
    /// Nothing was checked, and why.
    Skipped(String),
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    took: Duration,
    result: Result<Done, String>,
}

impl Steps {
    /// Does the work and notes its time and outcome; tells whether it did not fail.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<Done, String>) -> bool {
        println!("\n==> {name}");
        let start = Instant::now();
        let result = work();
        match &result {
            Ok(Done::Passed) => {}
            Ok(Done::Skipped(reason)) => println!("skipped: {reason}"),
            Err(fault) => eprintln!("error: {fault}"),
        }
        let passed = result.is_ok();
        self.rows.push(Row { name, took: start.elapsed(), result });
        passed
    }

    /// Whether no step failed.
    pub(crate) fn all_passed(&self) -> bool {
        self.rows.iter().all(|row| row.result.is_ok())
    }

    /// One line for each step: its time, its name, how it ended.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from("\n");
        for Row { name, took, result } in &self.rows {
            let ending = match result {
                Ok(Done::Passed) => "passed".to_owned(),
                Ok(Done::Skipped(reason)) => format!("SKIPPED: {reason}"),
                Err(fault) => format!("FAILED: {fault}"),
            };
            let seconds = took.as_secs_f64();
            writeln!(table, "{seconds:8.1} s  {name:<16}  {ending}").expect("a String takes any text");
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_skipped_and_failed_steps_apart() {
        let mut steps = Steps::default();
        assert!(steps.step("fmt", || Ok(Done::Passed)));
        assert!(steps.step("deny", || Ok(Done::Skipped("not installed".to_owned()))));
        assert!(steps.all_passed(), "a skipped step is no failure");
        assert!(!steps.step("tests", || Err("exit status: 101".to_owned())));
        assert!(!steps.all_passed());

        let endings: Vec<String> = steps
            .table()
            .lines()
            .filter_map(|line| line.split_once(" s  "))
            .map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(endings, ["fmt passed", "deny SKIPPED: not installed", "tests FAILED: exit status: 101",]);
    }
}
