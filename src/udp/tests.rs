//! What a packet is answered with, without a socket: ids, sizes, counts, identity.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use super::*;
use crate::limits::{UDP_ERRORS_BURST, UDP_SCRAPE_HASHES_MAX};
use crate::request::{Event, PeerId};
use crate::stats::Snapshot;
use crate::tracker::{Tolerance, TrackerLimits};
use packet::{ConnectionId, Family, Options, Reply, encode_request, parse_reply, parse_scraped};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
const INTERVAL: u32 = 900;

/// A service with its buffers and a time of its own.
struct Table {
    service: Service,
    work: Work,
    now_millis: u64,
}

impl Table {
    fn new() -> Table {
        Table::with(100)
    }

    fn with(torrents_max: u32) -> Table {
        let tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };
        let (torrents_per_ip_max, peers_max) = (torrents_max, 1000);
        let limits = TrackerLimits {
            peer_timeout: 1800,
            torrents_max,
            torrents_per_ip_max,
            peers_max,
            tolerance,
        };
        let clock = Arc::new(Clock::new());
        let tracker = Arc::new(Tracker::new(limits));
        let key = Key(*b"0123456789abcdef");
        let per_address = Arc::new(PerAddress::new(60, 60, Vec::new()));
        let service = Service::new(&tracker, &Arc::default(), &clock, &per_address, key, INTERVAL);
        Table { service, work: Work::new(), now_millis: clock.millis() }
    }

    fn answer(&mut self, packet: &[u8], source: IpAddr) -> Vec<u8> {
        self.service.answer(packet, source, self.now_millis, &mut self.work).to_vec()
    }

    fn ask(&mut self, request: &Request<'_>, source: IpAddr) -> Vec<u8> {
        self.answer(&bytes(request), source)
    }

    fn id(&mut self, source: IpAddr) -> ConnectionId {
        let reply = self.ask(&Request::Connect(Transaction(1)), source);
        let Some(Reply::Connected(Transaction(1), id)) = parse_reply(&reply, Family::V4) else {
            panic!("no id: {}", reply.escape_ascii())
        };
        id
    }

    /// Announces with a fresh id: interval, leechers, seeders, peers.
    fn announce(&mut self, announce: Announce<'_>, source: IpAddr) -> (u32, u32, Vec<SocketAddr>) {
        let connection_id = self.id(source);
        let reply = self.ask(&Request::Announce(Announce { connection_id, ..announce }), source);
        assert!(reply.len() <= UDP_REPLY_BYTES_MAX, "{} bytes", reply.len());
        let family = if source.is_ipv4() { Family::V4 } else { Family::V6 };
        let Some(Reply::Announced(TRANSACTION, found)) = parse_reply(&reply, family) else {
            panic!("refused: {}", reply.escape_ascii())
        };
        assert!((INTERVAL..=INTERVAL + INTERVAL / 16).contains(&found.interval));
        (found.leechers, found.seeders, endpoints(found.peers))
    }

    fn stats(&self) -> Snapshot {
        self.service.stats.snapshot()
    }
}

const TRANSACTION: Transaction = Transaction(0x0102_0304);

fn bytes(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_request(&mut out, request);
    out
}

fn endpoints(peers: Peers<'_>) -> Vec<SocketAddr> {
    let mut endpoints: Vec<SocketAddr> = match peers {
        Peers::V4(peers) => peers
            .iter()
            .map(|&[a, b, c, d, high, low]| {
                (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()
            })
            .collect(),
        Peers::V6(peers) => peers
            .iter()
            .map(|peer| {
                let ip: [u8; 16] = peer[..16].try_into().expect("16 of 18");
                (Ipv6Addr::from(ip), u16::from_be_bytes([peer[16], peer[17]])).into()
            })
            .collect(),
    };
    endpoints.sort_unstable();
    endpoints
}

/// An announce of a leecher of the one torrent, with the id still to come.
fn leecher(number: u8) -> Announce<'static> {
    Announce {
        connection_id: ConnectionId(0),
        transaction: TRANSACTION,
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([number; 20]),
        downloaded: 0,
        left: 1,
        uploaded: 0,
        event: Event::Started,
        ip: Ipv4Addr::UNSPECIFIED,
        key: 0x1000 + u32::from(number),
        numwant: -1,
        port: 6880 + u16::from(number),
        options: Options(&[]),
    }
}

