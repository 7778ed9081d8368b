//! A peer: what is remembered of it, how an announce changes it, and its packed form.
//!
//! [`Peer`] is for reading and writing one at a time, [`Record`] and the two endpoints are how a
//! swarm keeps a million. Pure values: no lock, no clock.

use std::net::IpAddr;

use crate::limits::PEER_COUNTER_BYTES_MAX;
use crate::request::{
    AnnounceRequest, Endpoint4, Endpoint6, Event, Identity, PeerId, Proof, Seconds, endpoint4,
    endpoint6, split_endpoint4, split_endpoint6,
};

/// A dual-stack peer that announces over one family alone this often has lost the other one.
const ONE_FAMILY_ANNOUNCES_MAX: u8 = 3;

/// A peer, one at a time; `Record` is the same, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub identity: Identity,
    /// Where it listens over IPv4.
    pub v4: Option<Endpoint4>,
    /// Where it listens over IPv6.
    pub v6: Option<Endpoint6>,
    /// Bytes it says it has sent, at most [`PEER_COUNTER_BYTES_MAX`]; likewise the next two.
    pub uploaded: u64,
    /// Bytes received.
    pub downloaded: u64,
    /// Bytes it lacks.
    pub left: u64,
    /// When it last announced.
    pub last_seen: Seconds,
    /// A partial seed: wants nothing more (BEP 21).
    pub paused: bool,
    /// Its download has been counted.
    pub completed: bool,
    /// Announces in a row that did not mention `v4` though it is known.
    pub v4_unmentioned: u8,
    /// Likewise for `v6`.
    pub v6_unmentioned: u8,
}

impl Peer {
    /// A seeder of nothing, nowhere.
    #[must_use]
    pub fn new(identity: Identity) -> Peer {
        Peer {
            identity,
            v4: None,
            v6: None,
            uploaded: 0,
            downloaded: 0,
            left: 0,
            last_seen: Seconds(0),
            paused: false,
            completed: false,
            v4_unmentioned: 0,
            v6_unmentioned: 0,
        }
    }

    /// Where it is, over whichever family.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let v4 = self.v4.map(|endpoint| split_endpoint4(endpoint).0.into());
        v4.or_else(|| self.v6.map(|endpoint| split_endpoint6(endpoint).0.into()))
    }

    /// The peer as it is after an announce of its own.
    #[inline]
    pub(super) fn announced(&self, request: &AnnounceRequest, now: Seconds) -> Peer {
        let v4 = request.v4.map(|ip| endpoint4(ip, request.port));
        let v6 = request.v6.map(|ip| endpoint6(ip, request.port));
        let unlisted = request.port == 0;
        let (listed4, v4_unmentioned) = mentioned(self.v4, v4, self.v4_unmentioned);
        let (listed6, v6_unmentioned) = mentioned(self.v6, v6, self.v6_unmentioned);
        Peer {
            identity: self.identity,
            v4: listed4.filter(|_| !unlisted || v4.is_none()),
            v6: listed6.filter(|_| !unlisted || v6.is_none()),
            uploaded: request.uploaded.min(PEER_COUNTER_BYTES_MAX),
            downloaded: request.downloaded.min(PEER_COUNTER_BYTES_MAX),
            left: request.left.min(PEER_COUNTER_BYTES_MAX),
            last_seen: now,
            paused: request.event == Event::Paused,
            completed: self.completed || request.event == Event::Completed,
            v4_unmentioned,
            v6_unmentioned,
        }
    }

    /// Whether it has everything.
    #[must_use]
    pub fn is_seeder(&self) -> bool {
        self.left == 0
    }

    /// Whether it lacks something and wants nothing (BEP 21).
    #[must_use]
    pub fn is_partial_seed(&self) -> bool {
        self.paused && self.left > 0
    }

    pub(super) fn wants_nothing(&self) -> bool {
        self.is_seeder() || self.paused
    }

    /// Where the peer stands in the order of slots.
    pub(super) fn group(&self) -> usize {
        let half = if self.wants_nothing() { Group::GIVING_V4 } else { Group::WANTING_V4 };
        match (self.v4, self.v6) {
            (Some(_), None) => half,
            (Some(_), Some(_)) => half + 1,
            (None, Some(_)) => half + 2,
            (None, None) => Group::UNLISTED,
        }
    }
}

