//! What a payload says of itself, in a fixed form of 42 bytes that passes through JSON, forms and URLs unchanged.
//!
//! `~` run(4) publisher(4) topic(8) sequence(8) due(16) `~`, the numbers as hexadecimal digits.

use std::time::Duration;

/// Fewest bytes a payload can have: the stamp alone.
pub const PAYLOAD_BYTES_MIN: usize = STAMP_LEN;

/// What a payload says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which publishing connection sent it.
    pub(crate) publisher: u16,
    pub(crate) topic: u32,
    /// Counted for each publisher and topic, from 0.
    pub(crate) sequence: u32,
    /// When it was due, since the run began.
    pub(crate) due: Duration,
}

/// Tells the stamps of one run from all other bytes: of an earlier run that the server replays, for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunMark(pub(crate) u16);

impl Stamp {
    /// Writes the stamp over the beginning of a payload.
    pub(crate) fn write(&self, run: RunMark, payload: &mut [u8]) {
        let due = u64::try_from(self.due.as_nanos()).unwrap_or(u64::MAX);
        let groups = [
            u32::from(run.0) << 16 | u32::from(self.publisher),
            self.topic,
            self.sequence,
            u32::try_from(due >> 32).expect("half of 64 bits"),
            u32::try_from(due & u64::from(u32::MAX)).expect("half of 64 bits"),
        ];
        payload[0] = MARK;
        for (group, digits) in groups.into_iter().zip(payload[1..].chunks_exact_mut(8)) {
            write_hex(group, digits);
        }
        payload[STAMP_LEN - 1] = MARK;
    }

    /// Reads a whole stamp; `None` when the bytes are something else.
    fn read(run: RunMark, bytes: &[u8; STAMP_LEN]) -> Option<Self> {
        if bytes[STAMP_LEN - 1] != MARK {
            return None;
        }
        let mut groups = [0; 5];
        for (group, digits) in groups.iter_mut().zip(bytes[1..].chunks_exact(8)) {
            *group = read_hex(digits.try_into().expect("chunks of eight"))?;
        }
        let [who, topic, sequence, due_high, due_low] = groups;
        if who >> 16 != u32::from(run.0) {
            return None;
        }
        let publisher = u16::try_from(who & 0xffff).expect("half of 32 bits");
        let due = Duration::from_nanos(u64::from(due_high) << 32 | u64::from(due_low));
        Some(Self { publisher, topic, sequence, due })
    }
}

/// Finds the stamps in a stream, wherever the network has split it.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// The beginning of what may be a stamp: it ended with the last piece.
    begun: [u8; STAMP_LEN],
    begun_len: usize,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { begun: [0; STAMP_LEN], begun_len: 0 }
    }
}

impl Scanner {
    /// Takes the next bytes of the stream and gives each stamp in them.
    pub(crate) fn scan(&mut self, run: RunMark, mut bytes: &[u8], mut found: impl FnMut(Stamp)) {
        while self.begun_len > 0 {
            let taken = bytes.len().min(STAMP_LEN - self.begun_len);
            self.begun[self.begun_len..self.begun_len + taken].copy_from_slice(&bytes[..taken]);
            if self.begun_len + taken < STAMP_LEN {
                self.begun_len += taken;
                return;
            }
            if let Some(stamp) = Stamp::read(run, &self.begun) {
                found(stamp);
                bytes = &bytes[taken..];
                self.begun_len = 0;
            } else {
                // The stamp may begin later among the bytes that were kept. What was taken is seen again.
                let kept = self.begun_len;
                let next = memchr::memchr(MARK, &self.begun[1..kept]).map(|at| at + 1);
                self.begun_len = next.map_or(0, |at| kept - at);
                if let Some(at) = next {
                    self.begun.copy_within(at..kept, 0);
                }
            }
        }
        while let Some(at) = memchr::memchr(MARK, bytes) {
            let rest = &bytes[at..];
            let Some(whole) = rest.first_chunk() else {
                self.begun[..rest.len()].copy_from_slice(rest);
                self.begun_len = rest.len();
                return;
            };
            if let Some(stamp) = Stamp::read(run, whole) {
                found(stamp);
                bytes = &rest[STAMP_LEN..];
            } else {
                bytes = &rest[1..];
            }
        }
    }
}

