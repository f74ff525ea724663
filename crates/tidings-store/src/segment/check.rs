//! Reads all of a segment and tells everything that is wrong with it.
//!
//! The index is made anew from the log, in memory, and compared byte for byte: whatever it says of any record, topic or
//! id is then right.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tidings_core::limits::MIB;
use tidings_core::{HistoryLimits, Kind, Sequence};

use super::blocks::{BLOCK_BYTES, BlockFile};
use super::frames::NOT_AS_WRITTEN;
use super::index::{Facts, IndexBuilder};
use super::{LogScan, ScanEnd, Sealed, SegmentError, Step, names};
use crate::frame::Frame;
use crate::header::SegmentHeader;

/// What a segment was found to be.
#[derive(Debug)]
pub(crate) struct Checked {
    /// `None` when the head of the log cannot be read, or was never written.
    pub header: Option<SegmentHeader>,
    /// Good records.
    pub records: u64,
    /// Those of them that are events.
    pub events: u64,
    /// The first and the last good record.
    pub range: Option<(Sequence, Sequence)>,
    /// What is wrong, in the log and in the index.
    pub faults: Vec<Fault>,
    /// There are more than these.
    pub has_more_faults: bool,
    /// The end of the log, if its last write was not finished. A log that was sealed has no such end.
    pub torn: Option<Fault>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub path: PathBuf,
    /// Where in the file. Unit: bytes.
    pub offset: u64,
    pub what: String,
}

/// So many faults of one segment are told; then it is as good as lost.
const FAULTS_MAX: usize = 100;
/// So often it tells how far it is. Unit: bytes.
const PROGRESS_BYTES: u64 = MIB as u64;

/// Reads all of the segment of `log`. `progress` is told how many more bytes were read, of all that its files have.
///
/// # Errors
/// [`SegmentError::Io`] and [`SegmentError::Version`]; whatever else is wrong is in the answer.
pub(crate) fn check(log: &Path, progress: &mut dyn FnMut(u64)) -> Result<Checked, SegmentError> {
    let mut checked = Checked {
        header: None,
        records: 0,
        events: 0,
        range: None,
        faults: Vec::new(),
        torn: None,
        has_more_faults: false,
    };
    match Sealed::open(log) {
        Ok(sealed) => {
            let index = checked.read_log(log, Some(&sealed), progress)?;
            let differs = index.map(|(index, log_bytes)| compare(index, log_bytes, &sealed)).transpose()?;
            checked.read_index(&sealed.index, &differs.unwrap_or_default(), progress)?;
        }
        Err(SegmentError::BadIndex { path, what }) => {
            checked.read_log(log, None, progress)?;
            // There is none where the log is still written to, and after a crash: it is made at the next start.
            if path.exists() {
                let what = format!("the index cannot be used and is made anew at the next start: {what}");
                checked.add(Fault { path, offset: 0, what });
            }
        }
        Err(error) => return Err(error),
    }
    Ok(checked)
}

