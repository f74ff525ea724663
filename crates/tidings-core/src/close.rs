//! Why a session ended. Each reason is a metric label, a log field and a row of docs/why-streams-end.md.

use std::fmt;

macro_rules! close_reasons {
    ($($(#[$doc:meta])* $variant:ident = $label:literal),+ $(,)?) => {
        /// Why the hub or the reader ended a stream.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CloseReason { $($(#[$doc])* $variant),+ }

        impl CloseReason {
            /// Every reason, in the order of the metric.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label under which it is counted and logged.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

close_reasons! {
    /// The reader closed its side.
    Gone = "gone",
    /// The connection broke: reset, timeout of the kernel.
    Broken = "broken",
    /// The reader sent bytes after its request.
    UnexpectedBytes = "unexpected_bytes",
    /// The reader's place fell out of history, or what it pins went over the limit.
    Lagged = "lagged",
    /// The history that the reader was to get next could not be read.
    StoreFailed = "store_failed",
    /// The reader took no byte for the whole of `--slow-client-timeout`.
    Slow = "slow",
    /// The stream reached `--connection-lifetime`.
    Lifetime = "lifetime",
    /// The token that the stream came with has ended, and no other one was given for it.
    TokenEnded = "token_ended",
    /// A newer connection has taken the stream's place: a ticket has one at a time.
    Replaced = "replaced",
    /// The topic was ended by its publisher, and the reader has all of it.
    TopicEnded = "topic_ended",
    /// An operator has ended it.
    Operator = "operator",
    /// The hub is draining.
    Drain = "drain",
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_row_in_the_docs() {
        let docs = include_str!("../../../docs/why-streams-end.md");
        for reason in CloseReason::ALL {
            assert!(docs.contains(&format!("| `{reason}` |")), "docs/why-streams-end.md has no row for {reason}");
        }
        let rows = docs.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, CloseReason::ALL.len(), "a row of docs/why-streams-end.md is of no reason");
    }
}
