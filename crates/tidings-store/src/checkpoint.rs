//! What is remembered beyond the records, as it was at one place: so a start reads only what came after.
//!
//! ```text
//! magic 8 | version u32 | payload | crc32 of all before u32
//! ```
//! The payload is LEB128 numbers and texts with their length before. It is written whole and replaced whole.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tidings_core::history::{Claim, Mark};
use tidings_core::{Appended, Epoch, IdempotencyKey, Position, Record, Sequence, Timestamp};
use tidings_topic::Topic;
use tidings_wire::EventId;

use crate::header::FORMAT_VERSION;
use crate::layout;
use crate::numbers::{put_number, put_text, take_number, take_text};
use crate::options::OpenError;
use crate::segments::DeadIn;
use crate::state::State;

const MAGIC: &[u8; 8] = b"TIDINGSC";
const CRC_BYTES: usize = 4;

/// The state at a place, encoded.
#[derive(Debug)]
pub(crate) struct Checkpoint(Vec<u8>);

impl Checkpoint {
    /// As it is now. The caller has the state locked; what is at its tail must be safe on disk before this is written.
    pub(crate) fn of(state: &State, epoch: Epoch) -> Self {
        let mut out = Vec::with_capacity(4096);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        put_text(epoch.as_str(), &mut out);
        for number in [
            state.tail().0,
            state.retained_after.0,
            state.events,
            state.bytes,
            state.damaged_through.0,
            state.times.latest().as_millis(),
        ] {
            put_number(number, &mut out);
        }
        put_list(&mut out, state.holes.iter(), |(first, last), out| {
            put_number(first.0, out);
            put_number(last.0, out);
        });
        put_list(&mut out, state.segments.dead(), |dead, out| {
            for number in [dead.segment.0, dead.bytes, dead.log_bytes.unwrap_or_default()] {
                put_number(number, out);
            }
        });
        let (trimmed, deleted) = state.marks.floors();
        for number in [trimmed.sequence.0, trimmed.at.as_millis(), deleted.0] {
            put_number(number, &mut out);
        }
        put_list(&mut out, state.marks.of_topics(), |(topic, mark), out| {
            put_text(topic.as_str(), out);
            put_number(mark.sequence.0, out);
            put_number(mark.at.as_millis(), out);
        });
        put_list(&mut out, state.marks.deletions(), |(topic, place), out| put_place(topic, place, out));
        put_list(&mut out, state.dropped.iter(), |(topic, place, ()), out| put_place(topic, place, out));
        put_list(&mut out, state.ended.iter(), |end, out| {
            put_place(&end.topic, end.sequence, out);
            put_number(end.committed_at.as_millis(), out);
        });
        put_list(&mut out, state.keys.iter(), |(topic, key, fingerprint, answer, until), out| {
            put_place(topic, answer.position.sequence, out);
            put_text(&key.subject, out);
            put_text(&key.key, out);
            put_text(answer.id.as_str(), out);
            put_number(fingerprint, out);
            put_number(until.as_millis(), out);
        });
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        Self(out)
    }

