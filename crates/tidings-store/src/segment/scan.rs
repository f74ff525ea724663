//! A walk through a log file from its start, and a judgement of what stands where it can go no further.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tidings_core::limits::KIB;
use tidings_core::{Sequence, Timestamp};

use super::SegmentError;
use super::frames::frame_bytes;
use crate::frame::{self, Decoded, FRAME_HEAD_BYTES, Frame};
use crate::header::{FORMAT_VERSION, HeaderFault, SegmentHeader};

/// A log file that is walked through. Holds a piece of it, and never more than what its longest frame takes; only to
/// look behind damage it holds all the rest.
#[derive(Debug)]
pub(crate) struct LogScan {
    file: File,
    path: PathBuf,
    file_bytes: u64,
    header: SegmentHeader,
    /// What was read of the file and not yet walked over: `buffer[taken..]` stands at `at` in the file.
    buffer: Vec<u8>,
    taken: usize,
    at: u64,
    last: Option<(Sequence, Timestamp)>,
    end: Option<ScanEnd>,
}

/// What the walk came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The next frame.
    Frame(Scanned),
    /// It goes no further, and why.
    End(ScanEnd),
}

/// A frame and where it stands.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// Where it begins in the file. Unit: bytes.
    pub offset: u64,
    /// What stands there.
    pub frame: Frame,
}

/// How a log file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanEnd {
    /// After the last frame there is nothing but zeros.
    Clean {
        /// Where the last frame ends.
        offset: u64,
    },
    /// What was being written when the power was lost, or the process ended: nothing says that the file was ever safe
    /// beyond `offset`. Good frames may follow, for pages reach a disk in any order; they were not safe either.
    Torn {
        /// Where the last good frame before that ends.
        offset: u64,
        /// How many bytes follow it, without the zeros at the end.
        bytes: u64,
    },
    /// A frame is not as it was written, and it was safe once: a later one says so.
    Damaged {
        /// Where it begins.
        offset: u64,
        /// The next good frame behind it. `None`: the frame is whole but does not belong there, or what is behind it
        /// cannot be told.
        next_good: Option<NextGood>,
    },
}

/// A good frame behind a bad one. (The salt of the file keeps the data of events from looking like one.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextGood {
    /// Where it begins. Unit: bytes.
    pub offset: u64,
    /// Its sequence.
    pub sequence: Sequence,
}

/// So much is read at once. Unit: bytes.
pub(super) const READ_BYTES: usize = 256 * KIB;
/// The shortest payload: flags, sequence, time, unsynced bytes, and a topic of one byte.
const PAYLOAD_BYTES_MIN: u64 = 20;
/// The sequences of a file do not leap further. (Holes come from sequences that were set aside for a crash.)
const LEAP_MAX: u64 = 1 << 32;
/// Data can be made to look like the heads of many long frames. Whoever did that gets no more work out of a search than
/// this: some ten seconds. Unit: bytes whose checksum is computed.
const SEARCH_BYTES_MAX: u64 = 64 << 30;

impl LogScan {
    /// Opens a log file.
    ///
    /// # Errors
    /// [`SegmentError`]; [`SegmentError::Blank`] when nothing was ever written to it.
    pub(crate) fn open(log: &Path) -> Result<Self, SegmentError> {
        let mut file = File::open(log).map_err(SegmentError::io(log))?;
        let file_bytes = file.metadata().map_err(SegmentError::io(log))?.len();
        let mut head = Vec::new();
        let head_bytes = SegmentHeader::BYTES as u64;
        (&mut file).take(head_bytes).read_to_end(&mut head).map_err(SegmentError::io(log))?;
        let header = SegmentHeader::decode(&head).map_err(|fault| match fault {
            HeaderFault::Version(found) => SegmentError::Version { path: log.to_owned(), found, known: FORMAT_VERSION },
            HeaderFault::Damaged if head.iter().all(|byte| *byte == 0) => SegmentError::Blank { path: log.to_owned() },
            HeaderFault::Damaged => SegmentError::damaged(log, 0, "the head of the file is not as it was written"),
        })?;
        let (buffer, taken, last, end) = (Vec::new(), 0, None, None);
        Ok(Self { file, path: log.to_owned(), file_bytes, header, buffer, taken, at: head_bytes, last, end })
    }