fn v4(last: u8) -> IpAddr {
    IpAddr::from([203, 0, 113, last])
}

/// A swarm of `count` leechers in the family of `source`, none of which is `source`.
fn fill(table: &mut Table, count: u16, source: IpAddr) {
    for nth in 0..count {
        let [high, low] = nth.to_be_bytes();
        let other: IpAddr = match source {
            IpAddr::V4(_) => [198, 51, high, low].into(),
            IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 1, nth, 0, 0, 0, 1).into(),
        };
        let mut peer_id = [0xaa; 20];
        peer_id[..2].copy_from_slice(&[high, low]);
        table.announce(Announce { peer_id: PeerId(peer_id), numwant: 0, ..leecher(0) }, other);
    }
}

// -- connection ids -------------------------------------------------------------------------------

#[test]
fn an_id_from_another_address_gets_an_error_no_larger_than_the_request() {
    let mut table = Table::new();
    let foreign = table.id(v4(1));
    let announce = Request::Announce(Announce { connection_id: foreign, ..leecher(1) });
    let reply = table.ask(&announce, v4(2));
    let wanted = Some(Reply::Error(TRANSACTION, b"unknown id, connect again"));
    assert_eq!(parse_reply(&reply, Family::V4), wanted);
    let hashes = [[7; 20]];
    let scrape = Request::Scrape(Scrape {
        connection_id: foreign,
        transaction: TRANSACTION,
        hashes: &hashes,
    });
    let reply = table.ask(&scrape, V6);
    assert_eq!(parse_reply(&reply, Family::V6), wanted);
    assert!(reply.len() <= 36, "the shortest request with an id has 36 bytes");
    assert_eq!(table.service.tracker.totals().peers, 0);
    let wanted = Snapshot { udp_connects: 1, udp_unknown_ids: 2, ..Snapshot::default() };
    assert_eq!(table.stats(), wanted);
}

#[test]
fn an_id_from_the_past_is_stale_after_ten_minutes_at_the_latest() {
    let mut table = Table::new();
    let start = table.now_millis;
    let id = table.id(V4);
    let announce = Request::Announce(Announce { connection_id: id, ..leecher(1) });
    let served =
        |reply: &[u8]| matches!(parse_reply(reply, Family::V4), Some(Reply::Announced(..)));
    for seconds in [0, 60, 299, 300] {
        table.now_millis = start + seconds * 1000;
        assert!(served(&table.ask(&announce, V4)), "after {seconds} s");
    }
    for seconds in [600, 3600, 86_400] {
        table.now_millis = start + seconds * 1000;
        assert!(!served(&table.ask(&announce, V4)), "after {seconds} s");
    }
    assert_eq!(table.stats().udp_unknown_ids, 3);
}

#[test]
fn ids_survive_a_restart_with_the_same_key_and_no_other() {
    let mut before = Table::new();
    let id = before.id(V4);
    let announce = Request::Announce(Announce { connection_id: id, ..leecher(1) });
    let mut after = Table::new();
    assert_eq!(after.ask(&announce, V4).len(), 20);
    after.service.key = Key(*b"another key of16");
    assert_eq!(after.ask(&announce, V4).len(), ERROR_HEAD_BYTES + UNKNOWN_ID.len());
}

#[test]
fn errors_are_sent_at_a_bounded_rate() {
    let mut table = Table::new();
    let announce = bytes(&Request::Announce(leecher(1)));
    let sent = |table: &mut Table| {
        (0..1000).filter(|_| !table.answer(&announce, V4).is_empty()).count() as u64
    };
    assert_eq!(sent(&mut table), UDP_ERRORS_BURST);
    assert_eq!(sent(&mut table), 0);
    table.now_millis += 1000;
    assert_eq!(sent(&mut table), UDP_ERRORS_BURST);
    assert_eq!(table.stats().udp_unknown_ids, 2 * UDP_ERRORS_BURST);
    assert_eq!(table.stats().udp_unknown_ids_dropped, 3000 - 2 * UDP_ERRORS_BURST);
    assert_eq!(table.announce(leecher(1), V4), (1, 0, vec![]), "who has an id is served");
}

