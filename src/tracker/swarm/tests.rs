//! The swarm against a model that is too simple to be wrong, and its rules one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::limits::PEER_COUNTER_BYTES_MAX;
use crate::request::{InfoHash, NumWant, Proof, endpoint4, endpoint6};

const TIMEOUT: u32 = 1800;

struct Fixture {
    keys: Keys,
    swarm: Swarm,
    out: PeerBuf,
}

impl Fixture {
    fn new() -> Fixture {
        let mut out = PeerBuf::new();
        out.random = fastrand::Rng::with_seed(1);
        Fixture { keys: Keys::new(), swarm: Swarm::default(), out }
    }

    fn announce(&mut self, request: &AnnounceRequest, now: u32) -> SwarmCounts {
        let counts = self.announce_unchecked(request, now);
        self.swarm.assert_sound(&self.keys);
        counts
    }

    fn announce_unchecked(&mut self, request: &AnnounceRequest, now: u32) -> SwarmCounts {
        let asked = (request, self.keys.identity(&request.identity));
        self.out.clear();
        self.swarm.announce(&self.keys, asked, Seconds(now), &mut self.out)
    }

    /// The hosts in the last reply's IPv4 list, sorted.
    fn hosts(&self) -> Vec<u8> {
        let mut hosts: Vec<u8> = self.out.v4.iter().map(|endpoint| endpoint[3]).collect();
        hosts.sort_unstable();
        hosts
    }
}

/// A leecher at 10.0.0.`host`:6881 that announces an update.
fn leecher(host: u8) -> AnnounceRequest {
    let mut peer_id = *b"-XX0000-............";
    peer_id[19] = host;
    AnnounceRequest {
        info_hash: InfoHash([7; 20]),
        identity: Identity { peer_id: PeerId(peer_id), proof: Proof::from_key(u32::from(host)) },
        v4: Some(Ipv4Addr::new(10, 0, 0, host)),
        v6: None,
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: Event::Update,
        numwant: NumWant::from_wire(None, 200),
        families: Families::V4ThenV6,
        peer_ids: false,
        sender: None,
    }
}

fn seeder(host: u8) -> AnnounceRequest {
    AnnounceRequest { left: 0, ..leecher(host) }
}

fn over_v6(request: AnnounceRequest) -> AnnounceRequest {
    let host = request.v4.expect("an IPv4 announce").octets()[3];
    let v6 = Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)));
    AnnounceRequest { v4: None, v6, families: Families::V6ThenV4, ..request }
}

impl Swarm {
    /// Every invariant that the comments of this file promise.
    fn assert_sound(&self, keys: &Keys) {
        let len = self.records.len();
        assert_eq!(self.v4.len() as usize, len);
        assert!(self.v6.as_ref().is_none_or(|v6| v6.len() as usize == len));
        assert_eq!(self.ends[Group::COUNT - 1] as usize, len);
        let mut group = 0;
        for slot in 0..self.len() {
            while slot >= self.ends[group] {
                group += 1;
            }
            let peer = self.peer(slot);
            assert_eq!(peer.group(), group, "slot {slot} of {:?}", self.ends);
            assert_eq!(self.find(keys.identity(&peer.identity), &peer.identity), Some(slot));
            for (endpoint, found) in [(peer.v4.is_some(), 4), (peer.v6.is_some(), 6)] {
                if endpoint {
                    assert_eq!(self.find_endpoint(keys, &peer, found), Some(slot));
                }
            }
        }
        let peers = || (0..self.len()).map(|slot| self.peer(slot));
        assert_eq!(self.seeders as usize, peers().filter(Peer::is_seeder).count());
        assert_eq!(self.partial_seeds as usize, peers().filter(Peer::is_partial_seed).count());
    }

    fn find_endpoint(&self, keys: &Keys, peer: &Peer, family: u8) -> Option<u32> {
        if family == 4 { self.v4.find(keys, peer.v4?) } else { self.find_v6(keys, peer.v6?) }
    }
}

