//! The lines that are not answered yet, in their order: what is still to be sent, and what must be sent again when a
//! connection is lost. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

/// Lines between stdin and their answers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: VecDeque<Line>,
    /// So many of them, from the front, were sent over this connection.
    sent: usize,
    bytes: usize,
    answered: u64,
}

#[derive(Debug)]
struct Line {
    json: Vec<u8>,
    has_key: bool,
}

impl Queue {
    /// Adds a line.
    pub(super) fn push(&mut self, json: Vec<u8>, has_key: bool) {
        self.bytes += json.len();
        self.lines.push_back(Line { json, has_key });
    }

    /// Whether no more is to be read for now. One line of any length always has its place.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX || self.lines.len() >= LINES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.lines.len()
    }

    /// The lines that are to be sent next, which then are.
    pub(super) fn send(&mut self) -> Bytes {
        let mut chunk = Vec::new();
        while let Some(line) = self.lines.get(self.sent).filter(|_| chunk.len() < CHUNK_BYTES) {
            chunk.extend_from_slice(&line.json);
            self.sent += 1;
        }
        chunk.into()
    }

    /// The same, or this where there is nothing to be sent.
    pub(super) fn send_or(&mut self, otherwise: &'static [u8]) -> Bytes {
        if self.has_unsent() { self.send() } else { Bytes::from_static(otherwise) }
    }

    /// The first line was answered: its number, from 1. `None` when there is no answer to be had.
    pub(super) fn answer(&mut self) -> Option<u64> {
        self.sent = self.sent.checked_sub(1)?;
        let line = self.lines.pop_front()?;
        self.bytes -= line.json.len();
        self.answered += 1;
        Some(self.answered)
    }

    /// Lines answered so far.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// The connection is lost: all that is not answered is to be sent again. `false` when some of it may already be
    /// published and has no key by which the hub would know.
    pub(super) fn rewind(&mut self) -> bool {
        let may_be_sent_again = self.lines.iter().take(self.sent).all(|line| line.has_key);
        self.sent = 0;
        may_be_sent_again
    }
}

/// Enough for any distance, and little beside the input.
const BYTES_MAX: usize = 4 * 1024 * 1024;
const LINES_MAX: usize = 16 * 1024;
/// How much is handed to the connection at once.
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(lines: &[(&str, bool)]) -> Queue {
        let mut queue = Queue::default();
        for (json, has_key) in lines {
            queue.push((*json).into(), *has_key);
        }
        queue
    }

    #[test]
    fn what_is_not_answered_is_sent_again() {
        let mut queue = queue(&[("a", true), ("b", true), ("c", true)]);
        assert_eq!(queue.answer(), None, "nothing was sent");
        assert_eq!(queue.send(), "abc");
        assert!(!queue.has_unsent());
        assert_eq!(queue.answer(), Some(1));
        queue.push("d".into(), false);
        assert!(queue.rewind(), "the line without a key was not sent");
        assert_eq!(queue.send(), "bcd");
        assert!(!queue.rewind());
        assert_eq!((queue.answered(), queue.is_empty()), (1, false));
    }

    #[test]
    fn it_is_full_by_bytes_and_by_lines_and_sends_in_chunks() {
        let mut queue = Queue::default();
        queue.push(vec![b'x'; BYTES_MAX - 1], true);
        assert!(!queue.is_full());
        queue.push(vec![b'y'], true);
        assert!(queue.is_full());
        assert_eq!((queue.send().len(), queue.send().len()), (BYTES_MAX - 1, 1));
        assert_eq!((queue.answer(), queue.is_full()), (Some(1), false));

        let mut queue = Queue::default();
        (0..LINES_MAX).for_each(|_| queue.push(vec![b'x'; 10], true));
        assert!(queue.is_full());
        assert_eq!(queue.send().len(), CHUNK_BYTES.next_multiple_of(10));
    }
}
