//! What somebody presses: the bytes of a terminal as keys.

/// A key that means something here, or another character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Tab,
    Enter,
    Escape,
    /// Ctrl-C, which ends nothing by itself here: the terminal gives it as a byte.
    Interrupt,
    Other(char),
}

/// The keys in what was read at once. A sequence that the system has torn in two is an Escape and characters that mean
/// nothing.
pub(super) fn keys(bytes: &[u8]) -> Vec<Key> {
    let text = String::from_utf8_lossy(bytes);
    let mut keys = Vec::new();
    let mut rest = &*text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        let key = match first {
            '\x1b' => {
                let (key, after) = escaped(rest);
                rest = after;
                key
            }
            '\t' => Some(Key::Tab),
            '\r' | '\n' => Some(Key::Enter),
            '\x03' => Some(Key::Interrupt),
            other if other.is_control() => None,
            other => Some(Key::Other(other)),
        };
        keys.extend(key);
    }
    keys
}

/// What an Escape begins, and what follows that. (ECMA-48, "CSI"; xterm's arrows in its other mode)
fn escaped(rest: &str) -> (Option<Key>, &str) {
    let Some(sequence) = rest.strip_prefix(['[', 'O']) else { return (Some(Key::Escape), rest) };
    let Some(end) = sequence.find(|character: char| ('\x40'..='\x7e').contains(&character)) else {
        return (None, "");
    };
    let key = match &sequence[..=end] {
        "A" => Some(Key::Up),
        "B" => Some(Key::Down),
        "5~" => Some(Key::PageUp),
        "6~" => Some(Key::PageDown),
        "Z" => Some(Key::Tab), // two lists: backwards is forwards
        _ => None,
    };
    (key, &sequence[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys() {
        let check = |bytes: &[u8], want: &[Key]| assert_eq!(keys(bytes), want, "{bytes:?}");
        check(b"qe", &[Key::Other('q'), Key::Other('e')]);
        check(b"\x1b[A\x1b[B\x1bOA\x1bOB", &[Key::Up, Key::Down, Key::Up, Key::Down]);
        check(b"\x1b[5~\x1b[6~\x1b[Z\t", &[Key::PageUp, Key::PageDown, Key::Tab, Key::Tab]);
        check(b"\x1b", &[Key::Escape]);
        check(b"\x1bq", &[Key::Escape, Key::Other('q')]);
        check(b"\x1b[1;5Cq", &[Key::Other('q')]);
        check(b"\x1b[1;", &[]);
        check(b"\x03\r\x00", &[Key::Interrupt, Key::Enter]);
        check("é\u{9b}".as_bytes(), &[Key::Other('é')]);
        check(b"\xff", &[Key::Other('\u{fffd}')]);
    }
}
