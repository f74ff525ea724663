//! How the files of a segment are called, and how a file comes to its place whole.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tidings_core::Sequence;

use super::SegmentError;
use crate::layout;

const LOG: &str = "log";
const INDEX: &str = "idx";
const TEMPORARY: &str = "tmp";
/// Names have so many digits, so that they sort as their places do.
const NAME_DIGITS: usize = 20;

/// The log file of the segment in `dir` that begins at `first`.
pub(crate) fn log_path(dir: &Path, first: Sequence) -> PathBuf {
    dir.join(format!("{:0NAME_DIGITS$}.{LOG}", first.0))
}

/// The index that belongs to a log file.
pub(crate) fn index_path(log: &Path) -> PathBuf {
    log.with_extension(INDEX)
}

/// The log files in `dir`, in the order of their places.
///
/// # Errors
/// [`SegmentError::Io`].
pub(crate) fn list_logs(dir: &Path) -> Result<Vec<PathBuf>, SegmentError> {
    let mut logs: Vec<PathBuf> = files(dir)?.into_iter().filter(|path| is_called(path, LOG)).collect();
    logs.sort_unstable();
    Ok(logs)
}

/// Removes what a crash may have left in `dir`: files that never came to their place, and indices without a log.
///
/// # Errors
/// [`SegmentError::Io`].
pub(crate) fn remove_leftovers(dir: &Path) -> Result<(), SegmentError> {
    for path in files(dir)? {
        let is_orphan = is_called(&path, INDEX) && !path.with_extension(LOG).exists();
        let final_name = path.with_extension("");
        let is_unfinished = path.extension() == Some(OsStr::new(TEMPORARY))
            && (is_called(&final_name, LOG) || is_called(&final_name, INDEX));
        if is_orphan || is_unfinished {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Is it called as a file of a segment is?
fn is_called(path: &Path, extension: &str) -> bool {
    let is_place = |stem: &str| {
        stem.len() == NAME_DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit()) && stem.parse::<u64>().is_ok()
    };
    path.extension() == Some(OsStr::new(extension)) && path.file_stem().and_then(OsStr::to_str).is_some_and(is_place)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, SegmentError> {
    let entries = fs::read_dir(dir).map_err(SegmentError::io(dir))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(SegmentError::io(dir))).collect()
}

/// What a file is called until it is whole.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    name.into()
}

/// Writes what is to stand at `path`, whole and durable, under another name; [`settle`] brings it to its place. Leaves
/// nothing when that fails.
pub(super) fn prepare<T>(path: &Path, write: impl FnOnce(&File) -> Result<T, SegmentError>) -> Result<T, SegmentError> {
    let temporary = temporary(path);
    let file = File::create(&temporary).map_err(SegmentError::io(&temporary))?;
    let written = write(&file).and_then(|done| file.sync_all().map_err(SegmentError::io(&temporary)).map(|()| done));
    if written.is_err() {
        drop(fs::remove_file(&temporary)); // what is left over is removed at the next start
    }
    written
}

/// Brings a prepared file to its place, over what stands there. Durable afterwards.
pub(super) fn settle(path: &Path) -> Result<(), SegmentError> {
    fs::rename(temporary(path), path).map_err(SegmentError::io(path))?;
    sync_directory_of(path)
}

/// Removes a file if it is there. Not durable by itself.
pub(super) fn remove(path: &Path) -> Result<(), SegmentError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SegmentError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Makes durable which files there are beside `path`.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), SegmentError> {
    layout::sync_directory(path).map_err(SegmentError::io(path))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn logs_are_found_in_the_order_of_their_places_and_nothing_else_is() {
        let dir = TempDir::new().expect("a temporary directory");
        let logs = [7, 80, u64::MAX].map(|first| log_path(dir.path(), Sequence(first)));
        let others =
            ["7.log", "0000000000000000000x.log", "99999999999999999999.log", "00000000000000000007.idx", "notes"];
        for path in logs.iter().rev().cloned().chain(others.map(|name| dir.path().join(name))) {
            fs::write(path, "").expect("a file in a temporary directory");
        }
        assert_eq!(list_logs(dir.path()).expect("a directory"), logs);
    }
}
