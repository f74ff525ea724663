//! `text/event-stream` bytes to values: `lines` finds the lines, `block` knows what they say.
//!
//! Here are the limit and what outlives a stream. Does not connect, wait or come back: what a
//! `retry` or a lost stream leads to is the client's part.

use std::mem;

use thiserror::Error;

use crate::block::Block;
use crate::lines::Lines;

/// A decoder for one event stream after another: bytes are pushed, items are polled.
///
/// It gives the same items however the bytes were split, each as soon as its last byte is there, in
/// time linear in the bytes. Poll to `None` after each push: what was pushed is kept until then.
///
/// ```
/// use tidings_wire::{Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut data = Vec::new();
/// for bytes in [&b"id: 7\nda"[..], b"ta: one\r", b"\n\r\n:\n", b"data: cut off"] {
///     decoder.push(bytes);
///     while let Some(item) = decoder.poll() {
///         match item? {
///             Item::Event(event) => data.push(event.data),
///             Item::Comment(_) | Item::Retry(_) | Item::Id(_) => {}
///         }
///     }
/// }
/// assert_eq!((data, decoder.last_event_id()), (vec!["one".to_owned()], "7"));
/// # Ok::<(), tidings_wire::DecodeError>(())
/// ```
///
/// Source: WHATWG HTML 9.2.5 and 9.2.6.
#[derive(Debug, Default)]
pub struct Decoder {
    lines: Lines,
    block: Block,
    /// The last event ID *string*; what an `id` field has set since is in `block`.
    last_event_id: String,
    limits: DecoderLimits,
    health: Health,
}

/// What may grow inside a [`Decoder`], and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// Most bytes of the data, type and id of an event together with the line being read; field
    /// names and ignored lines count while they are read. Unit: bytes. Default: 64 MiB.
    ///
    /// Cost: about four times this for each decoder while such an event is read, since it is both
    /// line and data for a moment and buffers grow by doubling; 64 KiB at most between two events.
    /// Beyond the limit the stream fails with [`DecodeError::EventTooLarge`].
    pub event_bytes_max: usize,
}

impl Default for DecoderLimits {
    fn default() -> Self {
        Self { event_bytes_max: 64 * 1024 * 1024 }
    }
}

/// One thing a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An event, whole.
    Event(Event),
    /// A comment: all that follows its colon, a leading space too. Often a heartbeat, and then empty.
    Comment(String),
    /// The time to wait before reconnecting. Unit: milliseconds; a number beyond [`u64::MAX`] becomes that.
    Retry(u64),
    /// A block without data changed the last event ID, to this.
    Id(String),
}

/// An event as a listener gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which listeners it is for; `message` where the stream named none.
    pub event_type: String,
    /// The `data` lines, joined by LF.
    pub data: String,
    /// The id in force, perhaps of an earlier event; empty when there is none.
    pub last_event_id: String,
}

/// Why a stream can no longer be decoded. Malformed text is never a reason: it becomes U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The server sent an event or a line larger than [`DecoderLimits::event_bytes_max`].
    #[error("an event is too large; expected at most {event_bytes_max} bytes in its fields and the line being read")]
    EventTooLarge {
        /// The limit. How much the server meant to send is not known: reading stops here.
        event_bytes_max: usize,
    },
}

/// Whether the stream can still be decoded. `Failed` ends with `restart` alone.
#[derive(Debug, Default)]
enum Health {
    #[default]
    Good,
    Failed {
        error: DecodeError,
        /// Said once for each push: a loop over `poll` ends, and a caller who goes on hears it again.
        due: bool,
    },
}

