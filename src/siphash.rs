//! `SipHash`: a keyed hash of 64 bits that nobody without the key can predict.
//!
//! Ours because std's is either deprecated (`SipHasher`) or keyed anew in each process
//! (`RandomState`), and a connection id has to outlive a restart; and because std's takes its
//! message in pieces, which costs three times the instructions where the length is known, a tenth
//! of an announce's over UDP (callgrind, 11/2026). An id is guessed once in 2^64 tries.
//!
//! Source: Aumasson and Bernstein, "`SipHash`: a fast short-input PRF" (2012), section 2, with its
//! reference vectors as tests.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

/// The four words of state, for so many rounds after each word of the message and at the end.
struct State<const COMPRESSION: usize, const FINAL: usize>([u64; 4]);

impl<const COMPRESSION: usize, const FINAL: usize> State<COMPRESSION, FINAL> {
    fn new(key: &[u8; 16]) -> Self {
        let key = u128::from_le_bytes(*key);
        let (k0, k1) = (key as u64, (key >> 64) as u64);
        // "somepseudorandomlygeneratedbytes", as the paper has it.
        State([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        (0..COMPRESSION).for_each(|_| self.round());
        self.0[0] ^= word;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32).wrapping_add(d);
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        self.0 = [a, b, c.rotate_left(32), d];
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..FINAL).for_each(|_| self.round());
        self.0.iter().fold(0, |hash, word| hash ^ word)
    }

    #[inline]
    fn hash(mut self, message: &[u8]) -> u64 {
        let (words, rest) = message.as_chunks();
        for word in words {
            self.absorb(u64::from_le_bytes(*word));
        }
        // The last word is what is left, and the length in its top byte.
        let bytes = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.absorb(bytes | (message.len() as u64) << 56);
        self.finish()
    }
}

/// The hash of a message under a key, for what others see: SipHash-2-4.
#[must_use]
pub fn siphash_2_4(key: &[u8; 16], message: &[u8]) -> u64 {
    State::<2, 4>::new(key).hash(message)
}

/// The hash of a message under a key, for tables that nobody sees: SipHash-1-3, as in std's.
#[inline]
#[must_use]
pub fn siphash_1_3<const LENGTH: usize>(key: &[u8; 16], message: &[u8; LENGTH]) -> u64 {
    State::<1, 3>::new(key).hash(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference vectors of the paper's authors: key and message are 0, 1, 2 and so on, the
    /// message as long as the number of the line; the hash in little-endian bytes.
    const VECTORS: &str = include_str!("../tests/vectors/siphash.txt");

    #[test]
    fn the_hash_is_that_of_the_reference_vectors() {
        let key: [u8; 16] = std::array::from_fn(|nth| nth as u8);
        let lines: Vec<&str> = VECTORS.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 16, "every length of a last word, twice");
        for (length, line) in lines.iter().enumerate() {
            let message: Vec<u8> = (0..length as u8).collect();
            let wanted = u64::from_str_radix(line, 16).expect("16 hex digits").swap_bytes();
            assert_eq!(siphash_2_4(&key, &message), wanted, "{length} bytes");
        }
    }

    #[test]
    fn the_hash_for_tables_is_that_of_the_standard_library() {
        use std::hash::{DefaultHasher, Hasher as _};
        fn check<const LENGTH: usize>() {
            let message: [u8; LENGTH] = std::array::from_fn(|nth| 7 * nth as u8);
            let mut theirs = DefaultHasher::new();
            theirs.write(&message);
            assert_eq!(siphash_1_3(&[0; 16], &message), theirs.finish(), "{LENGTH} bytes");
        }
        check::<0>();
        check::<6>();
        check::<18>();
        check::<20>();
        check::<28>();
        let keyed = [[0; 16], [1; 16]].map(|key| siphash_1_3(&key, b"info hash"));
        assert_ne!(keyed[0], keyed[1]);
    }

    #[test]
    #[allow(deprecated)] // As a second opinion: it is the same function, written by others.
    fn the_hash_is_that_of_the_standard_library() {
        use std::hash::{Hasher as _, SipHasher};
        let mut random = fastrand::Rng::with_seed(4);
        for length in 0..200 {
            let key: [u8; 16] = std::array::from_fn(|_| random.u8(..));
            let message: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            let half = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("8 bytes"));
            let mut theirs = SipHasher::new_with_keys(half(&key[..8]), half(&key[8..]));
            theirs.write(&message);
            assert_eq!(siphash_2_4(&key, &message), theirs.finish(), "{length} bytes");
        }
    }
}
