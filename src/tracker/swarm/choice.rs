//! Which peers a reply lists: a random sample of a swarm's slots.

use std::ops::Range;

/// The peers a reply may list: up to two runs of slots, without the requester's own.
pub(super) struct Choice {
    runs: [Range<u32>; 2],
    /// The requester's position within the runs laid end to end.
    own: Option<u32>,
}

impl Choice {
    pub(super) fn new(mut runs: impl Iterator<Item = Range<u32>>, requester: u32) -> Choice {
        let runs = [runs.next().unwrap_or(0..0), runs.next().unwrap_or(0..0)];
        let [first, second] = &runs;
        let own = if first.contains(&requester) {
            Some(requester - first.start)
        } else if second.contains(&requester) {
            Some(requester - second.start + first.len() as u32)
        } else {
            None
        };
        Choice { runs, own }
    }

    pub(super) fn len(&self) -> u32 {
        let [first, second] = &self.runs;
        (first.len() + second.len()) as u32 - u32::from(self.own.is_some())
    }

    fn slot(&self, position: u32) -> usize {
        let position = position + u32::from(self.own.is_some_and(|own| position >= own));
        let [first, second] = &self.runs;
        let beyond = position.checked_sub(first.len() as u32);
        beyond.map_or(first.start + position, |beyond| second.start + beyond) as usize
    }

    /// Calls `pick` with `wanted` slots, or with all if there are no more than that.
    ///
    /// The positions, laid in a ring, are cut at a random place into `wanted` stretches of equal
    /// length, and one is taken at random from each: every peer is as likely as any other, no peer
    /// comes twice, neighbours seldom come together, and nothing is allocated or remembered.
    pub(super) fn sample(
        &self,
        wanted: u32,
        random: &mut fastrand::Rng,
        mut pick: impl FnMut(usize),
    ) {
        let len = self.len();
        if len <= wanted {
            (0..len).for_each(|position| pick(self.slot(position)));
            return;
        }
        if wanted == 0 {
            return;
        }
        let cut = random.u32(0..len);
        // Fixed point with 16 bits: 50 divisions would cost more than the rest.
        let stretch = (u64::from(len) << 16) / u64::from(wanted);
        for nth in 0..u64::from(wanted) {
            let (start, end) = ((nth * stretch) >> 16, ((nth + 1) * stretch) >> 16);
            let position = start as u32 + random.u32(0..(end - start) as u32) + cut;
            pick(self.slot(if position >= len { position - len } else { position }));
        }
    }
}
