//! How the program ends: three codes, and a failure that says why.

use std::fmt;
use std::process::ExitCode;

/// How the program ends. The codes are a promise (CONTRACT.md, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: it did what it was asked for.
    Done,
    /// 1: it failed while running.
    Failed,
    /// 2: it was used or configured wrongly, and has done nothing.
    Usage,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why the program ends without having done what it was asked for, for the person who asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// With which code.
    pub(crate) exit: Exit,
    /// What happened and what to do: lower case, no full stop.
    message: String,
}

impl Failure {
    /// It failed while running.
    pub(crate) fn running(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }

    /// It was used or configured wrongly.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_contract() {
        assert_eq!([Exit::Done, Exit::Failed, Exit::Usage].map(Exit::code), [0, 1, 2]);
        assert_eq!(Failure::running("x").exit, Exit::Failed);
        assert_eq!(Failure::usage("x").exit, Exit::Usage);
    }
}
