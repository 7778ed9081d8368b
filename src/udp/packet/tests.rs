//! Golden packets in both directions and both families, every length, seeded mutations.

use super::*;
use crate::limits::UDP_REQUEST_BYTES_MAX;

const VECTORS: &str = include_str!("../../../tests/vectors/udp_packets.txt");

const ID: ConnectionId = ConnectionId(0x0123_4567_89ab_cdef);

/// The bytes of a golden packet; the offset of each field is checked on the way.
fn golden(name: &str) -> Vec<u8> {
    let heading = format!("= {name}");
    let lines = VECTORS.lines().skip_while(|line| *line != heading).skip(1);
    let mut packet = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let mut words = line.split_ascii_whitespace();
        let offset: usize = words.next().expect("an offset").parse().expect("a number");
        assert_eq!(packet.len(), offset, "{name}: {line}");
        let digits = words.next().expect("the bytes");
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
        packet.extend(pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")));
    }
    assert!(!packet.is_empty(), "no packet of the name {name}");
    packet
}

fn encoded(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_request(&mut out, request);
    out
}

/// Bytes that count up from the first.
fn counting(first: u8) -> [u8; 20] {
    std::array::from_fn(|nth| first + nth as u8)
}

fn announce(options: &[u8]) -> Announce<'_> {
    Announce {
        connection_id: ID,
        transaction: Transaction(0x0bad_cafe),
        info_hash: InfoHash(counting(0x10)),
        peer_id: PeerId(*b"-MU0100-\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b"),
        downloaded: 3329,
        left: 2_029_314,
        uploaded: 12_884_901_888,
        event: Event::Completed,
        ip: Ipv4Addr::new(127, 0, 0, 9),
        key: 0xdead_beef,
        numwant: 17,
        port: 6881,
        options: Options(options),
    }
}

fn url(options: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; UDP_URL_BYTES_MAX];
    Options(options).url(&mut buffer).map(<[u8]>::to_vec)
}

// -- golden packets -------------------------------------------------------------------------------

#[test]
fn a_connect_request_is_golden() {
    let packet = golden("connect request");
    let request = Request::Connect(Transaction(0xa1b2_c3d4));
    assert_eq!(parse_request(&packet), Some(request));
    assert_eq!(encoded(&request), packet);
}

#[test]
fn a_connect_reply_is_golden() {
    let packet = golden("connect reply");
    let transaction = Transaction(0xa1b2_c3d4);
    let mut out = Vec::new();
    encode_connected(&mut out, transaction, ID);
    assert_eq!(out, packet);
    let wanted = Some(Reply::Connected(transaction, ID));
    assert_eq!(parse_reply(&packet, Family::V4), wanted);
    assert_eq!(parse_reply(&packet, Family::V6), wanted);
}

#[test]
fn an_announce_request_over_ipv4_is_golden() {
    let packet = golden("announce request, IPv4");
    let request = Request::Announce(announce(&packet[98..]));
    assert_eq!(parse_request(&packet), Some(request));
    assert_eq!(encoded(&request), packet);
    assert_eq!(url(&packet[98..]).as_deref(), Some(&b"/announce?passkey=k1"[..]));
}

#[test]
fn an_announce_request_over_ipv6_is_golden() {
    let packet = golden("announce request, IPv6");
    let request = Request::Announce(Announce {
        connection_id: ConnectionId(0xfedc_ba98_7654_3210),
        transaction: Transaction(0x5eed_600d),
        info_hash: InfoHash(counting(0x70)),
        peer_id: PeerId(*b"-MU0200-\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb"),
        downloaded: 17_179_872_771,
        left: 61_604,
        uploaded: 373_462,
        event: Event::Paused,
        ip: Ipv4Addr::new(192, 0, 2, 44),
        key: 0x0ddb_a11e,
        numwant: 76,
        port: 51_413,
        options: Options(&[]),
    });
    assert_eq!(parse_request(&packet), Some(request));
    assert_eq!(encoded(&request), packet);
}

#[test]
fn an_announce_request_may_be_all_zeros_behind_its_names() {
    let packet = golden("announce request, zeros");
    let request = Request::Announce(Announce {
        transaction: Transaction(0),
        downloaded: 0,
        left: 0,
        uploaded: 0,
        event: Event::Update,
        ip: Ipv4Addr::UNSPECIFIED,
        key: 0,
        numwant: -1,
        port: 0,
        ..announce(&[])
    });
    assert_eq!(parse_request(&packet), Some(request));
    assert_eq!(encoded(&request), packet);
}

#[test]
fn an_announce_reply_over_ipv4_is_golden() {
    let packet = golden("announce reply, IPv4");
    let peers = [[192, 0, 2, 1, 0x1a, 0xe2], [198, 51, 100, 2, 0xff, 0xff]];
    let announced = Announced { interval: 901, leechers: 5, seeders: 7, peers: Peers::V4(&peers) };
    let mut out = Vec::new();
    encode_announced(&mut out, Transaction(0x0bad_cafe), &announced);
    assert_eq!(out, packet);
    let wanted = Reply::Announced(Transaction(0x0bad_cafe), announced);
    assert_eq!(parse_reply(&packet, Family::V4), Some(wanted));
    let cut = parse_reply(&packet[..packet.len() - 1], Family::V4);
    let wanted = Announced { peers: Peers::V4(&peers[..1]), ..announced };
    assert_eq!(cut, Some(Reply::Announced(Transaction(0x0bad_cafe), wanted)));
}

