//! One process at a time has a data directory.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::layout::Layout;
use crate::options::OpenError;

/// The right to a data directory; given back when it is dropped, and by the system when the process ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the right to the directory, which must be there.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process has it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = Layout::new(directory).lock();
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(OpenError::io("cannot open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(OpenError::InUse { path: directory.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(OpenError::io("cannot lock", &path)(source)),
        }
        // Only for people, so a failure does not matter: a full disk must not keep the hub from starting.
        let named = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = named {
            tracing::debug!(%error, path = %path.display(), "the lock file does not say who has it");
        }
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let is_read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text)).is_ok();
    match text.trim().parse::<u32>() {
        Ok(pid) if is_read => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_has_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = DirectoryLock::take(directory.path()).expect("nobody has it");
        let refused = DirectoryLock::take(directory.path()).expect_err("it is taken").to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        DirectoryLock::take(directory.path()).expect("it is free again");
    }
}
