//! A small filter that says "certainly not here" of most ids that are not.

/// Bits for each id: about one id in a hundred that is not here is taken for one that may be.
const BITS_PER_ID: u64 = 10;
/// How many bits each id sets: the best for ten bits an id.
const BITS_SET: u64 = 7;

/// A Bloom filter over hashes.
#[derive(Debug)]
pub(super) struct Bloom(Vec<u8>);

impl Bloom {
    /// How long the filter for this many ids is. Unit: bytes.
    pub(super) fn bytes_for(ids: u32) -> usize {
        usize::try_from((u64::from(ids) * BITS_PER_ID).div_ceil(8)).expect("5 GiB at most")
    }

    /// The filter of these hashes.
    pub(super) fn build(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let ids = u32::try_from(hashes.len()).expect("a segment has fewer records");
        let mut bytes = vec![0; Self::bytes_for(ids)];
        for hash in hashes {
            for bit in bits(hash, bytes.len()) {
                bytes[bit / 8] |= 1 << (bit % 8);
            }
        }
        Self(bytes)
    }

    /// The filter that was stored as `bytes`.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// May this hash be among them? `false` is certain.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        !self.0.is_empty() && bits(hash, self.0.len()).all(|bit| self.0[bit / 8] & (1 << (bit % 8)) != 0)
    }
}

/// The bits of a hash in a filter of `bytes`, which is not empty.
fn bits(hash: u64, bytes: usize) -> impl Iterator<Item = usize> {
    let bits = bytes as u128 * 8;
    let step = hash.rotate_left(32) | 1;
    (0..BITS_SET).map(move |turn| {
        let spread = hash.wrapping_add(turn.wrapping_mul(step));
        usize::try_from((u128::from(spread) * bits) >> 64).expect("less than the bits there are")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_always_found_and_what_is_not_rarely() {
        let mut random = fastrand::Rng::with_seed(3);
        let hashes: Vec<u64> = (0..10_000).map(|_| random.u64(..)).collect();
        let bloom = Bloom::from_bytes(Bloom::build(hashes.iter().copied()).as_bytes().to_vec());
        assert!(hashes.iter().all(|hash| bloom.may_have(*hash)));
        let mistaken = (0..100_000).filter(|_| bloom.may_have(random.u64(..))).count();
        assert!(mistaken < 2000, "{mistaken} of 100000");
    }

    #[test]
    fn an_empty_filter_has_nothing() {
        assert!(!Bloom::build([].into_iter()).may_have(1));
    }
}
