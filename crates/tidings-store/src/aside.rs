//! Files with damage are kept for whoever can make something of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::layout::{self, Layout};
use crate::segment;

/// Takes a damaged log out of the history. Its index is of no use then.
pub(crate) fn put(layout: &Layout, log: &Path) -> io::Result<()> {
    let aside = free_place(layout, log)?;
    fs::rename(log, &aside)?;
    drop(fs::remove_file(segment::index_path(log))); // it may not be there
    layout::sync_directory(&aside)?;
    layout::sync_directory(log)?;
    tell(log, &aside);
    Ok(())
}

/// Keeps a copy of a damaged log, before what is damaged of it is cut away.
pub(crate) fn copy(layout: &Layout, log: &Path) -> io::Result<()> {
    let aside = free_place(layout, log)?;
    fs::copy(log, &aside)?;
    fs::File::open(&aside)?.sync_all()?;
    layout::sync_directory(&aside)?;
    tell(log, &aside);
    Ok(())
}

fn tell(log: &Path, aside: &Path) {
    tracing::warn!(log = %log.display(), aside = %aside.display(), "a damaged file was put aside; nothing cleans that directory up");
}

/// A name that no earlier one has: what was put aside is never written over.
fn free_place(layout: &Layout, log: &Path) -> io::Result<PathBuf> {
    let directory = layout.damaged();
    fs::create_dir_all(&directory)?;
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    let names = std::iter::once(name.to_string()).chain((2u64..).map(|nth| format!("{name}.{nth}")));
    let mut places = names.map(|name| directory.join(name));
    places.find(|place| !place.exists()).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_aside_is_never_written_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(directory.path());
        let log = directory.path().join("7.log");
        for content in ["one", "two", "three"] {
            fs::write(&log, content).expect("there is room");
            copy(&layout, &log).expect("there is room");
        }
        put(&layout, &log).expect("it is there");
        assert!(!log.exists());
        let names = ["7.log", "7.log.2", "7.log.3", "7.log.4"];
        let kept = names.map(|name| fs::read_to_string(layout.damaged().join(name)).expect("it was put aside"));
        assert_eq!(kept, ["one", "two", "three", "three"]);
    }
}
