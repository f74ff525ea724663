//! The log file that was written last, at a start: read whole, its end judged, and made good to be written on.

use std::fs;
use std::path::{Path, PathBuf};

use tidings_core::{Epoch, Sequence};

use crate::aside;
use crate::frame::Frame;
use crate::header::SegmentHeader;
use crate::layout::Layout;
use crate::log::ActiveLog;
use crate::options::{OpenError, StoreOptions};
use crate::segment::{LogScan, ScanEnd, SegmentError, Step};

/// What the file held.
#[derive(Debug)]
pub(crate) struct Newest {
    pub path: PathBuf,
    pub header: SegmentHeader,
    /// Its good frames, one after the other. After damage: those behind it.
    pub frames: Vec<Frame>,
    /// Where they end in the file. Unit: bytes.
    len: u64,
    /// Of what was before this place something is lost, that was safe once.
    pub damaged_through: Option<Sequence>,
    /// Something that was safe once is lost at its end, and nobody knows how much.
    pub has_lost_end: bool,
}

impl Newest {
    /// Reads a log file. Nothing when it was never written to, and then it is gone. `safe_through`: all up to there was
    /// synced once.
    pub(crate) fn read(log: &Path, epoch: Epoch, safe_through: Sequence) -> Result<Option<Self>, OpenError> {
        let mut scan = match LogScan::open(log) {
            Ok(scan) => scan,
            Err(SegmentError::Blank { path }) => {
                fs::remove_file(&path).map_err(OpenError::io("cannot remove", &path))?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let header = scan.header();
        if header.epoch != epoch {
            let what = "it belongs to another history than the rest of the directory".to_owned();
            return Err(OpenError::Damaged { path: log.to_owned(), what });
        }
        let (path, frames) = (log.to_owned(), Vec::new());
        let mut newest = Self { path, header, frames, len: 0, damaged_through: None, has_lost_end: false };
        loop {
            match scan.step()? {
                Step::Frame(scanned) => newest.take(scanned.frame),
                Step::End(ScanEnd::Damaged { offset, next_good: Some(good) }) => {
                    tracing::error!(
                        log = %log.display(), offset, next = good.offset, next_sequence = %good.sequence,
                        "the log is damaged: the history begins after the damage"
                    );
                    newest.lose_through(good.sequence.previous());
                    scan.go_on_at(good);
                }
                Step::End(end) => {
                    newest.judge_end(end, safe_through);
                    return Ok(Some(newest));
                }
            }
        }
    }

    /// Memory begins after this place.
    pub(crate) fn begins_after(&self) -> Sequence {
        self.frames.first().map_or(self.header.first, |first| first.sequence).previous()
    }

    /// The file, to be written on. Where it is damaged, its good frames stand in a file of their own then, and it is to be
    /// put aside once a checkpoint tells of that.
    pub(crate) fn reopen(&self, layout: &Layout, options: &StoreOptions) -> Result<ActiveLog, OpenError> {
        let first = self.begins_after().next();
        let is_written_over = self.damaged_through.is_some() && layout.log(first) == self.path;
        if is_written_over || self.damaged_through.is_none() && self.has_lost_end {
            aside::copy(layout, &self.path).map_err(OpenError::io("cannot put aside", &self.path))?;
        }
        if self.damaged_through.is_none() {
            return ActiveLog::resume(&self.path, self.header.salt, self.len, options.segment_bytes)
                .map_err(OpenError::io("cannot write to", &self.path));
        }
        let mut frames = Vec::new();
        for frame in &self.frames {
            Frame { unsynced_bytes: frames.len() as u64, ..frame.clone() }.encode(&mut frames);
        }
        ActiveLog::create_with(layout, self.header.epoch, first, options.segment_bytes, &mut frames)
            .map_err(OpenError::io("cannot write", layout.log(first)))
    }

    fn take(&mut self, frame: Frame) {
        if let Some(last) = self.frames.last()
            && last.sequence.next() != frame.sequence
        {
            tracing::error!(
                log = %self.path.display(), after = %last.sequence, next = %frame.sequence,
                "events are missing from the log: the history begins after them"
            );
            self.lose_through(frame.sequence.previous());
        }
        self.frames.push(frame);
    }

    fn lose_through(&mut self, place: Sequence) {
        self.frames.clear();
        self.damaged_through = Some(place);
    }

    fn judge_end(&mut self, end: ScanEnd, safe_through: Sequence) {
        let log = self.path.display();
        match end {
            ScanEnd::Clean { offset } => self.len = offset,
            ScanEnd::Torn { offset, bytes } => {
                self.len = offset;
                self.has_lost_end = self.last() < safe_through;
                if self.has_lost_end {
                    tracing::error!(%log, offset, bytes, %safe_through, "the log is damaged at its end, which is cut off");
                } else {
                    tracing::warn!(%log, offset, bytes, "the end of the log was not synced yet when the hub or the machine ended, and is cut off");
                }
            }
            ScanEnd::Damaged { offset, .. } => {
                self.len = offset;
                self.has_lost_end = true;
                tracing::error!(%log, offset, "the log is damaged, and what follows cannot be told: it is cut off there");
            }
        }
    }

    /// The last place that it is known to have had.
    fn last(&self) -> Sequence {
        self.frames.last().map_or(self.begins_after(), |last| last.sequence)
    }
}
