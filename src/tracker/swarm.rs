//! The peers of one torrent: who they are, how many, which of them a reply lists, when they expire.
//!
//! Three arrays share their slots: `Record`s, IPv4 endpoints and (only when somebody has one)
//! IPv6 endpoints. The slots are kept in order of `Group`, so that every choice a reply can need
//! is at most two runs of an endpoint array: a sample reads 6 bytes a peer and skips nobody. Moving
//! a peer to another group costs one move for each group between. An IPv4 peer takes 57 bytes here
//! and about 10 in the two indexes; pages keep the arrays from leaving holes as they grow.
//!
//! Pure state: no lock, no clock, no encoding. Time is an argument.

mod choice;
mod listed;
mod paged;
mod peer;

use std::ops::Range;

use crate::request::{
    AnnounceRequest, Endpoint4, Endpoint6, Event, Families, Identity, PeerBuf, PeerId, Seconds,
    SwarmCounts,
};

use super::index::Index;
use super::keys::Keys;

use choice::Choice;
use listed::Listed;
use paged::Paged;
use peer::{Group, Record};

pub use peer::Peer;

/// The peers of one torrent. Every method that looks a peer up takes the tracker's hash keys.
///
/// The fields lie as they are written: what an update of a peer that stays in its slot needs is
/// in the first 168 of 192 bytes, and what it does not, where nobody has IPv6, behind a pointer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Swarm {
    /// Group g has the slots from `ends[g - 1]` (0 for the first) to `ends[g]`.
    ends: [u32; Group::COUNT],
    seeders: u32,
    partial_seeds: u32,
    downloads: u32,
    /// As long as `records`; none while no peer has an IPv6 endpoint.
    v6: Option<Box<Listed6>>,
    by_identity: Index,
    records: Records,
    v4: Listed4,
}

/// In pages of about 1.6 KB, 400 and 600 bytes.
type Records = Paged<Record, 32>;
type Listed4 = Listed<{ size_of::<Endpoint4>() }, 64>;
type Listed6 = Listed<{ size_of::<Endpoint6>() }, 32>;

impl Swarm {
    /// How many peers there are.
    pub fn len(&self) -> u32 {
        self.records.len() as u32
    }

    /// Downloads that became whole, over all time.
    pub fn downloads(&self) -> u32 {
        self.downloads
    }

    /// What a scrape tells.
    pub fn counts(&self) -> SwarmCounts {
        let incomplete = self.len() - self.seeders;
        SwarmCounts {
            complete: self.seeders,
            incomplete,
            downloaded: self.downloads,
            downloaders: incomplete - self.partial_seeds,
        }
    }

    /// Whether this identity, whose hash is [`Keys::identity`]'s, is in the swarm.
    pub fn has(&self, hash: u64, identity: &Identity) -> bool {
        self.find(hash, identity).is_some()
    }

    /// Takes an announce in, with the hash of its identity, and chooses the peers of its reply for
    /// `out`, which is empty.
    pub fn announce(
        &mut self,
        keys: &Keys,
        (request, hash): (&AnnounceRequest, u64),
        now: Seconds,
        out: &mut PeerBuf,
    ) -> SwarmCounts {
        self.records.fetch();
        self.v4.fetch();
        match self.find(hash, &request.identity) {
            Some(slot) if request.event == Event::Stopped => drop(self.take(keys, slot)),
            Some(slot) => self.update(keys, request, slot, now, out),
            None if request.event == Event::Stopped => {}
            None => self.join(keys, request, &Peer::new(request.identity), now, out),
        }
        self.counts()
    }

    /// Takes in what the peer in a slot has announced, and fills `out`.
    fn update(
        &mut self,
        keys: &Keys,
        request: &AnnounceRequest,
        slot: u32,
        now: Seconds,
        out: &mut PeerBuf,
    ) {
        // Before its record is read, since copying hides a part of the wait for that: with 600,000
        // peers an eighth of an announce's user cycles (perf, 11/2026). Who moves chooses again.
        self.choose(request, slot, out);
        let before = self.peer(slot);
        let after = before.announced(request, now);
        if stays_in_place(&before, &after) {
            self.count_download(before.completed, after.completed);
            self.records[slot as usize].set(&after);
        } else {
            self.take(keys, slot);
            self.join(keys, request, &before, now, out);
        }
    }

    /// Takes in what somebody has announced who is in no slot, and fills `out`.
    fn join(
        &mut self,
        keys: &Keys,
        request: &AnnounceRequest,
        before: &Peer,
        now: Seconds,
        out: &mut PeerBuf,
    ) {
        let after = before.announced(request, now);
        self.count_download(before.completed, after.completed);
        self.evict_ghosts(keys, &after);
        let slot = self.put(keys, &after);
        self.choose(request, slot, out);
    }

    fn count_download(&mut self, before: bool, after: bool) {
        self.downloads = self.downloads.saturating_add(u32::from(after && !before));
    }

