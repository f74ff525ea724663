//! File descriptors: each connection costs one.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::error::BenchError;

/// Raises the soft limit to the hard one, and checks that so many connections fit.
///
/// # Errors
/// [`BenchError::Descriptors`] before anything was opened.
pub(crate) fn reserve(connections: usize) -> Result<(), BenchError> {
    let before = getrlimit(Resource::Nofile);
    let mut after = before;
    after.current = before.maximum;
    // Some systems name no maximum and then refuse it: the old limit holds on.
    let held = if setrlimit(Resource::Nofile, after).is_ok() { after } else { before };
    let granted = held.current.unwrap_or(u64::MAX);
    let needed = connections as u64 + RESERVED;
    if needed > granted { Err(BenchError::Descriptors { needed, granted }) } else { Ok(()) }
}

/// Polls, wakers, the standard streams, files of /proc, and what the caller has open.
const RESERVED: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_connections_are_refused_before_the_start() {
        assert!(reserve(1).is_ok());
        let error = reserve(1 << 40).expect_err("no system grants that many").to_string();
        assert!(error.contains("1099511627840 file descriptors") && error.contains("ulimit"), "{error}");
    }
}
