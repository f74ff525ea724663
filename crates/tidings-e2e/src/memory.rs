//! What a process has in memory: asked of the system, from outside.

use std::fs;

/// Unit: bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Its part of what is in memory of it: `Pss`. With the pages of its program, a part that grows by megabytes when
    /// another process of the same program ends.
    pub all: u64,
    /// Of that, what stands in no file: `Pss_Anon`.
    pub anonymous: u64,
}

impl Memory {
    /// That of a process that runs.
    #[track_caller]
    pub fn of(pid: u32) -> Self {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib: Option<u64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
            kib.unwrap_or_else(|| panic!("no {name} in {text}")) * 1024
        };
        Self { all: bytes("Pss"), anonymous: bytes("Pss_Anon") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_no_file_is_a_part_of_all() {
        let memory = Memory::of(std::process::id());
        assert!(memory.all > memory.anonymous && memory.anonymous > 100_000, "{memory:?}");
    }
}
