//! What is wrong in a data directory.

use std::path::Path;

use tidings_core::{Epoch, Sequence};

use super::{Damage, Directory, file_bytes};
use crate::checkpoint::Checkpoint;
use crate::layout::first_of;
use crate::options::OpenError;
use crate::segment::{self, Checked, SegmentError, index_path};

/// What reading all of a data directory came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Good events.
    pub events: u64,
    /// Good records: events, and marks of topics' ends and deletions.
    pub records: u64,
    /// What was read. Unit: bytes.
    pub bytes: u64,
    /// What is wrong. A hub that opens the directory says in its log what it makes of it.
    pub damage: Vec<Damage>,
    /// There is more damage than that: of one segment, only so much is told.
    pub has_more_damage: bool,
    /// The newest log file ends with a write that was not finished, as a crash leaves it. It was never acknowledged.
    pub torn_tail: Option<Damage>,
}

/// Reads every frame and every block of every index in `directory`, and compares each index with its log. `progress` is
/// called with what was read so far and with the whole. Unit: bytes.
///
/// Cost: reads all files once; in memory, what sealing one segment takes.
///
/// # Errors
/// [`OpenError`] when it is no data directory, a hub has it, it is of another version, or the system cannot read it.
pub fn verify(directory: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Verification, OpenError> {
    let directory = Directory::open(directory)?;
    let total = directory.logs.iter().map(|log| file_bytes(log) + file_bytes(&index_path(log))).sum();
    let mut verification = Verification::default();
    let mut line = Line::default();
    for (number, log) in directory.logs.iter().enumerate() {
        let checked = segment::check(log, &mut |more| {
            verification.bytes += more;
            progress(verification.bytes.min(total), total);
        });
        let checked = match checked {
            Ok(checked) => checked,
            Err(SegmentError::Damaged { path, offset, what }) => {
                verification.add(&path, offset, what);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        line.join(log, &checked, &mut verification);
        let is_newest = number + 1 == directory.logs.len();
        verification.take(checked, is_newest);
    }
    line.check_checkpoint(&directory.layout.checkpoint(), &mut verification)?;
    progress(total, total);
    Ok(verification)
}

impl Verification {
    fn add(&mut self, file: &Path, offset: u64, what: impl Into<String>) {
        self.damage.push(Damage { file: file.to_owned(), offset, what: what.into() });
    }

    fn take(&mut self, checked: Checked, is_newest: bool) {
        self.events += checked.events;
        self.records += checked.records;
        self.damage.extend(checked.faults.into_iter().map(Damage::from));
        self.has_more_damage |= checked.has_more_faults;
        let torn = checked.torn.map(Damage::from);
        if is_newest {
            self.torn_tail = torn;
        } else {
            self.damage.extend(torn); // another file was begun after it, so nothing was being written there
        }
    }
}

/// What the files must agree on: one history, in order.
#[derive(Debug, Default)]
struct Line {
    epoch: Option<Epoch>,
    last: Sequence,
}

impl Line {
    fn join(&mut self, log: &Path, checked: &Checked, verification: &mut Verification) {
        let Some(header) = checked.header else { return };
        let epoch = *self.epoch.get_or_insert(header.epoch);
        if header.epoch != epoch {
            let what = format!("the file belongs to the epoch {}, and those before it to {epoch}", header.epoch);
            verification.add(log, 0, what);
        }
        if first_of(log) != Some(header.first) {
            verification.add(log, 0, format!("the file begins at {}, not where its name says", header.first));
        }
        let first = checked.range.map_or(header.first, |(first, _)| first);
        if first <= self.last {
            verification.add(
                log,
                0,
                format!("the file begins at {first}, and the one before it ends at {}", self.last),
            );
        }
        let ends = [Some(header.first.previous()), header.ends_at, checked.range.map(|(_, last)| last)];
        self.last = ends.into_iter().flatten().fold(self.last, Sequence::max);
    }

    fn check_checkpoint(&self, path: &Path, verification: &mut Verification) -> Result<(), OpenError> {
        let checkpoint = Checkpoint::read(path)?;
        match checkpoint.as_ref().and_then(Checkpoint::head) {
            Some((epoch, tail)) => {
                if self.epoch.is_some_and(|own| own != epoch) {
                    verification.add(path, 0, format!("the checkpoint belongs to another history: epoch {epoch}"));
                } else if tail > self.last && verification.damage.is_empty() {
                    let what = format!("events up to {tail} were acknowledged, and the log ends at {}", self.last);
                    verification.add(path, 0, what);
                }
            }
            None if path.exists() => verification.add(path, 0, "the checkpoint is not as it was written"),
            None => {}
        }
        Ok(())
    }
}
