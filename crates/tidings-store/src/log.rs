//! The log file that is being written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings_core::{Epoch, Sequence};

use crate::frame;
use crate::header::SegmentHeader;
use crate::layout::{Layout, sync_directory};
use crate::segment;

/// The newest log file. Only the commit thread writes to it.
#[derive(Debug)]
pub(crate) struct ActiveLog {
    file: Arc<SyncedFile>,
    salt: u32,
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
        Self::create_with(layout, epoch, first, bytes, &mut [])
    }

    /// The same, with some frames in it. A crash leaves all of it, in the place of what was there before, or nothing.
    pub(crate) fn create_with(
        layout: &Layout,
        epoch: Epoch,
        first: Sequence,
        bytes: usize,
        frames: &mut [u8],
    ) -> io::Result<Self> {
        let path = layout.log(first);
        let fresh = segment::temporary(&path);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&fresh)?;
        let header = SegmentHeader::new(epoch, first);
        frame::stamp(frames, header.salt);
        let begin = || {
            file.write_all_at(&[&header.encode(), &*frames].concat(), 0)?;
            take_room_ahead(&file, bytes);
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            sync_directory(&path)
        };
        if let Err(error) = begin() {
            drop(fs::remove_file(&fresh)); // it takes room, and that may be what lacks
            return Err(error);
        }
        let len = (SegmentHeader::BYTES + frames.len()) as u64;
        Ok(Self { file: Arc::new(SyncedFile::new(file, len)), salt: header.salt, path, len, is_broken: false })
    }

    /// Goes on in a log file with this salt, whose frames end at `len`.
    pub(crate) fn resume(path: &Path, salt: u32, len: u64, bytes: usize) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        file.set_len(len)?; // whatever stands behind the last frame
        take_room_ahead(&file, bytes);
        file.sync_all()?;
        Ok(Self { file: Arc::new(SyncedFile::new(file, len)), salt, path: path.to_owned(), len, is_broken: false })
    }

    /// Writes encoded frames after those that are there, and stamps them for that. After an error none of them is there.
    pub(crate) fn write(&mut self, frames: &mut [u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write could not be taken back"));
        }
        frame::stamp(frames, self.salt);
        match self.file.file.write_all_at(frames, self.len) {
            Ok(()) => {
                self.len += frames.len() as u64;
                self.file.written.store(self.len, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                // What was written of it must go: a later frame could end where one of these begins.
                self.is_broken = self.file.file.set_len(self.len).is_err();
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
        self.file.sync()
    }

    /// How much of it is perhaps not synced yet. Unit: bytes.
    pub(crate) fn unsynced_bytes(&self) -> u64 {
        self.len.saturating_sub(self.file.synced.load(Ordering::Acquire))
    }

    /// The file, for whoever syncs it beside the commits.
    pub(crate) fn file(&self) -> &Arc<SyncedFile> {
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
        self.file.file.set_len(self.len)?;
        self.file.file.sync_all()
    }
}

/// A log file as whoever syncs it sees it: the commit thread, and in `relaxed` the keeper.
#[derive(Debug)]
pub(crate) struct SyncedFile {
    file: File,
    /// Frames that were written end here. Unit: bytes.
    written: AtomicU64,
    /// All before this place is safe. `synced <= written`. Unit: bytes.
    synced: AtomicU64,
}

impl SyncedFile {
    fn new(file: File, synced: u64) -> Self {
        Self { file, written: AtomicU64::new(synced), synced: AtomicU64::new(synced) }
    }

    /// Makes all that was written last.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let written = self.written.load(Ordering::Acquire); // what comes meanwhile may be safe or not
        self.file.sync_data()?;
        self.synced.fetch_max(written, Ordering::AcqRel);
        Ok(())
    }
}

/// Where there is no room for it, the write that needs it will say so.
fn take_room_ahead(file: &File, bytes: usize) {
    if bytes == 0 {
        return;
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64) {
        tracing::debug!(%error, bytes, "no room was taken ahead for a log file");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, bytes);
}