#[test]
fn an_announce_reply_over_ipv6_is_golden() {
    let packet = golden("announce reply, IPv6");
    let peer = |last: u8, port: u16| {
        let mut peer = [0; 18];
        peer[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        peer[15] = last;
        peer[16..].copy_from_slice(&port.to_be_bytes());
        peer
    };
    let peers = [peer(1, 6883), peer(0xfe, 80)];
    let announced =
        Announced { interval: 1807, leechers: 11, seeders: 13, peers: Peers::V6(&peers) };
    let mut out = Vec::new();
    encode_announced(&mut out, Transaction(0x0bad_cafe), &announced);
    assert_eq!(out, packet);
    let wanted = Reply::Announced(Transaction(0x0bad_cafe), announced);
    assert_eq!(parse_reply(&packet, Family::V6), Some(wanted));
}

#[test]
fn a_scrape_request_is_golden() {
    let packet = golden("scrape request");
    let hashes = [counting(0x30), counting(0x50)];
    let transaction = Transaction(0x5c4a_9e00);
    let request = Request::Scrape(Scrape { connection_id: ID, transaction, hashes: &hashes });
    assert_eq!(parse_request(&packet), Some(request));
    assert_eq!(encoded(&request), packet[..56], "all but what is cut off");
}

#[test]
fn a_scrape_reply_is_golden() {
    let packet = golden("scrape reply");
    let torrents = [[3, 0x400, 5], [0x1_0006, 0x700, 0x0800_0000]];
    let counts = torrents.map(|[complete, downloaded, incomplete]| SwarmCounts {
        complete,
        incomplete,
        downloaded,
        downloaders: 99,
    });
    let mut out = Vec::new();
    encode_scraped(&mut out, Transaction(0x5c4a_9e00), counts.into_iter());
    assert_eq!(out, packet);
    let Some(Reply::Scraped(Transaction(0x5c4a_9e00), found)) = parse_reply(&packet, Family::V6)
    else {
        panic!("{:?}", parse_reply(&packet, Family::V6));
    };
    assert_eq!(found.iter().map(parse_scraped).collect::<Vec<_>>(), torrents);
}

#[test]
fn an_error_reply_is_golden() {
    let packet = golden("error reply");
    let message = b"unknown id, connect again";
    let mut out = Vec::new();
    encode_error(&mut out, Transaction(0x0bad_cafe), message);
    assert_eq!(out, packet);
    let wanted = Some(Reply::Error(Transaction(0x0bad_cafe), message));
    assert_eq!(parse_reply(&packet, Family::V4), wanted);
}

#[test]
fn every_golden_packet_is_tested_here() {
    let names = VECTORS.lines().filter_map(|line| line.strip_prefix("= "));
    let missing: Vec<&str> = names
        .filter(|name| !include_str!("tests.rs").contains(&format!("golden({name:?})")))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_shortest_request_with_an_id_is_a_scrape_of_one_torrent() {
    let packet = golden("scrape request");
    assert!(parse_request(&packet[..SHORTEST_WITH_ID_BYTES]).is_some());
    assert_eq!(parse_request(&packet[..SHORTEST_WITH_ID_BYTES - 1]), None);
}

#[test]
fn a_connect_request_without_the_magic_constant_is_none() {
    for bit in 0..64 {
        let mut packet = golden("connect request");
        packet[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(parse_request(&packet), None, "bit {bit}");
    }
}

// -- fields ---------------------------------------------------------------------------------------

#[test]
fn events_are_numbered_as_in_bep_15_and_unknown_ones_are_updates() {
    let numbers = [
        (0, Event::Update),
        (1, Event::Completed),
        (2, Event::Started),
        (3, Event::Stopped),
        (4, Event::Paused),
        (5, Event::Update),
        (0x0000_0102, Event::Update),
        (0x0003_0003, Event::Update),
        (0x0100_0000, Event::Update),
        (u32::MAX, Event::Update),
    ];
    for (number, wanted) in numbers {
        let mut packet = golden("announce request, IPv6");
        packet[80..84].copy_from_slice(&number.to_be_bytes());
        let Some(Request::Announce(found)) = parse_request(&packet) else { panic!("{number}") };
        assert_eq!(found.event, wanted, "{number}");
        if number <= 4 {
            let again = encoded(&Request::Announce(found));
            assert_eq!(again, packet, "{number}");
        }
    }
}

#[test]
fn a_scrape_has_one_hash_at_the_least_and_74_at_the_most() {
    let packet = |hashes: usize| {
        let mut packet = golden("scrape request")[..16].to_vec();
        (0..hashes).for_each(|nth| packet.extend([nth as u8; 20]));
        packet
    };
    assert_eq!(parse_request(&packet(0)), None);
    for (asked, read) in [(1, 1), (74, 74), (75, 74), (200, 74)] {
        let packet = packet(asked);
        let Some(Request::Scrape(scrape)) = parse_request(&packet) else { panic!("{asked}") };
        assert_eq!(scrape.hashes.len(), read);
        assert!(scrape.hashes.iter().enumerate().all(|(nth, hash)| *hash == [nth as u8; 20]));
    }
}

// -- options --------------------------------------------------------------------------------------

#[test]
fn url_data_is_put_together_from_all_its_options() {
    for (options, wanted) in [
        (&b""[..], &b""[..]),
        (b"\x02\x03/ab", b"/ab"),
        (b"\x01\x01\x02\x03/ab\x01\x02\x02cd", b"/abcd"),
        (b"\x09\x04\x02\x03ab\x02\x01/", b"/"),
        (b"\x02\x00\x02\x01/\x02\x00", b"/"),
        // Behind the end, and in an option that is cut off, nothing is read.
        (b"\x02\x01/\x00\x02\x01x", b"/"),
        (b"\x02\x01/\x02\x05cut", b"/"),
        (b"\x02\x01/\x02", b"/"),
        (b"\x02\x01/\xff", b"/"),
        (b"\x02\x01/\xff\x09cut\x02\x01x", b"/"),
        // What an old protocol put behind an announce is no option of any known type.
        (b"\x00\x00", b""),
        (b"\xff\xff\xff\xff", b""),
    ] {
        let shown = options.escape_ascii();
        assert_eq!(url(options).as_deref(), Some(wanted), "{shown}");
    }
}

#[test]
fn a_url_longer_than_its_bound_is_none() {
    for (length, fits) in [(255, true), (256, true), (UDP_URL_BYTES_MAX, true)]
        .into_iter()
        .chain([(UDP_URL_BYTES_MAX + 1, false), (60_000, false)])
    {
        let long: Vec<u8> = (0..length).map(|nth| b'a' + (nth % 26) as u8).collect();
        let mut options = Vec::new();
        encode_url(&mut options, &long);
        assert_eq!(options.len(), length + 2 * length.div_ceil(255), "255 bytes in each");
        assert_eq!(url(&options), fits.then_some(long), "{length} bytes");
    }
}

// -- anything at all ------------------------------------------------------------------------------

/// Reads a packet every way there is. Returns the request.
fn read_all(packet: &[u8]) -> Option<Request<'_>> {
    for family in [Family::V4, Family::V6] {
        if let Some(Reply::Scraped(_, torrents)) = parse_reply(packet, family) {
            for torrent in torrents {
                let _ = parse_scraped(torrent);
            }
        }
    }
    let request = parse_request(packet);
    if let Some(Request::Announce(announce)) = &request {
        let _ = announce.options.url(&mut [0; UDP_URL_BYTES_MAX]);
    }
    request
}

#[test]
fn every_length_of_every_action_is_read_or_refused() {
    let mut random = fastrand::Rng::with_seed(15);
    for action in 0..6u32 {
        let mut packet: Vec<u8> = (0..UDP_REQUEST_BYTES_MAX).map(|_| random.u8(..)).collect();
        let first = if action == 0 { PROTOCOL_ID } else { 7 };
        packet[..8].copy_from_slice(&first.to_be_bytes());
        packet[8..12].copy_from_slice(&action.to_be_bytes());
        // An event that is known, since any other is an update.
        packet[80..84].copy_from_slice(&2u32.to_be_bytes());
        for length in 0..=UDP_REQUEST_BYTES_MAX {
            let request = read_all(&packet[..length]);
            let least = [16, 98, 36].get(action as usize).copied().unwrap_or(usize::MAX);
            assert_eq!(request.is_some(), length >= least, "action {action}, {length} bytes");
            // What was read is written the same again.
            if let Some(request) = request {
                let again = encoded(&request);
                assert!(packet.starts_with(&again), "action {action}, {length} bytes");
            }
        }
    }
}

#[test]
fn no_mutation_of_a_packet_makes_the_reading_panic() {
    let mut random = fastrand::Rng::with_seed(41);
    let names = VECTORS.lines().filter_map(|line| line.strip_prefix("= "));
    for name in names {
        let whole = golden(name);
        for _ in 0..20_000 {
            let mut packet = whole.clone();
            for _ in 0..random.usize(1..8) {
                match random.u8(0..4) {
                    0 => packet.truncate(random.usize(0..=packet.len())),
                    1 => packet.push(random.u8(..)),
                    2 if !packet.is_empty() => {
                        let at = random.usize(..packet.len());
                        packet.splice(at..at, std::iter::repeat_n(random.u8(..), 3));
                    }
                    _ if !packet.is_empty() => {
                        let at = random.usize(..packet.len());
                        packet[at] = [0, 1, 2, 0x7f, 0x80, 0xff, random.u8(..)][random.usize(..7)];
                    }
                    _ => {}
                }
            }
            read_all(&packet);
        }
    }
}
