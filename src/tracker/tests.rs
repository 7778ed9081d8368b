//! The door: torrents that appear and are forgotten, bounds, and threads that announce at once.

use super::*;
use crate::request::{Families, Fault, Identity, NumWant, PeerId, Proof};
use std::net::Ipv4Addr;

fn limits(torrents_max: u32, peers_max: u32) -> TrackerLimits {
    let tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };
    let torrents_per_ip_max = torrents_max;
    TrackerLimits { peer_timeout: 1800, torrents_max, torrents_per_ip_max, peers_max, tolerance }
}

fn tracker(torrents_max: u32, peers_max: u32) -> Tracker {
    Tracker::new(limits(torrents_max, peers_max))
}

/// A leecher numbered `peer` in the torrent numbered `torrent`.
fn announce(torrent: u32, peer: u32) -> AnnounceRequest {
    let (mut info_hash, mut peer_id) = ([9; 20], [8; 20]);
    info_hash[..4].copy_from_slice(&torrent.to_be_bytes());
    peer_id[..4].copy_from_slice(&peer.to_be_bytes());
    AnnounceRequest {
        info_hash: InfoHash(info_hash),
        identity: Identity { peer_id: PeerId(peer_id), proof: Proof::from_key(peer) },
        v4: Some(Ipv4Addr::from_bits(0x0a00_0000 + peer)),
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

fn stopped(request: AnnounceRequest) -> AnnounceRequest {
    AnnounceRequest { event: Event::Stopped, ..request }
}

fn sweep(tracker: &Tracker, now: u32) -> usize {
    let mut sweep = Sweep::default();
    let mut steps = 1;
    while tracker.sweep_step(&mut sweep, Seconds(now)) {
        steps += 1;
    }
    steps
}

#[test]
fn a_torrent_is_known_from_its_first_announce_to_a_timeout_after_its_last_peer() {
    let (tracker, mut out) = (tracker(10, 10), PeerBuf::new());
    let hash = announce(1, 1).info_hash;
    assert_eq!(tracker.scrape(&hash), None);
    tracker.announce(&announce(1, 1), Seconds(100), &mut out).expect("room");
    let one = SwarmCounts { complete: 0, incomplete: 1, downloaded: 0, downloaders: 1 };
    assert_eq!(tracker.scrape(&hash), Some(one));
    tracker.announce(&stopped(announce(1, 1)), Seconds(200), &mut out).expect("known");
    assert_eq!(tracker.scrape(&hash), Some(SwarmCounts::default()));
    sweep(&tracker, 200 + 1800);
    assert_eq!(tracker.totals(), Totals { torrents: 1, peers: 0, seeders: 0 });
    sweep(&tracker, 201 + 1800);
    assert_eq!(tracker.totals(), Totals { torrents: 0, peers: 0, seeders: 0 });
    assert_eq!(tracker.scrape(&hash), None);
}

#[test]
fn stopping_in_an_unknown_torrent_succeeds_and_leaves_nothing_behind() {
    let (tracker, mut out) = (tracker(10, 10), PeerBuf::new());
    let counts = tracker.announce(&stopped(announce(1, 1)), Seconds(0), &mut out);
    assert_eq!(counts, Ok(SwarmCounts::default()));
    assert_eq!(tracker.totals().torrents, 0);
}

#[test]
fn at_the_bounds_newcomers_are_refused_and_members_served() {
    let (tracker, mut out) = (tracker(2, 3), PeerBuf::new());
    for (torrent, peer) in [(1, 1), (1, 2), (2, 3)] {
        tracker.announce(&announce(torrent, peer), Seconds(0), &mut out).expect("room");
    }
    let refused = |torrent, peer| {
        let mut out = PeerBuf::new();
        let refused = tracker.announce(&announce(torrent, peer), Seconds(0), &mut out);
        let refused = refused.expect_err("no room");
        assert_eq!(refused.retry, Retry::Minutes(15));
        refused.reason
    };
    assert_eq!(refused(3, 4), "this tracker is full: it tracks 3 peers, as many as it may");
    assert_eq!(refused(1, 4), "this tracker is full: it tracks 3 peers, as many as it may");
    assert_eq!(
        tracker.announce(&announce(1, 1), Seconds(1), &mut out).map(|c| c.incomplete),
        Ok(2)
    );
    assert_eq!(out.v4.len(), 1);
    tracker.announce(&stopped(announce(1, 2)), Seconds(1), &mut out).expect("a member");
    assert_eq!(refused(3, 4), "this tracker is full: it tracks 2 torrents, as many as it may");
    tracker.announce(&announce(1, 4), Seconds(1), &mut out).expect("room again");
}

#[test]
fn a_sweep_goes_in_steps_and_misses_nobody() {
    let (tracker, mut out) = (tracker(2_000, 100_000), PeerBuf::new());
    for peer in 0..10_000 {
        tracker.announce(&announce(0, peer), Seconds(0), &mut out).expect("room");
    }
    for torrent in 1..1_000 {
        tracker.announce(&announce(torrent, 0), Seconds(0), &mut out).expect("room");
        tracker.announce(&announce(torrent, 1), Seconds(1), &mut out).expect("room");
    }
    let steps = sweep(&tracker, 1801);
    assert!(steps >= SHARDS_COUNT + 19, "{steps}: the swarm of 10,000 takes twenty steps");
    // The large torrent was last announced a second before the others.
    assert_eq!(tracker.totals(), Totals { torrents: 999, peers: 999, seeders: 0 });
    sweep(&tracker, 1802);
    assert_eq!(tracker.totals(), Totals { torrents: 0, peers: 0, seeders: 0 });
}

#[test]
fn threads_that_announce_and_sweep_at_once_lose_nothing() {
    let tracker = tracker(1_000, 100_000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let tracker = &tracker;
            scope.spawn(move || {
                let mut out = PeerBuf::new();
                for n in 0..5_000 {
                    let request = announce(n % 50, thread * 10_000 + n);
                    tracker.announce(&request, Seconds(10), &mut out).expect("room");
                    if n % 2 == 0 {
                        tracker.announce(&stopped(request), Seconds(10), &mut out).expect("known");
                    }
                }
            });
        }
        scope.spawn(|| (0..20).for_each(|_| _ = sweep(&tracker, 20)));
    });
    assert_eq!(tracker.totals(), Totals { torrents: 50, peers: 4 * 2_500, seeders: 0 });
    let scraped: u32 = (0..50)
        .filter_map(|torrent| tracker.scrape(&announce(torrent, 0).info_hash))
        .map(|counts| counts.incomplete)
        .sum();
    assert_eq!(scraped, 4 * 2_500);
}

