//! A record as it stands in a log file, and the head of such a file.
//!
//! ```text
//! file:    SegmentHeader, frame, frame, … and zeros where the file was given room ahead
//! frame:   length u32 | crc32 of the payload u32 | payload
//! payload: flags u8 | sequence u64 | committed at u64 (ms) | topic | [id] [type] [retry] [ttl] [key] | data
//! ```
//! Numbers are little-endian; lengths within a payload are LEB128. What a flag does not announce is not there.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::{Epoch, IdempotencyKey, Kind, Position, Publication, Record, Sequence, Timestamp};
use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};

/// The version of the format that this program writes, and the only one that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// What stands before a frame's payload. Unit: bytes.
pub(crate) const FRAME_HEAD_BYTES: usize = 8;

/// One record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub sequence: Sequence,
    pub committed_at: Timestamp,
    pub kind: Kind,
    pub private: bool,
    pub ttl: Option<Duration>,
    pub topic: Topic,
    /// The publisher's id; the hub's own is the position.
    pub id: Option<EventId>,
    pub event_type: Option<EventType>,
    pub retry_ms: Option<u64>,
    pub data: String,
    pub key: Option<StoredKey>,
}

/// The idempotency key of a publication, and what tells the publication from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    pub key: IdempotencyKey,
    pub fingerprint: u64,
}

/// What stands at a place of a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A frame, and how many bytes it takes.
    Frame(Box<Frame>, usize),
    /// Nothing more: the end of the file, or room that was never written.
    End,
    /// The bytes end within the frame.
    Torn,
    /// No frame, or one that is not as it was written.
    Damaged,
}

impl Frame {
    /// The event that `publication` becomes. `fingerprint` belongs to its idempotency key, if it has one.
    pub(crate) fn event(sequence: Sequence, at: Timestamp, publication: Publication, fingerprint: Option<u64>) -> Self {
        let Publication { topic, data, event_type, id, retry_ms, ttl, private, ends_topic: _, idempotency } = publication;
        let key = idempotency.zip(fingerprint).map(|(key, fingerprint)| StoredKey { key, fingerprint });
        Self { sequence, committed_at: at, kind: Kind::Event, private, ttl, topic, id, event_type, retry_ms, data, key }
    }

    /// The end or the deletion of a topic. An end that was published without data carries that publication's key.
    pub(crate) fn of_topic(
        kind: Kind,
        sequence: Sequence,
        at: Timestamp,
        topic: Topic,
        key: Option<StoredKey>,
    ) -> Self {
        let (private, ttl, id, event_type, retry_ms) = (false, None, None, None, None);
        Self { sequence, committed_at: at, kind, private, ttl, topic, id, event_type, retry_ms, data: String::new(), key }
    }

    /// The record as readers are given it.
    pub(crate) fn into_record(self, epoch: Epoch) -> Record {
        let position = Position { epoch, sequence: self.sequence };
        let Self { committed_at, kind, private, ttl, topic, id, event_type, retry_ms, data, .. } = self;
        match kind {
            Kind::End => Record::end(position, topic, committed_at),
            Kind::Deleted => Record::deleted(position, topic, committed_at),
            Kind::Event => {
                let publication = Publication {
                    topic,
                    data,
                    event_type,
                    id,
                    retry_ms,
                    ttl,
                    private,
                    ends_topic: false,
                    idempotency: None,
                };
                Record::event(position, publication, committed_at)
            }
        }
    }

    /// Adds the frame to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let head = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        self.encode_payload(out);
        let payload = &out[head + FRAME_HEAD_BYTES..];
        let length = u32::try_from(payload.len()).expect("an event is far smaller than 4 GiB: see `event_bytes_max`");
        let crc = crc32fast::hash(payload);
        out[head..head + 4].copy_from_slice(&length.to_le_bytes());
        out[head + 4..head + FRAME_HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
    }

