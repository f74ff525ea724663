//! HTTP/1.1 chunked framing, put round a payload once and then shared by all who send it.
//!
//! Does not say what the payload is (see `encode`) and does not read chunks: clients leave that to
//! their HTTP library.

use bytes::{Buf, Bytes};

/// The chunk that ends a body, without trailers. A [`Chunk`] is never this by accident.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A payload with its chunk head and tail: sent framed on plain HTTP/1.1, bare everywhere else.
///
/// Cost of a clone: one reference count. An empty chunk has no bytes at all, for `0\r\n` would end
/// the whole body.
///
/// ```
/// use tidings_wire::{Chunk, encode_retry};
///
/// let chunk = Chunk::build(32, |out| encode_retry(2_000, out));
/// assert_eq!(&chunk.wire()[..], b"c\r\nretry: 2000\n\r\n");
/// assert_eq!(&chunk.payload()[..], b"retry: 2000\n");
/// ```
///
/// Source: RFC 9112, 7.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    wire: Bytes,
    /// `payload = wire[head_len .. wire.len() - TAIL.len()]`, but for an empty chunk, where all are 0.
    head_len: usize,
}

impl Chunk {
    /// Lets `fill` append the payload, then writes the head directly before it, moving nothing.
    ///
    /// `capacity` is what `fill` is expected to append, in bytes; with an exact value there is one
    /// allocation of that size. `fill` only appends: what stands in the buffer before is room for the head.
    ///
    /// # Panics
    /// When `fill` has taken away from what stood in the buffer.
    pub fn build(capacity: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(HEAD_ROOM.len() + capacity + TAIL.len());
        buffer.extend_from_slice(&HEAD_ROOM);
        fill(&mut buffer);
        assert!(buffer.starts_with(&HEAD_ROOM), "fill only appends, so the room for the head is as it was");

        let payload_len = buffer.len() - HEAD_ROOM.len();
        if payload_len == 0 {
            return Self::default();
        }
        let head_len = write_head(payload_len, &mut buffer[..HEAD_ROOM.len()]);
        buffer.extend_from_slice(TAIL);
        let mut wire = Bytes::from(buffer);
        wire.advance(HEAD_ROOM.len() - head_len);
        Self { wire, head_len }
    }

    /// One chunk with the payloads of all, in order: a batch is one write.
    ///
    /// Takes a slice, an array or an iterator of anything that has a chunk. Where only one of them
    /// has a payload it is shared, not copied; otherwise the cost is one allocation and one copy.
    ///
    /// ```
    /// use tidings_wire::Chunk;
    ///
    /// let (a, b) = (Chunk::build(1, |out| out.push(b'a')), Chunk::build(1, |out| out.push(b'b')));
    /// assert_eq!(&Chunk::join(&[&a, &b]).wire()[..], b"2\r\nab\r\n");
    /// assert_eq!(Chunk::join([a, b].iter()).payload_len(), 2);
    /// ```
    pub fn join<I>(chunks: I) -> Self
    where
        I: IntoIterator<Item: AsRef<Self>, IntoIter: Clone>,
    {
        let mut chunks = chunks.into_iter();
        let (mut filled, mut total_len) = (0, 0);
        for chunk in chunks.clone() {
            let payload_len = chunk.as_ref().payload_len();
            filled += usize::from(payload_len > 0);
            total_len += payload_len;
        }
        if filled <= 1 {
            let only = chunks.find(|chunk| !chunk.as_ref().is_empty());
            return only.map(|chunk| chunk.as_ref().clone()).unwrap_or_default();
        }
        Self::build(total_len, |out| {
            for chunk in chunks {
                out.extend_from_slice(chunk.as_ref().payload_bytes());
            }
        })
    }

    /// The payload with its framing, for a body with `Transfer-Encoding: chunked`.
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The payload alone, for HTTP/1.0, HTTP/2 and all that frames by itself. Shares the same memory.
    pub fn payload(&self) -> Bytes {
        if self.is_empty() { Bytes::new() } else { self.wire.slice(self.head_len..self.wire.len() - TAIL.len()) }
    }

