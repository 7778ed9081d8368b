//! Which tracked info hash a mistyped or shortened one may have meant.
//!
//! Two hashes are similar when their first and last hex digits agree (10 and 5 by default, as in
//! the original tracker), or when all but a few of the 40 digits do (95 % by default, so all but
//! 2). Nobody compares with every torrent: hashes that differ in at most n digits agree on at least
//! one of n + 1 blocks, so each hash is kept n + 2 times in sorted order, each time rotated so that
//! another block (or the last digits followed by the first) stands in front, and a lookup reads the
//! few neighbours of its own rotations. That costs about 30 bytes a rotation for each torrent.

use std::collections::BTreeSet;

use crate::limits::SIMILAR_CANDIDATES_MAX;
use crate::request::InfoHash;

/// Hex digits of an info hash.
const DIGITS: usize = 40;

/// How alike two hashes must be; `similar-*` in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// The first digits that must agree...
    pub first_digits: u8,
    /// ... together with the last ones; both 0 leave this rule out.
    pub last_digits: u8,
    /// Or at least so many digits in the same places; 40 leaves this rule out.
    pub same_digits: u8,
}

impl Tolerance {
    /// Whether two different hashes are similar.
    fn matches(self, a: &InfoHash, b: &InfoHash) -> bool {
        let digits_agree = |range: std::ops::Range<usize>| {
            range.into_iter().all(|nth| digit(a, nth) == digit(b, nth))
        };
        let (first, last) = (usize::from(self.first_digits), usize::from(self.last_digits));
        let by_ends =
            first + last > 0 && digits_agree(0..first) && digits_agree(DIGITS - last..DIGITS);
        by_ends || same_digits(a, b) >= usize::from(self.same_digits)
    }

    /// The rotations to keep: where each begins, and how many digits a match has in common there.
    fn rotations(self) -> Vec<Rotation> {
        let mut rotations = Vec::new();
        let (first, last) = (usize::from(self.first_digits), usize::from(self.last_digits));
        if first + last > 0 {
            rotations.push(Rotation::new((DIGITS - last) % DIGITS, first + last));
        }
        let differ = DIGITS - usize::from(self.same_digits);
        if differ > 0 {
            let blocks = differ + 1;
            let start = |block: usize| block * DIGITS / blocks;
            let each = |block| Rotation::new(start(block), start(block + 1) - start(block));
            rotations.extend((0..blocks).map(each));
        }
        rotations
    }
}

/// One sorted set of all hashes, each rotated to the left.
#[derive(Debug)]
struct Rotation {
    start: usize,
    digits: usize,
    sorted: BTreeSet<[u8; 20]>,
}

impl Rotation {
    fn new(start: usize, digits: usize) -> Rotation {
        Rotation { start, digits, sorted: BTreeSet::new() }
    }

    /// The hashes that share the leading digits of `hash` in this rotation.
    fn candidates(&self, hash: &InfoHash) -> impl Iterator<Item = InfoHash> {
        let rotated = rotate(&hash.0, self.start);
        let bound = |rest: u8| {
            let mut bytes = rotated;
            for nth in self.digits..DIGITS {
                let shift = 4 * (1 - nth % 2);
                bytes[nth / 2] = (bytes[nth / 2] & !(0xf << shift)) | ((rest & 0xf) << shift);
            }
            bytes
        };
        let range = self.sorted.range(bound(0)..=bound(0xf));
        range.map(|rotated| InfoHash(rotate(rotated, (DIGITS - self.start) % DIGITS)))
    }
}

/// The index over all tracked hashes.
#[derive(Debug)]
pub struct Similar {
    tolerance: Tolerance,
    rotations: Vec<Rotation>,
}

impl Similar {
    /// An empty index.
    pub fn new(tolerance: Tolerance) -> Similar {
        Similar { tolerance, rotations: tolerance.rotations() }
    }

    /// Takes a hash in.
    pub fn insert(&mut self, hash: &InfoHash) {
        for rotation in &mut self.rotations {
            rotation.sorted.insert(rotate(&hash.0, rotation.start));
        }
    }

    /// Forgets a hash.
    pub fn remove(&mut self, hash: &InfoHash) {
        for rotation in &mut self.rotations {
            rotation.sorted.remove(&rotate(&hash.0, rotation.start));
        }
    }

    /// The hash most like this one, other than itself; of several equally alike, the smallest.
    ///
    /// Of a crowd that shares a block (somebody's doing: a hash has no pattern) no more than
    /// [`SIMILAR_CANDIDATES_MAX`] are looked at.
    pub fn find(&self, hash: &InfoHash) -> Option<InfoHash> {
        let all = self
            .rotations
            .iter()
            .flat_map(|rotation| rotation.candidates(hash).take(SIMILAR_CANDIDATES_MAX));
        let similar = all.filter(|other| other != hash && self.tolerance.matches(hash, other));
        similar.min_by_key(|other| (DIGITS - same_digits(hash, other), *other))
    }
}

