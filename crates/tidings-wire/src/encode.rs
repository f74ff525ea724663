//! Values to `text/event-stream` bytes. Appends to the caller's buffer; knows nothing of chunks, see `chunk`.
//!
//! One form only: a space after each colon, LF at each line's end. The space matters: without it a
//! value's own leading space would be lost in decoding.

use memchr::{memchr2, memchr2_iter};

use crate::event::{EventId, EventType};

/// A comment line without text: the heartbeat.
///
/// It keeps proxies from closing an idle stream and never reaches `onmessage`.
/// Source: WHATWG HTML 9.2.7.
pub const COMMENT: &[u8] = b":\n";

/// What one event says on the wire. All but `data` may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFields<'a> {
    /// By what name a page listens. Absent and `message` mean the same and are not written.
    pub event_type: Option<&'a EventType>,
    /// How long a client is to wait before it reconnects. Unit: milliseconds.
    pub retry_ms: Option<u64>,
    /// What a client sends as `Last-Event-ID` when it comes back.
    pub id: Option<&'a EventId>,
    /// Any text. CR, LF and CRLF each end a line, and arrive as LF.
    pub data: &'a str,
}

/// Appends one event and its blank line: `event`, `retry`, `id`, then one `data` for each line.
///
/// No content of `data` can forge a field or end the event. Data that ends with a line end gets a
/// last empty `data` line, so that it arrives with that line end; empty data gets one empty line, so
/// that it fires at all. Cost: two passes over `data` (one to reserve exactly), at most one allocation.
///
/// ```
/// use tidings_wire::{EventFields, EventType, encode_event};
///
/// let price = EventType::parse("price")?;
/// let mut out = Vec::new();
/// encode_event(&EventFields { event_type: Some(&price), data: "1\r\n2\n", ..EventFields::default() }, &mut out);
/// assert_eq!(out, b"event: price\ndata: 1\ndata: 2\ndata: \n\n");
/// # Ok::<(), tidings_wire::EventTypeError>(())
/// ```
pub fn encode_event(fields: &EventFields<'_>, out: &mut Vec<u8>) {
    out.reserve(encoded_len(fields));
    if let Some(event_type) = written_type(fields) {
        append_line(b"event: ", event_type.as_str().as_bytes(), out);
    }
    if let Some(retry_ms) = fields.retry_ms {
        encode_retry(retry_ms, out);
    }
    if let Some(id) = fields.id {
        append_line(b"id: ", id.as_str().as_bytes(), out);
    }
    append_data(fields.data.as_bytes(), out);
    out.push(b'\n');
}

/// How many bytes [`encode_event`] appends for these fields, exactly.
pub fn encoded_len(fields: &EventFields<'_>) -> usize {
    let line = |name: &[u8], value_len: usize| name.len() + value_len + 1;
    let event_type = written_type(fields).map_or(0, |event_type| line(b"event: ", event_type.as_str().len()));
    let retry = fields.retry_ms.map_or(0, |retry_ms| line(b"retry: ", Decimal::of(retry_ms).digits().len()));
    let id = fields.id.map_or(0, |id| line(b"id: ", id.as_str().len()));
    let ends = LineEnds::count(fields.data.as_bytes());
    let data = line(DATA, 0) * (ends.lines_ended + 1) + fields.data.len() - ends.bytes;
    event_type + retry + id + data + 1
}

/// Appends a `retry` line alone: it counts at once, without a blank line. Unit: milliseconds.
///
/// ```
/// let mut out = Vec::new();
/// tidings_wire::encode_retry(2_000, &mut out);
/// assert_eq!(out, b"retry: 2000\n");
/// ```
pub fn encode_retry(ms: u64, out: &mut Vec<u8>) {
    append_line(b"retry: ", Decimal::of(ms).digits(), out);
}

/// Appends one comment line; each CR and each LF of the text becomes a space.
///
/// ```
/// let mut out = Vec::new();
/// tidings_wire::encode_comment("draining,\ncome back", &mut out);
/// assert_eq!(out, b": draining, come back\n");
/// ```
pub fn encode_comment(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 3);
    out.extend_from_slice(b": ");
    // Byte by byte is safe: in UTF-8 the bytes of CR and LF are never part of another character.
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.push(b'\n');
}