    /// The head of the file.
    pub(crate) fn header(&self) -> SegmentHeader {
        self.header
    }

    /// How long the file is, with the room ahead. Unit: bytes.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The next frame, or the end; once at the end it stays there.
    ///
    /// # Errors
    /// [`SegmentError::Io`].
    pub(crate) fn step(&mut self) -> Result<Step, SegmentError> {
        if let Some(end) = self.end {
            return Ok(Step::End(end));
        }
        self.hold(FRAME_HEAD_BYTES as u64)?;
        if let Some(bytes) = frame_bytes(self.held())
            && bytes <= self.rest_bytes()
        {
            self.hold(bytes)?;
        }
        let offset = self.at;
        let end = match frame::decode(self.held(), self.header.salt) {
            Decoded::Frame(frame, taken) if self.is_next(frame.sequence, frame.committed_at) => {
                self.last = Some((frame.sequence, frame.committed_at));
                self.pass(taken);
                return Ok(Step::Frame(Scanned { offset, frame: *frame }));
            }
            Decoded::Frame(..) => ScanEnd::Damaged { offset, next_good: None },
            Decoded::Damaged if self.is_checksum_right() => ScanEnd::Damaged { offset, next_good: None },
            Decoded::End if self.is_rest_zero()? => ScanEnd::Clean { offset },
            Decoded::End | Decoded::Torn | Decoded::Damaged => self.judge(SEARCH_BYTES_MAX)?,
        };
        self.end = Some(end);
        Ok(Step::End(end))
    }

    /// Goes on behind the damage where the walk ended, to count what is there. See [`NextGood`].
    pub(crate) fn go_on_at(&mut self, good: NextGood) {
        // The judgement that found it holds all the rest.
        if let Some(skipped) = good.offset.checked_sub(self.at).and_then(|skipped| usize::try_from(skipped).ok())
            && skipped <= self.held().len()
        {
            self.pass(skipped);
            self.end = None;
        }
    }

    fn is_next(&self, sequence: Sequence, at: Timestamp) -> bool {
        is_next(self.header, self.last, sequence, at)
    }

    /// It is a frame that somebody wrote, whatever it is.
    fn is_checksum_right(&self) -> bool {
        let head_and_payload =
            frame_bytes(self.held()).and_then(|bytes| self.held().get(..usize::try_from(bytes).ok()?));
        head_and_payload.is_some_and(|bytes| {
            let (head, payload) = bytes.split_at(FRAME_HEAD_BYTES);
            !payload.is_empty() && frame::checksum(payload, self.header.salt).to_le_bytes() == head[4..]
        })
    }

    /// Damage in the middle, or a torn end? The good frames behind it tell how far the file was safe when they were
    /// written.
    pub(super) fn judge(&mut self, search_bytes_max: u64) -> Result<ScanEnd, SegmentError> {
        self.hold(self.rest_bytes())?;
        let (offset, rest) = (self.at, self.held());
        let written = rest.len() - rest.iter().rev().take_while(|byte| **byte == 0).count();
        let mut search = Search { header: self.header, last: self.last, bytes_left: search_bytes_max };
        let mut next_good = None;
        // Where its own head says that it ends comes first: mostly that is right, and nothing within its data is asked.
        let own_end = frame_bytes(rest).and_then(|bytes| usize::try_from(bytes).ok());
        let mut found = own_end.and_then(|own_end| search.frame_at(rest, own_end));
        let mut from = 1;
        loop {
            let Some((at, frame, taken)) = found.or_else(|| (from..written).find_map(|at| search.frame_at(rest, at)))
            else {
                let is_all_seen = search.bytes_left > 0;
                let (torn, unknown) =
                    (ScanEnd::Torn { offset, bytes: written as u64 }, ScanEnd::Damaged { offset, next_good: None });
                return Ok(if is_all_seen { torn } else { unknown });
            };
            let good = *next_good.get_or_insert(NextGood { offset: offset + at as u64, sequence: frame.sequence });
            if (offset + at as u64).saturating_sub(frame.unsynced_bytes) > offset {
                return Ok(ScanEnd::Damaged { offset, next_good: Some(good) });
            }
            search.last = Some((frame.sequence, frame.committed_at));
            from = at + taken;
            found = search.frame_at(rest, from);
        }
    }