/// One family's endpoint after an announce that did or did not mention it.
fn mentioned<E>(known: Option<E>, announced: Option<E>, unmentioned: u8) -> (Option<E>, u8) {
    match (known, announced) {
        (_, Some(endpoint)) => (Some(endpoint), 0),
        (Some(_), None) if unmentioned + 1 >= ONE_FAMILY_ANNOUNCES_MAX => (None, 0),
        (Some(endpoint), None) => (Some(endpoint), unmentioned + 1),
        (None, None) => (None, 0),
    }
}

/// The groups, in the order of their slots: those who want data first, and within each half the
/// dual-stack peers between the single-stack ones, so that each family's peers of a half are one
/// run.
pub(super) struct Group;

impl Group {
    /// Followed by those with both endpoints, then those with IPv6 alone.
    pub(super) const WANTING_V4: usize = 0;
    /// Likewise.
    pub(super) const GIVING_V4: usize = 3;
    pub(super) const UNLISTED: usize = 6;
    pub(super) const COUNT: usize = 7;
}

/// A peer without its endpoints, in 51 bytes. Byte arrays keep it free of padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    last_seen: [u8; 4],
    pub(super) peer_id: [u8; 20],
    pub(super) proof: [u8; 8],
    uploaded: [u8; 6],
    downloaded: [u8; 6],
    left: [u8; 6],
    /// Bit 0 paused, bit 1 completed, bits 2 and 3 `v4_unmentioned`, bits 4 and 5 `v6_unmentioned`.
    flags: u8,
}

const _: () = assert!(size_of::<Record>() == 51, "80 bytes a peer, everything counted, need this");

fn pack48(value: u64) -> [u8; 6] {
    let [.., a, b, c, d, e, f] = value.to_be_bytes();
    [a, b, c, d, e, f]
}

fn unpack48([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

impl Record {
    pub(super) fn pack(peer: &Peer) -> Record {
        let mut record = Record {
            last_seen: [0; 4],
            peer_id: peer.identity.peer_id.0,
            proof: peer.identity.proof.0.to_be_bytes(),
            uploaded: [0; 6],
            downloaded: [0; 6],
            left: [0; 6],
            flags: 0,
        };
        record.set(peer);
        record
    }

    /// Makes it that of a peer of the same identity.
    #[inline]
    pub(super) fn set(&mut self, peer: &Peer) {
        self.last_seen = peer.last_seen.0.to_be_bytes();
        self.uploaded = pack48(peer.uploaded);
        self.downloaded = pack48(peer.downloaded);
        self.left = pack48(peer.left);
        self.flags = u8::from(peer.paused)
            | u8::from(peer.completed) << 1
            | peer.v4_unmentioned << 2
            | peer.v6_unmentioned << 4;
    }

    #[inline]
    pub(super) fn unpack(&self, v4: Option<Endpoint4>, v6: Option<Endpoint6>) -> Peer {
        Peer {
            identity: self.identity(),
            v4,
            v6,
            uploaded: unpack48(self.uploaded),
            downloaded: unpack48(self.downloaded),
            left: unpack48(self.left),
            last_seen: self.last_seen(),
            paused: self.flags & 1 != 0,
            completed: self.completed(),
            v4_unmentioned: self.flags >> 2 & 3,
            v6_unmentioned: self.flags >> 4 & 3,
        }
    }

    pub(super) fn completed(&self) -> bool {
        self.flags & 2 != 0
    }

    pub(super) fn last_seen(&self) -> Seconds {
        Seconds(u32::from_be_bytes(self.last_seen))
    }

    pub(super) fn identity(&self) -> Identity {
        let proof = Proof(u64::from_be_bytes(self.proof));
        Identity { peer_id: PeerId(self.peer_id), proof }
    }
}
