//! The queries that real clients send, and what is made of wrong ones.

use super::*;

/// One line a client: its name, a space, its query. The captured ones came over a socket, the
/// others follow the clients' sources.
const QUERIES: &str = include_str!("../../../tests/vectors/announce_queries.txt");

const HASH: InfoHash =
    InfoHash(*b"\xd1\x10\x1a\x2b\x9d\x20\x28\x11\xa0\x5e\x8c\x57\xc5\x57\xa2\x0b\xf9\x74\xdc\x8a");
const CAPTURED_HASH: InfoHash =
    InfoHash(*b"\x85\x3c\x1f\x7b\x9c\x30\x79\x9e\x8c\xca\x7d\x74\x71\xac\xef\xef\xf9\x2a\x88\x13");
const SOURCE: &str = "203.0.113.5";
/// The parameters that an announce needs.
const REQUIRED: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=6881";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a test's address")
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("a test's address")
}

/// The announce of a client in [`QUERIES`], whose own address is private.
fn client(name: &str) -> Announce {
    let mut lines = QUERIES.lines().filter_map(|line| line.split_once(' '));
    let (_, query) = lines.find(|(client, _)| *client == name).expect(name);
    parse_announce(query.as_bytes(), ip("192.168.7.8"), true).expect(name)
}

/// What every client of [`QUERIES`] asks for if it says nothing else.
fn asked(peer_id: &[u8; 20], proof: Proof) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: HASH,
        identity: Identity { peer_id: PeerId(*peer_id), proof },
        v4: Some(Ipv4Addr::new(192, 168, 7, 8)),
        v6: None,
        port: 0,
        uploaded: 0,
        downloaded: 0,
        left: 0,
        event: Event::Update,
        numwant: NumWant::from_wire(None, 200),
        families: Families::V4ThenV6,
        peer_ids: false,
        sender: None,
    }
}

fn compact(request: AnnounceRequest) -> Announce {
    Announce { request, form: PeerForm::Compact, json: false, warning: None }
}

fn want(count: i64) -> NumWant {
    NumWant::from_wire(Some(count), 200)
}

#[test]
fn libtorrent_is_understood() {
    let request = AnnounceRequest {
        v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        v6: Some(v6("2001:db8::1")),
        port: 6882,
        uploaded: 11,
        downloaded: 12,
        left: 13,
        event: Event::Started,
        numwant: want(200),
        ..asked(b"-qB5050-aB(1)!~*x.y_", Proof::from_key(0x0a1b_2c3d))
    };
    assert_eq!(client("libtorrent"), compact(request));
    let request = AnnounceRequest {
        port: 6883,
        uploaded: 21,
        downloaded: 22,
        event: Event::Stopped,
        numwant: want(0),
        ..asked(b"-DE211s-aB(1)!~*x.y_", Proof::from_key(0x0a1b_2c3e))
    };
    assert_eq!(client("libtorrent-stopped"), compact(request));
}

#[test]
fn transmission_is_understood() {
    let request = AnnounceRequest {
        port: 51413,
        uploaded: 31,
        downloaded: 32,
        left: 33,
        event: Event::Started,
        numwant: want(80),
        ..asked(b"-TR4060-abcdefghij~.", Proof::from_key(0x3f2a_1b0c))
    };
    assert_eq!(client("transmission"), compact(request));
    let request = AnnounceRequest {
        port: 51413,
        left: PEER_COUNTER_BYTES_MAX,
        numwant: want(80),
        ..asked(b"-TR4060-abcdefghijkm", Proof::from_key(0x1234_5678))
    };
    assert_eq!(client("transmission-magnet"), compact(request), "it knows no size yet");
    let request = AnnounceRequest {
        port: 51413,
        uploaded: 34,
        downloaded: 35,
        left: 36,
        event: Event::Paused,
        numwant: want(0),
        ..asked(b"-TR4060-abcdefghijkn", Proof::from_key(0x9abc_def0))
    };
    assert_eq!(client("transmission-partial-seed"), compact(request));
    let request = AnnounceRequest {
        info_hash: CAPTURED_HASH,
        port: 51413,
        left: 20_000,
        event: Event::Stopped,
        numwant: want(0),
        ..asked(b"-TR3000-zmmftpnv98t4", Proof::from_key(0x781e_701a))
    };
    assert_eq!(client("transmission-3.00-captured"), compact(request));
}