    /// Is there nothing but zeros from here on? Holds no more for it: there may be much room ahead.
    fn is_rest_zero(&self) -> Result<bool, SegmentError> {
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let mut at = self.at + self.held().len() as u64;
        let mut piece = vec![0; READ_BYTES];
        let mut is_all_zero = is_zero(self.held());
        while is_all_zero {
            match self.file.read_at(&mut piece, at).map_err(SegmentError::io(&self.path))? {
                0 => break,
                read => {
                    is_all_zero = is_zero(&piece[..read]);
                    at += read as u64;
                }
            }
        }
        Ok(is_all_zero)
    }

    fn held(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// How much of the file is not yet walked over.
    fn rest_bytes(&self) -> u64 {
        self.file_bytes.saturating_sub(self.at)
    }

    fn pass(&mut self, bytes: usize) {
        self.taken += bytes;
        self.at += bytes as u64;
    }

    /// Holds this many bytes from here on, or all there are.
    fn hold(&mut self, bytes: u64) -> Result<(), SegmentError> {
        let bytes = usize::try_from(bytes.min(self.rest_bytes())).expect("a log is shorter than memory can be");
        if self.held().len() >= bytes {
            return Ok(());
        }
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let missing = (bytes - self.buffer.len()).max(READ_BYTES) as u64;
        (&mut self.file).take(missing).read_to_end(&mut self.buffer).map_err(SegmentError::io(&self.path))?;
        Ok(())
    }
}

fn is_next(header: SegmentHeader, last: Option<(Sequence, Timestamp)>, sequence: Sequence, at: Timestamp) -> bool {
    sequence >= header.first && last.is_none_or(|(last, last_at)| sequence > last && at >= last_at)
}

/// A search for good frames behind one that is not.
struct Search {
    header: SegmentHeader,
    /// Of the last good one.
    last: Option<(Sequence, Timestamp)>,
    /// Of so many bytes the checksum may still be computed; 0 once the search was given up.
    bytes_left: u64,
}

impl Search {
    /// The good frame at this place, if there is one: where, what, and how long.
    fn frame_at(&mut self, bytes: &[u8], at: usize) -> Option<(usize, Box<Frame>, usize)> {
        let bytes = bytes.get(at..)?;
        let length = self.frame_perhaps(bytes)?;
        self.bytes_left = self.bytes_left.saturating_sub(length);
        if self.bytes_left == 0 {
            return None;
        }
        match frame::decode(bytes, self.header.salt) {
            Decoded::Frame(frame, taken) if is_next(self.header, self.last, frame.sequence, frame.committed_at) => {
                Some((at, frame, taken))
            }
            _ => None,
        }
    }

    /// How long the frame is that `bytes` seem to begin with. Cheap, for it is asked of every place.
    fn frame_perhaps(&self, bytes: &[u8]) -> Option<u64> {
        let length = frame_bytes(bytes)?;
        let sequence = Sequence(u64::from_le_bytes(*bytes.get(FRAME_HEAD_BYTES + 1..)?.first_chunk()?));
        let last = self.last.map_or(self.header.first.previous(), |(last, _)| last);
        let is_plausible = length >= FRAME_HEAD_BYTES as u64 + PAYLOAD_BYTES_MIN
            && length <= bytes.len() as u64
            && sequence > last
            && sequence.0 - last.0 <= LEAP_MAX;
        is_plausible.then_some(length)
    }
}