/// What the model remembers of a peer: its endpoints, left, paused and when it was seen.
#[derive(Clone, Default)]
struct Model {
    v4: Option<(u8, u16)>,
    v6: Option<(u8, u16)>,
    left: u64,
    paused: bool,
    seen: u32,
}

#[test]
fn a_swarm_agrees_with_a_simple_model_through_random_announces() {
    let mut random = fastrand::Rng::with_seed(42);
    for peers in [3, 9, 60, 250] {
        let mut fixture = Fixture::new();
        let mut model: BTreeMap<u8, Model> = BTreeMap::new();
        for now in 0..3_000 {
            let (client, host) = (random.u8(0..peers), random.u8(0..peers));
            let mut request = leecher(client);
            request.v4 = Some(Ipv4Addr::new(10, 0, 0, host));
            request.port = [0, 6881, 6882][random.usize(0..3)];
            request.left = random.u64(0..2);
            request.event = [Event::Update, Event::Paused, Event::Stopped][random.usize(0..3)];
            if request.event == Event::Stopped && random.bool() {
                request.event = Event::Started;
            }
            let v6 = random.bool();
            if v6 {
                request = over_v6(request);
            }
            if request.event == Event::Stopped {
                model.remove(&client);
            } else {
                let mut peer = model.remove(&client).unwrap_or_default();
                let (family, endpoint) = (if v6 { 6 } else { 4 }, (host, request.port));
                // A model of "unmentioned" is the subject of its own test: mention both here.
                let listed = (request.port != 0).then_some(endpoint);
                if family == 4 {
                    peer.v4 = listed;
                } else {
                    peer.v6 = listed;
                }
                model.retain(|_, other| {
                    let had = other.v4.is_some() || other.v6.is_some();
                    if listed.is_some() && family == 4 && other.v4 == listed {
                        other.v4 = None;
                    }
                    if listed.is_some() && family == 6 && other.v6 == listed {
                        other.v6 = None;
                    }
                    !had || other.v4.is_some() || other.v6.is_some()
                });
                let (left, paused) = (request.left, request.event == Event::Paused);
                model.insert(client, Model { left, paused, seen: now, ..peer });
            }
            let counts = fixture.announce(&request, now);
            forget_unmentioned(&fixture.swarm, &mut model);
            assert_agrees(&fixture.swarm, &model, counts);
            if random.u8(..) == 0 {
                let timeout = random.u32(0..200);
                let keys = &fixture.keys;
                let mut below = fixture.swarm.len();
                while below > 0 {
                    below = fixture.swarm.expire(keys, Seconds(now), timeout, below, 7);
                    fixture.swarm.assert_sound(keys);
                }
                model.retain(|_, peer| now - peer.seen <= timeout);
                assert_agrees(&fixture.swarm, &model, fixture.swarm.counts());
            }
        }
    }
}

/// Drops from the model the endpoints that the swarm dropped as unmentioned.
fn forget_unmentioned(swarm: &Swarm, model: &mut BTreeMap<u8, Model>) {
    for slot in 0..swarm.len() {
        let peer = swarm.peer(slot);
        let known = model.get_mut(&peer.identity.peer_id.0[19]).expect("a peer of the model");
        known.v4 = known.v4.filter(|_| peer.v4.is_some());
        known.v6 = known.v6.filter(|_| peer.v6.is_some());
    }
}

fn assert_agrees(swarm: &Swarm, model: &BTreeMap<u8, Model>, counts: SwarmCounts) {
    let clients: BTreeSet<u8> =
        (0..swarm.len()).map(|slot| swarm.peer(slot).identity.peer_id.0[19]).collect();
    assert_eq!(clients, model.keys().copied().collect());
    for slot in 0..swarm.len() {
        let peer = swarm.peer(slot);
        let known = &model[&peer.identity.peer_id.0[19]];
        assert_eq!((peer.left, peer.paused), (known.left, known.paused));
        let v4 = known.v4.map(|(host, port)| endpoint4(Ipv4Addr::new(10, 0, 0, host), port));
        assert_eq!(peer.v4, v4);
        let v6 = |host| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host));
        assert_eq!(peer.v6, known.v6.map(|(host, port)| endpoint6(v6(host), port)));
    }
    let seeders = model.values().filter(|peer| peer.left == 0).count() as u32;
    let partial = model.values().filter(|peer| peer.left > 0 && peer.paused).count() as u32;
    let incomplete = model.len() as u32 - seeders;
    assert_eq!((counts.complete, counts.incomplete), (seeders, incomplete));
    assert_eq!(counts.downloaders, incomplete - partial);
}