fn digit(hash: &InfoHash, nth: usize) -> u8 {
    hash.0[nth / 2] >> (4 * (1 - nth % 2)) & 0xf
}

/// In how many places two hashes have the same digit.
fn same_digits(a: &InfoHash, b: &InfoHash) -> usize {
    (0..DIGITS).filter(|&nth| digit(a, nth) == digit(b, nth)).count()
}

/// Rotates the 40 digits to the left by `by` of them.
fn rotate(bytes: &[u8; 20], by: usize) -> [u8; 20] {
    let mut rotated = *bytes;
    rotated.rotate_left(by / 2);
    if by % 2 == 1 {
        let first = rotated[0] >> 4;
        for at in 0..20 {
            let next = rotated.get(at + 1).map_or(first, |byte| byte >> 4);
            rotated[at] = rotated[at] << 4 | next;
        }
    }
    rotated
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINAL: Tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };

    fn hash(text: &str) -> InfoHash {
        InfoHash::from_hex(text.as_bytes()).expect("40 digits")
    }

    fn random_hash(random: &mut fastrand::Rng) -> InfoHash {
        InfoHash(std::array::from_fn(|_| random.u8(..)))
    }

    fn with_digit(hash: InfoHash, nth: usize, value: u8) -> InfoHash {
        let mut changed = hash;
        let shift = 4 * (1 - nth % 2);
        changed.0[nth / 2] = changed.0[nth / 2] & !(0xf << shift) | value << shift;
        changed
    }

    #[test]
    fn rotation_moves_digits_and_comes_back() {
        let bytes = hash("0123456789abcdef0123456789abcdef01234567");
        let five = InfoHash(rotate(&bytes.0, 5)).to_string();
        assert_eq!(five, "56789abcdef0123456789abcdef0123456701234");
        for by in 0..DIGITS {
            assert_eq!(rotate(&rotate(&bytes.0, by), (DIGITS - by) % DIGITS), bytes.0, "{by}");
        }
    }

    #[test]
    fn a_hash_whose_ends_agree_is_found_whatever_stands_between() {
        let mut similar = Similar::new(ORIGINAL);
        let tracked = hash("0123456789aaaaaaaaaaaaaaaaaaaaaaaaa54321");
        similar.insert(&tracked);
        let ends = hash("0123456789bbbbbbbbbbbbbbbbbbbbbbbbb54321");
        assert_eq!(similar.find(&ends), Some(tracked));
        assert_eq!(similar.find(&with_digit(ends, 9, 0)), None);
        assert_eq!(similar.find(&with_digit(ends, 35, 0)), None);
        assert_eq!(similar.find(&tracked), None, "itself is not similar but the same");
        similar.remove(&tracked);
        assert_eq!(similar.find(&ends), None);
    }

    #[test]
    fn a_typo_of_two_digits_anywhere_is_found_and_one_of_three_is_not() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut similar = Similar::new(Tolerance { first_digits: 0, last_digits: 0, ..ORIGINAL });
        let crowd: Vec<InfoHash> = (0..500).map(|_| random_hash(&mut random)).collect();
        for hash in &crowd {
            similar.insert(hash);
        }
        let tracked = crowd[250];
        for a in 0..DIGITS {
            for b in a + 1..DIGITS {
                let flip = |hash, nth| with_digit(hash, nth, digit(&tracked, nth) ^ 5);
                let two = flip(flip(tracked, a), b);
                assert_eq!(similar.find(&two), Some(tracked), "digits {a} and {b}");
                let third = (a + 17) % DIGITS;
                if third != b {
                    assert_eq!(similar.find(&flip(two, third)), None, "digits {a}, {b}, {third}");
                }
            }
        }
    }

    #[test]
    fn every_tolerance_agrees_with_a_comparison_of_all() {
        let mut random = fastrand::Rng::with_seed(6);
        for (first_digits, last_digits, same_digits) in
            [(10, 5, 38), (3, 0, 40), (0, 3, 36), (0, 0, 40), (40, 0, 34), (1, 1, 39)]
        {
            let tolerance = Tolerance { first_digits, last_digits, same_digits };
            let mut similar = Similar::new(tolerance);
            let crowd: Vec<InfoHash> = (0..200).map(|_| random_hash(&mut random)).collect();
            for hash in &crowd {
                similar.insert(hash);
            }
            for _ in 0..500 {
                let mut asked = crowd[random.usize(0..200)];
                for _ in 0..random.usize(0..8) {
                    asked = with_digit(asked, random.usize(0..DIGITS), random.u8(0..16));
                }
                let all = crowd.iter().filter(|&h| *h != asked && tolerance.matches(h, &asked));
                let wanted = all.min_by_key(|h| (DIGITS - super::same_digits(h, &asked), **h));
                assert_eq!(similar.find(&asked), wanted.copied(), "{tolerance:?} {asked}");
            }
        }
    }
}