    fn encode_payload(&self, out: &mut Vec<u8>) {
        let flags = kind_bits(self.kind)
            | bit(self.private, PRIVATE)
            | bit(self.id.is_some(), ID)
            | bit(self.event_type.is_some(), TYPE)
            | bit(self.retry_ms.is_some(), RETRY)
            | bit(self.ttl.is_some(), TTL)
            | bit(self.key.is_some(), KEY);
        out.push(flags);
        out.extend_from_slice(&self.sequence.0.to_le_bytes());
        out.extend_from_slice(&self.committed_at.as_millis().to_le_bytes());
        put_text(self.topic.as_str(), out);
        if let Some(id) = &self.id {
            put_text(id.as_str(), out);
        }
        if let Some(event_type) = &self.event_type {
            put_text(event_type.as_str(), out);
        }
        if let Some(retry_ms) = self.retry_ms {
            put_number(retry_ms, out);
        }
        if let Some(ttl) = self.ttl {
            put_number(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX), out);
        }
        if let Some(StoredKey { key, fingerprint }) = &self.key {
            put_text(&key.subject, out);
            put_text(&key.key, out);
            out.extend_from_slice(&fingerprint.to_le_bytes());
        }
        out.extend_from_slice(self.data.as_bytes());
    }
}

/// Reads what stands at the beginning of `bytes`, which end where the file does.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let Some((head, rest)) = bytes.split_at_checked(FRAME_HEAD_BYTES) else {
        return if bytes.iter().all(|byte| *byte == 0) { Decoded::End } else { Decoded::Torn };
    };
    let (length, crc) = head.split_at(4);
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("half a head is four bytes"));
    let (length, crc) = (number(length), number(crc));
    if (length, crc) == (0, 0) {
        return Decoded::End;
    }
    let length = length as usize;
    let Some(payload) = rest.get(..length) else { return Decoded::Torn };
    if length == 0 || crc32fast::hash(payload) != crc {
        return Decoded::Damaged;
    }
    match decode_payload(payload) {
        Some(frame) => Decoded::Frame(Box::new(frame), FRAME_HEAD_BYTES + length),
        None => Decoded::Damaged,
    }
}

fn decode_payload(payload: &[u8]) -> Option<Frame> {
    let mut rest = payload;
    let flags = take(&mut rest, 1)?[0];
    let kind = kind_of(flags)?;
    let sequence = Sequence(take_u64(&mut rest)?);
    let committed_at = Timestamp::from_millis(take_u64(&mut rest)?);
    let has = |flag: u8| flags & flag != 0;
    let topic = Topic::parse(take_text(&mut rest)?).ok()?;
    let id = if has(ID) { Some(EventId::parse(take_text(&mut rest)?).ok()?) } else { None };
    let event_type = if has(TYPE) { Some(EventType::parse(take_text(&mut rest)?).ok()?) } else { None };
    let retry_ms = if has(RETRY) { Some(take_number(&mut rest)?) } else { None };
    let ttl = if has(TTL) { Some(Duration::from_millis(take_number(&mut rest)?)) } else { None };
    let key = if has(KEY) {
        let (subject, key) = (Arc::from(take_text(&mut rest)?), Arc::from(take_text(&mut rest)?));
        Some(StoredKey { key: IdempotencyKey { subject, key }, fingerprint: take_u64(&mut rest)? })
    } else {
        None
    };
    let data = std::str::from_utf8(rest).ok()?.to_owned();
    let private = has(PRIVATE);
    Some(Frame { sequence, committed_at, kind, private, ttl, topic, id, event_type, retry_ms, data, key })
}

/// The head of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub epoch: Epoch,
    /// No frame of the file is before it.
    pub first: Sequence,
}

/// What is wrong with the head of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It is no log file of ours, or its head is damaged.
    Damaged,
    /// It is of another version of the format.
    Version(u32),
}

const MAGIC: &[u8; 8] = b"TIDINGS\n";

