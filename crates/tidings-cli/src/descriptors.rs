//! File descriptors: each connection costs one, and the system grants only so many.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections a hub takes.
///
/// The soft limit of descriptors is raised to the hard one first: the soft one protects programs that cannot count beyond
/// 1,024, which this one can. `asked` is `--max-connections`.
pub(crate) fn connections_max(asked: Option<usize>) -> usize {
    let before = getrlimit(Resource::Nofile);
    let descriptors = raise(before);
    let connections = asked.unwrap_or_else(|| connections_of(descriptors));
    tracing::info!(
        connections,
        descriptors,
        descriptors_before = before.current,
        "connections are limited by --max-connections, else by the file descriptors less {RESERVED}"
    );
    if let Some(needed) = too_few(asked, descriptors) {
        tracing::warn!(
            descriptors,
            needed,
            "there are too few file descriptors for so many connections; raise the hard limit (`ulimit -Hn` as root, \
             `LimitNOFILE=` in a systemd unit, `--ulimit nofile=` for a container), or set a lower --max-connections"
        );
    }
    connections
}

/// Descriptors that are no connections of readers: listeners, the store's files, polls, and room for the overflow
/// connections that are only told that the hub is full.
const RESERVED: usize = 500;

/// A limit below this surprises people on their first busy day.
const CONNECTIONS_USUAL: usize = 1000;

/// Raised as far as allowed; the limit that then holds.
fn raise(before: Rlimit) -> usize {
    let mut after = before;
    after.current = before.maximum;
    // Some systems name no maximum and then refuse it: the old limit holds on.
    let held = if setrlimit(Resource::Nofile, after).is_ok() { after } else { before };
    held.current.map_or(usize::MAX, |descriptors| usize::try_from(descriptors).unwrap_or(usize::MAX))
}

/// The descriptors less the reserve. Where not even that is there, half of them: a small hub is better than none.
fn connections_of(descriptors: usize) -> usize {
    match descriptors.checked_sub(RESERVED) {
        Some(connections @ 1..) => connections,
        Some(0) | None => (descriptors / 2).max(1),
    }
}

/// How many descriptors it would need, when there are fewer.
fn too_few(asked: Option<usize>, descriptors: usize) -> Option<usize> {
    let wanted = asked.unwrap_or(CONNECTIONS_USUAL);
    let needed = wanted.saturating_add(RESERVED);
    (needed > descriptors).then_some(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        for (descriptors, want) in [
            (1_048_576, 1_048_076),
            (1_024, 524),
            (600, 100),
            (501, 1),
            (500, 250),
            (256, 128),
            (1, 1),
            (usize::MAX, usize::MAX - 500),
        ] {
            assert_eq!(connections_of(descriptors), want, "{descriptors}");
        }
    }

    #[test]
    fn a_limit_that_is_too_low_is_said() {
        for (asked, descriptors, want) in [
            (None, 1_500, false),
            (None, 1_024, true),
            (Some(10_000), 10_500, false),
            (Some(10_000), 10_499, true),
            (Some(5), 1_024, false),
            (Some(usize::MAX), 1_024, true),
        ] {
            let got = too_few(asked, descriptors);
            assert_eq!(got.is_some(), want, "{asked:?} of {descriptors}: {got:?}");
        }
    }
}
