//! SipHash-2-4: a keyed hash of 64 bits that nobody without the key can predict.
//!
//! Ours because std's is either deprecated (`SipHasher`) or keyed anew in each process
//! (`RandomState`), and a connection id has to outlive a restart. The bits are all kept: an id is
//! guessed once in 2^64 tries.
//!
//! Source: Aumasson and Bernstein, "`SipHash`: a fast short-input PRF" (2012), section 2, with its
//! reference vectors as tests.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

/// Rounds after each word of the message.
const COMPRESSION_ROUNDS: usize = 2;
/// Rounds at the end.
const FINAL_ROUNDS: usize = 4;

/// The four words of state.
struct State([u64; 4]);

impl State {
    fn new(key: &[u8; 16]) -> State {
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
        (0..COMPRESSION_ROUNDS).for_each(|_| self.round());
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
        (0..FINAL_ROUNDS).for_each(|_| self.round());
        self.0.iter().fold(0, |hash, word| hash ^ word)
    }
}

/// The hash of a message under a key.
#[must_use]
pub fn siphash(key: &[u8; 16], message: &[u8]) -> u64 {
    let mut state = State::new(key);
    let (words, rest) = message.as_chunks();
    for word in words {
        state.absorb(u64::from_le_bytes(*word));
    }
    // The last word is what is left, and the length in its top byte.
    let bytes = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    state.absorb(bytes | (message.len() as u64) << 56);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference vectors of the paper's authors: key and message are 0, 1, 2 and so on, the
    /// message as long as the number of the line; the hash in little-endian bytes.
    const VECTORS: &str = include_str!("../../tests/vectors/udp_siphash.txt");

    #[test]
    fn the_hash_is_that_of_the_reference_vectors() {
        let key: [u8; 16] = std::array::from_fn(|nth| nth as u8);
        let lines: Vec<&str> = VECTORS.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 16, "every length of a last word, twice");
        for (length, line) in lines.iter().enumerate() {
            let message: Vec<u8> = (0..length as u8).collect();
            let wanted = u64::from_str_radix(line, 16).expect("16 hex digits").swap_bytes();
            assert_eq!(siphash(&key, &message), wanted, "{length} bytes");
        }
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
            assert_eq!(siphash(&key, &message), theirs.finish(), "{length} bytes");
        }
    }
}
