//! Which peers a reply lists: a random sample of a swarm's slots.
//!
//! A sample is made of short runs of slots, from places all over the swarm: runs are copied whole,
//! a cache line or two each, where 50 slots one by one were 2/3 of all instructions of an announce
//! and 50 cache misses in a swarm of a million.

use std::ops::Range;

use crate::limits::{NUMWANT_MAX, SWARM_PEERS_MAX};

/// Slots of a run, unless few are left out: 96 bytes of IPv4 endpoints.
const RUN: u32 = 16;
const _: () = assert!(
    SWARM_PEERS_MAX as u64 * (NUMWANT_MAX as u64).div_ceil(RUN as u64) < u32::MAX as u64,
    "32 bits hold what is dealt out"
);

/// The slots a reply may list, which leave out the requester's own: up to three pieces.
pub(super) struct Choice {
    pieces: [Range<u32>; 3],
    len: u32,
}

impl Choice {
    /// The slots of two ranges, the first before the second, without the requester's.
    pub(super) fn new(first: Range<u32>, second: Range<u32>, requester: u32) -> Choice {
        let pieces = if first.contains(&requester) {
            [first.start..requester, requester + 1..first.end, second]
        } else if second.contains(&requester) {
            [first, second.start..requester, requester + 1..second.end]
        } else {
            [first, second, 0..0]
        };
        let len = pieces.iter().map(|piece| piece.end - piece.start).sum();
        Choice { pieces, len }
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Calls `pick` with ranges of `wanted` slots in all, or of every slot if there are no more.
    ///
    /// The slots, laid in a ring, are cut at a random place into stretches, and from each a run is
    /// taken that begins at a random place in it: every peer is as likely as any other, none comes
    /// twice, and nothing is allocated or remembered.
    pub(super) fn sample(
        &self,
        wanted: u32,
        random: &mut fastrand::Rng,
        mut pick: impl FnMut(Range<usize>),
    ) {
        if self.len <= wanted {
            return self.pick_run(0..self.len, &mut pick);
        }
        let left_out = self.len - wanted;
        let runs = wanted.min(left_out).div_ceil(RUN);
        let cut = random.u32(0..self.len);
        let (mut taken, mut passed) = (0, 0);
        for nth in 1..=runs {
            // What of all is dealt out to this stretch and those before it.
            let (taken_next, passed_next) = (wanted * nth / runs, left_out * nth / runs);
            let from = cut + taken + random.u32(passed..=passed_next);
            let from = if from < self.len { from } else { from - self.len };
            let to = from + taken_next - taken;
            self.pick_run(from..to.min(self.len), &mut pick);
            if to > self.len {
                self.pick_run(0..to - self.len, &mut pick);
            }
            (taken, passed) = (taken_next, passed_next);
        }
    }

    /// Picks the slots at a range of positions: those of all pieces, one after another.
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
