//! In `relaxed`, which sequences may have been given out: said on disk before any of them is, in blocks.
//!
//! After a loss of power the log may end before what was given out. What is reserved is then passed over: no id is ever
//! used twice, and whoever comes back with a lost one is told so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidings_core::Sequence;

use crate::layout;
use crate::numbers::{put_number, put_text, take_number, take_text};

/// How many sequences are reserved at once: at 100,000 events a second it is said again every ten seconds.
const BLOCK: u64 = 1 << 20;

/// The reservation of a running store.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    boot_id: Option<String>,
    through: Sequence,
}

impl Reserve {
    /// What was reserved by the run before, if it did not end in order and the machine has started anew since, so that
    /// the end of its log may be lost. Also where that cannot be known.
    pub(crate) fn left_behind(path: &Path, boot_id: Option<&str>) -> Option<Sequence> {
        let bytes = fs::read(path).ok()?;
        let (through, its_boot_id) = decode(&bytes)?;
        let is_same_run = boot_id.is_some_and(|boot_id| !boot_id.is_empty() && boot_id == its_boot_id);
        (!is_same_run).then_some(through)
    }

    /// Reserves the first block after `tail`.
    pub(crate) fn begin(path: PathBuf, boot_id: Option<String>, tail: Sequence) -> io::Result<Self> {
        let mut reserve = Self { path, boot_id, through: tail };
        reserve.extend(tail)?;
        Ok(reserve)
    }

    /// Makes sure that the sequences up to `through` are reserved. Cost: two syncs, once for each block.
    pub(crate) fn cover(&mut self, through: Sequence) -> io::Result<()> {
        if through <= self.through { Ok(()) } else { self.extend(through) }
    }

    fn extend(&mut self, from: Sequence) -> io::Result<()> {
        let through = Sequence(from.0.saturating_add(BLOCK));
        layout::replace(&self.path, &encode(through, self.boot_id.as_deref().unwrap_or_default()))?;
        self.through = through;
        Ok(())
    }
}

/// The run ended in order, or goes on in `sync`: nothing is reserved.
pub(crate) fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => layout::sync_directory(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn encode(through: Sequence, boot_id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(through.0, &mut out);
    put_text(boot_id, &mut out);
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<(Sequence, String)> {
    let (mut content, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(content).to_le_bytes() != *crc {
        return None;
    }
    let through = Sequence(take_number(&mut content)?);
    Some((through, take_text(&mut content)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reserved_counts_only_after_the_machine_started_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("reserve");
        assert_eq!(Reserve::left_behind(&path, Some("one")), None);
        let mut reserve = Reserve::begin(path.clone(), Some("one".to_owned()), Sequence(7)).expect("there is room");
        assert_eq!(Reserve::left_behind(&path, Some("one")), None, "the process ended, the machine did not");
        assert_eq!(Reserve::left_behind(&path, Some("two")), Some(Sequence(7 + BLOCK)));
        assert_eq!(Reserve::left_behind(&path, None), Some(Sequence(7 + BLOCK)), "nobody knows");
        reserve.cover(Sequence(7 + BLOCK)).expect("it is reserved already");
        assert_eq!(Reserve::left_behind(&path, None), Some(Sequence(7 + BLOCK)));
        reserve.cover(Sequence(8 + BLOCK)).expect("there is room");
        assert_eq!(Reserve::left_behind(&path, None), Some(Sequence(8 + 2 * BLOCK)));
        clear(&path).expect("it can be removed");
        clear(&path).expect("it need not be there");
        assert_eq!(Reserve::left_behind(&path, None), None);
    }
}
