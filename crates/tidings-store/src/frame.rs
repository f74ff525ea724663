//! A record as it stands in a log file.
//!
//! ```text
//! file:    SegmentHeader, frame, frame, … and zeros where the file was given room ahead
//! frame:   length u32 | crc32 of the payload, begun with the salt of the file u32 | payload
//! payload: flags u8 | sequence u64 | committed at u64 (ms) | unsynced bytes | topic | [id] [type] [retry] [ttl] [key]
//!          [more flags u8 [alternate topics]] | data
//! ```
//! Numbers are little-endian; lengths within a payload are LEB128. What a flag does not announce is not there.

use std::sync::Arc;
use std::time::Duration;

use crc32fast::Hasher;
use tidings_core::{Epoch, IdempotencyKey, Kind, Position, Publication, Record, Sequence, Timestamp};
use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};

use crate::numbers::{put_number, put_text, take, take_number, take_text, take_u64};

/// What stands before a frame's payload. Unit: bytes.
pub(crate) const FRAME_HEAD_BYTES: usize = 8;

/// One record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub sequence: Sequence,
    pub committed_at: Timestamp,
    /// How many bytes before it in its file were perhaps not synced yet when it was written: so a start knows what had to
    /// be there. Unit: bytes.
    pub unsynced_bytes: u64,
    pub kind: Kind,
    pub private: bool,
    pub ttl: Option<Duration>,
    pub topic: Topic,
    /// The other topics under which it is found. Only an event has any.
    pub alternates: Box<[Topic]>,
    /// The publisher's id; the hub's own is the position.
    pub id: Option<EventId>,
    /// An earlier event may have the same id, or it may look like one of the hub's own. Only of an event with an id.
    pub takes_any_id: bool,
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
        let Publication { topic, alternates, data, event_type, id, takes_any_id, .. } = publication;
        let Publication { retry_ms, ttl, private, idempotency, .. } = publication;
        let takes_any_id = takes_any_id && id.is_some();
        let key = idempotency.zip(fingerprint).map(|(key, fingerprint)| StoredKey { key, fingerprint });
        let (kind, unsynced_bytes) = (Kind::Event, 0);
        Self {
            sequence,
            committed_at: at,
            unsynced_bytes,
            kind,
            private,
            ttl,
            topic,
            alternates,
            id,
            takes_any_id,
            event_type,
            retry_ms,
            data,
            key,
        }
    }

    /// The end or the deletion of a topic. An end that was published without data carries that publication's key.
    pub(crate) fn of_topic(
        kind: Kind,
        sequence: Sequence,
        at: Timestamp,
        topic: Topic,
        key: Option<StoredKey>,
    ) -> Self {
        Self {
            sequence,
            committed_at: at,
            unsynced_bytes: 0,
            kind,
            private: false,
            ttl: None,
            topic,
            alternates: Box::default(),
            id: None,
            takes_any_id: false,
            event_type: None,
            retry_ms: None,
            data: String::new(),
            key,
        }
    }

    /// The record as readers are given it.
    pub(crate) fn into_record(self, epoch: Epoch) -> Record {
        let position = Position { epoch, sequence: self.sequence };
        let Self { committed_at, kind, private, ttl, topic, alternates, id, takes_any_id, .. } = self;
        let Self { event_type, retry_ms, data, .. } = self;
        match kind {
            Kind::End => Record::end(position, topic, committed_at),
            Kind::Deleted => Record::deleted(position, topic, committed_at),
            Kind::Event => {
                let publication = Publication {
                    topic,
                    alternates,
                    data,
                    event_type,
                    id,
                    takes_any_id,
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

    /// Adds the frame to `out`, without its checksum: see [`stamp`].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let head = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        self.encode_payload(out);
        let length = out.len() - head - FRAME_HEAD_BYTES;
        let length = u32::try_from(length).expect("an event is far smaller than 4 GiB: see `event_bytes_max`");
        out[head..head + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn encode_payload(&self, out: &mut Vec<u8>) {
        let more = bit(!self.alternates.is_empty(), ALTERNATES) | bit(self.takes_any_id, ANY_ID);
        let flags = if more == 0 { kind_bits(self.kind) } else { EVENT_WITH_MORE }
            | bit(self.private, PRIVATE)
            | bit(self.id.is_some(), ID)
            | bit(self.event_type.is_some(), TYPE)
            | bit(self.retry_ms.is_some(), RETRY)
            | bit(self.ttl.is_some(), TTL)
            | bit(self.key.is_some(), KEY);
        out.push(flags);
        out.extend_from_slice(&self.sequence.0.to_le_bytes());
        out.extend_from_slice(&self.committed_at.as_millis().to_le_bytes());
        put_number(self.unsynced_bytes, out);
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
        if more != 0 {
            out.push(more);
        }
        if !self.alternates.is_empty() {
            put_number(self.alternates.len() as u64, out);
            self.alternates.iter().for_each(|topic| put_text(topic.as_str(), out));
        }
        out.extend_from_slice(self.data.as_bytes());
    }
}

/// Gives encoded frames the checksums that they have in the file with this salt.
pub(crate) fn stamp(mut frames: &mut [u8], salt: u32) {
    while let Some((head, rest)) = frames.split_first_chunk_mut::<FRAME_HEAD_BYTES>() {
        let length = u32::from_le_bytes(*head.first_chunk().expect("half a head is four bytes"));
        let (payload, rest) = rest.split_at_mut(length as usize);
        head[4..].copy_from_slice(&checksum(payload, salt).to_le_bytes());
        frames = rest;
    }
}

/// What the checksum of a frame with this payload is.
pub(crate) fn checksum(payload: &[u8], salt: u32) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(payload);
    hasher.finalize()
}

/// Reads what stands at the beginning of `bytes`, which end where the file with this salt does.
pub(crate) fn decode(bytes: &[u8], salt: u32) -> Decoded {
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
    if length == 0 || checksum(payload, salt) != crc {
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
    let unsynced_bytes = take_number(&mut rest)?;
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
    let more = if flags & KIND == EVENT_WITH_MORE { take(&mut rest, 1)?[0] } else { 0 };
    let alternates = if more & ALTERNATES != 0 { take_topics(&mut rest)? } else { Box::default() };
    let takes_any_id = more & ANY_ID != 0;
    let data = std::str::from_utf8(rest).ok()?.to_owned();
    let private = has(PRIVATE);
    Some(Frame {
        sequence,
        committed_at,
        unsynced_bytes,
        kind,
        private,
        ttl,
        topic,
        alternates,
        id,
        takes_any_id,
        event_type,
        retry_ms,
        data,
        key,
    })
}

fn take_topics(rest: &mut &[u8]) -> Option<Box<[Topic]>> {
    let count = take_number(rest)?;
    (0..count).map(|_| Topic::parse(take_text(rest)?).ok()).collect()
}

const KIND: u8 = 0b0000_0011;
const PRIVATE: u8 = 1 << 2;
const ID: u8 = 1 << 3;
const TYPE: u8 = 1 << 4;
const RETRY: u8 = 1 << 5;
const TTL: u8 = 1 << 6;
const KEY: u8 = 1 << 7;
/// In the place of a kind: an event, and a second byte of flags follows.
const EVENT_WITH_MORE: u8 = 3;
const ALTERNATES: u8 = 1;
const ANY_ID: u8 = 1 << 1;

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
        0 | EVENT_WITH_MORE => Some(Kind::Event),
        1 => Some(Kind::End),
        2 => Some(Kind::Deleted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x0bad_cafe;

    fn frame() -> Frame {
        Frame {
            sequence: Sequence(42),
            committed_at: Timestamp::from_millis(1_795_464_000_000),
            unsynced_bytes: 300,
            kind: Kind::Event,
            private: true,
            ttl: Some(Duration::from_mins(10)),
            topic: Topic::parse("chat/42").expect("a topic"),
            alternates: ["a", "b"].iter().map(|raw| Topic::parse(raw).expect("a topic")).collect(),
            takes_any_id: true,
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
        stamp(&mut out, SALT);
        out
    }

    #[test]
    fn a_frame_reads_back() {
        let plain = Frame {
            kind: Kind::End,
            private: false,
            ttl: None,
            alternates: Box::default(),
            id: None,
            takes_any_id: false,
            event_type: None,
            retry_ms: None,
            data: String::new(),
            key: None,
            ..frame()
        };
        let of_one_topic = Frame { alternates: Box::default(), ..frame() };
        let with_its_own_id = Frame { takes_any_id: false, ..frame() };
        for frame in [frame(), plain, of_one_topic, with_its_own_id, Frame { data: "x".repeat(100_000), ..frame() }] {
            let mut bytes = encoded(&frame);
            let len = bytes.len();
            assert_eq!(decode(&bytes, SALT), Decoded::Frame(Box::new(frame.clone()), len));
            bytes.extend_from_slice(b"what comes after it");
            assert_eq!(decode(&bytes, SALT), Decoded::Frame(Box::new(frame), len));
        }
    }

    #[test]
    fn a_flipped_bit_is_never_a_frame() {
        let bytes = encoded(&frame());
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(matches!(decode(&damaged, SALT), Decoded::Damaged | Decoded::Torn), "bit {at}");
        }
    }

    #[test]
    fn a_frame_that_is_cut_short_is_torn_and_zeros_are_the_end() {
        let bytes = encoded(&frame());
        for len in 1..bytes.len() {
            assert_eq!(decode(&bytes[..len], SALT), Decoded::Torn, "{len} bytes");
        }
        assert_eq!(decode(&[], SALT), Decoded::End);
        assert_eq!(decode(&[0; 5], SALT), Decoded::End);
        assert_eq!(decode(&[0; 100], SALT), Decoded::End);
    }

    #[test]
    fn frames_are_stamped_one_by_one_and_belong_to_one_file() {
        let frames = [frame(), Frame { sequence: Sequence(43), data: String::new(), ..frame() }];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.encode(&mut bytes);
        }
        stamp(&mut bytes, SALT);
        assert_eq!(bytes, [encoded(&frames[0]), encoded(&frames[1])].concat());
        assert_eq!(decode(&bytes, SALT + 1), Decoded::Damaged, "that of another file");
        stamp(&mut bytes, SALT + 1);
        assert!(matches!(decode(&bytes, SALT + 1), Decoded::Frame(..)));
    }
}