#[test]
fn a_reply_never_lists_the_requester_and_no_seeder_to_a_seeder() {
    let mut fixture = Fixture::new();
    for host in 1..=3 {
        fixture.announce(&leecher(host), 0);
        fixture.announce(&seeder(10 + host), 0);
    }
    fixture.announce(&leecher(2), 1);
    assert_eq!(fixture.hosts(), [1, 3, 11, 12, 13]);
    fixture.announce(&seeder(12), 1);
    assert_eq!(fixture.hosts(), [1, 2, 3]);
    let paused = AnnounceRequest { event: Event::Paused, ..leecher(3) };
    fixture.announce(&paused, 1);
    assert_eq!(fixture.hosts(), [1, 2], "a partial seed needs nobody who only gives");
    fixture.announce(&seeder(11), 1);
    assert_eq!(fixture.hosts(), [1, 2], "nor does a seeder need a partial seed");
}

#[test]
fn aria2_with_a_magnet_link_is_told_of_seeders_until_it_has_moved_a_byte() {
    let mut fixture = Fixture::new();
    fixture.announce(&seeder(1), 0);
    let mut magnet = seeder(2);
    magnet.identity.peer_id.0[..10].copy_from_slice(b"A2-1-36-0-");
    fixture.announce(&magnet, 0);
    assert_eq!(fixture.hosts(), [1]);
    for (uploaded, downloaded) in [(1, 0), (0, 1)] {
        fixture.announce(&AnnounceRequest { uploaded, downloaded, ..magnet }, 1);
        assert_eq!(fixture.hosts(), [0u8; 0]);
    }
    fixture.announce(&AnnounceRequest { event: Event::Completed, ..magnet }, 2);
    fixture.announce(&magnet, 3);
    assert_eq!(fixture.hosts(), [0u8; 0], "it has said that it has everything");
}

#[test]
fn every_peer_is_as_likely_to_be_listed_as_any_other() {
    let mut fixture = Fixture::new();
    for host in 0..=100 {
        fixture.announce(&if host % 3 == 0 { seeder(host) } else { leecher(host) }, 0);
    }
    let mut listed = [0u32; 101];
    let rounds = 20_000;
    let request = AnnounceRequest { numwant: NumWant::from_wire(Some(30), 200), ..leecher(50) };
    for _ in 0..rounds {
        fixture.announce_unchecked(&request, 0);
        let hosts = fixture.hosts();
        assert_eq!(hosts.len(), 30);
        assert!(hosts.windows(2).all(|pair| pair[0] < pair[1]), "nobody twice: {hosts:?}");
        for host in hosts {
            listed[usize::from(host)] += 1;
        }
    }
    assert_eq!(listed[50], 0, "the requester");
    // 6,000 each on average; the standard deviation is 65, so 5 of them are 325.
    for (host, &times) in listed.iter().enumerate().filter(|&(host, _)| host != 50) {
        assert!((5_675..=6_325).contains(&times), "10.0.0.{host} was listed {times} times");
    }
}

#[test]
fn numwant_zero_lists_nobody_and_stopped_leaves_at_once() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    let counts = fixture
        .announce(&AnnounceRequest { numwant: NumWant::from_wire(Some(0), 200), ..leecher(2) }, 0);
    assert_eq!((fixture.hosts(), counts.incomplete), (vec![], 2));
    let stopped = AnnounceRequest { event: Event::Stopped, ..leecher(2) };
    assert_eq!(fixture.announce(&stopped, 0).incomplete, 1);
    assert_eq!(fixture.announce(&stopped, 0).incomplete, 1, "a second time is no error");
}

