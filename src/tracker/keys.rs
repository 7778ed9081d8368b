//! The keys of every index: clients choose what is hashed, and must not choose where it goes.
//!
//! Drawn anew in each process and shown to nobody, so nobody can look for info hashes, identities
//! or endpoints that meet in a table.

use std::hash::{BuildHasher as _, RandomState};

use crate::request::{Identity, InfoHash};
use crate::siphash::siphash_1_3;

/// What an index is asked with is hashed under these.
#[derive(Debug)]
pub(super) struct Keys([u8; 16]);

impl Keys {
    /// Random keys.
    pub(super) fn new() -> Keys {
        let random = RandomState::new();
        let [first, second] = [1, 2].map(|nth| random.hash_one(nth).to_be_bytes());
        let mut key = [0; 16];
        key[..8].copy_from_slice(&first);
        key[8..].copy_from_slice(&second);
        Keys(key)
    }

    pub(super) fn info_hash(&self, info_hash: &InfoHash) -> u64 {
        siphash_1_3(&self.0, &info_hash.0)
    }

    pub(super) fn identity(&self, identity: &Identity) -> u64 {
        let mut message = [0; 28];
        message[..20].copy_from_slice(&identity.peer_id.0);
        message[20..].copy_from_slice(&identity.proof.0.to_ne_bytes());
        siphash_1_3(&self.0, &message)
    }

    pub(super) fn endpoint<const BYTES: usize>(&self, endpoint: &[u8; BYTES]) -> u64 {
        siphash_1_3(&self.0, endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_trackers_hash_differently() {
        let [one, other] = [Keys::new(), Keys::new()];
        assert_eq!(one.endpoint(&[7; 6]), one.endpoint(&[7; 6]));
        assert_ne!(one.endpoint(&[7; 6]), other.endpoint(&[7; 6]));
    }
}
