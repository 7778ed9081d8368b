//! Answers byte by byte, as the BEPs have them, and their JSON forms.

use super::*;
use crate::bencode::{self, Value as Bencoded};
use crate::limits::{NUMWANT_HTTP_MAX, PEER_JSON_BYTES_MAX, SCRAPE_HASHES_MAX, SCRAPED_BYTES_MAX};
use std::net::{Ipv4Addr, Ipv6Addr};

/// BEP 3, 7, 23, 24 and, after `peers6`, the warning. Keys at 1 `complete`, 14 `downloaded`,
/// 30 `external ip` (4 bytes), 50 `incomplete`, 66 `interval`, 81 `min interval`, 100 `peers`
/// (2 of 6 bytes), 122 `peers6` (1 of 18 bytes), 151 `warning message`.
const COMPACT: &[u8] = include_bytes!("../../../tests/vectors/announce_compact.bencode");
/// BEP 3: keys at 1 to 94 as above but for 16 bytes of `external ip`, 113 `peers`: a list of three
/// dictionaries, each `ip`, `peer id`, `port`, the last with an IPv6 address.
const DICTIONARIES: &[u8] = include_bytes!("../../../tests/vectors/announce_dictionaries.bencode");
/// BEP 48: key at 1 `files`, then two hashes; under the first, keys at 33 `complete`,
/// 46 `downloaded`, 62 `downloaders` (BEP 21), 79 `incomplete`.
const SCRAPE: &[u8] = include_bytes!("../../../tests/vectors/scrape.bencode");

const HASH: InfoHash =
    InfoHash(*b"\xd1\x10\x1a\x2b\x9d\x20\x28\x11\xa0\x5e\x8c\x57\xc5\x57\xa2\x0b\xf9\x74\xdc\x8a");

/// `192.0.2.1:6881`, `198.51.100.2:51413` and `[2001:db8::3]:6883`.
fn peers(ids: bool) -> PeerBuf {
    let mut peers = PeerBuf::new();
    peers.v4.push([192, 0, 2, 1, 0x1a, 0xe1]);
    peers.v4.push([198, 51, 100, 2, 0xc8, 0xd5]);
    peers.v6.push(*b"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x1a\xe3");
    if ids {
        let names =
            [b"-TR4060-aaaaaaaaaaaa", b"-qB5050-bbbbbbbbbbbb", b"-UT360W-\xff\x00\x80+/%cc ccc"];
        peers.ids.extend(names.map(|name| PeerId(*name)));
    }
    peers
}

fn announced(peers: &PeerBuf) -> Announced<'_> {
    Announced {
        counts: SwarmCounts { complete: 3, incomplete: 4, downloaded: 5, downloaders: 99 },
        interval: 931,
        min_interval: 61,
        external_ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        peers,
        warning: None,
    }
}

fn encoded(announced: &Announced<'_>, form: PeerForm) -> Vec<u8> {
    let mut out = Vec::new();
    encode_announce(&mut out, announced, form);
    out
}

fn assert_bytes(found: &[u8], wanted: &[u8]) {
    assert_eq!(found.escape_ascii().to_string(), wanted.escape_ascii().to_string());
}

#[test]
fn a_compact_answer_is_the_golden_one() {
    let peers = peers(false);
    let warning = Some("port: 70000 is out of range");
    let answer = encoded(&Announced { warning, ..announced(&peers) }, PeerForm::Compact);
    assert_bytes(&answer, COMPACT);
}

#[test]
fn an_answer_with_dictionaries_is_the_golden_one() {
    let peers = peers(true);
    let external_ip = "2001:db8::7".parse().expect("an address");
    let answer = Announced { external_ip, ..announced(&peers) };
    assert_bytes(&encoded(&answer, PeerForm::Dictionaries { ids: true }), DICTIONARIES);
}

