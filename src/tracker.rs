//! The core: every torrent and its peers, behind one door.
//!
//! [`Tracker`] is [`SHARDS_COUNT`] shards, each its torrents behind one `Mutex`. An announce takes
//! one lock, once. Under it no system call, no log line, no encoding and no allocation of the
//! input's size happens: peers are copied into the caller's [`PeerBuf`] and encoded after the lock
//! is released. Nobody ever holds two shards' locks. Where a torrent appears or goes, the
//! index of similar hashes is locked within the shard's lock, never the other way round.
//!
//! The sweep goes through the shards in steps of bounded work ([`SWEEP_STEP_PEERS_MAX`]), so that
//! an announce never waits for more than one step. (What it can wait for is another announce that
//! makes its swarm's index grow, 60 ms for a million peers, one in hundred thousand, or that is the
//! swarm's first over IPv6, 12 ms.) Time is an argument; nothing here reads a clock.

mod index;
mod keys;
mod origins;
mod shard;
mod similar;
mod swarm;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::{
    COMPLETED_QUEUE_MAX, COPY_STEP_PEERS_MAX, SHARDS_COUNT, SWARM_PEERS_MAX, SWEEP_STEP_PEERS_MAX,
};
use crate::registration::Registration;
use crate::request::{
    AnnounceRequest, Event, Fault, InfoHash, PeerBuf, Refused, Retry, Seconds, SwarmCounts,
};

use keys::Keys;
use origins::{Origin, Origins};
use shard::{Shard, Torrent, Torrents, shard_of};
use similar::Similar;

pub use similar::Tolerance;
pub use swarm::Peer;

/// What the operator decides about the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackerLimits {
    /// A peer silent for longer than this many seconds is forgotten.
    pub peer_timeout: u32,
    /// Torrents tracked at once.
    pub torrents_max: u32,
    /// Torrents tracked at once that one address has brought up.
    pub torrents_per_ip_max: u32,
    /// Peers tracked at once, over all torrents.
    pub peers_max: u32,
    /// How alike two info hashes must be to be called similar.
    pub tolerance: Tolerance,
}

/// How much is tracked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Torrents, those among them whose last peer has left a short while ago.
    pub torrents: u32,
    /// Peers; one that is in two swarms counts twice.
    pub peers: u32,
    /// The seeders among them.
    pub seeders: u32,
}

/// All torrents and their peers. Shared by every thread.
#[derive(Debug)]
pub struct Tracker {
    limits: TrackerLimits,
    shards: Box<[Shard]>,
    keys: Keys,
    torrents: AtomicU32,
    peers: AtomicU32,
    seeders: AtomicU32,
    origins: Origins,
    /// Locked within a shard's lock, and never held while one is taken.
    similar: Mutex<Similar>,
    /// Registered torrents whose downloads have grown since [`Tracker::take_completed`].
    completed: Mutex<Vec<InfoHash>>,
    /// The torrent that a test wants to be a bug. No release has this.
    #[cfg(debug_assertions)]
    bug: Mutex<Option<InfoHash>>,
}

/// A torrent without its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorrentSummary {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What the operator has said about it.
    pub registration: Option<Registration>,
    /// What its swarm holds.
    pub counts: SwarmCounts,
}

/// Where a sweep is: the next step goes on from here.
#[derive(Debug, Default)]
pub struct Sweep {
    shard: usize,
    /// The torrent of the shard and the slot in its swarm below which nothing has been looked at.
    at: Option<(usize, u32)>,
}

impl Sweep {
    /// Goes on to the next shard, also from one in which a step has panicked. Returns false, as a
    /// step does, once that was the last.
    pub fn next_shard(&mut self) -> bool {
        self.shard = (self.shard + 1) % SHARDS_COUNT;
        self.at = None;
        self.shard != 0
    }
}