    /// Puts it in the place of the one before.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        layout::replace(path, &self.0)
    }

    /// The one that was written last; `None` when there is none, or none that can be used, which is logged.
    ///
    /// # Errors
    /// [`OpenError::Version`], and what the system says.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, OpenError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("cannot read", path)(error)),
        };
        let is_ours = bytes.len() >= MAGIC.len() + 4 + CRC_BYTES && bytes.starts_with(MAGIC);
        if is_ours {
            let version = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes"));
            if version != FORMAT_VERSION {
                return Err(OpenError::Version { path: path.to_owned(), found: version, known: FORMAT_VERSION });
            }
        }
        let is_whole = is_ours && {
            let (content, crc) = bytes.split_at(bytes.len() - CRC_BYTES);
            crc32fast::hash(content).to_le_bytes() == *crc
        };
        if !is_whole {
            tracing::error!(path = %path.display(), "the checkpoint is damaged: the whole log is read instead");
        }
        Ok(is_whole.then_some(Self(bytes)))
    }

    /// The epoch, and the place of its tail.
    pub(crate) fn head(&self) -> Option<(Epoch, Sequence)> {
        let mut rest = self.payload();
        let epoch = Epoch::parse(take_text(&mut rest)?)?;
        Some((epoch, Sequence(take_number(&mut rest)?)))
    }

    /// Puts what it holds into `state`, which is as new. `None` when it does not hold what it should.
    pub(crate) fn restore(&self, state: &mut State, epoch: Epoch) -> Option<()> {
        let mut bytes = self.payload();
        let rest = &mut bytes;
        take_text(rest)?;
        take_number(rest)?;
        state.retained_after = Sequence(take_number(rest)?);
        state.events = take_number(rest)?;
        state.bytes = take_number(rest)?;
        state.damaged_through = Sequence(take_number(rest)?);
        state.times.restore(Timestamp::from_millis(take_number(rest)?));
        for _ in 0..take_number(rest)? {
            state.holes.add(Sequence(take_number(rest)?), Sequence(take_number(rest)?));
        }
        let mut dead = Vec::new();
        for _ in 0..take_number(rest)? {
            let (segment, bytes) = (Sequence(take_number(rest)?), take_number(rest)?);
            let log_bytes = Some(take_number(rest)?).filter(|log_bytes| *log_bytes > 0); // no log is shorter than its head
            dead.push(DeadIn { segment, bytes, log_bytes });
        }
        state.segments.restore_dead(dead);
        let floor = Mark { sequence: Sequence(take_number(rest)?), at: Timestamp::from_millis(take_number(rest)?) };
        state.marks.raise_floor(floor);
        state.marks.raise_deleted_floor(Sequence(take_number(rest)?));
        for _ in 0..take_number(rest)? {
            let topic = Topic::parse(take_text(rest)?).ok()?;
            let mark = Mark { sequence: Sequence(take_number(rest)?), at: Timestamp::from_millis(take_number(rest)?) };
            state.marks.event_trimmed(&topic, mark);
        }
        for _ in 0..take_number(rest)? {
            let (topic, place) = take_place(rest)?;
            state.marks.topic_deleted(&topic, place);
        }
        for _ in 0..take_number(rest)? {
            let (topic, place) = take_place(rest)?;
            state.dropped.set(&topic, place, ());
        }
        for _ in 0..take_number(rest)? {
            let (topic, sequence) = take_place(rest)?;
            let at = Timestamp::from_millis(take_number(rest)?);
            state.ended.end(&Arc::new(Record::end(Position { epoch, sequence }, topic, at)));
        }
        for _ in 0..take_number(rest)? {
            let (topic, sequence) = take_place(rest)?;
            let (subject, key) = (Arc::from(take_text(rest)?), Arc::from(take_text(rest)?));
            let id = EventId::parse(take_text(rest)?).ok()?;
            let fingerprint = take_number(rest)?;
            let until = Timestamp::from_millis(take_number(rest)?);
            let answer = Appended { position: Position { epoch, sequence }, id, is_repeat: false };
            state.keys.restore(Claim::stored(topic, IdempotencyKey { subject, key }, fingerprint), answer, until);
        }
        rest.is_empty().then_some(())
    }

    fn payload(&self) -> &[u8] {
        &self.0[MAGIC.len() + 4..self.0.len() - CRC_BYTES]
    }
}

fn put_list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, put: impl Fn(T, &mut Vec<u8>)) {
    let mut list = Vec::new();
    let mut count = 0;
    for item in items {
        put(item, &mut list);
        count += 1;
    }
    put_number(count, out);
    out.extend_from_slice(&list);
}

fn put_place(topic: &Topic, place: Sequence, out: &mut Vec<u8>) {
    put_text(topic.as_str(), out);
    put_number(place.0, out);
}

fn take_place(rest: &mut &[u8]) -> Option<(Topic, Sequence)> {
    let topic = Topic::parse(take_text(rest)?).ok()?;
    Some((topic, Sequence(take_number(rest)?)))
}
