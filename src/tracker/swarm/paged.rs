//! An array that grows by pages instead of moving: what a swarm keeps its peers in.
//!
//! A `Vec` that grows moves to a larger block and leaves a hole that nothing of its size fills
//! again: a million peers in 10,000 swarms took 105 bytes each where 75 were used. Here full pages
//! of `N` items stay where they are, all of one size, and only the items behind the last full page
//! move.

use std::ops::{Index, IndexMut, Range};

/// An array in pages of `N` items.
#[derive(Debug)]
pub(super) struct Paged<T, const N: usize> {
    pages: Vec<Box<[T; N]>>,
    /// The items behind the last full page: always fewer than `N`.
    tail: Vec<T>,
}

impl<T: Copy, const N: usize> Paged<T, N> {
    pub(super) fn len(&self) -> usize {
        self.pages.len() * N + self.tail.len()
    }

    pub(super) fn push(&mut self, item: T) {
        if self.tail.len() == self.tail.capacity() {
            // Half as much again, so that a swarm of one peer takes room for few.
            let room = (self.tail.len() / 2 + 2).min(N - self.tail.len());
            self.tail.reserve_exact(room);
        }
        self.tail.push(item);
        if self.tail.len() == N {
            let page = std::mem::take(&mut self.tail).try_into();
            self.pages.push(page.unwrap_or_else(|_| unreachable!("the tail has just N items")));
        }
    }

    pub(super) fn pop(&mut self) {
        if self.tail.is_empty()
            && let Some(page) = self.pages.pop()
        {
            self.tail = page.to_vec();
        }
        self.tail.pop();
    }

    /// Gives back what a longer array needed: pages go as they empty, the rest here.
    pub(super) fn shrink(&mut self) {
        if self.pages.capacity() > 4 * self.pages.len() + 4 {
            self.pages.shrink_to_fit();
        }
        if self.tail.capacity() > 2 * self.tail.len() + 4 {
            self.tail.shrink_to_fit();
        }
    }

    /// Reads from memory where the pages are, while the caller waits for something else. Nobody
    /// uses what is read: it is in the cache then. With a million peers in 10,000 swarms that takes
    /// a tenth to a quarter off an announce's user cycles (perf, 11/2026, three pairs of runs).
    #[inline]
    pub(super) fn fetch(&self) {
        std::hint::black_box(self.pages.first().map(|page| page.as_ptr()));
    }

    /// Appends the items of a range, which the array has.
    pub(super) fn copy_into(&self, mut range: Range<usize>, out: &mut Vec<T>) {
        while !range.is_empty() {
            let page = self.pages.get(range.start / N).map_or(&self.tail[..], |page| &page[..]);
            let at = range.start % N;
            let end = page.len().min(at + range.len());
            out.extend_from_slice(&page[at..end]);
            range.start += end - at;
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.pages.capacity() * N + self.tail.capacity()
    }

    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter()).chain(&self.tail)
    }
}

impl<T, const N: usize> Default for Paged<T, N> {
    fn default() -> Self {
        Paged { pages: Vec::new(), tail: Vec::new() }
    }
}

impl<T, const N: usize> Index<usize> for Paged<T, N> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        match self.pages.get(at / N) {
            Some(page) => &page[at % N],
            None => &self.tail[at - self.pages.len() * N],
        }
    }
}

impl<T, const N: usize> IndexMut<usize> for Paged<T, N> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        let paged = self.pages.len() * N;
        match self.pages.get_mut(at / N) {
            Some(page) => &mut page[at % N],
            None => &mut self.tail[at - paged],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paged_array_agrees_with_a_vec_through_pushes_and_pops() {
        let mut random = fastrand::Rng::with_seed(2);
        let (mut paged, mut model) = (Paged::<u32, 8>::default(), Vec::new());
        for step in 0..5_000u32 {
            // Long ways up and down, over many page ends.
            if random.u32(0..100) < 50 + 30 * u32::from(step / 500 % 2 == 0) {
                paged.push(step);
                model.push(step);
            } else {
                paged.pop();
                model.pop();
            }
            if let Some(at) = model.len().checked_sub(1).map(|last| random.usize(0..=last)) {
                paged[at] += 1;
                model[at] += 1;
            }
            paged.shrink();
            assert_eq!(paged.iter().copied().collect::<Vec<_>>(), model);
            assert_eq!(paged.len(), model.len());
            assert!((0..model.len()).all(|at| paged[at] == model[at]));
            let end = random.usize(0..=model.len());
            let (range, mut copied) = (random.usize(0..=end)..end, Vec::new());
            paged.copy_into(range.clone(), &mut copied);
            assert_eq!(copied, model[range]);
        }
    }
}
