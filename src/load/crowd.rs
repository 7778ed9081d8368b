//! Who announces: a crowd of peers in torrents of some popularity, each the same in every announce.
//!
//! A peer is its number, and everything about it follows from that: nothing is stored but where
//! each torrent's peers begin when the popularity is Zipf's. In `Crowd::lane` the peers are dealt
//! out to those who announce for them, and a lane is walked in a fixed scattered order, so that
//! each peer announces once before any announces twice, as in a tracker's every interval.

use std::net::Ipv4Addr;

use crate::request::{InfoHash, PeerId};

/// Peers that one address can be in a torrent: its ports above the privileged.
pub const PEERS_OF_ADDRESS_MAX: u32 = 65_536 - PORT_FIRST;
const PORT_FIRST: u32 = 1024;
/// What a leecher still lacks, in bytes.
const LEFT_BYTES: u64 = 734_003_200;

/// How peers are spread over torrents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popularity {
    /// All torrents have as many peers.
    Uniform,
    /// The torrent of rank `n` has `1/n` of the peers of the first.
    Zipf,
}

/// How large a crowd is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrowdSize {
    /// Torrents, from 1.
    pub torrents: u32,
    /// Peers in all of them, from 1.
    pub peers: u32,
    /// Percent of the peers that lack nothing, 0 to 100.
    pub seeds: u32,
    /// See [`Popularity`].
    pub popularity: Popularity,
}

/// See the module.
#[derive(Debug)]
pub struct Crowd {
    size: CrowdSize,
    /// Of each torrent the number of its first peer; empty when all are alike.
    firsts: Vec<u32>,
}

/// One peer, as it announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its torrent.
    pub info_hash: InfoHash,
    /// Letters and digits, as in BEP 20.
    pub peer_id: PeerId,
    /// Never 0.
    pub key: u32,
    /// Its own within the torrent, up to [`PEERS_OF_ADDRESS_MAX`] peers.
    pub port: u16,
    /// An address that, with the port, is its own in a torrent of any size: from 10.0.0.0/8.
    pub address: Ipv4Addr,
    /// Bytes it lacks: 0 for a seed.
    pub left: u64,
}

/// The peers that one connection announces for, and which is next.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    first: u32,
    step: u32,
    length: u32,
    stride: u32,
    at: u32,
}

impl Crowd {
    /// A crowd of this size.
    #[must_use]
    pub fn new(size: CrowdSize) -> Crowd {
        let firsts = match size.popularity {
            Popularity::Uniform => Vec::new(),
            Popularity::Zipf => zipf_firsts(size.torrents, size.peers),
        };
        Crowd { size, firsts }
    }

    /// Peers of the largest torrent.
    #[must_use]
    pub fn largest_swarm(&self) -> u32 {
        match self.firsts.get(1) {
            Some(second) => *second,
            None => self.size.peers.div_ceil(self.uniform_torrents()),
        }
    }

    /// The peer of this number, below [`CrowdSize::peers`].
    #[must_use]
    pub fn member(&self, peer: u32) -> Member {
        let (torrent, nth) = self.torrent_of(peer);
        let mut info_hash = [0; 20];
        for (part, bytes) in info_hash.chunks_mut(8).enumerate() {
            let mixed = scattered(u64::from(torrent) << 8 | part as u64).to_be_bytes();
            bytes.copy_from_slice(&mixed[..bytes.len()]);
        }
        let random = scattered(u64::from(peer) << 8 | 0xff);
        let mut peer_id = *b"-MU0100-............";
        for (nth, letter) in peer_id[8..].iter_mut().enumerate() {
            *letter = b"0123456789abcdefghijklmnopqrstuv"[(random >> (5 * nth)) as usize % 32];
        }
        let percent = ((scattered(random) >> 32) * 100) >> 32;
        let seeds = percent < u64::from(self.size.seeds);
        let [_, b, c, d] = (nth / PEERS_OF_ADDRESS_MAX + 1).to_be_bytes();
        Member {
            info_hash: InfoHash(info_hash),
            peer_id: PeerId(peer_id),
            key: peer | 1 << 31,
            port: (PORT_FIRST + nth % PEERS_OF_ADDRESS_MAX) as u16,
            address: Ipv4Addr::new(10, b, c, d),
            left: if seeds { 0 } else { LEFT_BYTES },
        }
    }

    /// The share of the `nth` of `count` that announce, none of which is empty if there are as many
    /// peers.
    #[must_use]
    pub fn lane(&self, nth: u32, count: u32) -> Lane {
        let length = (self.size.peers - nth).div_ceil(count);
        Lane { first: nth, step: count, length, stride: stride_through(length), at: 0 }
    }

    /// The torrent of a peer, and which of its peers that is.
    fn torrent_of(&self, peer: u32) -> (u32, u32) {
        if self.firsts.is_empty() {
            let torrents = self.uniform_torrents();
            return (peer % torrents, peer / torrents);
        }
        let torrent = self.firsts.partition_point(|first| *first <= peer) - 1;
        (torrent as u32, peer - self.firsts[torrent])
    }

