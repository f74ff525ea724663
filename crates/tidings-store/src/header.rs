//! The head of a log file.

use tidings_core::{Epoch, Sequence};

/// The version of the format that this program writes, and the only one that it reads.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// The head of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub epoch: Epoch,
    /// No frame of the file is before it.
    pub first: Sequence,
    /// No frame of the file was after it. Said by a file that was written anew, whose last frames may be gone; else the
    /// last frame tells.
    pub ends_at: Option<Sequence>,
    /// Goes into the checksum of each frame. Nobody outside knows it, so no event's data can be made to look like a frame.
    pub salt: u32,
}

/// What is wrong with the head of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It is no log file of ours, or its head is damaged.
    Damaged,
    /// It is of another version of the format.
    Version(u32),
}

const MAGIC: &[u8; 8] = b"TIDINGS\n";

impl SegmentHeader {
    /// magic 8 | version 4 | epoch 12 | first sequence 8 | last sequence 8, or 0 | salt 4 | crc32 of all before 4
    pub(crate) const BYTES: usize = 48;

    /// The head of a file that is begun.
    pub(crate) fn new(epoch: Epoch, first: Sequence) -> Self {
        Self { epoch, first, ends_at: None, salt: fastrand::u32(..) }
    }

    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[12..24].copy_from_slice(self.epoch.as_str().as_bytes());
        out[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        out[32..40].copy_from_slice(&self.ends_at.unwrap_or_default().0.to_le_bytes());
        out[40..44].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32fast::hash(&out[..44]);
        out[44..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// # Errors
    /// [`HeaderFault`]; the version is looked at before the rest, so that a later format says that it is one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes: &[u8; Self::BYTES] = bytes.first_chunk().ok_or(HeaderFault::Damaged)?;
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        if bytes[..8] != *MAGIC {
            return Err(HeaderFault::Damaged);
        }
        if number(8) != FORMAT_VERSION {
            return Err(HeaderFault::Version(number(8)));
        }
        if number(44) != crc32fast::hash(&bytes[..44]) {
            return Err(HeaderFault::Damaged);
        }
        let epoch = std::str::from_utf8(&bytes[12..24]).ok().and_then(Epoch::parse).ok_or(HeaderFault::Damaged)?;
        let sequence = |at: usize| Sequence(u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")));
        let ends_at = Some(sequence(32)).filter(|last| *last > Sequence::ZERO);
        Ok(Self { epoch, first: sequence(24), ends_at, salt: number(40) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_file_reads_back_and_knows_other_versions() {
        let header = SegmentHeader::new(Epoch::from_unix_micros(1_795_464_000_000_000), Sequence(7));
        let rewritten = SegmentHeader { ends_at: Some(Sequence(70)), ..header };
        assert_eq!(SegmentHeader::decode(&rewritten.encode()), Ok(rewritten));
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert!(SegmentHeader::decode(&damaged).is_err(), "byte {at}");
        }
        let mut later = bytes;
        later[8] = 9;
        assert_eq!(SegmentHeader::decode(&later), Err(HeaderFault::Version(9)));
        assert_eq!(SegmentHeader::decode(&bytes[..47]), Err(HeaderFault::Damaged));
    }
}
