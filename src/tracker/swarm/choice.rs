//! Which peers a reply lists: a random sample of a swarm's slots.
//!
//! Those who want data and those who only give it are sampled apart, each in proportion, so that no
//! leecher is left without a seeder by chance. Each sample is made of runs of slots from places all
//! over its half: a run is copied whole, where 50 slots one by one cost two thirds of the
//! instructions of an announce over UDP and, in a swarm of a million, 50 waits for memory
//! (callgrind, 11/2026). So every peer is as likely as any other, but neighbours, who joined one
//! after another, come together.

use std::ops::Range;

use crate::limits::{NUMWANT_MAX, SWARM_PEERS_MAX};

/// Slots of a run at the most, unless fewer than these are left out: 96 bytes of IPv4 endpoints.
const RUN: u32 = 16;
const _: () = assert!(
    SWARM_PEERS_MAX as u64 * (NUMWANT_MAX as u64 + 1) < u32::MAX as u64,
    "32 bits hold what is dealt out"
);

/// The slots a reply may list.
pub(super) struct Choice {
    wanting: Half,
    giving: Half,
}

/// The slots of a range without the requester's: up to two pieces.
struct Half {
    pieces: [Range<u32>; 2],
    len: u32,
}

impl Choice {
    /// The slots of those who want data and of those who give it, without the requester's.
    pub(super) fn new(wanting: Range<u32>, giving: Range<u32>, requester: u32) -> Choice {
        let [wanting, giving] = [wanting, giving].map(|range| Half::new(range, requester));
        Choice { wanting, giving }
    }

    pub(super) fn len(&self) -> u32 {
        self.wanting.len + self.giving.len
    }

    /// Calls `pick` with ranges of `wanted` slots in all, or of every slot if there are no more.
    pub(super) fn sample(
        &self,
        wanted: u32,
        random: &mut fastrand::Rng,
        mut pick: impl FnMut(Range<usize>),
    ) {
        let len = self.len();
        let wanted = wanted.min(len);
        if wanted == 0 {
            return;
        }
        // Rounded up as often as the part behind the point says.
        let giving = (wanted * self.giving.len + random.u32(0..len)) / len;
        self.wanting.sample(wanted - giving, random, &mut pick);
        self.giving.sample(giving, random, &mut pick);
    }
}

impl Half {
    fn new(range: Range<u32>, requester: u32) -> Half {
        let len = range.end - range.start;
        if range.contains(&requester) {
            let pieces = [range.start..requester, requester + 1..range.end];
            return Half { pieces, len: len - 1 };
        }
        Half { pieces: [range, 0..0], len }
    }

    /// Picks `wanted` slots, of which there are as many.
    ///
    /// The slots, laid in a ring, are cut at a random place into stretches, and from each a run is
    /// taken that begins at a random place in it: none comes twice, and nothing is allocated or
    /// remembered.
    fn sample(&self, wanted: u32, random: &mut fastrand::Rng, pick: &mut impl FnMut(Range<usize>)) {
        let left_out = self.len - wanted;
        if left_out == 0 {
            return self.pick_run(0..self.len, pick);
        }
        let runs = wanted.min(left_out).div_ceil(RUN);
        let cut = random.u32(0..self.len);
        let (mut taken, mut passed) = (0, 0);
        for nth in 1..=runs {
            // What of all is dealt out to this stretch and those before it.
            let (taken_next, passed_next) = (wanted * nth / runs, left_out * nth / runs);
            let from = cut + taken + random.u32(passed..=passed_next);
            let from = if from < self.len { from } else { from - self.len };
            let to = from + taken_next - taken;
            self.pick_run(from..to.min(self.len), pick);
            if to > self.len {
                self.pick_run(0..to - self.len, pick);
            }
            (taken, passed) = (taken_next, passed_next);
        }
    }

    /// Picks the slots at a range of positions: those of both pieces, one after the other.
    fn pick_run(&self, positions: Range<u32>, pick: &mut impl FnMut(Range<usize>)) {
        let mut before = 0;
        for piece in &self.pieces {
            let end = before + (piece.end - piece.start);
            let (from, to) = (positions.start.max(before), positions.end.min(end));
            if from < to {
                let slot = |position| (piece.start + position - before) as usize;
                pick(slot(from)..slot(to));
            }
            before = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sampled(choice: &Choice, wanted: u32, random: &mut fastrand::Rng) -> Vec<usize> {
        let mut slots = Vec::new();
        choice.sample(wanted, random, |run| slots.extend(run));
        slots.sort_unstable();
        slots
    }

    #[test]
    fn a_sample_has_as_many_as_wanted_none_twice_and_not_the_requester() {
        let mut random = fastrand::Rng::with_seed(5);
        for (first, second) in [(0..0, 0..0), (0..1, 3..3), (0..40, 40..41), (7..90, 95..200)] {
            for requester in [0, 6, 7, 39, 40, 89, 90, 95, 199, 1000] {
                let choice = Choice::new(first.clone(), second.clone(), requester);
                let eligible: Vec<usize> = first
                    .clone()
                    .chain(second.clone())
                    .filter(|&slot| slot != requester)
                    .map(|slot| slot as usize)
                    .collect();
                assert_eq!(choice.len() as usize, eligible.len());
                for wanted in 0..=choice.len() + 1 {
                    let slots = sampled(&choice, wanted, &mut random);
                    assert_eq!(slots.len(), eligible.len().min(wanted as usize));
                    assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "{slots:?}");
                    assert!(slots.iter().all(|slot| eligible.binary_search(slot).is_ok()));
                }
            }
        }
    }

    #[test]
    fn whoever_gives_is_listed_in_proportion() {
        let mut random = fastrand::Rng::with_seed(6);
        // 50 of 209 peers are wanted, so of 10 givers 2.39.
        let choice = Choice::new(0..200, 200..210, 17);
        let rounds = 10_000;
        let mut givers = 0;
        for _ in 0..rounds {
            let slots = sampled(&choice, 50, &mut random);
            let giving = slots.iter().filter(|&&slot| slot >= 200).count();
            assert!((2..=3).contains(&giving), "{giving} of 10");
            givers += giving;
        }
        let wanted = 50 * 10 * rounds / 209;
        assert!(givers.abs_diff(wanted) < 250, "{givers} instead of {wanted}");
    }

    #[test]
    fn runs_are_short_and_each_is_at_a_place_of_its_own() {
        let mut random = fastrand::Rng::with_seed(7);
        let choice = Choice::new(0..100_000, 0..0, 100_000);
        let mut distances = BTreeSet::new();
        for _ in 0..100 {
            let slots = sampled(&choice, 48, &mut random);
            let starts: Vec<usize> = (0..slots.len())
                .filter(|&nth| nth == 0 || slots[nth] != slots[nth - 1] + 1)
                .map(|nth| slots[nth])
                .collect();
            assert!((3..=4).contains(&starts.len()), "three runs, one perhaps around the end");
            distances.insert(starts[1] - starts[0]);
        }
        assert!(distances.len() > 90, "{} distances between two runs", distances.len());
    }
}