#[test]
fn rtorrent_is_understood() {
    let request = AnnounceRequest {
        v6: Some(v6("2001:db8::41")),
        port: 6890,
        uploaded: 41,
        downloaded: 42,
        left: 43,
        event: Event::Completed,
        ..asked(
            b"-lt0D80-\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb",
            Proof::from_key(0x5e6f_7a8b),
        )
    };
    assert_eq!(client("rtorrent"), compact(request));
}

#[test]
fn aria2_is_understood() {
    let key = b"%+&=\xfe\x7f\x00A";
    let request = AnnounceRequest {
        port: 6901,
        uploaded: 51,
        downloaded: 52,
        left: 53,
        event: Event::Started,
        ..asked(b"A2-1-37-0-\x9f\x01%+&=\xfe\x7f\x00A", Proof::from_key_text(key))
    };
    assert_eq!(client("aria2"), compact(request));
    let key = b"\xe7X<\xdcx\xdc\x17z";
    let request = AnnounceRequest {
        info_hash: CAPTURED_HASH,
        port: 6923,
        left: 20_000,
        event: Event::Started,
        ..asked(b"A2-1-36-0-Y1\xe7X<\xdcx\xdc\x17z", Proof::from_key_text(key))
    };
    assert_eq!(client("aria2-1.36-captured"), compact(request));
}

#[test]
fn utorrent_is_understood() {
    let request = AnnounceRequest {
        port: 23456,
        uploaded: 61,
        downloaded: 62,
        left: 63,
        numwant: want(200),
        ..asked(b"-UT360W-_.\xb9\x81\x82\x83\x84\x85\x86\x87\x88\x89", Proof::from_key(0xd8d4_a1f3))
    };
    assert_eq!(client("utorrent"), compact(request));
}

#[test]
fn bitcomet_is_understood() {
    let request = AnnounceRequest {
        port: 11571,
        uploaded: 71,
        downloaded: 72,
        left: 73,
        numwant: want(199),
        ..asked(
            b"-BC0205-\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb",
            Proof::from_key(0x0002_5843),
        )
    };
    assert_eq!(client("bitcomet"), compact(request));
}

#[test]
fn biglybt_is_understood() {
    let request = AnnounceRequest {
        uploaded: 81,
        downloaded: 82,
        left: 83,
        event: Event::Started,
        numwant: want(100),
        ..asked(b"-BI3500-AbCdEfGhIjKl", Proof::from_key_text(b"Xy12Zw34"))
    };
    assert_eq!(client("biglybt"), compact(request), "port 0 without a warning, no host name");
}

#[test]
fn anacrolix_is_understood() {
    let request = AnnounceRequest {
        v4: Some(Ipv4Addr::new(192, 0, 2, 91)),
        v6: Some(v6("2001:db8::91")),
        port: 42069,
        uploaded: 92,
        downloaded: 91,
        left: PEER_COUNTER_BYTES_MAX,
        event: Event::Started,
        ..asked(
            b"-GT0003-\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
            Proof::from_key_text(b"-559038737"),
        )
    };
    assert_eq!(client("anacrolix"), compact(request));
}

#[test]
fn rqbit_is_understood() {
    let request = AnnounceRequest {
        port: 4240,
        uploaded: 101,
        downloaded: 102,
        left: 103,
        event: Event::Started,
        ..asked(b"-rQ0700-\xde\xad\xbe\xefabcdefgh", Proof::from_key_text(b"305419896"))
    };
    assert_eq!(client("rqbit"), compact(request));
}

#[test]
fn a_request_by_hand_without_compact_and_key_is_understood() {
    let source = Proof::from_source(ip("192.168.7.8"));
    let request =
        AnnounceRequest { port: 12345, peer_ids: true, ..asked(b"01234567890123456789", source) };
    let form = PeerForm::Dictionaries { ids: true };
    let wanted = Announce { request, form, json: false, warning: None };
    assert_eq!(client("curl"), wanted);
}

/// The required parameters and more, from a public address.
fn announce(more: &str) -> Announce {
    let query = format!("{REQUIRED}&{more}");
    parse_announce(query.as_bytes(), ip(SOURCE), false).expect(more)
}

