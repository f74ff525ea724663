//! The grammar of RFC 6570, section 2: from a text to the pieces of a template.

use super::Piece;
use super::expression::{Expression, Operator, is_percent_encoded};
use crate::excerpt::excerpt_around;
use crate::selector::SelectorError;

/// Parses a text of at most 4,096 bytes.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, SelectorError> {
    let refusal = |Fault { at, expected }| SelectorError::Template { excerpt: excerpt_around(text, at), at, expected };
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (piece, end) = if text.as_bytes()[at] == b'{' {
            let end = text[at..].find('}').map(|length| at + length);
            let end = end.ok_or(Fault { at, expected: "a '}' that closes it" }).map_err(refusal)?;
            let expression = parse_expression(text, at + 1, end).map_err(refusal)?;
            (Piece::Expression(expression), end + 1)
        } else {
            let end = text[at..].find('{').map_or(text.len(), |length| at + length);
            check_literal(text, at, end).map_err(refusal)?;
            (Piece::Literal { start: narrow(at), end: narrow(end) }, end)
        };
        pieces.push(piece);
        at = end;
    }
    Ok(pieces)
}

/// What is not the grammar's.
struct Fault {
    at: usize,
    expected: &'static str,
}

/// Parses what stands between two braces: an operator, perhaps, and variables with commas between.
fn parse_expression(text: &str, start: usize, end: usize) -> Result<Expression, Fault> {
    let bytes = &text.as_bytes()[..end];
    let operator = bytes.get(start..).and_then(<[u8]>::first).and_then(|byte| Operator::from_byte(*byte));
    let mut variable_start = start + usize::from(operator.is_some());
    let mut expression = Expression { operator: operator.unwrap_or(Operator::Simple), explodes: false, variables: 0 };
    for variable in text[variable_start..end].split(',') {
        let variable_end = variable_start + variable.len();
        expression.explodes |= parse_variable(&bytes[..variable_end], variable_start)?;
        expression.variables += 1;
        variable_start = variable_end + 1;
    }
    Ok(expression)
}

/// Parses a name and what modifies it; whether that is a `*`. `bytes` ends where the variable does.
fn parse_variable(bytes: &[u8], start: usize) -> Result<bool, Fault> {
    let mut at = parse_name(bytes, start)?;
    match bytes.get(at) {
        None => return Ok(false),
        Some(b'*') if at + 1 == bytes.len() => return Ok(true),
        Some(b':') => at += 1,
        Some(_) => {
            return Err(Fault {
                at,
                expected: "a name of letters, digits, '_' and '%XX', then perhaps '*' or ':LENGTH'",
            });
        }
    }
    match &bytes[at..] {
        [b'1'..=b'9', rest @ ..] if rest.len() < 4 && rest.iter().all(u8::is_ascii_digit) => Ok(false),
        _ => Err(Fault { at, expected: "a length of 1 to 9999" }),
    }
}

/// Where the name that begins at `start` ends. Dots may stand inside it, one at a time.
fn parse_name(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let character = |at: usize| match bytes.get(at..) {
        Some([byte, ..]) if byte.is_ascii_alphanumeric() || *byte == b'_' => Some(at + 1),
        Some(rest) if is_percent_encoded(rest) => Some(at + 3),
        _ => None,
    };
    let mut at = start;
    loop {
        at = character(at).ok_or(Fault { at, expected: "a variable's name of letters, digits, '_' and '%XX'" })?;
        while let Some(next) = character(at) {
            at = next;
        }
        if bytes.get(at) != Some(&b'.') {
            return Ok(at);
        }
        at += 1;
    }
}

fn check_literal(text: &str, start: usize, end: usize) -> Result<(), Fault> {
    let literal = &text[start..end];
    for (offset, character) in literal.char_indices() {
        let at = start + offset;
        if character == '%' {
            if !is_percent_encoded(&literal.as_bytes()[offset..]) {
                return Err(Fault { at, expected: "two hexadecimal digits after a '%'" });
            }
        } else if !is_literal(character) {
            return Err(Fault { at, expected: "a character that may stand in a template, or its '%XX'" });
        }
    }
    Ok(())
}

/// RFC 6570, section 2.1, and the apostrophe: its absence there is an erratum, and Mercure's templates take it.
fn is_literal(character: char) -> bool {
    match character {
        '!' | '#' | '$' | '&' | '\'' | '('..=';' | '=' | '?'..='[' | ']' | '_' | 'a'..='z' | '~' => true,
        '\0'..'\u{a0}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}' => false,
        // ucschar and iprivate: the rest, but for the last two characters of each plane.
        _ => u32::from(character) & 0xfffe != 0xfffe,
    }
}

/// Places in a text of at most 4,096 bytes fit.
fn narrow(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
