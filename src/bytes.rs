//! Looking for a byte among bytes: what lines, words and parameters are taken apart by.
//!
//! Words of 8 bytes are looked at in about 9 instructions, blocks of 32 in 11 where the processor
//! has vectors (the compiler makes use of them unasked); a loop over single bytes takes three for
//! each. Pure functions, which allocate nothing.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

/// The lowest bit of each byte of a word, and the highest.
const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first place of a byte.
#[must_use]
pub fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<32>();
    let skipped = 32 * blocks.iter().take_while(|block| !has(block, |b| b == wanted)).count();
    Some(skipped + find_near(bytes.get(skipped..)?, wanted)?)
}

/// What stands before and after the first place of a byte.
#[must_use]
pub fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    split_around(bytes, find(bytes, separator)?)
}

/// The same where that place is likely to be near, as the next of many is: without the blocks,
/// which are dear to begin with.
#[inline]
#[must_use]
pub fn split_near(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    split_around(bytes, find_near(bytes, separator)?)
}

#[inline]
fn find_near(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        // The wanted byte becomes 0. Of all bytes, a 1 taken away carries into the highest bit of a
        // 0, and further up only behind one: the first is always right.
        let other = u64::from_le_bytes(*word) ^ (LOW_BITS * u64::from(wanted));
        let zeros = other.wrapping_sub(LOW_BITS) & !other & HIGH_BITS;
        if zeros != 0 {
            return Some(8 * nth + zeros.trailing_zeros() as usize / 8);
        }
    }
    let place = tail.iter().position(|&byte| byte == wanted)?;
    Some(bytes.len() - tail.len() + place)
}

fn split_around(bytes: &[u8], place: usize) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(place)?;
    Some((before, rest.get(1..)?))
}

/// Whether there is a byte that `is` accepts.
pub fn any(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let (words, tail) = rest.as_chunks::<8>();
    blocks.iter().any(|block| has(block, &is))
        || words.iter().any(|word| has(word, &is))
        || tail.iter().any(|&byte| is(byte))
}

/// The same of a block, without an early exit: one would keep the compiler from using vectors.
fn has<const N: usize>(block: &[u8; N], is: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(false, |found, &byte| found | is(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_found_wherever_it_is() {
        for length in 0..100 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(find(&bytes, b'&'), None, "of {length}");
            assert!(!any(&bytes, |byte| byte == b'&'), "of {length}");
            for at in (0..length).rev() {
                bytes[at] = b'&';
                assert_eq!(find(&bytes, b'&'), Some(at), "of {length}");
                assert_eq!(find_near(&bytes, b'&'), Some(at), "of {length}");
                assert!(any(&bytes[at..], |byte| byte == b'&'), "{at} of {length}");
                assert!(!any(&bytes[..at], |byte| byte == b'&'), "{at} of {length}");
            }
        }
    }

    #[test]
    fn every_byte_is_told_from_every_other() {
        for wanted in 0..=255 {
            for other in 0..=255 {
                for length in [9, 33] {
                    let mut bytes = vec![other; length];
                    bytes[length - 2] = wanted;
                    let place = if other == wanted { 0 } else { length - 2 };
                    assert_eq!(find(&bytes, wanted), Some(place), "{wanted} among {other}");
                    assert_eq!(find(&bytes[..length - 2], wanted).is_some(), other == wanted);
                }
            }
        }
    }

    #[test]
    fn what_stands_around_a_byte_is_without_it() {
        for split in [split_once, split_near] {
            assert_eq!(split(b"a=b=c", b'='), Some((&b"a"[..], &b"b=c"[..])));
            assert_eq!(split(b"=", b'='), Some((&b""[..], &b""[..])));
            assert_eq!(split(b"a", b'='), None);
        }
    }
}