impl Checked {
    fn add(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.has_more_faults = true;
        }
    }

    /// Walks through the log. Answers the index that it should have, and the length of the log, unless the log is
    /// damaged or nothing is known of its index.
    fn read_log(
        &mut self,
        log: &Path,
        sealed: Option<&Sealed>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<(IndexBuilder, u64)>, SegmentError> {
        let mut scan = match LogScan::open(log) {
            Ok(scan) => scan,
            Err(SegmentError::Blank { .. }) => return Ok(None),
            Err(SegmentError::Damaged { path, offset, what }) => {
                self.add(Fault { path, offset, what: what.to_owned() });
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.header = Some(scan.header());
        let mut index = sealed.map(|sealed| IndexBuilder::with_key(scan.header(), sealed.header.hash_key));
        let mut costs = Costs { sealed, history: None };
        let fault = |offset, what: &str| Fault { path: log.to_owned(), offset, what: what.to_owned() };
        let mut told = 0;
        let end = loop {
            match scan.step()? {
                Step::Frame(scanned) => {
                    self.count(&scanned.frame);
                    if let Some(builder) = &mut index {
                        let facts = costs.facts(&scanned.frame, scanned.offset);
                        if facts.is_none_or(|facts| builder.add(&scanned.frame, facts).is_err()) {
                            index = None; // its own blocks tell why
                        }
                    }
                    if scanned.offset - told > PROGRESS_BYTES {
                        progress(scanned.offset - told);
                        told = scanned.offset;
                    }
                }
                Step::End(ScanEnd::Clean { offset }) => break offset,
                Step::End(ScanEnd::Torn { offset, .. }) if sealed.is_some() => {
                    self.add(fault(offset, NOT_AS_WRITTEN));
                    index = None;
                    break offset;
                }
                Step::End(ScanEnd::Torn { offset, bytes }) => {
                    let what = format!("the last write was not finished: {bytes} bytes are cut off at the next start");
                    self.torn = Some(fault(offset, &what));
                    index = None;
                    break offset;
                }
                Step::End(ScanEnd::Damaged { offset, next_good: Some(good) }) if !self.has_more_faults => {
                    let what = format!("{NOT_AS_WRITTEN}; the next good one has sequence {}", good.sequence);
                    self.add(fault(offset, &what));
                    index = None;
                    scan.go_on_at(good);
                }
                Step::End(ScanEnd::Damaged { offset, .. }) => {
                    self.add(fault(offset, "the frame does not belong here, and what follows cannot be told"));
                    index = None;
                    break offset;
                }
            }
        };
        progress(scan.file_bytes().saturating_sub(told));
        Ok(index.map(|index| (index, end)))
    }

    fn count(&mut self, frame: &Frame) {
        self.records += 1;
        self.events += u64::from(frame.kind == Kind::Event);
        let first = self.range.map_or(frame.sequence, |(first, _)| first);
        self.range = Some((first, frame.sequence));
    }

    /// Reads all blocks of the index. `differs`: those that are not what the log gives.
    fn read_index(
        &mut self,
        index: &BlockFile,
        differs: &[u64],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), SegmentError> {
        for number in 0..index.blocks() {
            let what = match index.check_block(number) {
                Ok(()) if differs.contains(&number) => "the index says something else than its log",
                Ok(()) => continue,
                Err(SegmentError::Damaged { what, .. }) => what,
                Err(error) => return Err(error),
            };
            let offset = number * BLOCK_BYTES as u64;
            self.add(Fault { path: index.path().to_owned(), offset, what: what.to_owned() });
        }
        progress(index.bytes());
        Ok(())
    }
}

/// What each record counts for. That depends on a setting, which the first entry of the index tells.
struct Costs<'a> {
    sealed: Option<&'a Sealed>,
    history: Option<HistoryLimits>,
}

impl Costs<'_> {
    fn facts(&mut self, frame: &Frame, offset: u64) -> Option<Facts> {
        let sealed = self.sealed?;
        let record = frame.clone().into_record(sealed.epoch());
        if self.history.is_none() {
            let first = sealed.entries(0..1).ok()?.first().copied()?;
            let of_record = record.chunk.wire().len() + record.alternates_bytes();
            let record_overhead_bytes = (first.cost_bytes as usize).checked_sub(of_record)?;
            self.history =
                Some(HistoryLimits { record_overhead_bytes, counts_long_names: false, ..HistoryLimits::default() });
        }
        let cost_bytes = u32::try_from(self.history.as_ref()?.cost_bytes(&record)).unwrap_or(u32::MAX);
        Some(Facts { expires_at: record.expires_at, cost_bytes, offset })
    }
}

/// The blocks of an index that are not what they should be.
fn compare(index: IndexBuilder, log_bytes: u64, sealed: &Sealed) -> Result<Vec<u64>, SegmentError> {
    let path = names::index_path(sealed.log());
    let file = File::open(&path).map_err(SegmentError::io(&path))?;
    let mut comparison = Comparison { file: BufReader::new(file), number: 0, differs: Vec::new() };
    index.write_to(&mut comparison, log_bytes).map_err(SegmentError::io(&path))?;
    Ok(comparison.differs)
}

/// Takes blocks as if it were a file, and compares them with those of one.
struct Comparison {
    file: BufReader<File>,
    number: u64,
    differs: Vec<u64>,
}

impl Write for Comparison {
    fn write(&mut self, want: &[u8]) -> io::Result<usize> {
        let want = &want[..want.len().min(BLOCK_BYTES)];
        let mut got = vec![0; want.len()];
        let is_there = match self.file.read_exact(&mut got) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        if (!is_there || got != want) && self.differs.len() <= FAULTS_MAX {
            self.differs.push(self.number);
        }
        self.number += 1;
        Ok(want.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