    /// Counts `downloads` finished before, by an earlier run.
    pub fn restore_downloads(&mut self, downloads: u32) {
        self.downloads = self.downloads.max(downloads);
    }

    /// Takes in a peer of an earlier run, unless it has announced since.
    pub fn restore(&mut self, keys: &Keys, peer: &Peer) {
        let taken4 = peer.v4.is_some_and(|v4| self.v4.find(keys, v4).is_some());
        let taken6 = peer.v6.is_some_and(|v6| self.find_v6(keys, v6).is_some());
        let hash = keys.identity(&peer.identity);
        if !taken4 && !taken6 && self.find(hash, &peer.identity).is_none() {
            self.put(keys, peer);
        }
    }

    /// The peers in the slots from `from`, at most `count` of them.
    pub fn peers(&self, from: u32, count: usize) -> impl Iterator<Item = Peer> {
        (from.min(self.len())..self.len()).take(count).map(|slot| self.peer(slot))
    }

    /// Removes the peers last seen more than `timeout` seconds ago, looking at no more than
    /// `budget` slots below `below`; returns where to go on, 0 when it is done.
    ///
    /// It goes downwards because a removal fills its slot from above. A peer that an announce moves
    /// upwards between two calls is missed once and found by the next sweep.
    pub fn expire(
        &mut self,
        keys: &Keys,
        now: Seconds,
        timeout: u32,
        below: u32,
        budget: u32,
    ) -> u32 {
        let from = below.min(self.len());
        let to = from.saturating_sub(budget);
        for slot in (to..from).rev() {
            if now.since(self.records[slot as usize].last_seen()) > timeout {
                self.take(keys, slot);
            }
        }
        if to == 0 {
            self.shrink(keys);
        }
        to
    }

    /// Gives back the memory of a swarm that was much larger.
    fn shrink(&mut self, keys: &Keys) {
        self.records.shrink();
        self.v4.shrink(keys);
        let [wanting_v4, _, wanting, giving_v4, _, giving, _] = self.ends;
        self.v6.take_if(|_| wanting_v4 == wanting && giving_v4 == giving);
        if let Some(v6) = &mut self.v6 {
            v6.shrink(keys);
        }
        let (len, records) = (self.len(), &self.records);
        self.by_identity.shrink(len, |slot| identity_hash(keys, records, slot));
    }

    // -- the choice of peers ----------------------------------------------------------------------

    /// Fills `out` with a random sample, never the requester, who is in `slot`, and only peers that
    /// want data for a requester that wants none.
    fn choose(&self, request: &AnnounceRequest, slot: u32, out: &mut PeerBuf) {
        out.clear();
        let completed =
            || request.event == Event::Completed || self.records[slot as usize].completed();
        let wants_nothing =
            request.wants_nothing() && (!request.may_lack_metadata() || completed());
        // The groups of a half that have an endpoint of one family, from the first to the last.
        let choice = |first: usize, last: usize| {
            let half = |half| self.start(half + first)..self.ends[half + last];
            let giving = if wants_nothing { 0..0 } else { half(Group::GIVING_V4) };
            Choice::new(half(Group::WANTING_V4), giving, slot)
        };
        let (v4, v6) = (choice(0, 1), choice(1, 2));
        let wanted = request.numwant.count() as u32;
        let (wanted4, wanted6) = match request.families {
            Families::V4 => (wanted, 0),
            Families::V6 => (0, wanted),
            Families::V4ThenV6 => (wanted, wanted.saturating_sub(v4.len())),
            Families::V6ThenV4 => (wanted.saturating_sub(v6.len()), wanted),
        };
        let PeerBuf { v4: out4, v6: out6, ids, random } = out;
        let mut list_ids = |slots: Range<usize>| {
            if request.peer_ids {
                ids.extend(slots.map(|slot| PeerId(self.records[slot].peer_id)));
            }
        };
        v4.sample(wanted4, random, |slots| {
            self.v4.copy_into(slots.clone(), out4);
            list_ids(slots);
        });
        if let Some(listed) = &self.v6 {
            v6.sample(wanted6, random, |slots| {
                listed.copy_into(slots.clone(), out6);
                list_ids(slots);
            });
        }
    }

    fn start(&self, group: usize) -> u32 {
        if group == 0 { 0 } else { self.ends[group - 1] }
    }

    // -- slots ------------------------------------------------------------------------------------

    fn find(&self, hash: u64, identity: &Identity) -> Option<u32> {
        let proof = identity.proof.0.to_be_bytes();
        self.by_identity.find(hash, self.len(), |slot| {
            let record = &self.records[slot as usize];
            record.peer_id == identity.peer_id.0 && record.proof == proof
        })
    }

    fn find_v6(&self, keys: &Keys, endpoint: Endpoint6) -> Option<u32> {
        self.v6.as_ref()?.find(keys, endpoint)
    }