#[test]
fn dictionaries_have_no_ids_where_none_are_wanted_or_known() {
    let wanted = b"5:peersld2:ip9:192.0.2.14:porti6881eed2:ip12:198.51.100.24:porti51413ee\
                   d2:ip11:2001:db8::34:porti6883eeee";
    for (known, ids) in [(true, false), (false, true), (false, false)] {
        let peers = peers(known);
        let answer = encoded(&announced(&peers), PeerForm::Dictionaries { ids });
        assert!(answer.ends_with(wanted), "{}", answer.escape_ascii());
    }
}

#[test]
fn peers_is_there_even_if_nobody_is_and_peers6_only_if_somebody_is() {
    let peers = PeerBuf::new();
    assert!(encoded(&announced(&peers), PeerForm::Compact).ends_with(b"5:peers0:e"));
    let listed = encoded(&announced(&peers), PeerForm::Dictionaries { ids: true });
    assert!(listed.ends_with(b"5:peerslee"));
}

#[test]
fn a_scrape_is_the_golden_one() {
    let mut out = Vec::new();
    encode_scrape(&mut out, files());
    assert_bytes(&out, SCRAPE);
    out.clear();
    encode_scrape(&mut out, []);
    assert_bytes(&out, b"d5:filesdee");
}

fn files() -> [(InfoHash, SwarmCounts); 2] {
    let first = SwarmCounts { complete: 6, downloaded: 7, downloaders: 8, incomplete: 9 };
    let second = SwarmCounts { complete: 10, downloaded: 11, downloaders: 12, incomplete: 13 };
    [(InfoHash([1; 20]), first), (HASH, second)]
}

#[test]
fn a_refusal_says_why_and_when_to_come_back() {
    let mut refused = Refused::parameter("info_hash", "19 bytes, expected 20");
    let mut out = Vec::new();
    encode_refusal(&mut out, &refused, 900);
    // BEP 31: `never` is a string.
    assert_bytes(
        &out,
        b"d14:failure reason32:info_hash: 19 bytes, expected 208:intervali900e8:retry in5:nevere",
    );
    refused.retry = Retry::Minutes(7);
    out.clear();
    encode_refusal(&mut out, &refused, 901);
    assert!(out.ends_with(b"8:intervali901e8:retry ini7ee"), "{}", out.escape_ascii());
}

#[test]
fn every_answer_is_strict_bencode_behind_what_was_there() {
    let peers = peers(true);
    for form in [PeerForm::Compact, PeerForm::Dictionaries { ids: true }] {
        let mut out = b"head".to_vec();
        encode_announce(&mut out, &announced(&peers), form);
        let body = out.strip_prefix(b"head").expect("appended");
        let Ok(Bencoded::Dict(dict)) = bencode::decode(body) else { panic!("a dictionary") };
        assert_eq!(dict.get(b"interval").map(|entry| entry.value), Some(Bencoded::Int(931)));
    }
    let empty = announced(&peers);
    let widest = Ipv6Addr::from([0xab; 16]);
    let answer = Announced { external_ip: widest.into(), ..empty };
    assert!(bencode::decode(&encoded(&answer, PeerForm::Compact)).is_ok());
}

#[test]
fn an_address_of_any_length_is_written_with_its_length() {
    for (ip, wanted) in [
        ("1.2.3.4", "7:1.2.3.4"),
        ("255.255.255.255", "15:255.255.255.255"),
        ("::", "2:::"),
        ("abab:abab:abab:abab:abab:abab:abab:abab", "39:abab:abab:abab:abab:abab:abab:abab:abab"),
    ] {
        let mut out = Vec::new();
        encode_ip_text(&mut out, ip.parse().expect(ip));
        assert_bytes(&out, wanted.as_bytes());
    }
}

#[test]
fn an_announce_in_json_has_the_same_keys_for_people() {
    let all = peers(true);
    let mut out = Vec::new();
    encode_announce_json(&mut out, &Announced { warning: Some("w"), ..announced(&all) });
    let wanted = include_str!("../../../tests/vectors/announce.json");
    assert_eq!(String::from_utf8_lossy(&out), wanted);

    let unnamed = peers(false);
    out.clear();
    encode_announce_json(&mut out, &announced(&unnamed));
    let text = String::from_utf8_lossy(&out);
    assert!(!text.contains("peer id") && !text.contains("warning message"), "{text}");
}

