//! A shard: some of the torrents and how they are found, behind one lock.
//!
//! [`Torrents`] keeps nothing but itself in order; the totals, the origins and the index of similar
//! hashes are the tracker's. After a panic under the lock [`Torrents::heal`] makes it whole again.

use std::sync::Mutex;

use crate::limits::SHARDS_COUNT;
use crate::registration::Registration;
use crate::request::{InfoHash, Seconds};

use super::Totals;
use super::index::Index;
use super::keys::Keys;
use super::origins::Origin;
use super::swarm::Swarm;

/// Alone on its cache lines, so that locking one shard does not slow its neighbour.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard(pub(super) Mutex<Torrents>);

#[derive(Debug, Default)]
pub(super) struct Torrents {
    pub(super) all: Vec<Torrent>,
    by_hash: Index,
    /// What of these is in the tracker's totals.
    pub(super) counted: Totals,
    /// The torrent whose swarm is being changed: after a panic, the one that is half changed.
    pub(super) at_work: Option<u32>,
}

/// What an announce touches comes first, and is in the same few cache lines.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Torrent {
    pub(super) info_hash: InfoHash,
    /// The last announce; a torrent without peers is kept for a peer timeout after it.
    pub(super) announced: Seconds,
    /// A registered torrent stays without peers.
    pub(super) registration: Option<Box<Registration>>,
    pub(super) swarm: Swarm,
    /// Who has brought it up.
    pub(super) origin: Origin,
}

impl Torrents {
    pub(super) fn find(&self, hash: u64, info_hash: &InfoHash) -> Option<u32> {
        let all = &self.all;
        self.by_hash.find(hash, all.len() as u32, |slot| all[slot as usize].info_hash == *info_hash)
    }

    pub(super) fn add(
        &mut self,
        keys: &Keys,
        hash: u64,
        info_hash: InfoHash,
        origin: Origin,
    ) -> u32 {
        let slot = self.all.len() as u32;
        let (announced, swarm) = (Seconds(0), Swarm::default());
        if self.all.len() == self.all.capacity() {
            // An eighth, not as much again: room that may never be used is 300 bytes a torrent.
            self.all.reserve_exact(self.all.len() / 8 + 2);
        }
        self.all.push(Torrent { info_hash, announced, swarm, registration: None, origin });
        let all = &self.all;
        self.by_hash.insert(hash, slot, slot + 1, |slot| hash_at(keys, all, slot));
        slot
    }

    /// Makes the shard whole again after a panic: empties the swarm that was being changed, whose
    /// peers are back with their next announces, and finds the others anew. Returns what there is.
    pub(super) fn heal(&mut self, keys: &Keys) -> Totals {
        let hurt = self.at_work.take();
        if let Some(hurt) = hurt.and_then(|slot| self.all.get_mut(slot as usize)) {
            let downloads = hurt.swarm.downloads();
            hurt.swarm = Swarm::default();
            hurt.swarm.restore_downloads(downloads);
        }
        let Torrents { all, by_hash, .. } = self;
        *by_hash = Index::default();
        let mut found = Totals { torrents: all.len() as u32, peers: 0, seeders: 0 };
        for slot in 0..found.torrents {
            let torrent = &all[slot as usize];
            let hash = keys.info_hash(&torrent.info_hash);
            by_hash.insert(hash, slot, slot + 1, |slot| hash_at(keys, all, slot));
            found.peers += torrent.swarm.len();
            found.seeders += torrent.swarm.counts().complete;
        }
        found
    }

    pub(super) fn remove(&mut self, keys: &Keys, slot: u32) {
        let all = &self.all;
        let hash_of = |slot| hash_at(keys, all, slot);
        self.by_hash.remove(keys.info_hash(&all[slot as usize].info_hash), slot, hash_of);
        let last = all.len() as u32 - 1;
        if slot != last {
            self.by_hash.relocate(keys.info_hash(&all[last as usize].info_hash), last, slot);
        }
        self.all.swap_remove(slot as usize);
        if self.all.capacity() > 4 * self.all.len() + 16 {
            self.all.shrink_to(2 * self.all.len());
            let all = &self.all;
            self.by_hash.shrink(all.len() as u32, |slot| hash_at(keys, all, slot));
        }
    }
}

#[allow(clippy::unnecessary_wraps)] // Every index asks for the hashes of its slots alike.
fn hash_at(keys: &Keys, all: &[Torrent], slot: u32) -> Option<u64> {
    Some(keys.info_hash(&all[slot as usize].info_hash))
}

/// The shard of a torrent, from bits of its hash that the index within the shard does not use.
pub(super) fn shard_of(hash: u64) -> usize {
    (hash >> 8) as usize % SHARDS_COUNT
}
