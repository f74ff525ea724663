//! What can go wrong. Losses, refused publishes and streams that end are no errors: they are what is measured.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// Why a measurement could not be made.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The plan cannot be carried out by anybody.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The system does not grant as many connections.
    #[error(
        "{needed} file descriptors are needed and the system grants {granted}; raise the limit (`ulimit -Hn {needed}` as \
         root, `LimitNOFILE={needed}` in a systemd unit) or ask for fewer subscribers"
    )]
    Descriptors {
        /// One for each connection and some more.
        needed: u64,
        /// The hard limit.
        granted: u64,
    },
    /// A connection could not be made.
    #[error("connection {connection} was not made")]
    Connect {
        /// Which subscriber, from 0.
        connection: usize,
        /// What the system says.
        source: io::Error,
    },
    /// The server did not answer with a stream.
    #[error("subscriber {connection} was answered {status} in place of a stream: {answer:?}")]
    Refused {
        /// Which subscriber, from 0.
        connection: usize,
        /// The status of the answer, 0 where there was none.
        status: u16,
        /// How the answer begins.
        answer: String,
    },
    /// The server speaks something else than HTTP/1.1.
    #[error("subscriber {connection} cannot read the stream: {reason}")]
    Protocol {
        /// Which subscriber, from 0.
        connection: usize,
        /// What stood where something else was expected.
        reason: String,
    },
    /// No event was accepted, so that there is nothing to measure.
    #[error("no event was accepted; {refused} were refused, the first one with {first:?}")]
    NothingAccepted {
        /// How many were not accepted.
        refused: u64,
        /// How the first refusal begins, or the system's error.
        first: String,
    },
    /// Clients cannot come back to where they were.
    #[error(
        "{clients} clients got no event with an id before they were cut; a server without ids cannot be resumed from"
    )]
    NoIds {
        /// How many.
        clients: u64,
    },
    /// Something took too long.
    #[error("{what} took more than {timeout:?}: {reached} of {wanted}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        timeout: Duration,
        /// How far it came.
        reached: u64,
        /// How far it should have come.
        wanted: u64,
    },
    /// A thread or a poll was not granted.
    #[error("the system gives no {what}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Why a plan cannot be carried out. Whoever wrote it is to correct it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The URL of the server.
    #[error("{url:?}: {reason}; expected a URL such as http://127.0.0.1:3000")]
    Server {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A number is out of its range.
    #[error("{what} is {got}; expected {expected}")]
    Number {
        /// Which one.
        what: &'static str,
        /// As it was given.
        got: String,
        /// What would be right.
        expected: String,
    },
    /// A template would break the request.
    #[error("{what} {template:?} {fault}; expected {expected}")]
    Template {
        /// Which one.
        what: &'static str,
        /// As it was given.
        template: String,
        /// What is wrong with it.
        fault: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// There is no such process, or it cannot be read.
    #[error("/proc says nothing of process {pid}; expected the id of a running server on this machine")]
    Process {
        /// As it was given.
        pid: u32,
    },
}
