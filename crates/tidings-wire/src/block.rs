//! Lines to fields, fields to one event: rules B to D of the stream format.
//!
//! A block is what stands between two blank lines. How large it may grow is decided in `decode`.

use std::mem;

use memchr::memchr;

use crate::decode::{Event, Item};
use crate::event::DEFAULT_EVENT_TYPE;

/// What the lines since the last blank one have said.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Each `data` value and an LF. Bytes, because malformed text is cheaper to find once for all lines.
    data: Vec<u8>,
    /// Empty means the default.
    event_type: String,
    /// The last event ID *buffer* once an `id` field has set it; until then it is the string.
    id: Option<String>,
}

impl Block {
    /// How many bytes are kept until the blank line. After a line this has grown by its length at most.
    pub(crate) fn held_len(&self) -> usize {
        self.data.len() + self.event_type.len() + self.id.as_ref().map_or(0, String::len)
    }

    /// Reads one line, without its end; an empty one finishes the block.
    pub(crate) fn take_line(&mut self, line: &[u8], last_event_id: &mut String) -> Option<Item> {
        if line.is_empty() {
            return self.dispatch(last_event_id);
        }
        let (name, value) = split_field(line);
        match name {
            b"data" => {
                // Both at once: most events have one line, and that is then one allocation.
                self.data.reserve(value.len() + 1);
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            // Not the value: a comment has none, and who reads comments wants all that was said.
            b"" => return Some(Item::Comment(decode_text(&line[1..]))),
            b"event" => self.event_type = decode_text(value),
            b"id" if memchr(0, value).is_none() => self.id = Some(decode_text(value)),
            b"retry" => return parse_retry(value).map(Item::Retry),
            _ => {} // an unknown field, or an id with a NUL: the earlier id stays
        }
        None
    }

    fn dispatch(&mut self, last_event_id: &mut String) -> Option<Item> {
        // First of all, and also when nothing fires: a block with an id alone moves the resume point.
        let id_changed = self.id.take().is_some_and(|id| mem::replace(last_event_id, id) != *last_event_id);
        let event_type = mem::take(&mut self.event_type);
        let mut data = mem::take(&mut self.data);
        if data.pop().is_none() {
            return id_changed.then(|| Item::Id(last_event_id.clone()));
        }
        Some(Item::Event(Event {
            event_type: if event_type.is_empty() { DEFAULT_EVENT_TYPE.to_owned() } else { event_type },
            data: decode_owned_text(data),
            last_event_id: last_event_id.clone(),
        }))
    }
}

/// Name and value, less one space after the colon. A comment is a field without a name.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr(b':', line) else {
        return (line, b"");
    };
    let value = &line[colon + 1..];
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

/// `None` unless all is ASCII digits. An empty value is ignored: the plain reading of an unclear rule.
fn parse_retry(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let append_digit = |ms: u64, digit: &u8| ms.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(value.iter().fold(0, append_digit))
}

/// Decodes a part of the stream as the whole would be: malformed UTF-8 never reaches over an ASCII
/// byte, and every part is cut at one.
fn decode_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As `decode_text`, but good text stays where it is: data may be large.
fn decode_owned_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| decode_text(error.as_bytes()))
}