impl SegmentHeader {
    /// magic 8 | version 4 | epoch 12 | first sequence 8 | crc32 of all before 4
    pub(crate) const BYTES: usize = 36;

    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[12..24].copy_from_slice(self.epoch.as_str().as_bytes());
        out[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        let crc = crc32fast::hash(&out[..32]);
        out[32..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// # Errors
    /// [`HeaderFault`]; the version is looked at before the rest, so that a later format says that it is one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes: &[u8; Self::BYTES] = bytes.first_chunk().ok_or(HeaderFault::Damaged)?;
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        if bytes[..8] != *MAGIC {
            return Err(HeaderFault::Damaged);
        }
        if number(8) != FORMAT_VERSION {
            return Err(HeaderFault::Version(number(8)));
        }
        if number(32) != crc32fast::hash(&bytes[..32]) {
            return Err(HeaderFault::Damaged);
        }
        let epoch = std::str::from_utf8(&bytes[12..24]).ok().and_then(Epoch::parse).ok_or(HeaderFault::Damaged)?;
        let first = Sequence(u64::from_le_bytes(bytes[24..32].try_into().expect("eight bytes")));
        Ok(Self { epoch, first })
    }
}

const KIND: u8 = 0b0000_0011;
const PRIVATE: u8 = 1 << 2;
const ID: u8 = 1 << 3;
const TYPE: u8 = 1 << 4;
const RETRY: u8 = 1 << 5;
const TTL: u8 = 1 << 6;
const KEY: u8 = 1 << 7;

fn bit(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}

fn kind_bits(kind: Kind) -> u8 {
    match kind {
        Kind::Event => 0,
        Kind::End => 1,
        Kind::Deleted => 2,
    }
}

fn kind_of(flags: u8) -> Option<Kind> {
    match flags & KIND {
        0 => Some(Kind::Event),
        1 => Some(Kind::End),
        2 => Some(Kind::Deleted),
        _ => None,
    }
}

/// LEB128: seven bits a byte, the lowest first.
pub(crate) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    put_number(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

pub(crate) fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
}

pub(crate) fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None; // more than 64 bits
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    std::str::from_utf8(take(rest, length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            sequence: Sequence(42),
            committed_at: Timestamp::from_millis(1_795_464_000_000),
            kind: Kind::Event,
            private: true,
            ttl: Some(Duration::from_mins(10)),
            topic: Topic::parse("chat/42").expect("a topic"),
            id: EventId::parse("order-7").ok(),
            event_type: EventType::parse("order").ok(),
            retry_ms: Some(1500),
            data: "one\ntwo\u{1f600}".to_owned(),
            key: Some(StoredKey {
                key: IdempotencyKey { subject: "me".into(), key: "k-1".into() },
                fingerprint: u64::MAX - 1,
            }),
        }
    }

    fn encoded(frame: &Frame) -> Vec<u8> {
        let mut out = Vec::new();
        frame.encode(&mut out);
        out
    }

    #[test]
    fn a_frame_reads_back() {
        let plain = Frame {
            kind: Kind::End,
            private: false,
            ttl: None,
            id: None,
            event_type: None,
            retry_ms: None,
            data: String::new(),
            key: None,
            ..frame()
        };
        for frame in [frame(), plain, Frame { data: "x".repeat(100_000), ..frame() }] {
            let mut bytes = encoded(&frame);
            let len = bytes.len();
            assert_eq!(decode(&bytes), Decoded::Frame(Box::new(frame.clone()), len));
            bytes.extend_from_slice(b"what comes after it");
            assert_eq!(decode(&bytes), Decoded::Frame(Box::new(frame), len));
        }
    }

    #[test]
    fn a_flipped_bit_is_never_a_frame() {
        let bytes = encoded(&frame());
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(matches!(decode(&damaged), Decoded::Damaged | Decoded::Torn), "bit {at}");
        }
    }

    #[test]
    fn a_frame_that_is_cut_short_is_torn_and_zeros_are_the_end() {
        let bytes = encoded(&frame());
        for len in 1..bytes.len() {
            assert_eq!(decode(&bytes[..len]), Decoded::Torn, "{len} bytes");
        }
        assert_eq!(decode(&[]), Decoded::End);
        assert_eq!(decode(&[0; 5]), Decoded::End);
        assert_eq!(decode(&[0; 100]), Decoded::End);
    }

    #[test]
    fn the_head_of_a_file_reads_back_and_knows_other_versions() {
        let header = SegmentHeader { epoch: Epoch::from_unix_micros(1_795_464_000_000_000), first: Sequence(7) };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert!(SegmentHeader::decode(&damaged).is_err(), "byte {at}");
        }
        let mut later = bytes;
        later[8] = 2;
        assert_eq!(SegmentHeader::decode(&later), Err(HeaderFault::Version(2)));
        assert_eq!(SegmentHeader::decode(&bytes[..35]), Err(HeaderFault::Damaged));
    }

    #[test]
    fn numbers_of_any_size_read_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(value, &mut out);
            let mut rest = &*out;
            assert_eq!((take_number(&mut rest), rest.len()), (Some(value), 0));
        }
        assert_eq!(take_number(&mut &[0xff; 10][..]), None, "more than 64 bits");
    }
}