const DATA: &[u8] = b"data: ";

fn written_type<'a>(fields: &EventFields<'a>) -> Option<&'a EventType> {
    fields.event_type.filter(|event_type| !event_type.is_default())
}

fn append_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn append_data(mut rest: &[u8], out: &mut Vec<u8>) {
    while let Some(end) = memchr2(b'\r', b'\n', rest) {
        append_line(DATA, &rest[..end], out);
        let end_len = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + end_len..];
    }
    append_line(DATA, rest, out);
}

struct LineEnds {
    lines_ended: usize,
    /// How many bytes these ends take in the data; `bytes >= lines_ended`.
    bytes: usize,
}

impl LineEnds {
    fn count(data: &[u8]) -> Self {
        let mut ends = Self { lines_ended: 0, bytes: 0 };
        for at in memchr2_iter(b'\r', b'\n', data) {
            let second_half_of_crlf = data[at] == b'\n' && at > 0 && data[at - 1] == b'\r';
            ends.bytes += 1;
            ends.lines_ended += usize::from(!second_half_of_crlf);
        }
        ends
    }
}

/// A number's decimal digits, made without an allocation: `retry` goes out with each connection.
struct Decimal {
    text: [u8; DECIMAL_DIGITS_MAX],
    start: usize,
}

/// `u64::MAX` has 20 digits.
const DECIMAL_DIGITS_MAX: usize = 20;

impl Decimal {
    fn of(mut number: u64) -> Self {
        let mut decimal = Self { text: [b'0'; DECIMAL_DIGITS_MAX], start: DECIMAL_DIGITS_MAX };
        loop {
            decimal.start -= 1;
            decimal.text[decimal.start] = b"0123456789"[(number % 10) as usize];
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn digits(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event_type: Option<&str>, retry_ms: Option<u64>, id: Option<&str>, data: &str, want: &str) {
        let event_type = event_type.map(|text| EventType::parse(text).expect("a good type"));
        let id = id.map(|text| EventId::parse(text).expect("a good id"));
        let fields = EventFields { event_type: event_type.as_ref(), retry_ms, id: id.as_ref(), data };
        let mut out = b"before".to_vec();
        encode_event(&fields, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), format!("before{want}"), "fields {fields:?}");
        assert_eq!(encoded_len(&fields), want.len(), "length of {fields:?}");
    }

    #[test]
    fn fields_come_in_order_with_one_space_after_each_colon() {
        check(None, None, None, "x", "data: x\n\n");
        check(Some("t"), Some(250), Some("i"), "x", "event: t\nretry: 250\nid: i\ndata: x\n\n");
        check(Some("message"), None, None, "x", "data: x\n\n");
        check(Some("Message"), None, None, "x", "event: Message\ndata: x\n\n");
        check(None, Some(0), None, "x", "retry: 0\ndata: x\n\n");
        check(None, Some(u64::MAX), None, "x", "retry: 18446744073709551615\ndata: x\n\n");
    }

    #[test]
    fn each_line_end_makes_a_data_line() {
        check(None, None, None, "", "data: \n\n");
        check(None, None, None, " x", "data:  x\n\n");
        check(None, None, None, "a\nb\rc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n");
        check(None, None, None, "a\n", "data: a\ndata: \n\n");
        check(None, None, None, "\r\n", "data: \ndata: \n\n");
        check(None, None, None, "\n\r", "data: \ndata: \ndata: \n\n");
        check(None, None, None, "\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n");
        check(None, None, None, "x\n\nid: 9\n", "data: x\ndata: \ndata: id: 9\ndata: \n\n");
        check(None, None, None, "nul \0, ls \u{2028}", "data: nul \0, ls \u{2028}\n\n");
    }

    #[test]
    fn a_comment_stays_on_its_line() {
        let mut out = Vec::new();
        encode_comment("", &mut out);
        encode_comment("é\r\ndata: x\n", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), ": \n: é  data: x \n");
    }
}