#[test]
fn without_a_valid_id_no_reply_is_larger_than_its_request() {
    let mut random = fastrand::Rng::with_seed(1400);
    let mut table = Table::new();
    let magic = bytes(&Request::Connect(Transaction(1)))[..8].to_vec();
    let mut answered = [0; 4];
    for action in 0..4u32 {
        for length in 0..=UDP_REQUEST_BYTES_MAX {
            let mut packet: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            for (byte, wanted) in packet.iter_mut().zip(magic.iter().chain(&action.to_be_bytes())) {
                *byte = *wanted;
            }
            table.now_millis += 10;
            let reply = table.answer(&packet, V4);
            assert!(reply.len() <= length, "{} for {length}, action {action}", reply.len());
            answered[action as usize] += usize::from(!reply.is_empty());
        }
    }
    // All but those too short: connects under 16 bytes, announces under 98, scrapes under 36.
    assert_eq!(answered, [2049 - 16, 2049 - 98, 2049 - 36, 0]);
    assert_eq!(table.service.tracker.totals().peers, 0);
    assert_eq!(table.stats().udp_malformed, 16 + 98 + 36 + 2049);
}

// -- announces ------------------------------------------------------------------------------------

#[test]
fn an_announce_is_counted_and_the_others_are_listed() {
    let mut table = Table::new();
    assert_eq!(table.announce(leecher(1), v4(1)), (1, 0, vec![]));
    let seeder = Announce { left: 0, ..leecher(2) };
    let one: SocketAddr = "203.0.113.1:6881".parse().expect("an address");
    let two: SocketAddr = "203.0.113.2:6882".parse().expect("an address");
    assert_eq!(table.announce(seeder, v4(2)), (1, 1, vec![one]));
    assert_eq!(table.announce(leecher(3), v4(3)), (2, 1, vec![one, two]));
    let stopped = Announce { event: Event::Stopped, ..leecher(1) };
    assert_eq!(table.announce(stopped, v4(1)).0, 1);
    let completed = Announce { event: Event::Completed, left: 0, ..leecher(3) };
    assert_eq!(table.announce(completed, v4(3)), (0, 2, vec![]), "no seeder for a seeder");
    assert_eq!(table.stats().announces, 5);
    assert_eq!(table.stats().udp_announces, 5);
}

#[test]
fn a_large_swarm_is_listed_as_far_as_1400_bytes_go() {
    for (source, fits) in [(V4, 230), (V6, 76)] {
        let mut table = Table::new();
        fill(&mut table, 300, source);
        for (numwant, wanted) in
            [(-1, 50), (i32::MIN, 50), (0, 0), (1, 1), (300, fits), (i32::MAX, fits)]
        {
            let (leechers, _, peers) = table.announce(Announce { numwant, ..leecher(9) }, source);
            assert_eq!((leechers, peers.len()), (301, wanted), "numwant {numwant} from {source}");
            assert!(peers.iter().all(|peer| peer.is_ipv4() == source.is_ipv4()));
        }
    }
}

#[test]
fn a_peer_on_port_0_is_counted_and_not_listed() {
    let mut table = Table::new();
    table.announce(Announce { port: 0, ..leecher(1) }, v4(1));
    assert_eq!(table.announce(leecher(2), v4(2)), (2, 0, vec![]));
}

#[test]
fn a_paused_peer_is_a_leecher_that_needs_nothing() {
    let mut table = Table::new();
    table.announce(Announce { left: 0, ..leecher(1) }, v4(1));
    let paused = Announce { event: Event::Paused, ..leecher(2) };
    assert_eq!(table.announce(paused, v4(2)), (1, 1, vec![]), "no seeder for it either");
    let counts = table.service.tracker.scrape(&InfoHash([7; 20])).expect("known");
    assert_eq!((counts.incomplete, counts.downloaders), (1, 0));
}

