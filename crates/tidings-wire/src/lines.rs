//! Bytes in whatever pieces they arrive, whole lines out. Rules A2 to A5 of the stream format.
//!
//! Knows where a line ends and nothing of what it says; see `decode`. Bytes stay bytes here: CR, LF
//! and the byte order mark are found without decoding, since no other UTF-8 character contains them.

use memchr::memchr2;

/// The bytes of one stream that no line has been made of yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins. `line_start <= searched <= buffer.len()`
    line_start: usize,
    /// No line end stands in `buffer[line_start..searched]`, so that no byte is searched twice.
    searched: usize,
    edge: Edge,
}

/// What may have to be dropped from the front of the next line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Edge {
    /// The stream begins here: one byte order mark is no text.
    #[default]
    StreamStart,
    /// A CR has ended a line: an LF belongs to it, even if it is yet to arrive.
    AfterCr,
    /// Nothing.
    Clean,
}

impl Lines {
    /// Takes the next bytes of the stream. Cost: one copy.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, without its end; `None` until more bytes come.
    pub(crate) fn next_line(&mut self) -> Option<&[u8]> {
        if !self.pass_edge() {
            self.reclaim();
            return None;
        }
        let Some(found) = memchr2(b'\r', b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            self.reclaim();
            return None;
        };
        let start = self.line_start;
        let end = self.searched + found;
        // A CR ends its line now. To wait for an LF would hold an event back until the next one comes.
        self.edge = if self.buffer[end] == b'\r' { Edge::AfterCr } else { Edge::Clean };
        self.begin_line_at(end + 1);
        Some(&self.buffer[start..end])
    }

    /// How many bytes wait for their line to end, once `next_line` has said `None`.
    pub(crate) fn unfinished_len(&self) -> usize {
        match self.edge {
            Edge::StreamStart => 0, // at most two bytes, which may yet be dropped
            Edge::AfterCr | Edge::Clean => self.buffer.len() - self.line_start,
        }
    }

    /// Whether what may have to be dropped has been decided. `false` asks for more bytes.
    fn pass_edge(&mut self) -> bool {
        let ahead = &self.buffer[self.line_start..];
        let dropped = match self.edge {
            Edge::Clean => return true,
            Edge::AfterCr if ahead.is_empty() => return false,
            Edge::AfterCr => usize::from(ahead[0] == b'\n'),
            Edge::StreamStart if ahead.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            Edge::StreamStart if BYTE_ORDER_MARK.starts_with(ahead) => return false,
            Edge::StreamStart => 0,
        };
        self.edge = Edge::Clean;
        self.begin_line_at(self.line_start + dropped);
        true
    }

    fn begin_line_at(&mut self, at: usize) {
        self.line_start = at;
        self.searched = at;
    }

    /// Gives the room of finished lines back, at a cost of no more than one move for each byte pushed.
    fn reclaim(&mut self) {
        let unfinished = self.buffer.len() - self.line_start;
        // Moving less than what is freed is paid for by the bytes that were freed.
        if self.line_start < unfinished {
            return;
        }
        self.buffer.drain(..self.line_start);
        self.searched -= self.line_start;
        self.line_start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE_BYTES_MAX {
            self.buffer = Vec::new();
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Most bytes an idle decoder keeps for the next read: one large event must not be paid for ever after.
const IDLE_BYTES_MAX: usize = 64 * 1024; // a common size of one read

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], want: &[&str], want_unfinished: usize) {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next_line() {
                got.push(String::from_utf8_lossy(line).into_owned());
            }
        }
        assert_eq!(got, want, "pieces {pieces:?}");
        assert_eq!(lines.unfinished_len(), want_unfinished, "pieces {pieces:?}");
    }

    #[test]
    fn a_line_is_given_out_as_soon_as_it_ends() {
        check(&[b"a\nb\r\nc\rd"], &["a", "b", "c"], 1);
        check(&[b"a\r", b"\nb\n"], &["a", "b"], 0);
        check(&[b"a\r", b"b\n"], &["a", "b"], 0);
        check(&[b"a\r", b"\r\n"], &["a", ""], 0);
        check(&[b"a\r", b"", b"\n", b"\n"], &["a", ""], 0);
        check(&[b"a\n\r"], &["a", ""], 0);
        check(&[b"\r\n\n"], &["", ""], 0);
    }

    #[test]
    fn one_byte_order_mark_is_dropped_at_the_start() {
        check(&[b"\xEF", b"\xBB", b"\xBFa\n"], &["a"], 0);
        check(&[b"\xEF\xBB\xBF\xEF\xBB\xBFa\n"], &["\u{feff}a"], 0);
        check(&[b"a\n\xEF\xBB\xBFb\n"], &["a", "\u{feff}b"], 0);
        check(&[b"\xEF\xBB", b"a\n"], &["\u{fffd}a"], 0);
        check(&[b"\xEF\xBB", b"\n"], &["\u{fffd}"], 0);
        check(&[b"\xEF\xBB"], &[], 0);
        check(&[b"\xEF\xBBa"], &[], 3);
    }

    #[test]
    fn an_idle_decoder_keeps_no_large_buffer() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; 10 * IDLE_BYTES_MAX]);
        assert!(lines.next_line().is_none());
        lines.push(b"\n");
        assert_eq!(lines.next_line().map(<[u8]>::len), Some(10 * IDLE_BYTES_MAX));
        assert!(lines.next_line().is_none());
        assert_eq!(lines.buffer.capacity(), 0);
    }
}
