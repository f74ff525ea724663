//! Files of blocks that each carry a checksum of themselves, so that a flipped byte is noticed where it is read and an
//! open need not read all.
//!
//! Whoever writes and reads sees one run of bytes, without the checksums; a place in it is *logical*.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crc32fast::Hasher;

use super::SegmentError;

/// The length of a block. Unit: bytes.
pub(super) const BLOCK_BYTES: usize = 4096;
/// How much of a block is content; the rest is its checksum. Unit: bytes.
const CONTENT_BYTES: usize = BLOCK_BYTES - CRC_BYTES;
const CRC_BYTES: usize = 4;

/// Writes blocks.
#[derive(Debug)]
pub(super) struct BlockWriter<W> {
    out: W,
    /// The content of the block that is being filled.
    block: Vec<u8>,
    number: u64,
}

impl<W: Write> BlockWriter<W> {
    /// Begins with the first block.
    pub(super) fn new(out: W) -> Self {
        Self { out, block: Vec::with_capacity(BLOCK_BYTES), number: 0 }
    }

    /// Adds `bytes` after all before.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CONTENT_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == CONTENT_BYTES {
                self.put_block()?;
            }
        }
        Ok(())
    }

    /// Fills the last block up with zeros and hands back what was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.block.resize(CONTENT_BYTES, 0);
            self.put_block()?;
        }
        Ok(self.out)
    }

    fn put_block(&mut self) -> io::Result<()> {
        let crc = checksum(&self.block, self.number);
        self.block.extend_from_slice(&crc.to_le_bytes());
        self.out.write_all(&self.block)?;
        self.block.clear();
        self.number += 1;
        Ok(())
    }
}

/// Reads blocks. Many threads may read at once.
#[derive(Debug)]
pub(super) struct BlockFile {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl BlockFile {
    /// Opens a file. Reads nothing of it.
    ///
    /// # Errors
    /// [`SegmentError::Io`].
    pub(super) fn open(path: &Path) -> Result<Self, SegmentError> {
        let file = File::open(path).map_err(SegmentError::io(path))?;
        let bytes = file.metadata().map_err(SegmentError::io(path))?.len();
        Ok(Self { file, path: path.to_owned(), bytes })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is, with the checksums. Unit: bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many blocks it has, a last one that is cut short included.
    pub(super) fn blocks(&self) -> u64 {
        self.bytes.div_ceil(BLOCK_BYTES as u64)
    }

    /// Is a block as it was written, or how is it not?
    pub(super) fn check_block(&self, number: u64) -> Result<(), SegmentError> {
        self.read_at(number * CONTENT_BYTES as u64, CONTENT_BYTES).map(drop)
    }

    /// The `len` bytes at the logical place `at`. Cost: one read of all blocks that they touch.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`] when one of these blocks is not as it was written, or is not there.
    pub(super) fn read_at(&self, at: u64, len: usize) -> Result<Vec<u8>, SegmentError> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let first = at / CONTENT_BYTES as u64;
        let skip = usize::try_from(at % CONTENT_BYTES as u64).expect("less than a block");
        let blocks = (skip + len).div_ceil(CONTENT_BYTES);
        let mut bytes = vec![0; blocks * BLOCK_BYTES];
        self.file.read_exact_at(&mut bytes, first * BLOCK_BYTES as u64).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => SegmentError::damaged(&self.path, self.bytes, "it ends before its last block"),
            _ => SegmentError::io(&self.path)(error),
        })?;
        for (block, number) in (0..blocks).zip(first..) {
            let (start, end) = (block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
            let (content, crc) = bytes[start..end].split_at(CONTENT_BYTES);
            if checksum(content, number).to_le_bytes() != crc {
                let offset = number * BLOCK_BYTES as u64;
                return Err(SegmentError::damaged(&self.path, offset, "the checksum of this block does not hold"));
            }
            bytes.copy_within(start..end - CRC_BYTES, block * CONTENT_BYTES);
        }
        bytes.truncate(skip + len);
        bytes.drain(..skip);
        Ok(bytes)
    }
}

/// How long a file with this much content is. Unit: bytes.
pub(super) fn file_bytes(content_bytes: u64) -> u64 {
    content_bytes.div_ceil(CONTENT_BYTES as u64) * BLOCK_BYTES as u64
}

/// The number goes into it, so that a block that stands in another's place is noticed.
fn checksum(content: &[u8], number: u64) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(content);
    hasher.update(&number.to_le_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * 31 % 251).expect("below 251")).collect()
    }

    fn write(dir: &TempDir, content: &[u8]) -> PathBuf {
        let path = dir.path().join("blocks");
        let mut writer = BlockWriter::new(Vec::new());
        for part in content.chunks(777) {
            writer.write(part).expect("a Vec takes all");
        }
        let bytes = writer.finish().expect("a Vec takes all");
        assert_eq!(bytes.len() as u64, file_bytes(content.len() as u64));
        std::fs::write(&path, bytes).expect("a file in a temporary directory");
        path
    }

    #[test]
    fn any_part_reads_back() {
        let dir = TempDir::new().expect("a temporary directory");
        let content = content(3 * CONTENT_BYTES + 100);
        let file = BlockFile::open(&write(&dir, &content)).expect("it was written");
        let edges = [0, 1, CONTENT_BYTES - 1, CONTENT_BYTES, CONTENT_BYTES + 1, 2 * CONTENT_BYTES, content.len()];
        for start in edges {
            for end in edges.into_iter().filter(|end| *end >= start) {
                let got = file.read_at(start as u64, end - start).expect("nothing is damaged");
                assert!(got == content[start..end], "{start}..{end}");
            }
        }
    }

    #[test]
    fn a_flipped_byte_is_noticed_by_whoever_reads_its_block_and_by_nobody_else() {
        let dir = TempDir::new().expect("a temporary directory");
        let content = content(2 * CONTENT_BYTES);
        let path = write(&dir, &content);
        let bytes = std::fs::read(&path).expect("it was written");
        let out = File::options().write(true).open(&path).expect("it was written");
        let file = BlockFile::open(&path).expect("it was written");
        for (at, byte) in bytes.iter().enumerate() {
            out.write_all_at(&[byte ^ 0x10], at as u64).expect("there is room");
            for block in 0..2 {
                let got = file.read_at((block * CONTENT_BYTES) as u64 + 5, 100);
                assert_eq!(got.is_err(), block == at / BLOCK_BYTES, "byte {at}, block {block}: {got:?}");
            }
            out.write_all_at(&[*byte], at as u64).expect("there is room");
        }
    }

    #[test]
    fn exchanged_zeroed_and_missing_blocks_are_noticed() {
        let dir = TempDir::new().expect("a temporary directory");
        let path = write(&dir, &vec![7; 2 * CONTENT_BYTES]);
        let bytes = std::fs::read(&path).expect("it was written");
        let (one, two) = bytes.split_at(BLOCK_BYTES);
        for damaged in [[two, one].concat(), [one, &[0; BLOCK_BYTES]].concat(), one.to_vec()] {
            std::fs::write(&path, damaged).expect("a file in a temporary directory");
            let file = BlockFile::open(&path).expect("it was written");
            let error = file.read_at(0, 2 * CONTENT_BYTES).expect_err("it is damaged");
            assert!(matches!(error, SegmentError::Damaged { .. }), "{error}");
        }
    }
}