#[test]
fn nobody_changes_or_stops_a_peer_without_its_proof() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    let mut foreign = AnnounceRequest { event: Event::Stopped, ..leecher(1) };
    foreign.identity.proof = Proof::from_key(99);
    foreign.v4 = Some(Ipv4Addr::new(10, 0, 0, 66));
    assert_eq!(fixture.announce(&foreign, 0).incomplete, 1);
    foreign.event = Event::Update;
    foreign.left = 0;
    let counts = fixture.announce(&foreign, 0);
    assert_eq!(
        (counts.complete, counts.incomplete),
        (1, 1),
        "a peer of its own, the other as it was"
    );
}

#[test]
fn a_restarted_client_replaces_its_ghost_at_the_same_endpoint() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    let mut restarted = leecher(1);
    restarted.identity.peer_id.0[10] = b'!';
    restarted.identity.proof = Proof::from_key(99);
    assert_eq!(fixture.announce(&restarted, 1).incomplete, 1);
    fixture.announce(&leecher(2), 1);
    assert_eq!(fixture.hosts(), [1]);
}

#[test]
fn a_client_that_moves_keeps_its_identity_and_leaves_no_ghost() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    let moved = AnnounceRequest { v4: Some(Ipv4Addr::new(10, 0, 0, 77)), ..leecher(1) };
    assert_eq!(fixture.announce(&moved, 1).incomplete, 1);
    fixture.announce(&leecher(2), 1);
    assert_eq!(fixture.hosts(), [77]);
}

#[test]
fn one_identity_over_both_families_is_one_peer_listed_in_both() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    assert_eq!(fixture.announce(&over_v6(leecher(1)), 0).incomplete, 1);
    fixture.announce(&leecher(2), 0);
    assert_eq!((fixture.out.v4.len(), fixture.out.v6.len()), (1, 1));
    assert_eq!(fixture.out.v6[0][..], *b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1");
    let stopped = AnnounceRequest { event: Event::Stopped, ..leecher(1) };
    assert_eq!(fixture.announce(&stopped, 0).incomplete, 1);
    fixture.announce(&leecher(2), 0);
    assert_eq!((fixture.out.v4.len(), fixture.out.v6.len()), (0, 0));
}

#[test]
fn the_requesters_own_family_comes_first_and_the_other_fills_the_room() {
    let mut fixture = Fixture::new();
    for host in 1..=4 {
        fixture.announce(&leecher(host), 0);
        fixture.announce(&over_v6(leecher(10 + host)), 0);
    }
    let asks = |families| AnnounceRequest {
        numwant: NumWant::from_wire(Some(6), 200),
        families,
        ..leecher(100)
    };
    for (families, v4, v6) in [
        (Families::V4ThenV6, 4, 2),
        (Families::V6ThenV4, 2, 4),
        (Families::V4, 4, 0),
        (Families::V6, 0, 4),
    ] {
        fixture.announce(&asks(families), 0);
        assert_eq!((fixture.out.v4.len(), fixture.out.v6.len()), (v4, v6), "{families:?}");
    }
}

#[test]
fn an_endpoint_that_three_announces_do_not_mention_is_dropped() {
    let mut fixture = Fixture::new();
    fixture.announce(&over_v6(leecher(1)), 0);
    for listed in [1, 1, 0] {
        fixture.announce(&leecher(1), 1);
        fixture.announce(&leecher(2), 1);
        assert_eq!((fixture.out.v4.len(), fixture.out.v6.len()), (1, listed));
    }
}

#[test]
fn a_download_is_counted_once_for_each_identity() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    let completed = AnnounceRequest { event: Event::Completed, ..seeder(1) };
    assert_eq!(fixture.announce(&completed, 1).downloaded, 1);
    assert_eq!(fixture.announce(&completed, 2).downloaded, 1);
    fixture.announce(&seeder(1), 3);
    assert_eq!(fixture.announce(&over_v6(completed), 4).downloaded, 1);
    let other = AnnounceRequest { event: Event::Completed, ..seeder(2) };
    assert_eq!(fixture.announce(&other, 5).downloaded, 2);
}