fn registration(name: &str) -> Registration {
    Registration { name: name.to_owned(), size: 7, ..Registration::default() }
}

#[test]
fn a_registered_torrent_stays_without_peers_and_keeps_its_downloads() {
    let (tracker, mut out) = (tracker(2, 10), PeerBuf::new());
    let hash = announce(1, 1).info_hash;
    tracker.register(&hash, registration("a film"), Seconds(0)).expect("room");
    let completed = AnnounceRequest { event: Event::Completed, left: 0, ..announce(1, 1) };
    tracker.announce(&completed, Seconds(0), &mut out).expect("known");
    tracker.announce(&completed, Seconds(1), &mut out).expect("known");
    assert_eq!(tracker.take_completed(), [(hash, 1)]);
    tracker.announce(&completed, Seconds(2), &mut out).expect("known");
    assert_eq!(tracker.take_completed(), [], "a download that is counted already");
    sweep(&tracker, 10_000);
    let counts = SwarmCounts { downloaded: 1, ..SwarmCounts::default() };
    let summary =
        TorrentSummary { info_hash: hash, registration: Some(registration("a film")), counts };
    assert_eq!(tracker.summary(&hash), Some(summary));
    tracker.announce(&announce(2, 1), Seconds(0), &mut out).expect("room");
    let third = tracker.register(&announce(3, 1).info_hash, registration("b"), Seconds(0));
    let reason = "this tracker is full: it tracks 2 torrents, as many as it may".to_owned();
    assert_eq!(third, Err(Refused { reason, retry: Retry::Minutes(15), fault: Fault::Full }));
}

