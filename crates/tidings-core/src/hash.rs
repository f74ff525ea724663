//! A hash that stays the same for ever, for what stands on a disk. The standard library's is not promised to.
//!
//! It is keyed: publishers choose ids and topics, and whoever could choose many with one hash would make a look-up read
//! them all. So a file has a random key of its own.

/// `SipHash-1-3` with a key.
#[derive(Clone, Copy, Debug)]
pub struct StableHash {
    key: u64,
}

impl StableHash {
    /// The hash with this key.
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    /// The hash of some bytes.
    pub fn of(self, bytes: &[u8]) -> u64 {
        let mut state = State::new(self.key, !self.key);
        state.take_all(bytes);
        state.finish()
    }
}

/// Source: Aumasson and Bernstein, "`SipHash`: a fast short-input PRF".
struct State([u64; 4]);

impl State {
    fn new(k0: u64, k1: u64) -> Self {
        let [a, b, c, d] = [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
        Self([k0 ^ a, k1 ^ b, k0 ^ c, k1 ^ d])
    }

    fn take_all(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = bytes.len().to_le_bytes()[0];
        words.iter().chain([&last]).for_each(|word| self.take(u64::from_le_bytes(*word)));
    }

    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..3).for_each(|_| self.round());
        self.0.into_iter().fold(0, |hash, word| hash ^ word)
    }

    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32).wrapping_add(*v3);
        *v2 = v2.wrapping_add(*v1);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    /// Files rely on it: a hash that changes makes every index that was written useless.
    #[test]
    fn a_name_has_the_same_hash_for_ever() {
        let check = |name: &str, want: [u64; 2]| {
            assert_eq!(
                [0, 0x0123_4567_89ab_cdef].map(|key| StableHash::new(key).of(name.as_bytes())),
                want,
                "{name:?}"
            );
        };
        check("", [0x6b3c_89e2_38a4_996e, 0xf4b3_fee3_9780_2911]);
        check("default", [0x158b_019f_76cc_f35c, 0xbb96_811d_af80_33d9]);
        check("chat/42", [0xee90_9eba_addf_e981, 0xada2_c37a_b54f_de3c]);
        check("Zürich/天気/0123456789", [0xf144_eec3_eecd_6871, 0x921b_49f3_c203_19d5]);
    }

    /// The standard library's hash is the same one today, with keys of zero.
    #[test]
    fn it_is_sip_hash() {
        for len in 0..40 {
            let name = "x".repeat(len);
            let mut state = State::new(0, 0);
            state.take_all(name.as_bytes());
            let mut reference = DefaultHasher::new();
            reference.write(name.as_bytes());
            assert_eq!(state.finish(), reference.finish(), "{len} bytes");
        }
    }
}
