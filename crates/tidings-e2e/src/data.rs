//! The data directory of a hub that is dead, as somebody sees it who knows only where its files are.

use std::fs;
use std::path::{Path, PathBuf};

/// All log files of a data directory, the oldest first.
pub fn logs(directory: &Path) -> Vec<PathBuf> {
    let segments = directory.join("segments");
    let entries = fs::read_dir(&segments).unwrap_or_else(|error| panic!("{}: {error}", segments.display()));
    let paths = entries.map(|entry| entry.expect("a directory can be read on").path());
    let mut logs: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
    logs.sort();
    logs
}

/// The log file that was written last.
pub fn newest_log(directory: &Path) -> PathBuf {
    logs(directory).pop().unwrap_or_else(|| panic!("{} has no log file", directory.display()))
}

/// The log file in which this text stands, and where. It must stand there once.
pub fn find_in_logs(directory: &Path, text: &str) -> (PathBuf, usize) {
    let places = logs(directory).into_iter().flat_map(|log| {
        let bytes = fs::read(&log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let found: Vec<_> = bytes
            .windows(text.len())
            .enumerate()
            .filter(|(_, window)| *window == text.as_bytes())
            .map(|(at, _)| at)
            .collect();
        found.into_iter().map(move |at| (log.clone(), at))
    });
    let places: Vec<_> = places.collect();
    match &*places {
        [place] => place.clone(),
        _ => panic!("{text:?} stands at {places:?}, and not in one place"),
    }
}