fn refusal(query: &str) -> Refused {
    parse_announce(query.as_bytes(), ip(SOURCE), false).expect_err(query)
}

#[test]
fn a_refusal_names_the_parameter_and_quotes_its_value() {
    const HASH: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa";
    const ID: &str = "peer_id=bbbbbbbbbbbbbbbbbbbb";
    for (query, reason) in [
        (String::new(), "info_hash: missing"),
        (format!("info_hash&{ID}&port=1"), "info_hash: missing"),
        (format!("info_hash=&{ID}&port=1"), "info_hash: missing"),
        ("info_hash=aaaaaaaaaaaaaaaaaaa".to_owned(), "info_hash: 19 bytes, expected 20"),
        (format!("{HASH}%20aa"), "info_hash: 23 bytes, expected 20"),
        (
            format!("info_hash={}", "g".repeat(40)),
            "info_hash: 40 characters, expected 20 bytes or 40 hex digits",
        ),
        (format!("info_hash={}", "a".repeat(999)), "info_hash: 999 bytes, expected 20"),
        ("info_hash=ab%zzcd".to_owned(), r#"info_hash: "%zz" is not a percent escape"#),
        (HASH.to_owned(), "peer_id: missing"),
        (format!("{HASH}&peer_id=-TR-"), "peer_id: 4 bytes, expected 20"),
        (format!("{HASH}&peer_id={}", "b".repeat(21)), "peer_id: 21 bytes, expected 20"),
        (format!("{HASH}&peer_id=%"), r#"peer_id: "%" is not a percent escape"#),
        (format!("{HASH}&{ID}"), "port: missing"),
        (format!("{HASH}&{ID}&port=abc"), r#"port: "abc" is not a number"#),
        (format!("{HASH}&{ID}&port=-"), r#"port: "-" is not a number"#),
        (format!("{REQUIRED}&uploaded=1.5"), r#"uploaded: "1.5" is not a number"#),
        (format!("{REQUIRED}&downloaded=0x1"), r#"downloaded: "0x1" is not a number"#),
        (format!("{REQUIRED}&left=+1"), r#"left: "+1" is not a number"#),
        (format!("{REQUIRED}&numwant=all"), r#"numwant: "all" is not a number"#),
    ] {
        let wanted = Refused {
            reason: reason.to_owned(),
            retry: crate::request::Retry::Never,
            fault: crate::request::Fault::Request,
        };
        assert_eq!(refusal(&query), wanted, "{query}");
    }
}

#[test]
fn an_info_hash_is_read_in_every_spelling() {
    for spelling in [
        &b"\xd1\x10\x1a\x2b\x9d\x20\x28\x11\xa0\x5e\x8c\x57\xc5\x57\xa2\x0b\xf9\x74\xdc\x8a"[..],
        b"d1101A2b9d202811A05e8c57c557a20bf974dc8a",
        b"%D1%10%1A%2B%9D%20%28%11%A0%5E%8C%57%C5%57%A2%0B%F9%74%DC%8A",
        b"%d1%10%1a+%9d%20(%11%A0^%8cW%C5W%a2%0b%f9t%dC%8A",
    ] {
        let query = [b"info_hash=", spelling, b"&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1"].concat();
        let read = parse_announce(&query, ip(SOURCE), false).expect("understood");
        assert_eq!(read.request.info_hash, HASH, "{}", query.escape_ascii());
    }
}

#[test]
fn the_first_value_of_a_parameter_counts_and_empty_ones_do_not() {
    let read =
        announce("left=&left=7&left=8&info_hash=x&port=9&event=&event=stopped&&=&=5&x&y=").request;
    assert_eq!((read.left, read.port, read.event), (7, 6881, Event::Stopped));
    assert_eq!(read.info_hash, InfoHash([b'a'; 20]));
}

#[test]
fn an_equals_sign_may_stand_inside_a_value() {
    let query = b"info_hash=aaaaaaaaaaaaaaaaaa==&peer_id==bbbbbbbbbbbbbbbbbbb&port=1";
    let read = parse_announce(query, ip(SOURCE), false).expect("understood").request;
    assert_eq!(read.info_hash, InfoHash(*b"aaaaaaaaaaaaaaaaaa=="));
    assert_eq!(read.identity.peer_id, PeerId(*b"=bbbbbbbbbbbbbbbbbbb"));
}

#[test]
fn numbers_out_of_range_are_clamped() {
    let max = PEER_COUNTER_BYTES_MAX;
    for (text, counter, left) in [
        ("0", 0, 0),
        ("0007", 7, 7),
        ("281474976710655", max, max),
        ("281474976710656", max, max),
        ("9223372036854775808", max, max),
        ("99999999999999999999999999", max, max),
        ("-1", 0, max),
        ("-99999999999999999999999999", 0, max),
    ] {
        let read = announce(&format!("uploaded={text}&downloaded={text}&left={text}")).request;
        assert_eq!((read.uploaded, read.downloaded, read.left), (counter, counter, left), "{text}");
    }
    assert_eq!(announce("").request.left, max, "absent means unknown, not a seeder");
    for (text, count) in
        [("-1", 50), ("0", 0), ("200", 200), ("201", 200), ("99999999999999999999", 200)]
    {
        assert_eq!(announce(&format!("numwant={text}")).request.numwant.count(), count, "{text}");
    }
}

#[test]
fn an_impossible_port_is_counted_with_a_warning() {
    let both = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb";
    for (text, port, named) in [
        ("0", 0, None),
        ("65535", 65535, None),
        ("65536", 0, Some("65536")),
        ("70000", 0, Some("70000")),
        ("-1", 0, Some("-1")),
        ("99999999999999999999", 0, Some("9223372036854775807")),
    ] {
        let read = parse_announce(format!("{both}&port={text}").as_bytes(), ip(SOURCE), false);
        let read = read.expect(text);
        let warning = named
            .map(|port| format!("port: {port} is out of range, so you are counted but not listed"));
        assert_eq!((read.request.port, read.warning), (port, warning));
    }
}

#[test]
fn events_are_exact_words_and_the_rest_are_updates() {
    for (text, event) in [
        ("started", Event::Started),
        ("stopped", Event::Stopped),
        ("completed", Event::Completed),
        ("paused", Event::Paused),
        ("Started", Event::Update),
        ("complete", Event::Update),
        ("empty", Event::Update),
    ] {
        assert_eq!(announce(&format!("event={text}")).request.event, event, "{text}");
    }
}

#[test]
fn a_key_proves_who_announces_and_the_address_does_without_one() {
    let proof = |more: &str| announce(more).request.identity.proof;
    assert_eq!(proof(""), Proof::from_source(ip(SOURCE)));
    assert_eq!(proof("key="), Proof::from_source(ip(SOURCE)));
    assert_eq!(proof("key=c0ffee"), Proof::from_key(0x00c0_ffee));
    assert_eq!(proof("key=%630ffee"), Proof::from_key(0x00c0_ffee), "escaped");
    assert_eq!(proof("key=%zz"), Proof::from_key_text(b"%zz"));
    let long = "k".repeat(200);
    assert_eq!(proof(&format!("key={long}")), Proof::from_key_text(long.as_bytes()));
    assert_ne!(proof(&format!("key={long}")), proof(&format!("key={long}l")));
}

#[test]
fn the_form_of_the_answer_is_what_was_asked_for() {
    let listed = |ids| PeerForm::Dictionaries { ids };
    for (more, form, peer_ids, json) in [
        ("", listed(true), true, false),
        ("compact=0", listed(true), true, false),
        ("compact=1", PeerForm::Compact, false, false),
        ("no_peer_id=1", listed(false), false, false),
        ("no_peer_id=0", listed(true), true, false),
        ("compact=1&no_peer_id=1", PeerForm::Compact, false, false),
        ("format=json", listed(true), true, true),
        ("format=xml", listed(true), true, false),
    ] {
        let read = announce(more);
        assert_eq!((read.form, read.request.peer_ids, read.json), (form, peer_ids, json), "{more}");
    }
}

#[test]
fn addresses_in_the_query_count_only_where_the_client_may_name_them() {
    let more = format!("{REQUIRED}&ip=192.0.2.9&ipv4=192.0.2.10&ipv6=2001:db8::9");
    let read = parse_announce(more.as_bytes(), ip(SOURCE), false).expect("understood").request;
    assert_eq!((read.v4, read.v6), (Some(Ipv4Addr::new(203, 0, 113, 5)), None));
    let read = parse_announce(more.as_bytes(), ip(SOURCE), true).expect("understood").request;
    assert_eq!((read.v4, read.v6), (Some(Ipv4Addr::new(192, 0, 2, 9)), Some(v6("2001:db8::9"))));
}

#[test]
fn each_family_takes_the_first_address_that_can_be_reached() {
    for (more, v4, v6) in [
        ("", None, Some("fd00::5")),
        ("ip=192.0.2.9", Some("192.0.2.9"), Some("fd00::5")),
        ("ip=host.example&ip=192.0.2.9", Some("192.0.2.9"), Some("fd00::5")),
        ("ipv4=192.0.2.10&ip=192.0.2.9", Some("192.0.2.9"), Some("fd00::5")),
        ("ipv4=0.0.0.0&ipv4=192.0.2.10", Some("192.0.2.10"), Some("fd00::5")),
        ("ip=255.255.255.255", None, Some("fd00::5")),
        ("ip=224.0.0.1&ipv6=ff02::1&ipv6=::", None, Some("fd00::5")),
        ("ipv4=192.0.2.10:6881", Some("192.0.2.10"), Some("fd00::5")),
        ("ipv6=[2001:db8::1]:6881", None, Some("2001:db8::1")),
        ("ipv6=%5B2001%3Adb8%3A%3A1%5D%3a6881", None, Some("2001:db8::1")),
        ("ip=::ffff:192.0.2.9", Some("192.0.2.9"), Some("fd00::5")),
        ("ip=2001:db8::1&ipv6=2001:db8::2", None, Some("2001:db8::1")),
        ("ip=%zz", None, Some("fd00::5")),
    ] {
        let query = format!("{REQUIRED}&{more}");
        let read = parse_announce(query.as_bytes(), ip("fd00::5"), true).expect(more).request;
        let text = (read.v4.map(|ip| ip.to_string()), read.v6.map(|ip| ip.to_string()));
        assert_eq!(text, (v4.map(str::to_owned), v6.map(str::to_owned)), "{more}");
        assert_eq!(read.families, Families::V6ThenV4, "the source's family first");
    }
}

#[test]
fn routes_are_known_with_a_key_in_every_place_and_a_slash_at_the_end() {
    let key = Some(&b"K%2f"[..]);
    for (path, route) in [
        ("/announce", Route::Announce { key: None }),
        ("/scrape", Route::Scrape { key: None }),
        ("/health", Route::Health),
        ("/announce/K%2f", Route::Announce { key }),
        ("/K%2f/announce", Route::Announce { key }),
        ("/scrape/K%2f", Route::Scrape { key }),
        ("/K%2f/scrape", Route::Scrape { key }),
        ("/announce/K%2f/scrape", Route::Scrape { key }),
        ("/stats", Route::Operator(OperatorRoute::Stats)),
        ("/add_torrent_info", Route::Operator(OperatorRoute::AddTorrentInfo)),
        ("/save_state", Route::Operator(OperatorRoute::SaveState)),
        ("/shutdown", Route::Operator(OperatorRoute::Shutdown)),
    ] {
        assert_eq!(Route::of(path.as_bytes(), b""), route, "{path}");
        assert_eq!(Route::of(format!("{path}/").as_bytes(), b""), route, "{path}/");
    }
    for path in [
        "",
        "/x",
        "/Announce",
        "/announce.php",
        "/announce//",
        "//announce",
        "/health/x",
        "/a/b/c",
        "/scrape/K/announce",
        "/announce/K/scrape/x",
        "/announce//scrape",
        "/stats/x",
    ] {
        assert_eq!(Route::of(path.as_bytes(), b"info_hash=a"), Route::NotFound, "{path}");
    }
}

#[test]
fn a_listing_is_everything_unless_the_query_says_less() {
    let everything =
        Listing { info_hash: None, offset: 0, limit: usize::MAX, peers: true, totals: false };
    assert_eq!(parse_listing(b""), Ok(everything));
    let hash = InfoHash([0xab; 20]);
    let query = format!("info_hash={hash}&offset=7&limit=3&peers=0&totals=1&other=x");
    let less = Listing { info_hash: Some(hash), offset: 7, limit: 3, peers: false, totals: true };
    assert_eq!(parse_listing(query.as_bytes()), Ok(less));
    for (query, reason) in [
        ("limit=-1", "limit: is below 0"),
        ("offset=x", "offset: \"x\" is not a number"),
        ("info_hash=abc", "info_hash: 3 bytes, expected 20"),
    ] {
        let refused = parse_listing(query.as_bytes()).expect_err(query);
        assert_eq!(refused.reason, reason);
    }
}

#[test]
fn the_root_announces_if_the_query_has_an_info_hash() {
    assert_eq!(Route::of(b"/", b""), Route::Root);
    assert_eq!(Route::of(b"/", b"info_hash=&port=1"), Route::Root);
    assert_eq!(Route::of(b"/", b"port=1&info_hash=a"), Route::Announce { key: None });
}

#[test]
fn a_scrape_names_its_hashes_sorted_and_each_once() {
    let mut hashes = vec![InfoHash([9; 20])];
    let query = b"info_hash=bbbbbbbbbbbbbbbbbbbb&info_hash=&x=y&info_hash=aaaaaaaaaaaaaaaaaaaa&\
                  info_hash=6262626262626262626262626262626262626262&\
                  info_hash=%FFbbbbbbbbbbbbbbbbbbb";
    assert_eq!(parse_scrape(query, &mut hashes), Ok(false));
    let last = *b"\xffbbbbbbbbbbbbbbbbbbb";
    assert_eq!(hashes, [[b'a'; 20], [b'b'; 20], last].map(InfoHash));
    let query = b"format=json&info_hash=bbbbbbbbbbbbbbbbbbbb&format=xml";
    assert_eq!(parse_scrape(query, &mut hashes), Ok(true));
    assert_eq!(hashes, [InfoHash([b'b'; 20])]);
}

#[test]
fn a_scrape_is_refused_without_a_hash_with_a_wrong_one_and_with_too_many() {
    let many = "info_hash=aaaaaaaaaaaaaaaaaaaa&".repeat(SCRAPE_HASHES_MAX);
    assert!(parse_scrape(many.as_bytes(), &mut Vec::new()).is_ok());
    let too_many = format!("{many}info_hash=aaaaaaaaaaaaaaaaaaaa");
    for (query, reason) in [
        ("", "info_hash: missing"),
        ("info_hash=", "info_hash: missing"),
        ("info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=a", "info_hash: 1 bytes, expected 20"),
        (too_many.as_str(), "info_hash: more than 265 in one scrape"),
    ] {
        let refused = parse_scrape(query.as_bytes(), &mut Vec::new()).expect_err(reason);
        assert_eq!(
            refused,
            Refused {
                reason: reason.to_owned(),
                retry: crate::request::Retry::Never,
                fault: crate::request::Fault::Request
            }
        );
    }
}

#[test]
fn every_prefix_of_every_query_is_served_or_refused() {
    for (name, query) in QUERIES.lines().filter_map(|line| line.split_once(' ')) {
        for length in 0..query.len() {
            let prefix = &query.as_bytes()[..length];
            if let Err(refused) = parse_announce(prefix, ip(SOURCE), true) {
                assert!(refused.reason.contains(": "), "{name}: {refused:?}");
            }
            let _ = parse_scrape(prefix, &mut Vec::new());
        }
    }
}

#[test]
fn no_mutation_makes_the_reading_panic() {
    let mut random = fastrand::Rng::with_seed(4);
    let queries: Vec<&str> =
        QUERIES.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let mut served = 0;
    for round in 0..8000 {
        let mut query = queries[round % queries.len()].as_bytes().to_vec();
        for _ in 0..random.usize(1..5) {
            let at = random.usize(..query.len());
            match random.u8(..3) {
                0 => query[at] = random.u8(..),
                1 => query.insert(at, b"&=%-+0:["[random.usize(..8)]),
                _ => drop(query.remove(at)),
            }
        }
        served += usize::from(parse_announce(&query, ip(SOURCE), true).is_ok());
        let _ = parse_scrape(&query, &mut Vec::new());
        let _ = Route::of(&query, &query);
    }
    assert!(served > 100, "some mutations stay good: {served}");
}
