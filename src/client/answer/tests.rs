//! Golden replies and what is made of them, and every prefix and mutation of one.

use std::net::Ipv4Addr;

use super::*;

/// Every key of BEP 3, 7, 23, 24 once, each number different.
const GOLDEN: &[u8] = b"d8:completei2e10:downloadedi3e11:external ip4:\x7f\x00\x00\x01\
    10:incompletei4e8:intervali900e12:min intervali60e\
    5:peers12:\x0a\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x00\x50\
    6:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe2\
    15:warning message4:\x1b[1me";

fn peer(host: &str, port: u16) -> Peer {
    Peer { host: host.to_owned(), port, id: None }
}

type Parse<'a> = &'a dyn Fn(&[u8], &mut Faults) -> Result<Answer, String>;

fn announced(body: &[u8]) -> (Announced, Vec<String>) {
    let mut faults = Faults::default();
    match parse_announced(body, true, &mut faults) {
        Ok(Answer::Announced(announced)) => (announced, faults.lines()),
        other => panic!("{}: {other:?}", body.escape_ascii()),
    }
}

#[test]
fn a_golden_reply_is_read_field_by_field() {
    let (told, faults) = announced(GOLDEN);
    let wanted = Announced {
        interval: Some(900),
        min_interval: Some(60),
        complete: Some(2),
        incomplete: Some(4),
        downloaded: Some(3),
        external_ip: Some(Ipv4Addr::LOCALHOST.into()),
        warning: Some("\\u{1b}[1m".to_owned()),
        peers: vec![peer("10.0.0.1", 6881), peer("10.0.0.2", 80), peer("2001:db8::1", 6882)],
    };
    assert_eq!((told, faults), (wanted, vec![]));
}

#[test]
fn peers_of_dictionaries_are_read_with_their_ids() {
    let body = b"d8:intervali1e5:peersld2:ip10:a.example\x077:peer id20:-TR2940-abcdefghijkl\
                 4:porti1eed2:ip3:::14:porti65535eeee";
    let (told, faults) = announced(body);
    let mut unasked = Faults::default();
    assert!(parse_announced(body, false, &mut unasked).is_ok());
    assert_eq!(unasked.lines(), [""; 0], "with no_peer_id=1 none are due");
    let named = Peer {
        host: "a.example\\u{7}".to_owned(),
        port: 1,
        id: Some(PeerId(*b"-TR2940-abcdefghijkl")),
    };
    assert_eq!(told.peers, [named, peer("::1", 65_535)]);
    assert_eq!(faults, ["peers without a peer id, though no_peer_id=1 was not asked (BEP 3)"]);
}

#[test]
fn what_makes_no_sense_is_left_out_and_told() {
    for (body, fault) in [
        (&b"d5:peers0:e"[..], "no interval: clients do not know when to announce again (BEP 3)"),
        (
            b"d8:intervali1ee",
            "no peers: must be there even if empty (BEP 3); rTorrent takes it for an error",
        ),
        (b"d8:interval3:9005:peers0:e", "interval: a string, expected an integer"),
        (b"d8:intervali1e5:peersi7ee", "peers: an integer, expected a string or a list"),
        (b"d8:intervali1e5:peers7:1234567e", "peers: 7 bytes, not a multiple of 6 (BEP 23, BEP 7)"),
        (
            b"d8:intervali1e5:peers0:6:peers66:123456e",
            "peers6: 6 bytes, not a multiple of 18 (BEP 23, BEP 7)",
        ),
        (b"d8:intervali1e5:peersli1eee", "peers: number 1: an integer, expected a dictionary"),
        (b"d8:intervali1e5:peersld2:ip1:aeee", "peers: number 1 has no ip or no port (BEP 3)"),
        (
            b"d8:intervali1e5:peersld2:ip1:a4:porti65536eeee",
            "peers: number 1 has port 65536, expected 1 to 65535",
        ),
        (
            b"d8:intervali1e5:peersld2:ip1:a7:peer id1:x4:porti1eeee",
            "peers: number 1 has a peer id not of 20 bytes (BEP 3)",
        ),
        (
            b"d11:external ip3:abc8:intervali1e5:peers0:e",
            "external ip: 3 bytes, expected 4 or 16 (BEP 24)",
        ),
        (b"d8:completele8:intervali1e5:peers0:e", "complete: a list, expected an integer"),
        (
            b"d8:intervali1e5:peers0:15:warning messagedee",
            "warning message: a dictionary, expected a string",
        ),
        (b"d5:peers0:8:intervali1ee", "byte 10: a key out of order (BEP 3)"),
        (b"d8:intervali1e8:intervali2e5:peers0:e", "byte 14: a key that stands twice (BEP 3)"),
        (b"d8:intervali1e5:peers0:e\r\n", "byte 24: more bytes after the end (BEP 3)"),
    ] {
        assert_eq!(announced(body).1, [fault], "{}", body.escape_ascii());
    }
}