impl Tracker {
    /// An empty tracker.
    #[must_use]
    pub fn new(limits: TrackerLimits) -> Tracker {
        Tracker {
            limits,
            shards: (0..SHARDS_COUNT).map(|_| Shard::default()).collect(),
            keys: Keys::new(),
            torrents: AtomicU32::new(0),
            peers: AtomicU32::new(0),
            seeders: AtomicU32::new(0),
            similar: Mutex::new(Similar::new(limits.tolerance)),
            completed: Mutex::new(Vec::new()),
            origins: Origins::new(limits.torrents_per_ip_max),
            #[cfg(debug_assertions)]
            bug: Mutex::new(None),
        }
    }

    /// Takes an announce in, fills `out` with the peers of its reply and tells the swarm's counts.
    ///
    /// # Errors
    /// A new torrent or peer is refused when there are as many as the limits allow, a new torrent
    /// too when its sender has brought up as many as one may; those known already are served as
    /// ever.
    pub fn announce(
        &self,
        request: &AnnounceRequest,
        now: Seconds,
        out: &mut PeerBuf,
    ) -> Result<SwarmCounts, Refused> {
        out.clear();
        let hash = self.keys.info_hash(&request.info_hash);
        let identity_hash = self.keys.identity(&request.identity);
        let mut shard = self.lock(shard_of(hash));
        let torrents = &mut *shard;
        let slot = match torrents.find(hash, &request.info_hash) {
            Some(slot) => slot,
            None if request.event == Event::Stopped => return Ok(SwarmCounts::default()),
            None if self.peers_full() => return Err(full("peers", self.limits.peers_max)),
            None => {
                let origin = self.origins.enter(request.sender).ok_or_else(|| self.too_many())?;
                self.add_torrent(torrents, hash, &request.info_hash, origin)?
            }
        };
        let Torrent { swarm, announced, registration, .. } = &mut torrents.all[slot as usize];
        let before = swarm.counts();
        if self.peers_full() || swarm.len() >= SWARM_PEERS_MAX {
            let joins = request.event != Event::Stopped;
            if joins && !swarm.has(identity_hash, &request.identity) {
                return Err(full("peers", self.limits.peers_max.min(SWARM_PEERS_MAX)));
            }
        }
        *announced = now;
        torrents.at_work = Some(slot);
        let counts = swarm.announce(&self.keys, (request, identity_hash), now, out);
        self.meet_bug(&request.info_hash);
        torrents.at_work = None;
        self.count_peers(&mut torrents.counted, before, counts);
        let grown = registration.is_some() && counts.downloaded > before.downloaded;
        drop(shard);
        if grown {
            let mut completed = self.completed.lock().unwrap_or_else(PoisonError::into_inner);
            if completed.len() < COMPLETED_QUEUE_MAX {
                completed.push(request.info_hash);
            }
        }
        Ok(counts)
    }

    /// Remembers what the operator says about a torrent, in place of what was said before.
    ///
    /// # Errors
    /// A new torrent is refused when there are as many as the limits allow.
    pub fn register(
        &self,
        info_hash: &InfoHash,
        registration: Registration,
        now: Seconds,
    ) -> Result<(), Refused> {
        let hash = self.keys.info_hash(info_hash);
        let mut torrents = self.lock(shard_of(hash));
        let slot = match torrents.find(hash, info_hash) {
            Some(slot) => slot,
            None => self.add_torrent(&mut torrents, hash, info_hash, Origin::NOBODY)?,
        };
        let torrent = &mut torrents.all[slot as usize];
        torrent.registration = Some(Box::new(registration));
        self.origins.leave(std::mem::replace(&mut torrent.origin, Origin::NOBODY));
        torrent.announced = torrent.announced.max(now);
        Ok(())
    }

    /// The tracked info hash that is most like this one without being it.
    #[must_use]
    pub fn similar(&self, info_hash: &InfoHash) -> Option<InfoHash> {
        self.similar.lock().unwrap_or_else(PoisonError::into_inner).find(info_hash)
    }

