//! What a pattern wants of one part of a URL, in as little memory as it takes: most parts want anything, or one text.

use regex_automata::meta::{Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;

/// `prefix`, then what `inner` takes, then `suffix`.
pub(super) struct Component {
    pub(super) prefix: Box<str>,
    pub(super) suffix: Box<str>,
    pub(super) inner: Inner,
}

pub(super) enum Inner {
    /// This text.
    Literal(Box<str>),
    /// Anything, nothing too.
    Anything,
    /// One character at least, and none of these: `:name`.
    Segment(Option<char>),
    /// What the expression takes; it is anchored at both ends.
    Expression(Regex),
}

impl Component {
    pub(super) fn matches(&self, part: &str) -> bool {
        let inside = part.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_suffix(&*self.suffix));
        inside.is_some_and(|inside| match &self.inner {
            Inner::Literal(literal) => inside == &**literal,
            Inner::Anything => true,
            Inner::Segment(delimiter) => {
                !inside.is_empty() && delimiter.is_none_or(|delimiter| !inside.contains(delimiter))
            }
            Inner::Expression(regex) => regex.is_match(inside),
        })
    }

    /// What the compiled expression takes, if there is one.
    #[cfg(test)]
    pub(super) fn expression_bytes(&self) -> usize {
        if let Inner::Expression(regex) = &self.inner { regex.memory_usage() } else { 0 }
    }
}

/// Compiles a regular expression that came from outside, within the limits of this crate.
pub(super) fn compile(expression: &str) -> Result<Regex, String> {
    // Nobody asks what a group took. Without captures no one-pass automaton is built, which could take a megabyte.
    let config = Config::new()
        .nfa_size_limit(Some(EXPRESSION_BYTES_MAX))
        .hybrid_cache_capacity(CACHE_BYTES_MAX)
        .which_captures(WhichCaptures::Implicit)
        .onepass(false)
        .backtrack(false);
    // The parts of a URL are ASCII, and `\w` and `\d` are so in the standard's expressions. Unicode's would take ten times the room.
    let syntax = syntax::Config::new().nest_limit(NESTING_MAX).unicode(false).utf8(false);
    Regex::builder().configure(config).syntax(syntax).build(expression).map_err(|error| match error.size_limit() {
        Some(limit) => {
            format!("its regular expression takes more than {limit} bytes compiled; expected fewer or shorter groups")
        }
        None => match error.syntax_error() {
            Some(error) => format!("its regular expression is not one of the crate `regex`: {}", summary(error)),
            None => format!("its regular expression cannot be compiled: {error}"),
        },
    })
}

/// The parser's error is a drawing of several lines; its last says what is wrong.
fn summary(error: &impl ToString) -> String {
    let drawing = error.to_string();
    let last = drawing.lines().next_back().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Most memory for one compiled expression, and as much again for the same read backwards. Unit: bytes.
const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

/// Most memory for what a thread remembers of matching with one expression. Unit: bytes.
const CACHE_BYTES_MAX: usize = 64 * 1024;

/// Deepest nesting of groups.
const NESTING_MAX: u32 = 32;