#[test]
fn the_ip_field_counts_from_local_addresses_only() {
    let named = |ip: [u8; 4], source: [u8; 4]| {
        let mut table = Table::new();
        table.announce(Announce { ip: ip.into(), ..leecher(1) }, source.into());
        table.announce(leecher(2), V4).2[0].to_string()
    };
    assert_eq!(named([192, 0, 2, 9], [203, 0, 113, 1]), "203.0.113.1:6881", "from outside");
    for local in [[127, 0, 0, 1], [10, 1, 2, 3], [192, 168, 0, 1], [169, 254, 1, 1]] {
        assert_eq!(named([192, 0, 2, 9], local), "192.0.2.9:6881", "from {local:?}");
        let own = SocketAddr::from((local, 6881)).to_string();
        for nowhere in [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 0, 1]] {
            assert_eq!(named(nowhere, local), own, "{nowhere:?} from {local:?}");
        }
    }
    // Over IPv6 the field means nothing (BEP 15).
    let mut table = Table::new();
    let announce = Announce { ip: [192, 0, 2, 9].into(), ..leecher(1) };
    table.announce(announce, Ipv6Addr::LOCALHOST.into());
    let wanted = vec!["[::1]:6881".parse().expect("an address")];
    assert_eq!(table.announce(leecher(2), V6).2, wanted);
    assert_eq!(table.announce(leecher(2), V4).2, []);
}

#[test]
fn one_client_over_both_families_is_one_peer() {
    let mut table = Table::new();
    assert_eq!(table.announce(leecher(1), V4), (1, 0, vec![]));
    assert_eq!(table.announce(leecher(1), V6), (1, 0, vec![]));
    for (other, wanted) in
        [(v4(9), "203.0.113.7:6881"), (IpAddr::V6(Ipv6Addr::LOCALHOST), "[2001:db8::7]:6881")]
    {
        let (_, _, peers) = table.announce(leecher(2), other);
        assert_eq!(peers, [wanted.parse().expect("an address")]);
    }
}

#[test]
fn nobody_stops_a_peer_without_its_key() {
    for (key, other) in [(0x1001, 0x1002), (u32::MAX, 1), (1, 0)] {
        let mut table = Table::new();
        let own = Announce { key, ..leecher(1) };
        table.announce(own, v4(1));
        let stopped = Announce { event: Event::Stopped, ..own };
        for source in [v4(1), v4(2)] {
            table.announce(Announce { key: other, ..stopped }, source);
            assert_eq!(table.service.tracker.totals().peers, 1, "key {other} from {source}");
        }
        // Its address has changed, its key has not.
        table.announce(stopped, v4(2));
        assert_eq!(table.service.tracker.totals().peers, 0, "key {key}");
    }
}

#[test]
fn nobody_stops_a_peer_whose_key_is_0_from_another_address() {
    let mut table = Table::new();
    let own = Announce { key: 0, ..leecher(1) };
    table.announce(own, v4(1));
    let stopped = Announce { event: Event::Stopped, ..own };
    for (key, source) in [(0, v4(2)), (1, v4(2)), (1, v4(1)), (0, V6)] {
        table.announce(Announce { key, ..stopped }, source);
        assert_eq!(table.service.tracker.totals().peers, 1, "key {key} from {source}");
    }
    table.announce(stopped, v4(1));
    assert_eq!(table.service.tracker.totals().peers, 0);
}

#[test]
fn aria2_whose_key_is_new_each_time_is_known_by_its_address() {
    let mut table = Table::new();
    let aria2 =
        |key: u32| Announce { peer_id: PeerId(*b"A2-1-36-0-0123456789"), key, ..leecher(1) };
    table.announce(aria2(1), v4(1));
    // It completes once, however often it says so.
    for key in [2, 3] {
        let completed = Announce { event: Event::Completed, left: 0, ..aria2(key) };
        assert_eq!(table.announce(completed, v4(1)), (0, 1, vec![]));
    }
    let counts = table.service.tracker.scrape(&InfoHash([7; 20])).expect("known");
    assert_eq!(counts.downloaded, 1);
    let stopped = Announce { event: Event::Stopped, ..aria2(4) };
    assert_eq!(table.announce(stopped, v4(2)).1, 1, "not from another address");
    assert_eq!(table.announce(stopped, v4(1)).1, 0);
}

