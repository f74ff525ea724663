//! The place in a stream that is kept on disk, so that a tail that is started again goes on there.
//!
//! A file with the id of the last event that was dealt with, and a line feed. It is replaced as a whole, by a rename:
//! whatever ends the program, the file holds one id or the one after it. An event that was written when the program
//! was killed, and whose id was not yet, comes again: at least once, and at most that one twice. Nothing is synced, so
//! after a loss of power it may be more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::say;

/// Where the last id is kept.
#[derive(Debug)]
pub(super) struct SaveFile {
    path: PathBuf,
    /// Beside it: what is to take its place.
    next: PathBuf,
    /// What is in it; empty for nothing.
    kept: String,
}

impl SaveFile {
    /// Reads the file, which need not be there yet.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be read or will not be to be written, or holds more than an id.
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let kept = read(&path)?;
        // What is replaced is the file, not a link to it.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".next");
        let next = path.with_file_name(name);
        // Told now rather than after the first event.
        fs::write(&next, "").and_then(|()| fs::remove_file(&next)).map_err(|error| fault(&next, "written", &error))?;
        Ok(Self { path, next, kept: kept.unwrap_or_default() })
    }

    /// The id that was kept, if there is one.
    pub(super) fn last_event_id(&self) -> Option<&str> {
        Some(&*self.kept).filter(|id| !id.is_empty())
    }

    /// Keeps this id; an empty one is none.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be written. The one before it is kept then.
    pub(super) fn keep(&mut self, id: &str) -> Result<(), Failure> {
        if id.is_empty() || id == self.kept {
            return Ok(());
        }
        fs::write(&self.next, format!("{id}\n"))
            .and_then(|()| fs::rename(&self.next, &self.path))
            .map_err(|error| Failure::running(format!("--save: {} cannot be written: {error}", self.path.display())))?;
        id.clone_into(&mut self.kept);
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read(path) {
        Ok(bytes) if bytes.is_empty() => {
            // Perhaps made by somebody for us; perhaps all that a loss of power has left.
            say::note(format_args!("--save: {} is empty, so there is no id to begin after", path.display()));
            Ok(None)
        }
        Ok(bytes) => {
            let id = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let id = str::from_utf8(id).ok().filter(|id| !id.contains(['\n', '\r', '\0']));
            let id = id.ok_or_else(|| {
                Failure::usage(format!("--save: {} does not hold one id; expected one line of text", path.display()))
            })?;
            Ok(Some(id.to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(path, "read", &error)),
    }
}

fn fault(path: &Path, done: &str, error: &std::io::Error) -> Failure {
    Failure::usage(format!(
        "--save: {} cannot be {done}: {error}; expected a file in a directory that can be written",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, gone with it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tidings-save-{name}-{}", std::process::id()));
            fs::create_dir(&path).expect("a new directory");
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_kept_is_found_again_and_nothing_else_is_left() {
        let place = Place::new("again");
        let path = place.0.join("id");
        let mut file = SaveFile::open(path.clone()).expect("it may be new");
        assert_eq!(file.last_event_id(), None);
        for id in ["e-1", "", "é 2"] {
            file.keep(id).expect("it can be written");
        }
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "é 2\n");
        assert_eq!(SaveFile::open(path).expect("it is there").last_event_id(), Some("é 2"));
        assert_eq!(fs::read_dir(&place.0).expect("it is there").count(), 1);
    }

    #[test]
    fn a_link_stays_one() {
        let place = Place::new("link");
        let (path, link) = (place.0.join("id"), place.0.join("link"));
        fs::write(&path, "e-1").expect("it can be written");
        std::os::unix::fs::symlink(&path, &link).expect("it can be linked");
        SaveFile::open(link.clone()).and_then(|mut file| file.keep("e-2")).expect("it can be written");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(path).expect("it is there"), "e-2\n");
    }

    #[test]
    fn a_file_that_holds_no_id_or_cannot_be_is_refused() {
        let place = Place::new("bad");
        let path = place.0.join("id");
        for text in [&b"a\nb\n"[..], b"\xff\n", b"a\0"] {
            fs::write(&path, text).expect("it can be written");
            assert!(SaveFile::open(path.clone()).is_err(), "{text:?}");
        }
        fs::write(&path, "").expect("it can be written");
        assert_eq!(SaveFile::open(path).expect("as good as none").last_event_id(), None);
        assert!(SaveFile::open(place.0.join("none/id")).is_err());
        assert!(SaveFile::open(place.0.clone()).is_err());
    }
}