impl Decoder {
    /// A decoder at the start of a stream, with the default limits and no last event ID.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder at the start of a stream, with limits of one's own.
    pub fn with_limits(limits: DecoderLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The same decoder, in the state of one that has read this id: for a client that begins with a kept one.
    #[must_use]
    pub fn with_last_event_id(self, last_event_id: impl Into<String>) -> Self {
        Self { last_event_id: last_event_id.into(), ..self }
    }

    /// Takes the next bytes of the stream, split wherever the network split them.
    ///
    /// After a failure they are dropped, and the next [`poll`](Self::poll) names the failure again.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.health {
            Health::Good => self.lines.push(bytes),
            Health::Failed { due, .. } => *due = true,
        }
    }

    /// The next item; `None` until more bytes come. What a stream leaves unfinished gives nothing.
    ///
    /// # Errors
    /// [`DecodeError::EventTooLarge`] when the limit is passed; until [`restart`](Self::restart) the
    /// stream then gives only this error, once for each push.
    pub fn poll(&mut self) -> Option<Result<Item, DecodeError>> {
        if let Health::Failed { error, due } = &mut self.health {
            return mem::take(due).then(|| Err(error.clone()));
        }
        while let Some(line) = self.lines.next_line() {
            if self.block.held_len() + line.len() > self.limits.event_bytes_max {
                return Some(Err(self.fail()));
            }
            if let Some(item) = self.block.take_line(line, &mut self.last_event_id) {
                return Some(Ok(item));
            }
        }
        if self.block.held_len() + self.lines.unfinished_len() > self.limits.event_bytes_max {
            return Some(Err(self.fail()));
        }
        None
    }

    /// The last event ID string: what the last finished block left, and what a client that comes
    /// back sends as `Last-Event-ID` unless it is empty. An `id` of an unfinished block is not in it.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Begins a new stream: all that is unfinished is dropped and a failure forgotten.
    ///
    /// The last event ID stays, and an event without an `id` carries it on, as browsers do; the
    /// letter of the standard would empty it.
    pub fn restart(&mut self) {
        *self = Self { last_event_id: mem::take(&mut self.last_event_id), ..Self::with_limits(self.limits) };
    }

    fn fail(&mut self) -> DecodeError {
        let error = DecodeError::EventTooLarge { event_bytes_max: self.limits.event_bytes_max };
        self.lines = Lines::default();
        self.block = Block::default();
        self.health = Health::Failed { error: error.clone(), due: false };
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that the pushes give, each polled to the end.
    fn decode(event_bytes_max: usize, pieces: &[&[u8]]) -> Vec<Result<Item, DecodeError>> {
        let mut decoder = Decoder::with_limits(DecoderLimits { event_bytes_max });
        let mut got = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            got.extend(std::iter::from_fn(|| decoder.poll()));
        }
        got
    }

    fn check_limit(event_bytes_max: usize, stream: &str, want_items: usize, want_failed: bool) {
        for piece_len in 1..=stream.len() {
            let pieces: Vec<_> = stream.as_bytes().chunks(piece_len).collect();
            let got = decode(event_bytes_max, &pieces);
            let items = got.iter().take_while(|item| item.is_ok()).count();
            assert_eq!(items, want_items, "limit {event_bytes_max}, {stream:?} in pieces of {piece_len}: {got:?}");
            assert_eq!(items < got.len(), want_failed, "limit {event_bytes_max}, {stream:?} in pieces of {piece_len}");
        }
    }

    #[test]
    fn the_limit_holds_for_lines_and_for_whole_events() {
        check_limit(7, "data: x\n\ndata: y\n\n", 2, false);
        check_limit(6, "data: x\n\n", 0, true);
        check_limit(6, "data: x", 0, true); // before the line ends, so that it cannot grow on
        check_limit(6, ":123456", 0, true);
        check_limit(6, ":12345\n:12345\n\n\n:12345\n", 3, false); // comments are not kept
        check_limit(6, "data\ndata\ndata\n\n", 1, false);
        check_limit(6, "data\ndata\ndata\ndata\n\n", 0, true); // three LF are kept, a fourth line is too much
        check_limit(10, "id:abcd\nevent:xyz\n", 0, true); // a kept id counts
        check_limit(10, "event:abcd\nid:wxyz\n", 0, true); // a kept type counts
        check_limit(8, "data:abc\nid:12", 0, true); // kept data and a line that goes on
        check_limit(9, "event:abc\nid:abc\n\nid:a\n", 1, false);
        check_limit(0, "\n\r\n\u{feff}", 0, true);
        check_limit(0, "\u{feff}\n\r\n", 0, false);
    }

    #[test]
    fn a_failed_stream_stays_failed_until_it_is_restarted() {
        let mut decoder = Decoder::with_limits(DecoderLimits { event_bytes_max: 8 });
        decoder.push(b"id: 1\n\ndata: too long\n\n");
        assert_eq!(decoder.poll(), Some(Ok(Item::Id("1".to_owned()))));
        let error = DecodeError::EventTooLarge { event_bytes_max: 8 };
        assert_eq!(decoder.poll(), Some(Err(error.clone())));
        assert_eq!(decoder.poll(), None);
        decoder.push(b"data\n\n");
        assert_eq!((decoder.poll(), decoder.poll()), (Some(Err(error.clone())), None));
        assert_eq!(
            error.to_string(),
            "an event is too large; expected at most 8 bytes in its fields and the line being read"
        );

        decoder.restart();
        decoder.push(b"data\n\n");
        assert!(matches!(decoder.poll(), Some(Ok(Item::Event(event))) if event.last_event_id == "1"));
    }

    #[test]
    fn a_decoder_goes_on_from_a_kept_id() {
        let mut decoder = Decoder::new().with_last_event_id("7");
        decoder.push(b"data\n\n");
        assert!(matches!(decoder.poll(), Some(Ok(Item::Event(event))) if event.last_event_id == "7"));
        assert_eq!(decoder.last_event_id(), "7");
    }

    #[test]
    fn a_block_with_only_a_known_id_says_nothing() {
        let got = decode(100, &[b"id: 1\n\nid: 1\n\nid: 2\n\nid\n\nid\n\n"]);
        assert_eq!(got, ["1", "2", ""].map(|id| Ok(Item::Id(id.to_owned()))));
    }
}
