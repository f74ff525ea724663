//! Stdin, and the lines that it becomes.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::keys::Keys;
use super::line::LineWriter;
use super::queue::Queue;

/// Stdin, and what it becomes.
pub(super) struct Input<R> {
    pub(super) stdin: R,
    pub(super) lines: LineWriter,
    pub(super) keys: Keys,
    pub(super) ends_topic: bool,
    /// Unit: bytes.
    pub(super) read: u64,
    pub(super) end: Option<InputEnd>,
}

/// Why no more comes from stdin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InputEnd {
    Whole,
    Fault(String),
}

impl<R: AsyncRead + Unpin> Input<R> {
    /// May be dropped in the middle: what was read stays with stdin.
    pub(super) async fn read(&mut self) -> std::io::Result<usize> {
        self.lines.input().reserve(READ_BYTES);
        self.stdin.read_buf(self.lines.input()).await
    }

    pub(super) fn take(&mut self, read: std::io::Result<usize>, queue: &mut Queue) {
        let now = Instant::now().into_std();
        match read {
            Ok(len) => self.read += len as u64,
            Err(error) => {
                self.end = Some(InputEnd::Fault(format!("stdin cannot be read: {error}")));
                return;
            }
        }
        // A key is taken for a line that is there.
        while self.lines.has_whole() {
            let has_key = self.keys.take(now);
            queue.push(self.lines.next_whole(has_key).unwrap_or_default(), has_key);
        }
        if self.lines.unfinished_len() > LINE_BYTES_MAX {
            let line = self.lines.written() + 1;
            self.end = Some(InputEnd::Fault(format!(
                "line {line} is longer than {LINE_BYTES_MAX} bytes; it and all after it were not sent"
            )));
        } else if matches!(read, Ok(0)) {
            let has_key = self.keys.take(now);
            if let Some(rest) = self.lines.rest(has_key) {
                queue.push(rest, has_key);
            }
            if self.ends_topic {
                queue.push(self.lines.end(has_key), has_key);
            }
            self.end = Some(InputEnd::Whole);
        }
    }
}

/// How much of stdin is read at once.
const READ_BYTES: usize = 64 * 1024;
/// Most bytes of one line: what one event may have.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use tidings::Topic;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use crate::cmd::publish::EventFlags;

    fn input<R>(stdin: R, ends_topic: bool) -> Input<R> {
        let keys = Keys::new(Some("k"), Instant::now().into_std());
        let lines = LineWriter::new(&Topic::default_topic(), &EventFlags::default(), "k".to_owned());
        Input { stdin, lines, keys, ends_topic, read: 0, end: None }
    }

    #[tokio::test]
    async fn the_input_becomes_lines_as_it_comes() {
        let (mut typist, stdin) = duplex(1024);
        let (mut input, mut queue) = (input(stdin, true), Queue::default());
        typist.write_all(b"one\ntw").await.expect("there is room");
        let read = input.read().await;
        input.take(read, &mut queue);
        assert_eq!(queue.send(), "{\"topic\":\"default\",\"data\":\"one\",\"key\":\"k-1\"}\n");
        typist.write_all(b"o").await.expect("there is room");
        drop(typist);
        while input.end.is_none() {
            let read = input.read().await;
            input.take(read, &mut queue);
        }
        let want = "{\"topic\":\"default\",\"data\":\"two\",\"key\":\"k-2\"}\n{\"topic\":\"default\",\"end\":true,\"key\":\"k-end\"}\n";
        assert_eq!(queue.send(), want);
        assert_eq!((input.end, input.read), (Some(InputEnd::Whole), 7));
    }
}
