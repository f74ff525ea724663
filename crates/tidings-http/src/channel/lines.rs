//! Cuts a body into lines, however it is cut into frames. Keeps at most one unfinished line.

use bytes::{Bytes, BytesMut};
use tidings_core::limits::KIB;

/// Takes bytes, gives lines. A line ends with LF, or with CRLF.
pub(super) struct Lines {
    line_bytes_max: usize,
    buffer: BytesMut,
    /// Up to here the buffer was searched: there is no line feed before it.
    searched: usize,
    /// The line was already given as too long; the rest of it is dropped.
    is_skipping: bool,
    /// The buffer has taken more room than it is to keep.
    is_long: bool,
    count: u64,
}

/// After a line that took more than this the room is given back.
const KEPT_BYTES_MAX: usize = 64 * KIB;

/// A line that is not empty, and its number: the first has 1, and empty ones count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    /// Without its end; nothing when it was too long.
    pub(super) text: Option<Bytes>,
}

impl Lines {
    /// Lines of at most `line_bytes_max` bytes, their ends not counted.
    pub(super) fn new(line_bytes_max: usize) -> Self {
        Self { line_bytes_max, buffer: BytesMut::new(), searched: 0, is_skipping: false, is_long: false, count: 0 }
    }

    /// Takes the next bytes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.is_long |= self.buffer.len() > KEPT_BYTES_MAX;
    }

    /// Bytes of what was taken and not given.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Room that it takes, of which some may be empty.
    pub(super) fn room(&self) -> usize {
        self.buffer.capacity()
    }

    /// Drops the unfinished line, what has come of it and what will. Answers its number; the next line goes on.
    pub(super) fn skip(&mut self) -> u64 {
        self.clear();
        self.is_skipping = true;
        self.count + 1
    }

    /// The next whole line.
    pub(super) fn next(&mut self) -> Option<Line> {
        while let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
            let with_end = self.buffer.split_to(self.searched + found + 1).freeze();
            self.searched = 0;
            if std::mem::take(&mut self.is_long) {
                self.buffer = BytesMut::from(&self.buffer[..]); // what is left keeps all of it otherwise
                self.is_long = self.buffer.len() > KEPT_BYTES_MAX;
            }
            if let Some(line) = self.give(with_end.slice(..with_end.len() - 1)) {
                return Some(line);
            }
        }
        self.searched = self.buffer.len();
        // One byte more: it may be the CR of the line's end.
        if self.is_skipping || self.buffer.len() > self.line_bytes_max + 1 {
            let is_new = !self.is_skipping;
            let number = self.skip();
            if is_new {
                return Some(Line { number, text: None });
            }
        }
        None
    }

    /// The last line, when the body ends without a line feed.
    pub(super) fn finish(&mut self) -> Option<Line> {
        let rest = self.buffer.split().freeze();
        self.searched = 0;
        if rest.is_empty() { None } else { self.give(rest) }
    }

    /// Drops the unfinished line: the rest of it will not come. Answers its number.
    pub(super) fn abandon(&mut self) -> u64 {
        self.clear();
        self.count += 1;
        self.count
    }

    fn clear(&mut self) {
        self.buffer = BytesMut::new();
        self.searched = 0;
        self.is_long = false;
    }

    fn give(&mut self, line: Bytes) -> Option<Line> {
        self.count += 1;
        if std::mem::take(&mut self.is_skipping) {
            return None;
        }
        let text = if line.ends_with(b"\r") { line.slice(..line.len() - 1) } else { line };
        if text.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let text = (text.len() <= self.line_bytes_max).then_some(text);
        Some(Line { number: self.count, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE_BYTES_MAX: usize = 5;

    fn cut(body: &[u8], frame_len: usize) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(LINE_BYTES_MAX);
        let mut out = Vec::new();
        let text = |line: Line| (line.number, line.text.map(|text| String::from_utf8_lossy(&text).into_owned()));
        for frame in body.chunks(frame_len) {
            lines.push(frame);
            while let Some(line) = lines.next() {
                out.push(text(line));
            }
            assert!(lines.buffer.len() <= LINE_BYTES_MAX + 1, "only an unfinished line is kept");
        }
        out.extend(lines.finish().map(text));
        out
    }

    fn check(body: &str, want: &[(u64, Option<&str>)]) {
        let want: Vec<_> = want.iter().map(|(number, text)| (*number, text.map(str::to_owned))).collect();
        for frame_len in 1..=body.len().max(1) {
            assert_eq!(cut(body.as_bytes(), frame_len), want, "{body:?} in frames of {frame_len}");
        }
    }

    #[test]
    fn lines_are_the_same_however_the_body_is_cut() {
        check("", &[]);
        check("a\nb\n", &[(1, Some("a")), (2, Some("b"))]);
        check("a\nb", &[(1, Some("a")), (2, Some("b"))]);
        check("a\r\nb\r", &[(1, Some("a")), (2, Some("b"))]);
        check("\n\r\n \na", &[(4, Some("a"))]);
        check("a\rb\n", &[(1, Some("a\rb"))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_given_once_and_the_next_goes_on() {
        check("12345\n12345\r\n", &[(1, Some("12345")), (2, Some("12345"))]);
        check("123456\na\n", &[(1, None), (2, Some("a"))]);
        check("1234567890abcdef\n\nb", &[(1, None), (3, Some("b"))]);
        check("a\n123456", &[(1, Some("a")), (2, None)]);
        check("123456789", &[(1, None)]);
    }

    #[test]
    fn an_unfinished_line_can_be_skipped_and_its_room_comes_back() {
        let mut lines = Lines::new(1024 * KIB);
        lines.push(b"a\n");
        assert_eq!(lines.next().map(|line| line.number), Some(1));
        lines.push(&vec![b'x'; 200 * KIB]);
        assert_eq!((lines.next(), lines.len()), (None, 200 * KIB));
        assert_eq!((lines.skip(), lines.len(), lines.room()), (2, 0, 0));
        lines.push(b"the rest\nb\n");
        assert_eq!(lines.next(), Some(Line { number: 3, text: Some(Bytes::from_static(b"b")) }));

        lines.push(&[&vec![b'y'; 200 * KIB][..], b"\nc"].concat());
        assert_eq!(lines.next().and_then(|line| line.text).map(|text| text.len()), Some(200 * KIB));
        assert!(lines.room() < KIB, "{}", lines.room());
        assert_eq!(lines.finish().map(|line| line.number), Some(5));
    }
}