    /// How many bytes the payload has.
    pub fn payload_len(&self) -> usize {
        self.payload_bytes().len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    fn payload_bytes(&self) -> &[u8] {
        if self.is_empty() { &[] } else { &self.wire[self.head_len..self.wire.len() - TAIL.len()] }
    }
}

impl AsRef<Self> for Chunk {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Room for the largest head there can be: two hexadecimal digits for each byte of a length, then CRLF.
const HEAD_ROOM: [u8; 2 * size_of::<usize>() + 2] = [0; 2 * size_of::<usize>() + 2];

const TAIL: &[u8] = b"\r\n";

/// Writes `<hex>\r\n` so that it ends where `room` ends; gives its length.
fn write_head(payload_len: usize, room: &mut [u8]) -> usize {
    let digits_end = room.len() - 2;
    room[digits_end..].copy_from_slice(b"\r\n");
    let mut start = digits_end;
    let mut rest = payload_len;
    while rest > 0 {
        start -= 1;
        room[start] = b"0123456789abcdef"[rest % 16];
        rest /= 16;
    }
    room.len() - start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(payload: &[u8]) -> Chunk {
        Chunk::build(payload.len(), |out| out.extend_from_slice(payload))
    }

    fn check(payload_len: usize, want_head: &str) {
        let payload = vec![b'x'; payload_len];
        for capacity in [0, payload_len, payload_len + 100] {
            let built = Chunk::build(capacity, |out| out.extend_from_slice(&payload));
            let want = [want_head.as_bytes(), &payload, b"\r\n"].concat();
            assert_eq!(built.wire(), &want, "{payload_len} bytes, capacity {capacity}");
            assert_eq!(built.payload(), payload);
            assert_eq!(built.payload_len(), payload_len);
        }
    }

    #[test]
    fn the_head_is_the_payload_length_in_hexadecimal() {
        check(1, "1\r\n");
        check(15, "f\r\n");
        check(16, "10\r\n");
        check(255, "ff\r\n");
        check(256, "100\r\n");
        check(4_096, "1000\r\n");
        check(1 << 20, "100000\r\n");
    }

    #[test]
    fn the_head_room_holds_the_largest_length() {
        let mut room = HEAD_ROOM;
        assert_eq!(write_head(usize::MAX, &mut room), HEAD_ROOM.len());
        assert!(room.ends_with(b"ff\r\n"));
    }

    #[test]
    fn an_empty_payload_never_ends_the_body() {
        for empty in
            [Chunk::default(), chunk(b""), Chunk::join(&[&chunk(b""), &chunk(b"")]), Chunk::join::<[Chunk; 0]>([])]
        {
            assert!(empty.is_empty());
            assert_eq!((empty.wire().len(), empty.payload().len(), empty.payload_len()), (0, 0, 0));
        }
    }

    #[test]
    fn joining_keeps_the_order_and_shares_a_single_payload() {
        let (a, none, b) = (chunk(b"a: 1\n"), chunk(b""), chunk(b"b: 2\n"));
        assert_eq!(&Chunk::join(&[&a, &none, &b, &a]).payload()[..], b"a: 1\nb: 2\na: 1\n");
        let shared = Chunk::join([&none, &a, &none]);
        assert_eq!(shared.wire().as_ptr(), a.wire().as_ptr());
    }

    #[test]
    fn the_payload_is_not_moved_when_the_capacity_was_right() {
        let mut filled_at = std::ptr::null();
        let built = Chunk::build(5, |out| {
            out.extend_from_slice(b"hello");
            filled_at = out[out.len() - 5..].as_ptr();
        });
        assert_eq!(built.payload().as_ptr(), filled_at);
        assert_eq!(built.clone().payload().as_ptr(), filled_at);
    }

    #[test]
    #[should_panic(expected = "fill only appends")]
    fn a_fill_that_takes_the_head_room_away_is_stopped() {
        Chunk::build(8, |out| {
            out.clear();
            out.extend_from_slice(b"a payload longer than the room for the head");
        });
    }
}