#[test]
fn a_scrape_in_json_names_its_files_in_hex() {
    let mut out = Vec::new();
    let names = ["a \"film\"", ""];
    let similar = [None, Some(InfoHash([0xee; 20]))];
    let files = files().into_iter().zip(names).zip(similar);
    let scraped = files.map(|(((info_hash, counts), name), similar)| Scraped {
        info_hash,
        counts,
        name: name.to_owned(),
        similar,
    });
    encode_scrape_json(&mut out, scraped);
    let wanted = include_str!("../../../tests/vectors/scrape.json");
    assert_eq!(String::from_utf8_lossy(&out), wanted);
}

/// Counts of as many digits as there can be.
const MOST: SwarmCounts = SwarmCounts {
    complete: u32::MAX,
    incomplete: u32::MAX,
    downloaded: u32::MAX,
    downloaders: u32::MAX,
};

/// The `n`th of many hashes.
fn nth(n: usize) -> InfoHash {
    let mut hash = [0xff; 20];
    hash[..2].copy_from_slice(&(n as u16).to_be_bytes());
    InfoHash(hash)
}

#[test]
fn the_largest_replies_fit_what_a_connection_may_hold() {
    let mut peers = PeerBuf::new();
    peers.v6 = vec![[0xab; 18]; usize::from(NUMWANT_HTTP_MAX)];
    peers.ids = vec![PeerId([0xff; 20]); usize::from(NUMWANT_HTTP_MAX)];
    let mut out = Vec::new();
    encode_announce_json(&mut out, &Announced { counts: MOST, ..announced(&peers) });
    let shown = usize::from(NUMWANT_HTTP_MAX) * PEER_JSON_BYTES_MAX;
    assert!(out.len() <= shown + HTTP_REPLY_FRAME_BYTES / 2, "{}", out.len());
    out.clear();
    encode_scrape(&mut out, (0..SCRAPE_HASHES_MAX).map(|n| (nth(n), MOST)));
    assert!(out.len() <= SCRAPE_HASHES_MAX * SCRAPED_BYTES_MAX + 20, "{}", out.len());
}

#[test]
fn a_scrape_in_json_shows_what_fits_and_counts_the_rest() {
    for (name, fit) in [("\u{1}".repeat(1024), 5), ("x".repeat(1024), 27), ("x".to_owned(), 136)] {
        let mut out = Vec::new();
        let one = |n| Scraped {
            info_hash: nth(n),
            counts: MOST,
            name: name.clone(),
            similar: Some(nth(n)),
        };
        encode_scrape_json(&mut out, (0..250).map(one));
        assert!(out.len() <= HTTP_REPLY_BYTES_MAX - HTTP_REPLY_FRAME_BYTES / 2, "{}", out.len());
        let answer: Value = serde_json::from_slice(&out).expect("JSON");
        let shown = answer["files"].as_object().expect("files").len();
        assert_eq!((shown, &answer["left out"]), (fit, &Value::from(250 - fit)));
    }
}

#[test]
fn a_refusal_in_json_has_the_same_keys() {
    let mut refused = Refused::parameter("port", "\"a\" is not a number");
    let mut out = Vec::new();
    encode_refusal_json(&mut out, &refused, 900);
    let wanted = "{\n  \"failure reason\": \"port: \\\"a\\\" is not a number\",\n  \
                  \"interval\": 900,\n  \"retry in\": \"never\"\n}\n";
    assert_eq!(String::from_utf8_lossy(&out), wanted);
    refused.retry = Retry::Minutes(7);
    out.clear();
    encode_refusal_json(&mut out, &refused, 900);
    assert!(out.ends_with(b"\"retry in\": 7\n}\n"));
}
