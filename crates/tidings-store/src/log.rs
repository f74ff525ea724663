//! The log file that is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings_core::{Epoch, Sequence};

use crate::frame::SegmentHeader;
use crate::layout::{Layout, sync_directory};

/// The newest log file. Only the commit thread writes to it.
#[derive(Debug)]
pub(crate) struct ActiveLog {
    file: Arc<File>,
    path: PathBuf,
    /// Its frames end here. Unit: bytes.
    len: u64,
    /// A write was left half done, and could not be taken back: nothing may follow it.
    is_broken: bool,
}

impl ActiveLog {
    /// Begins a log file whose first frame will be `first`, with room for `bytes` taken ahead where the system can: a
    /// sync of a file that does not grow is a third faster, and a full disk is noticed early.
    pub(crate) fn create(layout: &Layout, epoch: Epoch, first: Sequence, bytes: usize) -> io::Result<Self> {
        let path = layout.log(first);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        let begin = || {
            file.write_all_at(&SegmentHeader { epoch, first }.encode(), 0)?;
            take_room_ahead(&file, bytes);
            file.sync_all()?;
            sync_directory(&path)
        };
        if let Err(error) = begin() {
            drop(std::fs::remove_file(&path)); // else a start would find a file without a head
            return Err(error);
        }
        Ok(Self { file: Arc::new(file), path, len: SegmentHeader::BYTES as u64, is_broken: false })
    }

    /// Goes on in a log file whose frames end at `len`.
    pub(crate) fn resume(path: &Path, len: u64, bytes: usize) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        file.set_len(len)?; // whatever stands behind the last frame
        take_room_ahead(&file, bytes);
        file.sync_all()?;
        Ok(Self { file: Arc::new(file), path: path.to_owned(), len, is_broken: false })
    }

    /// Writes frames after those that are there. After an error none of them is.
    pub(crate) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write could not be taken back"));
        }
        match self.file.write_all_at(frames, self.len) {
            Ok(()) => {
                self.len += frames.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What was written of it must go: a later frame could end where one of these begins.
                self.is_broken = self.file.set_len(self.len).is_err();
                Err(error)
            }
        }
    }

    /// Can nothing be written any more?
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Makes all that was written last.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The file, for whoever syncs it beside the commits.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where its frames end. Unit: bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Does it hold no frame?
    pub(crate) fn is_empty(&self) -> bool {
        self.len <= SegmentHeader::BYTES as u64
    }

    /// Ends the file where its frames do.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.sync_all()
    }
}

/// Where there is no room for it, the write that needs it will say so.
fn take_room_ahead(file: &File, bytes: usize) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64) {
        tracing::debug!(%error, bytes, "no room was taken ahead for a log file");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, bytes);
}