#[test]
fn a_full_tracker_says_so_to_who_has_an_id() {
    let mut table = Table::with(1);
    table.announce(leecher(1), v4(1));
    let connection_id = table.id(v4(2));
    let other = Announce { connection_id, info_hash: InfoHash([8; 20]), ..leecher(2) };
    let reply = table.ask(&Request::Announce(other), v4(2));
    let message = b"this tracker is full: it tracks 1 torrents, as many as it may";
    assert_eq!(parse_reply(&reply, Family::V4), Some(Reply::Error(TRANSACTION, message)));
    assert_eq!((table.stats().udp_refusals, table.stats().refusals), (1, 1));
}

#[test]
fn a_long_refusal_is_cut_to_the_bound_of_replies() {
    let refused = Refused::parameter("a", "b".repeat(5000));
    let mut out = Vec::new();
    encode_refusal(&mut out, TRANSACTION, &refused);
    assert_eq!(out.len(), UDP_REPLY_BYTES_MAX);
}

#[test]
fn options_and_trailing_bytes_are_tolerated() {
    let mut table = Table::new();
    let mut url = Vec::new();
    packet::encode_url(&mut url, b"/announce?passkey=1234");
    for options in [&url[..], b"\x01\x00", b"\xff", b"\x63\x05abcde", &[0x5a; 1900]] {
        table.announce(Announce { options: Options(options), ..leecher(1) }, V4);
    }
    let mut connect = bytes(&Request::Connect(Transaction(1)));
    connect.extend([0; 100]);
    assert_eq!(table.answer(&connect, V4).len(), 16);
    assert_eq!(table.stats().udp_malformed, 0);
}

// -- scrapes --------------------------------------------------------------------------------------

#[test]
fn torrents_are_scraped_in_the_order_asked_for() {
    let mut table = Table::new();
    // Torrent n has n leechers.
    for torrent in 1..=5u8 {
        for peer in 1..=torrent {
            let announce = Announce { info_hash: InfoHash([torrent; 20]), ..leecher(peer) };
            table.announce(announce, v4(peer));
        }
    }
    let connection_id = table.id(V4);
    let mut random = fastrand::Rng::with_seed(74);
    for asked in [1, 2, 5, UDP_SCRAPE_HASHES_MAX] {
        // Some unknown, some twice.
        let hashes: Vec<[u8; 20]> = (0..asked).map(|_| [random.u8(..8); 20]).collect();
        let scrape = Scrape { connection_id, transaction: TRANSACTION, hashes: &hashes };
        let reply = table.ask(&Request::Scrape(scrape), V4);
        let Some(Reply::Scraped(TRANSACTION, found)) = parse_reply(&reply, Family::V4) else {
            panic!("{}", reply.escape_ascii())
        };
        let found: Vec<[u32; 3]> = found.iter().map(parse_scraped).collect();
        let leechers = |hash: &[u8; 20]| if hash[0] <= 5 { u32::from(hash[0]) } else { 0 };
        let wanted: Vec<_> = hashes.iter().map(|hash| [0, 0, leechers(hash)]).collect();
        assert_eq!(found, wanted);
    }
    assert_eq!((table.stats().udp_scrapes, table.stats().scrapes), (4, 4));
}

// -- bugs -----------------------------------------------------------------------------------------

/// Panics where it is asked to, half way through a reply, and echoes what else comes.
fn buggy<'w>(_: &Service, packet: &[u8], _: IpAddr, _: u64, work: &'w mut Work) -> &'w [u8] {
    work.reply.extend_from_slice(packet);
    assert_ne!(packet, b"panic", "as the test wants it");
    &work.reply
}

#[test]
fn a_panic_costs_the_packet_that_meets_it_and_not_the_thread() {
    let service = Table::new().service;
    let socket = Socket::open((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let round = Rounds::default().watch("udp-0", 0);
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    client.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout above zero");
    let stopping = AtomicBool::new(false);
    let mut reply = [0; 32];
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&socket, &service, &stopping, &round, buggy));
        client.send_to(b"panic", socket.address()).expect("sent");
        client.send_to(b"hello", socket.address()).expect("sent");
        let came = client.recv(&mut reply);
        stopping.store(true, Ordering::Relaxed);
        socket.wake(1);
        assert!(serving.join().is_ok(), "the thread has ended");
        assert_eq!(came.map(|length| reply[..length].to_vec()).ok(), Some(b"hello".to_vec()));
    });
    assert_eq!(service.stats.snapshot(), Snapshot { panics: 1, ..Snapshot::default() });
}
