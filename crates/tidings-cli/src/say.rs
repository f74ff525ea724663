//! The only place that prints: results on stdout, words about them on stderr.
//!
//! Not here: the log of a hub, see `logs`.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

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

/// Many lines of results, written together and flushed when the caller has no more for now.
#[derive(Debug)]
pub(crate) struct Results(BufWriter<StdoutLock<'static>>);

/// Whether anybody reads the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody may.
    There,
    /// The pipe is broken, as with `… | head -1`: nobody wants more.
    Gone,
}

impl Results {
    /// Takes stdout for itself.
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes bytes, whole lines of them.
    ///
    /// # Errors
    /// A [`Failure`] when they cannot be written, and somebody is there to miss them.
    pub(crate) fn write(&mut self, lines: &[u8]) -> Result<Reader, Failure> {
        judge(self.0.write_all(lines))
    }

    /// Lets the reader see what was written.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) fn flush(&mut self) -> Result<Reader, Failure> {
        judge(self.0.flush())
    }
}

fn judge(written: io::Result<()>) -> Result<Reader, Failure> {
    match written {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::running(format!("stdout cannot be written: {error}"))),
    }
}