#[test]
fn paused_is_a_leecher_that_downloads_nothing_until_it_says_otherwise() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 0);
    let paused = AnnounceRequest { event: Event::Paused, ..leecher(2) };
    let counts = fixture.announce(&paused, 0);
    assert_eq!((counts.complete, counts.incomplete, counts.downloaders), (0, 2, 1));
    assert_eq!(fixture.announce(&leecher(2), 1).downloaders, 2);
}

#[test]
fn port_zero_is_counted_and_not_listed() {
    let mut fixture = Fixture::new();
    let hidden = AnnounceRequest { port: 0, ..leecher(1) };
    assert_eq!(fixture.announce(&hidden, 0).incomplete, 1);
    assert_eq!(fixture.announce(&leecher(2), 0).incomplete, 2);
    assert_eq!(fixture.hosts(), [0; 0]);
    fixture.announce(&leecher(1), 1);
    fixture.announce(&leecher(2), 1);
    assert_eq!(fixture.hosts(), [1]);
    fixture.announce(&hidden, 2);
    fixture.announce(&leecher(2), 2);
    assert_eq!(fixture.hosts(), [0; 0]);
}

#[test]
fn peer_ids_come_in_the_order_of_the_endpoints() {
    let mut fixture = Fixture::new();
    fixture.announce(&over_v6(leecher(1)), 0);
    fixture.announce(&leecher(2), 0);
    for families in [Families::V4ThenV6, Families::V6ThenV4] {
        fixture.announce(&AnnounceRequest { peer_ids: true, families, ..leecher(3) }, 0);
        let ids: Vec<u8> = fixture.out.ids.iter().map(|id| id.0[19]).collect();
        assert_eq!((fixture.hosts(), ids), (vec![2], vec![2, 1]));
    }
}

#[test]
fn counters_keep_what_48_bits_hold_and_stay_at_unknown_above() {
    for (sent, kept) in
        [(0, 0), (0x0102_0304_0506, 0x0102_0304_0506), (i64::MAX as u64, (1 << 48) - 1)]
    {
        let mut fixture = Fixture::new();
        let request = AnnounceRequest {
            uploaded: sent,
            downloaded: sent / 2,
            left: sent,
            event: Event::Completed,
            ..leecher(1)
        };
        fixture.announce(&request, 9);
        let peer = fixture.swarm.peer(0);
        assert_eq!((peer.uploaded, peer.left, peer.last_seen), (kept, kept, Seconds(9)));
        assert_eq!(peer.downloaded, (sent / 2).min(PEER_COUNTER_BYTES_MAX));
    }
}

#[test]
fn a_peer_expires_when_it_has_been_silent_for_longer_than_the_timeout() {
    let mut fixture = Fixture::new();
    fixture.announce(&leecher(1), 100);
    fixture.announce(&leecher(2), 101);
    let keys = &fixture.keys;
    let expire = |swarm: &mut Swarm, now| swarm.expire(keys, Seconds(now), TIMEOUT, u32::MAX, 100);
    expire(&mut fixture.swarm, 100 + TIMEOUT);
    assert_eq!(fixture.swarm.len(), 2);
    expire(&mut fixture.swarm, 101 + TIMEOUT);
    assert_eq!(fixture.swarm.len(), 1);
    expire(&mut fixture.swarm, 102 + TIMEOUT);
    assert_eq!(fixture.swarm.len(), 0);
}

#[test]
fn memory_is_given_back_when_a_large_swarm_has_gone() {
    let mut fixture = Fixture::new();
    for host in 0..=250 {
        fixture.announce(&over_v6(leecher(host)), 0);
    }
    fixture.announce(&leecher(1), TIMEOUT);
    let keys = &fixture.keys;
    fixture.swarm.expire(keys, Seconds(TIMEOUT + 1), TIMEOUT, u32::MAX, 1000);
    fixture.swarm.assert_sound(keys);
    assert_eq!(fixture.swarm.len(), 1);
    assert!(fixture.swarm.records.capacity() <= 4, "{}", fixture.swarm.records.capacity());
    let v6 = fixture.swarm.v6.as_ref().expect("it has two endpoints").capacity();
    assert!(v6 <= 4, "{v6}");
}