#[test]
fn a_similar_hash_is_known_while_its_torrent_is() {
    let (tracker, mut out) = (tracker(10, 10), PeerBuf::new());
    let request = announce(1, 1);
    let mut typo = request.info_hash;
    typo.0[10] ^= 0xff;
    assert_eq!(tracker.similar(&typo), None);
    tracker.announce(&request, Seconds(0), &mut out).expect("room");
    assert_eq!(tracker.similar(&typo), Some(request.info_hash));
    sweep(&tracker, 1801);
    assert_eq!(tracker.similar(&typo), None);
}

#[test]
fn what_is_copied_out_of_one_tracker_restores_another() {
    let (old, new) = (tracker(10, 100_000), tracker(10, 100_000));
    let mut out = PeerBuf::new();
    for peer in 0..20_000 {
        let event = if peer % 3 == 0 { Event::Paused } else { Event::Completed };
        let request = AnnounceRequest { event, left: u64::from(peer % 2), ..announce(1, peer) };
        old.announce(&request, Seconds(peer), &mut out).expect("room");
    }
    let hash = announce(1, 1).info_hash;
    assert_eq!(old.info_hashes(), [hash]);
    new.announce(&announce(1, 5), Seconds(30_000), &mut out).expect("it is back already");
    let (mut from, mut steps, mut peers) = (Some(0), 0, Vec::new());
    while let Some(at) = from {
        from = old.copy_peers(&hash, at, &mut peers);
        new.restore(&hash, 13_333, &peers, Seconds(30_000));
        steps += 1;
    }
    assert_eq!((steps, new.totals().peers), (3, 20_000));
    let (was, is) = (old.scrape(&hash).expect("known"), new.scrape(&hash).expect("known"));
    // Peer 5 was a leecher that had completed and is one again.
    assert_eq!((is, was.downloaded), (was, 13_333));
    let mut seen = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        from = new.copy_peers(&hash, at, &mut peers);
        seen.extend(peers.iter().map(|peer| peer.last_seen.0));
    }
    let totals = [old.totals(), new.totals()];
    assert_eq!(totals.map(|totals| totals.seeders), [10_000, 9_999 + 1]);
    seen.sort_unstable();
    assert_eq!((seen[5], seen[19_998], seen[19_999]), (6, 19_999, 30_000));
}

#[test]
fn whoever_passes_every_lock_waits_for_one_that_is_held() {
    let (tracker, (done, passed)) = (tracker(10, 10), std::sync::mpsc::channel());
    let soon = std::time::Duration::from_millis(100);
    std::thread::scope(|scope| {
        let held = tracker.lock(SHARDS_COUNT - 1);
        scope.spawn(|| {
            tracker.pass_every_lock();
            done.send(()).expect("the test waits");
        });
        assert!(passed.recv_timeout(soon).is_err(), "it must not pass");
        drop(held);
        passed.recv().expect("it passes");
    });
}

