//! The only place that prints: results on stdout, words about them on stderr.
//!
//! Not here: the log of a hub, see `logs`.

use std::fmt::Display;
use std::io::{self, Write};

use tokio::io::{AsyncWriteExt, Stdout};

use crate::exit::Failure;

/// One line of results. A reader that has gone away is no fault: whoever waits for more lines uses [`Results`].
pub(crate) fn result(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A word to the person at the terminal.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// What went wrong.
pub(crate) fn error(failure: &Failure) {
    note(format_args!("error: {failure}"));
}

/// Many lines of results, written together when the caller has no more for now.
///
/// A reader that takes nothing, as a pager does, holds up the task that flushes and not the whole program: it must still
/// be able to stop.
#[derive(Debug)]
pub(crate) struct Results {
    held: Vec<u8>,
    stdout: Stdout,
}

/// Whether anybody reads the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody may.
    There,
    /// The pipe is broken, as with `… | head -1`: nobody wants more.
    Gone,
}

impl Results {
    pub(crate) fn new() -> Self {
        Self { held: Vec::new(), stdout: tokio::io::stdout() }
    }

    /// Adds a line, which is seen after the next [`flush`](Self::flush).
    pub(crate) fn add(&mut self, line: &str) {
        self.held.extend_from_slice(line.as_bytes());
        self.held.push(b'\n');
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be written, and somebody is there to miss it.
    pub(crate) async fn flush(&mut self) -> Result<Reader, Failure> {
        let written = async {
            self.stdout.write_all(&self.held).await?;
            self.stdout.flush().await
        };
        let written = written.await;
        self.held.clear();
        match written {
            Ok(()) => Ok(Reader::There),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
            Err(error) => Err(Failure::running(format!("stdout cannot be written: {error}"))),
        }
    }
}