/// All stamps in a text that is there as a whole.
pub(crate) fn stamps_in(run: RunMark, text: &str) -> Vec<Stamp> {
    let mut stamps = Vec::new();
    Scanner::default().scan(run, text.as_bytes(), |stamp| stamps.push(stamp));
    stamps
}

/// Unreserved in URLs, plain in JSON, and rare in what servers add.
const MARK: u8 = b'~';

const STAMP_LEN: usize = 42;

fn write_hex(group: u32, digits: &mut [u8]) {
    for (at, digit) in digits.iter_mut().enumerate() {
        let nibble = (group >> (28 - 4 * at)) & 0xf;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
}

/// Eight digits at once: a stamp is read for each of millions of deliveries a second.
fn read_hex(digits: [u8; 8]) -> Option<u32> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x0f * EACH;
    let text = u64::from_be_bytes(digits);
    // Digits are 0x30 to 0x39 and 0x61 to 0x66: bit 6 tells the letters, which stand for their low half and nine.
    let is_letter = (text >> 6) & EACH;
    let nibbles = (text & LOW) + 9 * is_letter;
    let high_half = (text >> 4) & LOW;
    let is_ten_or_more = ((nibbles + 6 * EACH) >> 4) & EACH;
    if high_half != 3 * EACH + 3 * is_letter || nibbles & !LOW != 0 || is_ten_or_more != is_letter {
        return None;
    }
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let words = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    let all = words | words >> 16;
    Some(u32::try_from(all & u64::from(u32::MAX)).expect("half of 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunMark = RunMark(0xbeef);

    fn stamp(sequence: u32) -> Stamp {
        Stamp { publisher: 0xa1, topic: 0x12_3456, sequence, due: Duration::from_nanos(0x1234_5678_9abc_def0) }
    }

    fn payload(stamp: Stamp, run: RunMark, len: usize) -> Vec<u8> {
        let mut payload = vec![b'x'; len];
        stamp.write(run, &mut payload);
        payload
    }

    fn scan(pieces: &[&[u8]]) -> Vec<Stamp> {
        let mut scanner = Scanner::default();
        let mut got = Vec::new();
        for piece in pieces {
            scanner.scan(RUN, piece, |stamp| got.push(stamp));
        }
        got
    }

    #[test]
    fn a_stamp_is_readable_text() {
        let text = payload(stamp(9), RUN, PAYLOAD_BYTES_MIN);
        assert_eq!(text, b"~beef00a10012345600000009123456789abcdef0~");
        assert_eq!(scan(&[&text]), [stamp(9)]);
    }

    #[test]
    fn stamps_are_found_however_the_stream_is_split() {
        let other_run = payload(stamp(1), RunMark(7), 50);
        let stream =
            [&b"~~data: ~"[..], &payload(stamp(1), RUN, 42), b"~", &other_run, &payload(stamp(2), RUN, 60), b"\n~"]
                .concat();
        let want = [stamp(1), stamp(2)];
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(scan(&pieces), want, "split at {first} and {second}");
            }
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(scan(&bytes), want);
    }

    #[test]
    fn what_only_looks_like_a_stamp_is_none() {
        let good = payload(stamp(1), RUN, 42);
        for at in 0..42 {
            for byte in [b'g', b'A', b' ', b'/', b':', b'`', 0x00, 0xff, b'p', b'@'] {
                let mut bad = good.clone();
                bad[at] = byte;
                assert_eq!(scan(&[&bad]), [], "byte {at} is {byte:#x}");
            }
        }
    }

    #[test]
    fn hexadecimal_digits_are_read_as_they_are_written() {
        for number in [0, 1, 0x0123_4567, 0x89ab_cdef, u32::MAX, 0xffff, 0xa0a0_0a0a] {
            let mut digits = [0; 8];
            write_hex(number, &mut digits);
            assert_eq!(digits, *format!("{number:08x}").as_bytes());
            assert_eq!(read_hex(digits), Some(number));
        }
    }
}
