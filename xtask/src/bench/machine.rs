//! Where it was measured, and what: figures mean nothing without it. No names of machines or people.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::run::output_of;

/// Where it was measured, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) commit: String,
    pub(super) cores: usize,
    pub(super) cpu: String,
    pub(super) kernel: String,
    pub(super) memory_mib: u64,
}

impl Machine {
    pub(super) fn look(root: &Path) -> Self {
        let root = root.to_string_lossy();
        let commit = ["--no-optional-locks", "-C", &root, "describe", "--always", "--dirty", "--exclude=*"];
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            commit: output_of("git", &commit).unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            kernel: Some(read("/proc/sys/kernel/osrelease").trim().to_owned())
                .filter(|release| !release.is_empty())
                .unwrap_or_else(unknown),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal").and_then(|text| mebibytes(&text)).unwrap_or(0),
        }
    }

    /// In a sentence.
    pub(super) fn sentence(&self) -> String {
        let Self { commit, cores, cpu, kernel, memory_mib } = self;
        format!("Commit {commit}; {cores} cores of {cpu}, {memory_mib} MiB, kernel {kernel}.")
    }

    pub(super) fn to_json(&self) -> Value {
        let Self { commit, cores, cpu, kernel, memory_mib } = self;
        json!({"commit": commit, "cores": cores, "cpu": cpu, "kernel": kernel, "memory_mib": memory_mib})
    }

    pub(super) fn from_json(json: &Value) -> Option<Self> {
        let text = |key: &str| Some(json.get(key)?.as_str()?.to_owned());
        Some(Self {
            commit: text("commit")?,
            cores: usize::try_from(json.get("cores")?.as_u64()?).ok()?,
            cpu: text("cpu")?,
            kernel: text("kernel")?,
            memory_mib: json.get("memory_mib")?.as_u64()?,
        })
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The first `key : value` of a text.
fn field(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

fn mebibytes(text: &str) -> Option<u64> {
    let kibibytes: u64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_files_of_the_system() {
        let text = "processor\t: 0\nmodel name\t: A CPU: fast\nmodel name\t: B\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU: fast"));
        assert_eq!(field(text, "flags"), None);
        assert_eq!((mebibytes("2048 kB"), mebibytes("2048 MB")), (Some(2), None));
    }

    #[test]
    fn facts_survive_the_file() {
        let machine = Machine {
            commit: "abc".to_owned(),
            cores: 4,
            cpu: "x".to_owned(),
            kernel: "6.1".to_owned(),
            memory_mib: 100,
        };
        assert_eq!(Machine::from_json(&machine.to_json()), Some(machine));
    }
}