    #[inline]
    fn peer(&self, slot: u32) -> Peer {
        let v6 = self.v6.as_ref().and_then(|v6| v6.get(slot));
        self.records[slot as usize].unpack(self.v4.get(slot), v6)
    }

    /// An endpoint belongs to one peer: whoever had one of `newcomer`'s loses it, and goes if it
    /// was its last, being the ghost of a client that has started anew.
    fn evict_ghosts(&mut self, keys: &Keys, newcomer: &Peer) {
        if let Some(slot) = newcomer.v4.and_then(|v4| self.v4.find(keys, v4)) {
            let ghost = self.take(keys, slot);
            self.put_if_listed(keys, &Peer { v4: None, ..ghost });
        }
        if let Some(slot) = newcomer.v6.and_then(|v6| self.find_v6(keys, v6)) {
            let ghost = self.take(keys, slot);
            self.put_if_listed(keys, &Peer { v6: None, ..ghost });
        }
    }

    fn put_if_listed(&mut self, keys: &Keys, peer: &Peer) {
        if peer.v4.is_some() || peer.v6.is_some() {
            self.put(keys, peer);
        }
    }

    /// Adds a peer at the end of its group: the first peer of each later group moves to that
    /// group's end, which opens a slot in front of it.
    fn put(&mut self, keys: &Keys, peer: &Peer) -> u32 {
        let group = peer.group();
        let mut hole = self.len();
        self.records.push(Record::pack(peer));
        let len = self.records.len();
        self.v4.grow(len);
        if peer.v6.is_some() {
            self.v6.get_or_insert_default();
        }
        if let Some(v6) = &mut self.v6 {
            v6.grow(len);
        }
        for later in (group + 1..Group::COUNT).rev() {
            let first = self.start(later);
            if first < self.ends[later] {
                self.shift(keys, first, hole);
                hole = first;
            }
            self.ends[later] += 1;
        }
        self.ends[group] += 1;
        self.fill(keys, hole, peer);
        self.seeders += u32::from(peer.is_seeder());
        self.partial_seeds += u32::from(peer.is_partial_seed());
        hole
    }

    /// Removes a peer: the last peer of its group fills its slot, and so on through the later
    /// groups.
    fn take(&mut self, keys: &Keys, slot: u32) -> Peer {
        let peer = self.peer(slot);
        self.unlist(keys, slot, &peer.identity);
        let group = peer.group();
        let mut hole = slot;
        for later in group..Group::COUNT {
            // Of an empty group this is the hole itself.
            let last = self.ends[later] - 1;
            if last != hole {
                self.shift(keys, last, hole);
            }
            hole = last;
            self.ends[later] = last;
        }
        self.records.pop();
        self.v4.pop();
        if let Some(v6) = &mut self.v6 {
            v6.pop();
        }
        self.seeders -= u32::from(peer.is_seeder());
        self.partial_seeds -= u32::from(peer.is_partial_seed());
        peer
    }

    /// Writes a peer into a free slot and lists it in the indexes.
    fn fill(&mut self, keys: &Keys, slot: u32, peer: &Peer) {
        let len = self.len();
        self.records[slot as usize] = Record::pack(peer);
        self.v4.fill(keys, slot, peer.v4);
        if let Some(v6) = &mut self.v6 {
            v6.fill(keys, slot, peer.v6);
        }
        let (records, hash) = (&self.records, keys.identity(&peer.identity));
        self.by_identity.insert(hash, slot, len, |slot| identity_hash(keys, records, slot));
    }

    /// Takes a peer that is still in its slot out of the indexes.
    fn unlist(&mut self, keys: &Keys, slot: u32, identity: &Identity) {
        let (records, hash) = (&self.records, keys.identity(identity));
        self.by_identity.remove(hash, slot, |slot| identity_hash(keys, records, slot));
        self.v4.unlist(keys, slot);
        if let Some(v6) = &mut self.v6 {
            v6.unlist(keys, slot);
        }
    }

    /// Moves a peer to a free slot.
    fn shift(&mut self, keys: &Keys, from: u32, to: u32) {
        let record = self.records[from as usize];
        self.by_identity.relocate(keys.identity(&record.identity()), from, to);
        self.records[to as usize] = record;
        self.v4.shift(keys, from, to);
        if let Some(v6) = &mut self.v6 {
            v6.shift(keys, from, to);
        }
    }
}

/// Whether an announce changed nothing that indexes, counts or the order of slots depend on.
fn stays_in_place(before: &Peer, after: &Peer) -> bool {
    before.v4 == after.v4
        && before.v6 == after.v6
        && before.is_seeder() == after.is_seeder()
        && before.paused == after.paused
}

#[allow(clippy::unnecessary_wraps)] // Every index asks for the hashes of its slots alike.
fn identity_hash(keys: &Keys, records: &Records, slot: u32) -> Option<u64> {
    Some(keys.identity(&records[slot as usize].identity()))
}

#[cfg(test)]
mod tests;