#[test]
fn a_refusal_is_told_with_when_to_try_again() {
    for (body, reason, retry_in, faults) in [
        (&b"d14:failure reason2:noe"[..], "no", None, &[][..]),
        (b"d14:failure reason2:no8:retry in5:nevere", "no", Some("never"), &[]),
        (b"d14:failure reason2:\x1b]8:retry ini5ee", "\\u{1b}]", Some("5 min"), &[]),
        (
            b"d14:failure reason2:no8:retry ini0ee",
            "no",
            None,
            &["retry in: neither never nor minutes above 0 (BEP 31)"],
        ),
        (b"d14:failure reason0:e", "", None, &["failure reason: empty, so that nobody learns why"]),
        (
            b"d14:failure reason2:no6:peers60:e",
            "no",
            None,
            &["failure reason and peers6 together: clients see the failure alone"],
        ),
        (
            b"d14:failure reason2:no5:filesdee",
            "no",
            None,
            &["failure reason and files together: clients see the failure alone"],
        ),
        (
            b"d14:failure reasoni7e5:peers0:e",
            "no reason that can be read",
            None,
            &[
                "failure reason: an integer, expected a string",
                "failure reason and peers together: clients see the failure alone",
            ],
        ),
    ] {
        let parse_announced =
            |body: &[u8], faults: &mut Faults| parse_announced(body, true, faults);
        for parse in [&parse_announced as Parse<'_>, &parse_scraped] {
            let mut found = Faults::default();
            let refusal =
                Refusal { reason: reason.to_owned(), retry_in: retry_in.map(str::to_owned) };
            assert_eq!(parse(body, &mut found), Ok(Answer::Refused(refusal)));
            assert_eq!(found.lines(), faults, "{}", body.escape_ascii());
        }
    }
}

#[test]
fn what_is_no_dictionary_of_bencode_is_an_error() {
    for (body, error) in [
        (&b""[..], "an empty reply"),
        (
            b"<html>",
            "the reply is not bencode: byte 0: no value begins with '<'; it begins \"<html>\"",
        ),
        (b"le", "the reply is a list, not a dictionary"),
        (
            b"d1:ai1e1:b",
            "the reply is not bencode: byte 10: the input ends within a value; it begins \
             \"d1:ai1e1:b\"",
        ),
    ] {
        let found = parse_announced(body, true, &mut Faults::default());
        assert_eq!(found, Err(error.to_owned()));
    }
}

#[test]
fn a_golden_scrape_is_read_and_its_faults_are_told() {
    let scraped = |body: &[u8]| {
        let mut faults = Faults::default();
        match parse_scraped(body, &mut faults) {
            Ok(Answer::Scraped(files)) => (files, faults.lines()),
            other => panic!("{other:?}"),
        }
    };
    let golden = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi2e10:incompletei3e\
                   4:name1:nee5:flagsd20:min_request_intervali4eee";
    let file = Scraped {
        info_hash: InfoHash([b'a'; 20]),
        complete: Some(1),
        incomplete: Some(3),
        downloaded: Some(2),
        name: Some("n".to_owned()),
    };
    assert_eq!(scraped(golden), (vec![file], vec![]));
    let bad = b"d5:filesd3:AAAde20:aaaaaaaaaaaaaaaaaaaadee20:bbbbbbbbbbbbbbbbbbbbi1eee";
    let bad: Vec<u8> = String::from_utf8_lossy(bad).replace("aadee", "aade").into_bytes();
    let (files, faults) = scraped(&bad);
    assert_eq!(files.len(), 1);
    assert_eq!(
        faults,
        [
            "files: \"AAA\" is not a hash of 20 bytes (BEP 48)",
            "files: a torrent without complete (BEP 48)",
            "files: a torrent without incomplete (BEP 48)",
            "files: a torrent without downloaded (BEP 48)",
            "files: 6262626262626262626262626262626262626262: an integer, expected a dictionary",
        ]
    );
    let none = "no files: a scrape is a dictionary in files (BEP 48)";
    assert_eq!(scraped(b"de").1, [none]);
    assert_eq!(scraped(b"d5:files0:e").1, ["files: a string, expected a dictionary"]);
}

#[test]
fn no_prefix_and_no_mutation_of_a_reply_panics() {
    for length in 0..GOLDEN.len() {
        let cut = parse_announced(&GOLDEN[..length], true, &mut Faults::default());
        assert!(cut.is_err(), "{length}");
    }
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let mut body = GOLDEN.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..body.len());
            body[at] = b"dlie0159:\xff"[random.usize(..10)];
        }
        let _ = parse_announced(&body, true, &mut Faults::default());
        let _ = parse_scraped(&body, &mut Faults::default());
    }
}
