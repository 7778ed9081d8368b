//! The endpoints of one family that a swarm's peers are listed with, by slot and found by endpoint.
//!
//! `BYTES` is the length of an endpoint, 6 or 18. Of a peer without one the endpoint is all zeros,
//! which no peer has: port 0 is not listed.

use std::ops::Range;

use crate::tracker::index::Index;
use crate::tracker::keys::Keys;

use super::paged::Paged;

/// The endpoints of one family, in pages of `PAGE`.
#[derive(Debug, Default)]
pub(super) struct Listed<const BYTES: usize, const PAGE: usize> {
    endpoints: Paged<[u8; BYTES], PAGE>,
    index: Index,
}

impl<const BYTES: usize, const PAGE: usize> Listed<BYTES, PAGE> {
    const NOBODY: [u8; BYTES] = [0; BYTES];

    pub(super) fn len(&self) -> u32 {
        self.endpoints.len() as u32
    }

    /// The slot of the peer that has an endpoint.
    pub(super) fn find(&self, keys: &Keys, endpoint: [u8; BYTES]) -> Option<u32> {
        let is = |slot| self.endpoints[slot as usize] == endpoint;
        self.index.find(keys.endpoint(&endpoint), self.len(), is)
    }

    /// The endpoint of the peer in a slot.
    pub(super) fn get(&self, slot: u32) -> Option<[u8; BYTES]> {
        Some(self.endpoints[slot as usize]).filter(|&endpoint| endpoint != Self::NOBODY)
    }

    /// Makes it as long as the swarm, for peers that have no endpoint yet.
    pub(super) fn grow(&mut self, len: usize) {
        while self.endpoints.len() < len {
            self.endpoints.push(Self::NOBODY);
        }
    }

    /// Gives up the last slot.
    pub(super) fn pop(&mut self) {
        self.endpoints.pop();
    }

    /// Writes what is in a slot, for nobody or a peer that is not listed anywhere.
    pub(super) fn fill(&mut self, keys: &Keys, slot: u32, endpoint: Option<[u8; BYTES]>) {
        self.endpoints[slot as usize] = endpoint.unwrap_or(Self::NOBODY);
        let len = self.len();
        if let Some(endpoint) = endpoint {
            let Listed { endpoints, index } = self;
            let hash = keys.endpoint(&endpoint);
            index.insert(hash, slot, len, |slot| hash_at(keys, endpoints, slot));
        }
    }

    /// Makes an endpoint, which stays in its slot, one that nobody is found by.
    pub(super) fn unlist(&mut self, keys: &Keys, slot: u32) {
        if let Some(endpoint) = self.get(slot) {
            let Listed { endpoints, index } = self;
            index.remove(keys.endpoint(&endpoint), slot, |slot| hash_at(keys, endpoints, slot));
        }
    }

    /// Moves what is in a slot to a free one.
    pub(super) fn shift(&mut self, keys: &Keys, from: u32, to: u32) {
        if let Some(endpoint) = self.get(from) {
            self.index.relocate(keys.endpoint(&endpoint), from, to);
        }
        self.endpoints[to as usize] = self.endpoints[from as usize];
    }

    /// See [`Paged::fetch`].
    #[inline]
    pub(super) fn fetch(&self) {
        self.endpoints.fetch();
    }

    /// Appends the endpoints in a range of slots.
    pub(super) fn copy_into(&self, slots: Range<usize>, out: &mut Vec<[u8; BYTES]>) {
        self.endpoints.copy_into(slots, out);
    }

    /// Gives back the memory of a swarm that was much larger.
    pub(super) fn shrink(&mut self, keys: &Keys) {
        self.endpoints.shrink();
        let len = self.len();
        let Listed { endpoints, index } = self;
        index.shrink(len, |slot| hash_at(keys, endpoints, slot));
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.endpoints.capacity()
    }
}

fn hash_at<const BYTES: usize, const PAGE: usize>(
    keys: &Keys,
    endpoints: &Paged<[u8; BYTES], PAGE>,
    slot: u32,
) -> Option<u64> {
    let endpoint = endpoints[slot as usize];
    (endpoint != [0; BYTES]).then(|| keys.endpoint(&endpoint))
}