    /// Whether the torrent is tracked or registered.
    #[must_use]
    pub fn knows(&self, info_hash: &InfoHash) -> bool {
        self.scrape(info_hash).is_some()
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> TrackerLimits {
        self.limits
    }

    /// Whether one more torrent would be refused.
    #[must_use]
    pub fn torrents_full(&self) -> bool {
        self.torrents.load(Ordering::Relaxed) >= self.limits.torrents_max
    }

    /// Refuses as [`Tracker::register`] would, and changes nothing.
    pub fn check_room(&self, info_hash: &InfoHash) -> Result<(), Refused> {
        if self.torrents_full() && !self.knows(info_hash) {
            return Err(full("torrents", self.limits.torrents_max));
        }
        Ok(())
    }

    /// The registered torrents with a finished download since the last call, and their counts now.
    #[must_use]
    pub fn take_completed(&self) -> Vec<(InfoHash, u32)> {
        let mut queue = self.completed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hashes = std::mem::take(&mut *queue);
        drop(queue);
        hashes.sort_unstable();
        hashes.dedup();
        let downloads = |hash: InfoHash| Some((hash, self.scrape(&hash)?.downloaded));
        hashes.into_iter().filter_map(downloads).collect()
    }

    // -- everything, a little at a time -----------------------------------------------------------

    /// All info hashes, sorted. Copied shard by shard: one that appears meanwhile may be missing.
    #[must_use]
    pub fn info_hashes(&self) -> Vec<InfoHash> {
        let mut hashes = Vec::with_capacity(self.totals().torrents as usize);
        for shard in 0..SHARDS_COUNT {
            hashes.extend(self.lock(shard).all.iter().map(|torrent| torrent.info_hash));
        }
        hashes.sort_unstable();
        hashes
    }

    /// A torrent without its peers.
    #[must_use]
    pub fn summary(&self, info_hash: &InfoHash) -> Option<TorrentSummary> {
        self.with_torrent(info_hash, |torrent| TorrentSummary {
            info_hash: torrent.info_hash,
            registration: torrent.registration.as_deref().cloned(),
            counts: torrent.swarm.counts(),
        })
    }

    /// Copies a torrent's peers into `peers`, which is cleared first; returns where to go on, or
    /// `None` when these were the last.
    ///
    /// At most [`COPY_STEP_PEERS_MAX`] at a time, so that no announce waits for a copy of a
    /// million. A peer that an announce moves between two calls may come twice or not at all.
    pub fn copy_peers(
        &self,
        info_hash: &InfoHash,
        from: u32,
        peers: &mut Vec<Peer>,
    ) -> Option<u32> {
        peers.clear();
        self.with_torrent(info_hash, |torrent| {
            self.meet_bug(info_hash);
            peers.extend(torrent.swarm.peers(from, COPY_STEP_PEERS_MAX));
            let next = from + COPY_STEP_PEERS_MAX as u32;
            (next < torrent.swarm.len()).then_some(next)
        })?
    }

    /// Takes in what an earlier run knew of a torrent's swarm. Peers that have announced since stay
    /// as they are; beyond the limits nothing is taken in. Returns how many peers had no room.
    pub fn restore(
        &self,
        info_hash: &InfoHash,
        downloads: u32,
        peers: &[Peer],
        now: Seconds,
    ) -> u32 {
        let hash = self.keys.info_hash(info_hash);
        let mut shard = self.lock(shard_of(hash));
        let torrents = &mut *shard;
        let added = torrents.find(hash, info_hash).ok_or(()).or_else(|()| {
            // Nobody wrote down who brought it up; one who was there has to do.
            let origin = self.origins.enter(peers.first().and_then(Peer::address));
            self.add_torrent(torrents, hash, info_hash, origin.unwrap_or(Origin::NOBODY))
        });
        let Ok(slot) = added else { return peers.len() as u32 };
        torrents.at_work = Some(slot);
        let Torrent { swarm, announced, .. } = &mut torrents.all[slot as usize];
        *announced = (*announced).max(now);
        swarm.restore_downloads(downloads);
        for (nth, peer) in peers.iter().enumerate() {
            let before = swarm.counts();
            if self.peers_full() || swarm.len() >= SWARM_PEERS_MAX {
                torrents.at_work = None;
                return (peers.len() - nth) as u32;
            }
            swarm.restore(&self.keys, peer);
            self.count_peers(&mut torrents.counted, before, swarm.counts());
        }
        torrents.at_work = None;
        0
    }

    /// What a torrent's swarm holds; `None` if nobody has announced it.
    #[must_use]
    pub fn scrape(&self, info_hash: &InfoHash) -> Option<SwarmCounts> {
        self.with_torrent(info_hash, |torrent| torrent.swarm.counts())
    }

    /// How much is tracked at this moment.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            torrents: self.torrents.load(Ordering::Relaxed),
            peers: self.peers.load(Ordering::Relaxed),
            seeders: self.seeders.load(Ordering::Relaxed),
        }
    }

    /// Takes every lock once, one after the other, for nothing. It returns unless one of them is
    /// held for ever.
    pub fn pass_every_lock(&self) {
        for shard in 0..SHARDS_COUNT {
            drop(self.lock(shard));
        }
        drop(self.completed.lock());
        drop(self.similar.lock());
    }

    /// Does the next step of a sweep under one lock: forgets peers that have timed out, and
    /// torrents that have had no peers for as long. Returns false once the sweep has been through
    /// all shards; the next step then begins anew.
    pub fn sweep_step(&self, sweep: &mut Sweep, now: Seconds) -> bool {
        let mut torrents = self.lock(sweep.shard);
        let mut budget = SWEEP_STEP_PEERS_MAX as u32;
        let (mut nth, mut below) = sweep.at.unwrap_or((torrents.all.len(), 0));
        while budget > 0 {
            if below == 0 {
                if nth == 0 {
                    return sweep.next_shard();
                }
                nth -= 1;
                below = torrents.all[nth].swarm.len();
            }
            // A torrent costs about as much to visit as a few of its peers.
            budget = budget.saturating_sub(below.max(8));
            below = self.sweep_torrent(&mut torrents, nth, below, now);
        }
        sweep.at = Some((nth, below));
        true
    }

    /// Sweeps some of one torrent's peers; forgets the torrent if that is due.
    fn sweep_torrent(&self, torrents: &mut Torrents, nth: usize, below: u32, now: Seconds) -> u32 {
        let timeout = self.limits.peer_timeout;
        let torrent = &mut torrents.all[nth];
        let Torrent { swarm, announced, registration, info_hash, origin } = torrent;
        torrents.at_work = Some(nth as u32);
        let before = swarm.counts();
        let below = swarm.expire(&self.keys, now, timeout, below, SWEEP_STEP_PEERS_MAX as u32);
        self.meet_bug(info_hash);
        torrents.at_work = None;
        self.count_peers(&mut torrents.counted, before, swarm.counts());
        if swarm.len() == 0 && registration.is_none() && now.since(*announced) > timeout {
            self.similar.lock().unwrap_or_else(PoisonError::into_inner).remove(info_hash);
            self.origins.leave(*origin);
            torrents.remove(&self.keys, nth as u32);
            torrents.counted.torrents -= 1;
            self.torrents.fetch_sub(1, Ordering::Relaxed);
        }
        below
    }

    /// A thread that panicked under the lock has hurt one swarm at the worst; the others go on.
    fn lock(&self, shard: usize) -> MutexGuard<'_, Torrents> {
        let shard = &self.shards[shard].0;
        shard.lock().unwrap_or_else(|poisoned| {
            let mut torrents = poisoned.into_inner();
            self.heal(&mut torrents);
            shard.clear_poison();
            torrents
        })
    }

    /// Makes a shard whole again after a panic, and sets the totals right.
    fn heal(&self, torrents: &mut Torrents) {
        let found = torrents.heal(&self.keys);
        let counted = std::mem::replace(&mut torrents.counted, found);
        // A decrease wraps round, as unsigned addition does; so below.
        let grown = |before: u32, after: u32| after.wrapping_sub(before);
        let order = Ordering::Relaxed;
        self.torrents.fetch_add(grown(counted.torrents, found.torrents), order);
        self.peers.fetch_add(grown(counted.peers, found.peers), order);
        self.seeders.fetch_add(grown(counted.seeders, found.seeders), order);
    }

    /// Makes every touch of a torrent's swarm panic, as a bug could; `None` ends that.
    #[cfg(debug_assertions)]
    pub fn set_bug(&self, info_hash: Option<InfoHash>) {
        *self.bug.lock().unwrap_or_else(PoisonError::into_inner) = info_hash;
    }

    #[cfg(debug_assertions)]
    fn meet_bug(&self, info_hash: &InfoHash) {
        let bug = *self.bug.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(bug.as_ref() != Some(info_hash), "the bug that a test has asked for");
    }

    #[cfg(not(debug_assertions))]
    #[allow(clippy::unused_self)] // As above.
    fn meet_bug(&self, _: &InfoHash) {}

    /// Takes the totals on from a swarm as it was to what it is.
    fn count_peers(&self, counted: &mut Totals, before: SwarmCounts, after: SwarmCounts) {
        let grown = |before: u32, after: u32| after.wrapping_sub(before);
        let seeders = grown(before.complete, after.complete);
        let peers = seeders.wrapping_add(grown(before.incomplete, after.incomplete));
        if peers != 0 {
            counted.peers = counted.peers.wrapping_add(peers);
            self.peers.fetch_add(peers, Ordering::Relaxed);
        }
        if seeders != 0 {
            counted.seeders = counted.seeders.wrapping_add(seeders);
            self.seeders.fetch_add(seeders, Ordering::Relaxed);
        }
    }

    fn with_torrent<T>(&self, info_hash: &InfoHash, look: impl FnOnce(&Torrent) -> T) -> Option<T> {
        let hash = self.keys.info_hash(info_hash);
        let torrents = self.lock(shard_of(hash));
        let slot = torrents.find(hash, info_hash)?;
        Some(look(&torrents.all[slot as usize]))
    }

    /// Makes room for a torrent that the shard does not have, and that `origin` has counted.
    fn add_torrent(
        &self,
        torrents: &mut Torrents,
        hash: u64,
        info_hash: &InfoHash,
        origin: Origin,
    ) -> Result<u32, Refused> {
        if self.torrents_full() {
            self.origins.leave(origin);
            return Err(full("torrents", self.limits.torrents_max));
        }
        self.similar.lock().unwrap_or_else(PoisonError::into_inner).insert(info_hash);
        let slot = torrents.add(&self.keys, hash, *info_hash, origin);
        torrents.counted.torrents += 1;
        self.torrents.fetch_add(1, Ordering::Relaxed);
        Ok(slot)
    }

    fn too_many(&self) -> Refused {
        let max = self.limits.torrents_per_ip_max;
        let reason = format!(
            "your address has brought {max} torrents to this tracker, as many as one may: others \
             come in when some of these have gone"
        );
        Refused { reason, retry: Retry::Minutes(15), fault: Fault::Share }
    }

    fn peers_full(&self) -> bool {
        self.peers.load(Ordering::Relaxed) >= self.limits.peers_max
    }
}

fn full(noun: &str, max: u32) -> Refused {
    let reason = format!("this tracker is full: it tracks {max} {noun}, as many as it may");
    Refused { reason, retry: Retry::Minutes(15), fault: Fault::Full }
}

#[cfg(test)]
mod tests;
