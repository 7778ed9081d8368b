//! An index from 64-bit hashes to the slots of an array: how a swarm finds a peer and a shard a
//! torrent.
//!
//! Open addressing with linear probing and backward-shift deletion (no tombstones, so churn costs
//! nothing later). An entry is 4 bytes: a slot of 24 bits, and 8 bits of the hash which spare 255
//! of 256 looks at a slot that is not the one. The array keeps the keys; whoever calls passes
//! closures that compare or hash what a slot holds. Arrays of up to [`SCAN_MAX`] slots have no
//! table at all and are scanned, since a million torrents with one peer each must stay small.
//!
//! The hashes must come from a keyed hash function: clients choose the keys.

/// Up to this many slots a scan is as fast as a table.
const SCAN_MAX: u32 = 8;
const SLOT_BITS: u32 = 24;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const EMPTY: u32 = u32::MAX;

/// The index. A slot appears in it once at the most.
#[derive(Debug, Default)]
pub struct Index {
    entries: Box<[u32]>,
    used: u32,
}

impl Index {
    /// The slot under `hash` for which `is` holds, among the `len` slots of the array.
    #[inline]
    pub fn find(&self, hash: u64, len: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return (0..len).find(|&slot| is(slot));
        }
        self.probe(hash, is).map(|at| self.entries[at] & SLOT_MASK)
    }

    /// Adds `slot`, which the array already holds. `hash_of` tells the hash of each of the array's
    /// `len` slots, `None` for those that this index does not list.
    pub fn insert(&mut self, hash: u64, slot: u32, len: u32, hash_of: impl Fn(u32) -> Option<u64>) {
        self.used += 1;
        if self.entries.is_empty() {
            if len > SCAN_MAX {
                self.rebuild(len, hash_of);
            }
        } else if self.used as usize * 8 > self.entries.len() * 7 {
            self.rebuild(len, hash_of);
        } else {
            self.place(hash, slot);
        }
    }

    /// Removes `slot`, which the array still holds.
    pub fn remove(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> Option<u64>) {
        self.used -= 1;
        let Some(mut hole) = self.probe(hash, |found| found == slot) else {
            return; // No table: nothing is written down.
        };
        // Entries behind the hole that may stand in it move up, so that no probe stops short.
        let size = self.entries.len();
        let distance =
            |from: usize, to: usize| if to >= from { to - from } else { to + size - from };
        let mut at = self.after(hole);
        while self.entries[at] != EMPTY {
            let hash = hash_of(self.entries[at] & SLOT_MASK).expect("a listed slot has a hash");
            if distance(self.home(hash), at) >= distance(hole, at) {
                self.entries[hole] = self.entries[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.entries[hole] = EMPTY;
    }

    /// Says that what was in slot `from` is now in slot `to`.
    pub fn relocate(&mut self, hash: u64, from: u32, to: u32) {
        if let Some(at) = self.probe(hash, |slot| slot == from) {
            self.entries[at] = self.entries[at] & !SLOT_MASK | to;
        }
    }

    /// Gives memory back when the table has become much too large.
    pub fn shrink(&mut self, len: u32, hash_of: impl Fn(u32) -> Option<u64>) {
        if self.entries.len() > 4 * (self.used as usize + SCAN_MAX as usize) {
            self.rebuild(len, hash_of);
        }
    }

    /// Makes the table anew with room for a third more entries than there are.
    fn rebuild(&mut self, len: u32, hash_of: impl Fn(u32) -> Option<u64>) {
        if len <= SCAN_MAX {
            self.entries = Box::default();
            return;
        }
        let room = self.used as usize * 4 / 3 + SCAN_MAX as usize;
        self.entries = vec![EMPTY; room].into_boxed_slice();
        for slot in 0..len {
            if let Some(hash) = hash_of(slot) {
                self.place(hash, slot);
            }
        }
    }

    fn place(&mut self, hash: u64, slot: u32) {
        let mut at = self.home(hash);
        while self.entries[at] != EMPTY {
            at = self.after(at);
        }
        self.entries[at] = tag(hash) | slot;
    }

    /// The position of the entry under `hash` whose slot `is` accepts.
    #[inline]
    fn probe(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<usize> {
        if self.entries.is_empty() {
            return None;
        }
        let tag = tag(hash);
        let mut at = self.home(hash);
        loop {
            let entry = self.entries[at];
            if entry == EMPTY {
                return None;
            }
            if entry & !SLOT_MASK == tag && is(entry & SLOT_MASK) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// Where the probe for a hash begins: its upper half scaled to the table, whatever its size.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.entries.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }
}

/// The 8 bits of a hash that stand beside the slot.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash as u32) << SLOT_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// An array of numbers under an index, hashed badly on purpose: long runs, wrapped ends.
    #[derive(Default)]
    struct Array {
        values: Vec<u64>,
        index: Index,
    }

    fn bad_hash(value: u64) -> u64 {
        ((value % 7) << 61) | (value % 3)
    }

    impl Array {
        fn find(&self, value: u64) -> Option<u32> {
            let len = self.values.len() as u32;
            self.index.find(bad_hash(value), len, |slot| self.values[slot as usize] == value)
        }

        fn push(&mut self, value: u64) {
            self.values.push(value);
            let (values, len) = (&self.values, self.values.len() as u32);
            let hash_of = |slot: u32| Some(bad_hash(values[slot as usize]));
            self.index.insert(bad_hash(value), len - 1, len, hash_of);
        }

        fn swap_remove(&mut self, slot: u32) {
            let values = &self.values;
            let hash_of = |slot: u32| Some(bad_hash(values[slot as usize]));
            self.index.remove(bad_hash(values[slot as usize]), slot, hash_of);
            let last = values.len() as u32 - 1;
            if slot != last {
                self.index.relocate(bad_hash(values[last as usize]), last, slot);
            }
            self.values.swap_remove(slot as usize);
        }

        fn shrink(&mut self) {
            let (values, len) = (&self.values, self.values.len() as u32);
            self.index.shrink(len, |slot| Some(bad_hash(values[slot as usize])));
        }
    }

    #[test]
    fn an_index_agrees_with_a_set_through_random_changes() {
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..20 {
            let (mut array, mut model) = (Array::default(), HashSet::new());
            for _ in 0..2_000 {
                let value = random.u64(0..100);
                match (array.find(value), model.contains(&value)) {
                    (Some(slot), true) => {
                        array.swap_remove(slot);
                        model.remove(&value);
                    }
                    (None, false) => {
                        array.push(value);
                        model.insert(value);
                    }
                    (found, known) => {
                        panic!("round {round}: {value} found at {found:?}, known {known}")
                    }
                }
                if random.u8(..) == 0 {
                    array.shrink();
                }
            }
            for value in 0..100 {
                assert_eq!(array.find(value).is_some(), model.contains(&value), "{value}");
            }
        }
    }

    #[test]
    fn a_table_appears_past_the_scan_size_and_goes_when_it_is_not_needed() {
        let mut array = Array::default();
        for value in 0..u64::from(SCAN_MAX) {
            array.push(value);
        }
        assert_eq!(array.index.entries.len(), 0);
        for value in 8..1000 {
            array.push(value);
        }
        assert!(array.index.entries.len() <= 1000 * 4 / 3 + 8, "{}", array.index.entries.len());
        while array.values.len() > 5 {
            array.swap_remove(0);
        }
        array.shrink();
        assert_eq!(array.index.entries.len(), 0);
        assert_eq!(array.find(array.values[4]), Some(4));
    }
}