    fn uniform_torrents(&self) -> u32 {
        self.size.torrents.max(1)
    }
}

impl Lane {
    /// Peers in it.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// The number of the next peer: after as many as it has, again the first.
    pub fn next_peer(&mut self) -> u32 {
        let nth = (u64::from(self.at) * u64::from(self.stride) % u64::from(self.length)) as u32;
        self.at = if self.at + 1 == self.length { 0 } else { self.at + 1 };
        self.first + nth * self.step
    }
}

/// Where each torrent's peers begin, the first torrent having most.
fn zipf_firsts(torrents: u32, peers: u32) -> Vec<u32> {
    let all: f64 = (1..=torrents).map(|rank| 1.0 / f64::from(rank)).sum();
    let mut before = 0.0;
    let first_of = |rank: u32| {
        let first = (f64::from(peers) * before / all).round() as u32;
        before += 1.0 / f64::from(rank);
        first
    };
    (1..=torrents).map(first_of).collect()
}

/// A step without a common factor, near the golden section of the length: taken again and again it
/// comes by everything once, far from where it has just been.
fn stride_through(length: u32) -> u32 {
    let golden = (f64::from(length) * 0.618_034) as u32;
    let coprime = |stride: &u32| greatest_common_divisor(*stride, length) == 1;
    (golden.max(1)..=length).find(coprime).unwrap_or(1)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// 64 bits that look random (the finalizer of `splitmix64`); different for different numbers.
fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn crowd(torrents: u32, peers: u32, popularity: Popularity) -> Crowd {
        Crowd::new(CrowdSize { torrents, peers, seeds: 30, popularity })
    }

    fn peers_by_torrent(crowd: &Crowd) -> BTreeMap<u32, u32> {
        let mut counts = BTreeMap::new();
        for peer in 0..crowd.size.peers {
            *counts.entry(crowd.torrent_of(peer).0).or_default() += 1;
        }
        counts
    }

    #[test]
    fn uniform_torrents_have_as_many_peers() {
        let crowd = crowd(10, 1000, Popularity::Uniform);
        assert!(peers_by_torrent(&crowd).into_values().all(|count| count == 100));
        assert_eq!(crowd.largest_swarm(), 100);
    }

    #[test]
    fn zipf_gives_the_torrent_of_rank_n_an_nth_of_the_first() {
        // 1 + 1/2 + 1/3 + 1/4 = 25/12.
        let crowd = crowd(4, 2500, Popularity::Zipf);
        assert_eq!(
            peers_by_torrent(&crowd),
            BTreeMap::from([(0, 1200), (1, 600), (2, 400), (3, 300)])
        );
        assert_eq!(crowd.largest_swarm(), 1200);
        let alone = Crowd::new(CrowdSize { torrents: 1, ..crowd.size });
        assert_eq!((alone.largest_swarm(), alone.torrent_of(2499)), (2500, (0, 2499)));
    }

    #[test]
    fn members_are_distinct_and_a_share_of_them_seeds() {
        let crowd = crowd(3, 200_000, Popularity::Uniform);
        let members = || (0..200_000).map(|peer| crowd.member(peer));
        let count = |all: BTreeSet<Vec<u8>>| all.len();
        assert_eq!(count(members().map(|m| m.peer_id.0.to_vec()).collect()), 200_000);
        assert_eq!(count(members().map(|m| m.key.to_be_bytes().to_vec()).collect()), 200_000);
        assert_eq!(count(members().map(|m| m.info_hash.0.to_vec()).collect()), 3);
        // 66,667 peers are more than one address has ports.
        let endpoint =
            |m: Member| [&m.info_hash.0[..], &m.address.octets(), &m.port.to_be_bytes()].concat();
        assert_eq!(count(members().map(endpoint).collect()), 200_000);
        let seeds = members().filter(|member| member.left == 0).count();
        assert!((59_000..61_000).contains(&seeds), "{seeds} of 200,000 are not 30 %");
        assert!(members().all(|member| member.port >= 1024));
    }

    #[test]
    fn lanes_deal_out_every_peer_once_and_then_again() {
        for (peers, lanes) in [(1, 1), (2, 2), (7, 3), (64, 64), (1000, 7), (65_537, 2)] {
            let crowd = crowd(1, peers, Popularity::Uniform);
            let mut seen = BTreeSet::new();
            for nth in 0..lanes {
                let mut lane = crowd.lane(nth, lanes);
                let once: Vec<u32> = (0..lane.length()).map(|_| lane.next_peer()).collect();
                let again: Vec<u32> = (0..lane.length()).map(|_| lane.next_peer()).collect();
                assert_eq!(once, again, "{peers} peers in {lanes} lanes");
                seen.extend(once);
            }
            assert_eq!(seen, (0..peers).collect(), "{peers} peers in {lanes} lanes");
        }
    }
}
