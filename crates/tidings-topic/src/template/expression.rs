//! What one expression of a template may stand for, and how far into a topic a template has come.
//!
//! The language of an expression, as a regular expression over bytes, where V is any number of allowed characters and
//! percent-encoded ones, and n is the number of its variables:
//!
//! | expression | stands for | allowed in V |
//! |---|---|---|
//! | `{a,b}` | V | unreserved, `,` |
//! | `{+a,b}` | V | unreserved, reserved |
//! | `{#a,b}` | (`#`V)? | unreserved, reserved |
//! | `{.a,b}` | (`.`V)? | unreserved, `,` |
//! | `{/a,b}` | (`/`V(`/`V){0,n-1})? | unreserved, `,` |
//! | `{;a,b}` | (`;`V(`;`V){0,n-1})? | unreserved, `,`, `=` |
//! | `{?a,b}` | (`?`V(`&`V){0,n-1})? | unreserved, `,`, `=` |
//! | `{&a,b}` | (`&`V(`&`V){0,n-1})? | unreserved, `,`, `=` |
//!
//! A `*` behind any variable allows `=` in all of them and any number of separators. (Where a separator is itself allowed in V, it
//! needs no counting.)

use std::mem;

/// The part between two braces. Variable names and a `:3` are not kept: they decide nothing.
#[derive(Clone, Copy)]
pub(super) struct Expression {
    pub(super) operator: Operator,
    /// Whether a variable ends in `*`.
    pub(super) explodes: bool,
    /// At least 1.
    pub(super) variables: u16,
}

/// The character after the opening brace, if it is not a name's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `{a}`
    Simple,
    /// `{+a}`
    Reserved,
    /// `{#a}`
    Fragment,
    /// `{.a}`
    Label,
    /// `{/a}`
    Path,
    /// `{;a}`
    Parameter,
    /// `{?a}`
    Query,
    /// `{&a}`
    Continuation,
}

/// The places of a topic that the pieces of a template so far can lead to: all at once, so that no topic and no template makes
/// a match try its ways one by one.
pub(super) struct Reach<'a> {
    topic: &'a [u8],
    /// For each place of the topic, its end included: [`REACHED`], or [`NOT_REACHED`]. While an expression is walked over: the
    /// fewest separators used to come there.
    places: Vec<u16>,
    /// The same for the next piece; kept for its memory.
    next: Vec<u16>,
}

const REACHED: u16 = 0;
const NOT_REACHED: u16 = u16::MAX;

impl Reach<'_> {
    /// At the beginning of `topic`.
    pub(super) fn new(topic: &[u8]) -> Reach<'_> {
        let mut places = vec![NOT_REACHED; topic.len() + 1];
        places[0] = REACHED;
        Reach { topic, next: vec![NOT_REACHED; places.len()], places }
    }

    pub(super) fn over_literal(&mut self, literal: &[u8]) {
        self.next.fill(NOT_REACHED);
        for (start, place) in self.places.iter().enumerate() {
            if *place == REACHED && self.topic[start..].starts_with(literal) {
                self.next[start + literal.len()] = REACHED;
            }
        }
        mem::swap(&mut self.places, &mut self.next);
    }

    pub(super) fn over_expression(&mut self, expression: Expression) {
        let Reach { topic, places, next } = self;
        let (first, separator) = (expression.operator.first(), expression.operator.separator());
        next.fill(NOT_REACHED);
        for at in 0..topic.len() {
            if places[at] == REACHED {
                match first {
                    None => next[at] = REACHED,
                    Some(first) if first == topic[at] => next[at + 1] = REACHED,
                    Some(_) => {}
                }
            }
            let used = next[at];
            if used == NOT_REACHED {
                continue;
            }
            if expression.allows(topic[at]) {
                next[at + 1] = next[at + 1].min(used);
            } else if is_percent_encoded(&topic[at..]) {
                next[at + 3] = next[at + 3].min(used);
            } else if topic[at] == separator && expression.explodes {
                next[at + 1] = next[at + 1].min(used);
            } else if topic[at] == separator && used + 1 < expression.variables {
                next[at + 1] = next[at + 1].min(used + 1);
            }
        }
        // An expression may stand for nothing, so what was reached stays so.
        for (place, next) in places.iter_mut().zip(next) {
            if *next != NOT_REACHED {
                *place = REACHED;
            }
        }
    }

    pub(super) fn is_nowhere(&self) -> bool {
        self.places.iter().all(|place| *place == NOT_REACHED)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.places.last() == Some(&REACHED)
    }
}

impl Expression {
    /// Whether a value may hold this character as it is. True of a separator only where it needs no counting.
    fn allows(self, byte: u8) -> bool {
        match self.operator {
            Operator::Reserved | Operator::Fragment => is_unreserved(byte) || is_reserved(byte),
            Operator::Simple | Operator::Label | Operator::Path => {
                is_unreserved(byte) || byte == b',' || self.explodes && byte == b'='
            }
            Operator::Parameter | Operator::Query | Operator::Continuation => {
                is_unreserved(byte) || byte == b',' || byte == b'='
            }
        }
    }
}

impl Operator {
    /// The operator that `byte` is, if it is one.
    pub(super) fn from_byte(byte: u8) -> Option<Operator> {
        Some(match byte {
            b'+' => Operator::Reserved,
            b'#' => Operator::Fragment,
            b'.' => Operator::Label,
            b'/' => Operator::Path,
            b';' => Operator::Parameter,
            b'?' => Operator::Query,
            b'&' => Operator::Continuation,
            _ => return None,
        })
    }

    /// What stands before the first value.
    fn first(self) -> Option<u8> {
        match self {
            Operator::Simple | Operator::Reserved => None,
            Operator::Fragment => Some(b'#'),
            Operator::Label => Some(b'.'),
            Operator::Path => Some(b'/'),
            Operator::Parameter => Some(b';'),
            Operator::Query => Some(b'?'),
            Operator::Continuation => Some(b'&'),
        }
    }

    /// What stands between two values.
    fn separator(self) -> u8 {
        match self {
            Operator::Simple | Operator::Reserved | Operator::Fragment => b',',
            Operator::Label => b'.',
            Operator::Path => b'/',
            Operator::Parameter => b';',
            Operator::Query | Operator::Continuation => b'&',
        }
    }
}

/// Whether `text` begins with a `%` and two hexadecimal digits.
pub(super) fn is_percent_encoded(text: &[u8]) -> bool {
    matches!(text, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986, section 2.2.
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}