#[test]
fn one_address_cannot_bring_up_all_the_torrents_there_is_room_for() {
    let limits = TrackerLimits { torrents_per_ip_max: 2, ..limits(10, 100) };
    let (tracker, mut out) = (Tracker::new(limits), PeerBuf::new());
    let mut from = |torrent, peer, sender: Option<&str>| {
        let sender = sender.map(|ip| ip.parse().expect("an address"));
        let request = AnnounceRequest { sender, ..announce(torrent, peer) };
        tracker.announce(&request, Seconds(0), &mut out).map(|counts| counts.incomplete)
    };
    let greedy = Some("203.0.113.7");
    assert_eq!([from(1, 1, greedy), from(2, 1, greedy)], [Ok(1), Ok(1)]);
    let reason = "your address has brought 2 torrents to this tracker, as many as one may: others \
                  come in when some of these have gone";
    let refused =
        Refused { reason: reason.to_owned(), retry: Retry::Minutes(15), fault: Fault::Share };
    assert_eq!(from(3, 1, greedy), Err(refused.clone()));
    assert_eq!(from(2, 1, greedy), Ok(1), "known torrents are served as ever");
    assert_eq!(from(3, 2, Some("203.0.113.8")), Ok(1), "another address has a share of its own");
    assert_eq!(from(3, 1, greedy), Ok(2), "and whoever likes joins");
    assert_eq!([4, 5, 6].map(|torrent| from(torrent, 1, None)), [Ok(1), Ok(1), Ok(1)]);
    let slash64 = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(Some);
    assert_eq!((from(7, 1, slash64[0]), from(8, 1, slash64[1])), (Ok(1), Ok(1)));
    assert_eq!(from(9, 1, slash64[2]), Err(refused.clone()), "a /64 is one");
    // A registered torrent is the operator's, and one that is gone is nobody's.
    let hash = announce(1, 1).info_hash;
    tracker.register(&hash, registration("a film"), Seconds(0)).expect("known");
    assert_eq!(from(9, 1, greedy), Ok(1));
    assert_eq!(from(10, 1, greedy), Err(refused));
    sweep(&tracker, 1801);
    assert_eq!((from(11, 1, greedy), from(12, 1, greedy)), (Ok(1), Ok(1)));
}

#[test]
fn a_panic_under_a_shard_lock_costs_one_swarm_and_no_count() {
    let (tracker, mut out) = (tracker(10_000, 100_000), PeerBuf::new());
    for torrent in 0..2000 {
        tracker.announce(&announce(torrent, 1), Seconds(0), &mut out).expect("room");
        let seeder = AnnounceRequest { left: 0, ..announce(torrent, 2) };
        tracker.announce(&seeder, Seconds(0), &mut out).expect("room");
    }
    let before = Totals { torrents: 2000, peers: 4000, seeders: 2000 };
    assert_eq!(tracker.totals(), before);
    let hash = announce(7, 1).info_hash;
    let done = AnnounceRequest { event: Event::Completed, left: 0, ..announce(7, 1) };
    tracker.announce(&done, Seconds(0), &mut out).expect("known");
    tracker.set_bug(Some(hash));
    // A peer that joins and one that leaves: the swarm has changed, the counts have not.
    for request in [announce(7, 3), stopped(announce(7, 2))] {
        let bug = std::panic::AssertUnwindSafe(|| {
            tracker.announce(&request, Seconds(1), &mut PeerBuf::new())
        });
        assert!(std::panic::catch_unwind(bug).is_err(), "the bug is there");
    }
    tracker.set_bug(None);
    let empty = SwarmCounts { downloaded: 1, ..SwarmCounts::default() };
    assert_eq!(tracker.scrape(&hash), Some(empty), "its peers are gone, its downloads are not");
    assert_eq!(tracker.totals(), Totals { torrents: 2000, peers: 3998, seeders: 1999 });
    for torrent in (0..2000).filter(|&torrent| torrent != 7) {
        let counts = tracker.scrape(&announce(torrent, 1).info_hash).expect("known");
        assert_eq!((counts.complete, counts.incomplete), (1, 1), "torrent {torrent}");
    }
    tracker.announce(&announce(7, 1), Seconds(2), &mut out).expect("it takes peers again");
    assert_eq!(tracker.totals().peers, 3999);
    sweep(&tracker, 4000);
    assert_eq!(tracker.totals(), Totals::default());
}
