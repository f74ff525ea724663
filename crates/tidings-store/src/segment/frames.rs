//! Frames of a log file at places that an index knows.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tidings_core::limits::{KIB, MIB};

use super::SegmentError;
use super::sealed::Entry;
use crate::frame::{self, Decoded, FRAME_HEAD_BYTES, Frame};

/// A log file that is not written to any more. Many threads may read at once.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    salt: u32,
    path: PathBuf,
    bytes: u64,
}

/// So much is read at once; a longer frame comes alone.
const READ_BYTES_MAX: u64 = MIB as u64;
/// Frames that have no more than this between them are read at once, with what is between them: a read of its own costs
/// about as much.
const GAP_BYTES_MAX: u64 = 16 * KIB as u64;
/// What a frame may take beside what its record counts for: mostly its topic. A guess, for the index does not say how
/// long the last frame of a read is; where it is too low there is a second read.
const FRAME_SLACK_BYTES: u64 = 256;

impl LogFile {
    /// Opens a file with this salt. Reads nothing of it.
    ///
    /// # Errors
    /// [`SegmentError::Io`].
    pub(super) fn open(path: &Path, salt: u32) -> Result<Self, SegmentError> {
        let file = File::open(path).map_err(SegmentError::io(path))?;
        let bytes = file.metadata().map_err(SegmentError::io(path))?.len();
        Ok(Self { file, salt, path: path.to_owned(), bytes })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is. Unit: bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the frames of these entries and hands each to `visit`, with its bytes.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`] when one is not as it was written or not the one that the entry speaks of; those of
    /// `visit`.
    pub(super) fn visit(
        &self,
        entries: &[Entry],
        mut visit: impl FnMut(&Entry, Frame, &[u8]) -> Result<(), SegmentError>,
    ) -> Result<(), SegmentError> {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let run;
            (run, rest) = rest.split_at(self.run_length(rest));
            let end = run.last().map_or(0, |last| self.guess_end(last));
            let bytes = self.read(u64::from(first.offset), end)?;
            for entry in run {
                let at = (entry.offset - first.offset) as usize;
                self.visit_one(entry, bytes.get(at..).unwrap_or_default(), &mut visit)?;
            }
        }
        Ok(())
    }

    /// How many of the first entries are read at once; one at least.
    fn run_length(&self, entries: &[Entry]) -> usize {
        let is_joined = |pair: &[Entry]| {
            pair[0].offset < pair[1].offset
                && u64::from(pair[1].offset) <= self.guess_end(&pair[0]) + GAP_BYTES_MAX
                && self.guess_end(&pair[1]) <= u64::from(entries[0].offset) + READ_BYTES_MAX
        };
        1 + entries.windows(2).take_while(|pair| is_joined(pair)).count()
    }

    fn guess_end(&self, entry: &Entry) -> u64 {
        self.bytes.min(u64::from(entry.offset) + u64::from(entry.cost_bytes) + FRAME_SLACK_BYTES)
    }

    /// `bytes` are those at the entry's offset, as far as they were read.
    fn visit_one(
        &self,
        entry: &Entry,
        bytes: &[u8],
        visit: &mut impl FnMut(&Entry, Frame, &[u8]) -> Result<(), SegmentError>,
    ) -> Result<(), SegmentError> {
        let offset = u64::from(entry.offset);
        let damaged = |what| SegmentError::damaged(&self.path, offset, what);
        let reread;
        let (bytes, decoded) = match frame::decode(bytes, self.salt) {
            Decoded::Torn => {
                let head = self.read(offset, offset + FRAME_HEAD_BYTES as u64)?;
                let end = offset.saturating_add(frame_bytes(&head).ok_or_else(|| damaged(CUT_OFF))?);
                if end > self.bytes {
                    return Err(damaged(CUT_OFF));
                }
                reread = self.read(offset, end)?;
                (&*reread, frame::decode(&reread, self.salt))
            }
            decoded => (bytes, decoded),
        };
        match decoded {
            Decoded::Frame(frame, _) if frame.sequence != entry.sequence => {
                Err(damaged("the frame is not the one that the index speaks of"))
            }
            Decoded::Frame(frame, taken) => visit(entry, *frame, &bytes[..taken]),
            Decoded::End => Err(damaged("there is no frame")),
            Decoded::Torn => Err(damaged(CUT_OFF)),
            Decoded::Damaged => Err(damaged(NOT_AS_WRITTEN)),
        }
    }

    fn read(&self, from: u64, end: u64) -> Result<Vec<u8>, SegmentError> {
        let len = usize::try_from(end.saturating_sub(from)).expect("a log is shorter than memory can be");
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, from).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => SegmentError::damaged(&self.path, self.bytes, CUT_OFF),
            _ => SegmentError::io(&self.path)(error),
        })?;
        Ok(bytes)
    }
}

/// How long the frame with this head is; `None` without a whole head. Unit: bytes.
pub(super) fn frame_bytes(head: &[u8]) -> Option<u64> {
    let length = u32::from_le_bytes(*head.get(..FRAME_HEAD_BYTES)?.first_chunk()?);
    Some(u64::from(length) + FRAME_HEAD_BYTES as u64)
}

pub(super) const CUT_OFF: &str = "the file ends within the frame";
pub(super) const NOT_AS_WRITTEN: &str = "the frame is not as it was written";
pub(super) const NOT_HERE: &str = "the frame does not belong here";
